#pragma once
// How long to wait, and who may end the wait early.

#include <chrono>
#include <memory>
#include <stop_token>

#include "kw/core/result.h"

namespace kw::process {

using Deadline = std::chrono::steady_clock::time_point;

struct Wait {
  Deadline deadline = Deadline::max();  // max: for ever
  std::stop_token stop;

  static Wait within(std::chrono::milliseconds time, std::stop_token stop_token = {});
};

/// Waits on descriptors under one Wait; make one for a sequence of waits. Not thread-safe, though
/// the stop token may be stopped from any thread.
class Waiter {
 public:
  explicit Waiter(const Wait& wait);
  ~Waiter();
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  /// Returns when poll(2) reports one of `events`, a hang-up or an error on `fd`. Errors:
  /// DeadlineExceeded, Cancelled, Io.
  Status until(int fd, short events);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kw::process
