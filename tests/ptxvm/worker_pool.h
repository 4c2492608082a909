#pragma once
// Ranges of work for processes that may hang or die.

#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

namespace kw::ptxvm {

/// The programs [first, end), done in order by one process.
struct Range {
  std::uint64_t first = 0, end = 0;
};

struct PoolSettings {
  std::uint64_t workers = 1;
  double patience_s = 20;   // a worker that writes nothing for so long is ended
  double limit_s = 1e9;     // no range starts later than this after the beginning
  std::uint64_t batch = 1;  // programs in a range
};

struct PoolHandlers {
  /// In the worker, once: the function that does one range. It writes lines to `out`, among them
  /// "at N TEXT" before program N is touched (TEXT: what is done to it).
  std::function<std::function<void(Range)>(std::FILE* out)> start;
  /// In the caller: a line of a worker.
  std::function<void(const std::string& line)> line;
  /// In the caller: program N was not finished, and why. The rest of its range is done by another
  /// worker.
  std::function<void(std::uint64_t n, const std::string& why)> lost;
};

/// Does [first, first + count); returns how many programs were never started. The caller must have
/// no other threads (workers are forks of it).
std::uint64_t run_in_workers(std::uint64_t first, std::uint64_t count, const PoolSettings& settings,
                             const PoolHandlers& handlers);

}  // namespace kw::ptxvm
