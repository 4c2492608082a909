#include "kw/ptxvm/schedules.h"

#include <algorithm>
#include <optional>

#include "exec/snapshot.h"

namespace kw::ptxvm {
namespace {

void compare(unsigned schedule, const Snapshot& want, const Snapshot& have,
             std::vector<ScheduleDifference>& out) {
  for (std::size_t i = 0; i < want.parts.size(); ++i) {
    const auto& a = want.parts[i].bytes;
    const auto& b = have.parts[i].bytes;
    const auto first = std::mismatch(a.begin(), a.end(), b.begin()).first;
    if (first == a.end()) continue;
    ScheduleDifference difference{schedule, want.parts[i].name,
                                  static_cast<std::uint64_t>(first - a.begin()), 0};
    for (std::size_t k = difference.offset; k < a.size(); ++k)
      difference.differing_bytes += a[k] != b[k] ? 1 : 0;
    out.push_back(std::move(difference));
  }
}

}  // namespace

Options schedule_options(const Options& base, unsigned number) {
  Options o = base;
  if (number == 0) return o;
  o.schedule = number == 1 ? Schedule::Reversed : Schedule::Shuffled;
  o.reverse_lanes = number % 2 == 1;
  o.pauses = number % 3 != 1;
  o.seed = base.seed + number * 0x9e3779b97f4a7c15u;
  return o;
}

bool SchedulesReport::clean() const noexcept {
  return differences.empty() &&
         std::all_of(reports.begin(), reports.end(), [](const Report& r) { return r.clean(); });
}

Result<SchedulesReport> run_schedules(const Program& program, Memory& memory, const Launch& launch,
                                      const Options& options, unsigned count) {
  SchedulesReport out;
  if (count == 0) return out;
  // The first use of a program creates its variables: they belong to the initial memory.
  for (const VariableInfo& v : program.variables()) {
    if (v.space == Space::Shared || v.external) continue;
    KW_RETURN_IF_ERROR(memory.symbol(program, v.name).map([](std::uint64_t) {}));
    break;
  }
  const Snapshot before(memory);
  std::optional<Snapshot> first;
  for (unsigned k = 0; k < count; ++k) {
    if (k != 0) before.restore(memory);
    KW_ASSIGN(Report report, run(program, memory, launch, schedule_options(options, k)));
    out.reports.push_back(std::move(report));
    if (k == 0) {
      first.emplace(memory);
    } else {
      compare(k, *first, Snapshot(memory), out.differences);
    }
  }
  first->restore(memory);
  return out;
}

}  // namespace kw::ptxvm
