// The plan against the task: a candidate may not rename, retype or alias what the caller binds.

#include <algorithm>

#include "checks.h"
#include "kw/launch/bind.h"

namespace kw::verify {
namespace {

const PlanBuffer* find(const LaunchPlan& plan, std::string_view name) {
  const auto it = std::find_if(plan.buffers.begin(), plan.buffers.end(),
                               [&](const PlanBuffer& b) { return b.name == name; });
  return it == plan.buffers.end() ? nullptr : &*it;
}

bool bound_by_caller(Role role) { return role != Role::Scratch; }

Verdict refuse(std::string reason, const std::string& buffer) {
  return {"V7", RejectKind::RejectedByPolicy, std::move(reason), {{"buffer", buffer}}};
}

/// A buffer that the caller binds must be the graph's value of that name.
std::optional<Verdict> check_bound(const Session& session, const PlanBuffer& buffer) {
  const Graph& graph = session.task.graph;
  const auto value = std::find_if(graph.values.begin(), graph.values.end(),
                                  [&](const Value& v) { return v.name == buffer.name; });
  if (value == graph.values.end()) {
    return refuse(fmt::format("the plan binds '{}', which the task does not have", buffer.name),
                  buffer.name);
  }
  const auto id = static_cast<ValueId>(value - graph.values.begin());
  const bool output =
      std::find(graph.outputs.begin(), graph.outputs.end(), id) != graph.outputs.end();
  const bool state = value->role == Role::State;
  if (buffer.role != (output && !state ? Role::Output : value->role)) {
    return refuse(fmt::format("buffer '{}' has role {}, the task says {}", buffer.name,
                              to_string(buffer.role), to_string(value->role)),
                  buffer.name);
  }
  if (!buffer.alias_of.empty()) {
    return refuse(fmt::format("buffer '{}' aliases '{}': what the caller binds may not",
                              buffer.name, buffer.alias_of),
                  buffer.name);
  }
  const auto bytes = buffer.bytes.eval(session.candidate.plan.symbols);
  const auto want = storage_elements(*value) * static_cast<std::int64_t>(size_of(value->dtype));
  if (bytes && *bytes != want) {
    return refuse(
        fmt::format("buffer '{}' has {} bytes, the task says {}", buffer.name, *bytes, want),
        buffer.name);
  }
  return std::nullopt;
}

/// The launcher's own checks at this task's shapes: names, ranges, order, limits.
std::optional<Verdict> check_launch(const Session& session) {
  const DeviceLimits& limits = session.device.limits();
  launch::BindOptions options;
  if (limits.sm_count > 0) options.limits.sm_count = limits.sm_count;
  if (limits.shared_per_block > 0) options.limits.shared_per_block = limits.shared_per_block;
  if (limits.memory_bytes > 0) options.limits.memory_bytes = limits.memory_bytes;
  const Status bound = launch::check_plan(session.candidate.plan, options);
  // What this device cannot do is for its runner to say.
  if (bound || bound.error().code != Errc::InvalidArgument) return std::nullopt;
  return Verdict{"V7", RejectKind::LaunchError, bound.error().message, {}};
}

}  // namespace

Checked check_plan(Session& session) {
  if (!session.asked("V7")) return std::nullopt;
  const LaunchPlan& plan = session.candidate.plan;
  session.record("V7.plan", false, 0);
  for (const PlanBuffer& buffer : plan.buffers) {
    if (bound_by_caller(buffer.role)) {
      if (auto verdict = check_bound(session, buffer)) return verdict;
      continue;
    }
    const PlanBuffer* target = buffer.alias_of.empty() ? nullptr : find(plan, buffer.alias_of);
    if (target != nullptr && bound_by_caller(target->role)) {
      return refuse(fmt::format("scratch '{}' aliases '{}', which the caller binds", buffer.name,
                                target->name),
                    buffer.name);
    }
  }
  for (const ValueId id : session.task.graph.outputs) {
    const std::string& name = session.task.graph.value(id).name;
    const PlanBuffer* buffer = find(plan, name);
    if (buffer == nullptr || !bound_by_caller(buffer->role)) {
      return refuse(fmt::format("the plan has no buffer for output '{}'", name), name);
    }
  }
  if (auto verdict = check_launch(session)) return verdict;
  session.evidence.checks.back().passed = true;
  return std::nullopt;
}

}  // namespace kw::verify
