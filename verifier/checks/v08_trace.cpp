// V8: the launcher's own count of what ran. Every kernel of the plan ran, and nothing else did.

#include <set>

#include "checks.h"

namespace kw::verify {
namespace {

constexpr std::string_view kPrefix = "launched.";

struct Expected {
  std::set<std::string> named;   // anywhere in the plan
  std::set<std::string> always;  // in no loop and under no predicate, with a grid that is not empty
};

void collect(const LaunchPlan& plan, const std::vector<PlanNode>& nodes, bool sure, Expected& out) {
  for (const PlanNode& node : nodes) {
    if (const auto* kernel = std::get_if<KernelNode>(&node.what)) {
      out.named.insert(kernel->kernel);
      bool full = sure;
      for (const Expr& extent : kernel->grid) {
        const auto value = extent.eval(plan.symbols);
        full = full && value && *value > 0;
      }
      if (full) out.always.insert(kernel->kernel);
    }
    if (const auto* loop = std::get_if<LoopNode>(&node.what)) collect(plan, loop->body, false, out);
    if (const auto* when = std::get_if<PredicateNode>(&node.what)) collect(plan, when->body, false, out);
  }
}

}  // namespace

Checked check_trace(Session& session, const RunReply& reply, double runs) {
  if (!session.asked("V8")) return std::nullopt;
  const LaunchPlan& plan = session.candidate.plan;
  Expected expected;
  collect(plan, plan.setup, true, expected);
  collect(plan, plan.run, true, expected);
  CheckRecord& record = session.record("V8.trace", false, 0);
  record.figures["runs"] = runs;
  const auto refuse = [](std::string reason) {
    return Verdict{"V8", RejectKind::Quarantined, std::move(reason), {}};
  };
  for (const auto& [name, count] : reply.counters) {
    if (!name.starts_with(kPrefix)) continue;
    const std::string kernel = name.substr(kPrefix.size());
    record.figures[name] = count;
    if (!expected.named.contains(kernel)) {
      return refuse(fmt::format("'{}' ran, which the plan does not have", kernel));
    }
    expected.always.erase(kernel);
  }
  if (!expected.always.empty()) {
    return refuse(fmt::format("'{}' of the plan was never launched", *expected.always.begin()));
  }
  record.passed = true;
  return std::nullopt;
}

}  // namespace kw::verify
