#include "kw/core/clock.h"

#include <fmt/format.h>

#include <random>

namespace kw {
namespace {

class SystemClock final : public Clock {
 public:
  std::int64_t wall_us() override {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  std::chrono::steady_clock::time_point now() override { return std::chrono::steady_clock::now(); }
};

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

std::string make_job_id(Clock& clock) {
  thread_local std::random_device device;  // getrandom(2)
  const auto word = [] { return std::uint64_t{device()} | (std::uint64_t{device()} << 32); };
  const std::uint64_t ms = static_cast<std::uint64_t>(clock.wall_us() / 1000);
  const std::uint64_t high = (ms << 16) | 0x7000 | (word() & 0x0fff);
  const std::uint64_t low = (word() & 0x3fffffffffffffffull) | 0x8000000000000000ull;
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, (high >> 16) & 0xffff,
                     high & 0xffff, low >> 48, low & 0xffffffffffffull);
}

}  // namespace kw
