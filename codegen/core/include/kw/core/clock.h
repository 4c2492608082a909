#pragma once
// Time as a parameter, so that everything replays.

#include <chrono>
#include <cstdint>
#include <string>

namespace kw {

class Clock {
 public:
  virtual ~Clock() = default;
  /// Microseconds since the Unix epoch.
  virtual std::int64_t wall_us() = 0;
  /// Monotonic.
  virtual std::chrono::steady_clock::time_point now() = 0;
};

/// The machine's clocks. Thread-safe; lives as long as the program.
Clock& system_clock();

/// A UUIDv7 (RFC 9562) from the clock's milliseconds and 74 random bits; thread-safe.
std::string make_job_id(Clock& clock);

}  // namespace kw
