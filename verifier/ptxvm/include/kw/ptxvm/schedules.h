#pragma once
// One launch under several schedules: a kernel whose output depends on the order in which the
// hardware runs warps, blocks and lanes is wrong on some of them.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kw/core/result.h"
#include "kw/ptxvm/memory.h"
#include "kw/ptxvm/program.h"
#include "kw/ptxvm/report.h"
#include "kw/ptxvm/run.h"

namespace kw::ptxvm {

/// A schedule as run_schedules() chooses them: number 0 is `base` itself, 1 all of it reversed, the
/// others are drawn from base.seed, every second one with reversed lanes, two of three with pauses.
Options schedule_options(const Options& base, unsigned number);

/// The first byte at which the memory after one schedule differs from that after schedule 0.
struct ScheduleDifference {
  unsigned schedule = 0;
  std::string allocation;
  std::uint64_t offset = 0;           // of the first differing byte
  std::uint64_t differing_bytes = 0;  // in this allocation
};

struct SchedulesReport {
  std::vector<Report> reports;                  // by schedule
  std::vector<ScheduleDifference> differences;  // by schedule, then by address

  bool clean() const noexcept;  // all reports are, and nothing differs
};

/// Runs the launch `count` times from the same memory, each under its own schedule, and compares
/// all allocations bitwise. Afterwards `memory` is as schedule 0 left it. Errors: those of run().
Result<SchedulesReport> run_schedules(const Program& program, Memory& memory, const Launch& launch,
                                      const Options& options, unsigned count);

}  // namespace kw::ptxvm
