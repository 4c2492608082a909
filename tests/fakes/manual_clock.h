#pragma once
// A clock that stands still until a test moves it.

#include <atomic>

#include "kw/core/clock.h"

namespace kw::fakes {

/// Thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(std::int64_t start_us = 1'700'000'000'000'000) : us_(start_us) {}
  std::int64_t wall_us() override { return us_; }
  std::chrono::steady_clock::time_point now() override {
    return std::chrono::steady_clock::time_point(std::chrono::microseconds(us_));
  }
  void advance(std::chrono::microseconds by) { us_ += by.count(); }

 private:
  std::atomic<std::int64_t> us_;
};

}  // namespace kw::fakes
