// V2 and V3: what a run did to memory that was not its to change.

#include "checks.h"

namespace kw::verify {
namespace {

std::map<std::string, std::string> replay(const TrialPlan& plan, const std::string& buffer) {
  return {{"trial", plan.label},
          {"family", std::string(to_string(plan.family))},
          {"seed", fmt::format("{}", plan.seed)},
          {"buffer", buffer}};
}

}  // namespace

Verdict from_fault(const RunFault& fault) { return {fault.kind, fault.reason, fault.witness}; }

Checked check_buffers(Session& session, const TrialPlan& plan, const TrialResult& result) {
  const bool clean = result.modified_inputs.empty() && result.broken_guards.empty();
  CheckRecord& record = session.record("V3." + plan.label, clean, plan.seed);
  record.figures["modified_inputs"] = static_cast<double>(result.modified_inputs.size());
  record.figures["broken_guards"] = static_cast<double>(result.broken_guards.size());
  if (!result.broken_guards.empty()) {
    const std::string& name = result.broken_guards.front();
    return Verdict{RejectKind::OutOfBounds,
                   fmt::format("wrote outside buffer '{}' (its guard zone changed)", name),
                   replay(plan, name)};
  }
  if (!result.modified_inputs.empty()) {
    const std::string& name = result.modified_inputs.front();
    return Verdict{RejectKind::InputModified, fmt::format("changed its input '{}'", name),
                   replay(plan, name)};
  }
  return std::nullopt;
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
      return Verdict{RejectKind::WrongResult,
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
