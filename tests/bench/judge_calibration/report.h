#pragma once
// Many cases on many threads, and what came out.

#include "measure.h"

namespace kw::calibration {

struct RunOptions {
  Half half = Half::Calibration;
  std::uint64_t seed = 1;
  std::uint64_t first = 0, cases = 10000;
  std::uint64_t threads = 0;  // 0: one per CPU
  std::uint64_t seconds = 0;  // no case is begun later; 0: no limit
  std::string only;           // task family
};

struct Report {
  std::string half;
  std::uint64_t seed = 0;
  std::uint64_t first = 0, next = 0;  // cases [first, next) were run
  std::uint64_t cases = 0;
  double seconds = 0;  // of all threads
  Tally tally;
};

Result<Report> run(const RunOptions& options);
/// Sums of reports written before. Errors: InvalidArgument for a file that is none.
Result<Report> merged(const std::vector<std::string>& files);

std::string to_json(const Report& report);
std::string to_markdown(const Report& report);

}  // namespace kw::calibration
