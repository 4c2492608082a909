#include "kw/ptxvm/schedules.h"

#include <algorithm>
#include <cstring>

namespace kw::ptxvm {
namespace {

struct Snapshot {
  std::uint64_t address = 0;
  std::string name;
  std::vector<std::byte> bytes;
  std::vector<std::uint8_t> initialised;
};

std::vector<Snapshot> save(const Memory& memory) {
  std::vector<Snapshot> all;
  for (const Allocation* a : memory.allocations()) {
    all.push_back({a->address,
                   a->name,
                   {a->bytes, a->bytes + a->size},
                   {a->initialised, a->initialised + a->size}});
  }
  return all;
}

void restore(Memory& memory, const std::vector<Snapshot>& all) {
  for (const Snapshot& s : all) {
    const Allocation* a = memory.find(s.address);
    if (a == nullptr) continue;
    std::copy(s.bytes.begin(), s.bytes.end(), a->bytes);
    std::copy(s.initialised.begin(), s.initialised.end(), a->initialised);
  }
}

void compare(unsigned schedule, const std::vector<Snapshot>& want,
             const std::vector<Snapshot>& have, std::vector<ScheduleDifference>& out) {
  for (std::size_t i = 0; i < want.size(); ++i) {
    const auto& a = want[i].bytes;
    const auto& b = have[i].bytes;
    const auto first = std::mismatch(a.begin(), a.end(), b.begin()).first;
    if (first == a.end()) continue;
    ScheduleDifference difference{schedule, want[i].name,
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
  const std::vector<Snapshot> before = save(memory);
  std::vector<Snapshot> first;
  for (unsigned k = 0; k < count; ++k) {
    if (k != 0) restore(memory, before);
    KW_ASSIGN(Report report, run(program, memory, launch, schedule_options(options, k)));
    out.reports.push_back(std::move(report));
    if (k == 0) {
      first = save(memory);
    } else {
      compare(k, first, save(memory), out.differences);
    }
  }
  restore(memory, first);
  return out;
}

}  // namespace kw::ptxvm
