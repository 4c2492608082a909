// V18: what honest errors may add up to over many layers can be so much that it says nothing of the
// outputs. Then every step is judged for itself: a scratch buffer that bears the name of a value of
// the graph (launch_plan.h) is read back and compared with what the reference makes of the
// candidate's own earlier values, exact as they stand; where it is right, the reference goes on
// from it. A computation whose every step is right to within that step's bound is honest as a
// whole.

#include <algorithm>
#include <cmath>

#include "checks.h"
#include "kw/reference/interpret.h"

namespace kw::verify {
namespace {

/// Bounds above this share of an output's largest element say little about it.
constexpr double kTelling = 0x1p-7;

/// Of the finite elements of the outputs: how many have a bound that tells right from wrong.
double telling_share(const std::vector<reference::Tensor>& outputs) {
  double telling = 0, all = 0;
  for (const reference::Tensor& t : outputs) {
    double largest = 0;
    for (const double v : t.value) {
      if (std::isfinite(v)) largest = std::max(largest, std::fabs(v));
    }
    for (std::size_t i = 0; i < t.size(); ++i) {
      if (!std::isfinite(t.value[i])) continue;
      ++all;
      telling += t.bound_at(i) <= kTelling * largest;
    }
  }
  return all > 0 ? telling / all : 1;
}

/// The plan with every scratch buffer that holds a value of the graph made an output, so that
/// nothing is packed over it. `shown` are those values.
LaunchPlan with_steps_shown(const Session& session, std::map<ValueId, std::string>& shown) {
  LaunchPlan plan = session.candidate.plan;
  const Graph& graph = session.task.graph;
  for (PlanBuffer& buffer : plan.buffers) {
    if (buffer.role != Role::Scratch || buffer.init != BufferInit::None) continue;
    const bool shared = !buffer.alias_of.empty() ||
                        std::any_of(plan.buffers.begin(), plan.buffers.end(),
                                    [&](const PlanBuffer& b) { return b.alias_of == buffer.name; });
    if (shared) continue;
    for (const Node& node : graph.nodes) {
      for (const ValueId id : node.outputs) {
        if (id == kNoValue || graph.value(id).name != buffer.name) continue;
        const Value& value = graph.value(id);
        const auto bytes = buffer.bytes.eval(plan.symbols);
        const auto want = storage_elements(value) * static_cast<std::int64_t>(size_of(value.dtype));
        if (buffer.dtype != value.dtype || !bytes || *bytes != want) continue;
        shown[id] = buffer.name;
        buffer.role = Role::Output;
        buffer.first_use = buffer.last_use = -1;
      }
    }
  }
  return plan;
}

const OutputBytes* find_bytes(const TrialResult& result, const std::string& name) {
  for (const OutputBytes& output : result.outputs) {
    if (output.buffer == name && output.bytes != nullptr) return &output;
  }
  return nullptr;
}

/// Compares every shown value with the reference and puts it in the reference's place.
struct Steps {
  const Session& session;
  const std::map<ValueId, std::string>& shown;
  const TrialResult& result;
  double elements = 0, judged = 0, worst = 0;
  std::map<ValueId, std::int64_t> judged_of{};
  std::optional<Verdict> verdict{};

  Status settle(ValueId id, reference::Tensor& tensor) {
    const auto found = shown.find(id);
    if (found == shown.end() || verdict) return {};
    const OutputBytes* output = find_bytes(result, found->second);
    if (output == nullptr) return {};
    const Value& value = session.task.graph.value(id);
    const auto bytes = output->bytes->view();
    const CompareRules rules{.atomics = session.task.determinism == Determinism::WithinBound};
    KW_ASSIGN(const Comparison c, compare(value, tensor, bytes, rules));
    elements += static_cast<double>(c.elements);
    judged += static_cast<double>(c.judged);
    judged_of[id] = c.judged;
    worst = std::max(worst, c.worst);
    if (!c.passed()) {
      verdict = Verdict{
          "V18",
          RejectKind::WrongResult,
          fmt::format("step '{}' is wrong at {} of {} elements: it is {:.9g} instead of {:.9g} at "
                      "element {}, given the kernels' own earlier values (allowed error {:.3g})",
                      value.name, c.wrong, c.elements, c.got, c.expected, c.worst_index, c.bound),
          {{"buffer", value.name}}};
      return {};
    }
    KW_ASSIGN(const reference::Tensor own, reference::decode_tensor(value, bytes));
    for (std::size_t i = 0; i < tensor.size(); ++i) {
      if (!(tensor.bound_at(i) < reference::kUnjudged)) continue;  // stays in doubt
      tensor.value[i] = own.value[i];
      if (!tensor.bound.empty()) tensor.bound[i] = 0;
    }
    return {};
  }
};

}  // namespace

Checked check_steps(Session& session, const TrialPlan& base) {
  if (session.large || !session.asked("V18")) return std::nullopt;
  std::map<ValueId, std::string> shown;
  const LaunchPlan plan = with_steps_shown(session, shown);
  if (shown.empty()) return std::nullopt;
  const auto formats = reference::format_table(session.task.formats);
  reference::Options options{.policy = session.task.policy, .few_valued = base.few_valued};
  KW_ASSIGN(const auto inputs, decode_inputs(session.task, base));
  KW_ASSIGN(const auto whole, interpret(session.task.graph, formats, inputs, options));
  const double share = telling_share(whole);
  if (share > 0.5) return std::nullopt;
  // The rest of the battery comes first: it may find more than this does.
  const auto skipped = [&](const char* why) -> Checked {
    session.record("V18." + base.label, true, base.seed).notes["skipped"] = why;
    return std::nullopt;
  };
  KW_ASSIGN(const std::chrono::milliseconds left, session.time_left());
  if (left < session.options.deadline / 2) return skipped("less than half of the time is left");

  RunRequest request;
  KW_ASSIGN(request.deadline, session.time_left());
  request.module = session.module;
  request.plan = plan;
  request.trials.push_back(base.trial());
  request.seed = session.seed_for("judge.steps");
  KW_ASSIGN(const RunReply reply, session.device.run(request, session.stop));
  if (reply.fault) {
    const Verdict verdict = from_fault(*reply.fault);
    if (verdict.kind == RejectKind::Timeout) return skipped("not run within the time");
    return verdict;
  }
  if (reply.trials.size() != 1) return fail(Errc::Internal, "the runner returned no trial");

  Steps steps{session, shown, reply.trials.front()};
  // The graph's own outputs are steps like any other.
  for (const ValueId id : session.task.graph.outputs) {
    shown.emplace(id, session.task.graph.value(id).name);
  }
  options.settle = [&](ValueId id, reference::Tensor& tensor) { return steps.settle(id, tensor); };
  KW_ASSIGN(const auto rest, interpret(session.task.graph, formats, inputs, options));
  CheckRecord& record = session.record("V18." + base.label, !steps.verdict, base.seed);
  record.figures["telling_share"] = share;
  record.figures["steps"] = static_cast<double>(shown.size());
  record.figures["elements"] = steps.elements;
  record.figures["judged"] = steps.judged;
  record.figures["max_error_in_bounds"] = steps.worst;
  TrialCoverage& coverage = session.coverage.emplace_back();
  coverage.label = "steps." + base.label;
  for (const ValueId id : session.task.graph.outputs) {
    coverage.elements.push_back(element_count(session.task.graph.value(id).shape).value_or(0));
    coverage.judged.push_back(steps.judged_of[id]);
  }
  return steps.verdict;
}

}  // namespace kw::verify
