// V2: outputs and scratch are poisoned, every buffer lies between guard zones and moves between
// trials. Here: what the guards say, and that every output is there whole. That the poison was
// overwritten is for V10 to see: a NaN left in place is no number.

#include "checks.h"

namespace kw::verify {

std::map<std::string, std::string> replay_of(const TrialPlan& plan, const std::string& buffer) {
  return {{"trial", plan.label},
          {"family", std::string(to_string(plan.family))},
          {"seed", fmt::format("{}", plan.seed)},
          {"buffer", buffer}};
}

Checked check_guards(Session& session, const TrialPlan& plan, const TrialResult& result) {
  if (!session.asked("V2")) return std::nullopt;
  CheckRecord& record = session.record("V2." + plan.label, result.broken_guards.empty(), plan.seed);
  record.figures["broken_guards"] = static_cast<double>(result.broken_guards.size());
  record.notes["poison"] = fmt::format("{:#04x}", plan.poison);
  if (result.broken_guards.empty()) return std::nullopt;
  const std::string& name = result.broken_guards.front();
  return Verdict{"V2", RejectKind::OutOfBounds,
                 fmt::format("wrote outside buffer '{}' (its guard zone changed)", name),
                 replay_of(plan, name)};
}

Checked output_views(Session& session, const TrialResult& result, std::vector<OutputView>& views) {
  views.clear();
  for (const ValueId id : session.task.graph.outputs) {
    const Value& value = session.task.graph.value(id);
    const OutputBytes* found = nullptr;
    for (const OutputBytes& output : result.outputs) {
      if (output.buffer == value.name) found = &output;
    }
    if (found == nullptr || found->bytes == nullptr) {
      return fail(Errc::Internal, "the runner returned no bytes for output '{}'", value.name);
    }
    const auto want = static_cast<std::size_t>(storage_elements(value)) * size_of(value.dtype);
    if (found->bytes->view().size() < want) {
      return Verdict{"V2", RejectKind::WrongResult,
                     fmt::format("output '{}' has {} bytes instead of {}", value.name,
                                 found->bytes->view().size(), want),
                     {{"buffer", value.name}}};
    }
    const std::span<const std::byte> all = found->bytes->view();
    views.push_back({all.first(want), found->bytes->fd(), found->bytes->file_bytes(),
                     found->bytes->first()});
  }
  return std::nullopt;
}

}  // namespace kw::verify
