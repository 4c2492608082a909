// V10: every output element within the bound of its reference; NaN and Inf exactly where they
// belong.

#include <cmath>

#include "checks.h"

namespace kw::verify {
namespace {

std::string index_text(const Shape& shape, std::int64_t flat) {
  Shape index(shape.size());
  for (std::size_t d = shape.size(); d-- > 0;) {
    if (shape[d] == 0) continue;
    index[d] = flat % shape[d];
    flat /= shape[d];
  }
  return kw::to_string(index);
}

std::string magnitude(double units) {
  return std::isinf(units) ? "of another kind or where no error is allowed"
                           : fmt::format("{:.3g} times the allowed error", units);
}

Verdict wrong(const Session& session, const TrialPlan& plan, const Comparison& c,
              const Value& value) {
  Verdict verdict;
  verdict.check = plan.label.starts_with("sensitivity")                ? "V16"
                  : plan.label.starts_with("as_drawn") ? "V10"
                                                       : "V11";
  verdict.kind = RejectKind::WrongResult;
  const std::string at = index_text(value.shape, c.worst_index);
  if (c.wrong > 0) {
    verdict.reason = fmt::format(
        "{}: output '{}' is wrong at {} of {} elements; at {} it is {:.9g} instead of {:.9g}, "
        "worst {}",
        plan.label, value.name, c.wrong, c.judged, at, c.got, c.expected, magnitude(c.worst));
  } else {
    verdict.reason = fmt::format(
        "{}: output '{}' is biased: mean error over c is {:.3g}, {:.3g} is allowed (truncating "
        "accumulation?)",
        plan.label, value.name, c.mean_signed, c.mean_allowed);
  }
  verdict.witness = {{"trial", plan.label},
                     {"family", std::string(to_string(plan.family))},
                     {"seed", fmt::format("{}", plan.seed)},
                     {"judge_seed", fmt::format("{}", session.seed)},
                     {"schedule_seed", fmt::format("{}", plan.schedule_seed)},
                     {"poison", fmt::format("{:#04x}", plan.poison)},
                     {"output", value.name},
                     {"index", at},
                     {"expected", fmt::format("{:.17g}", c.expected)},
                     {"got", fmt::format("{:.17g}", c.got)},
                     {"bound", fmt::format("{:.6g}", c.bound)}};
  if (plan.target != kNoValue) {
    verdict.witness["target"] = session.task.graph.value(plan.target).name;
  }
  return verdict;
}

}  // namespace

Checked check_values(Session& session, const TrialPlan& plan, const TrialResult& result) {
  if (!session.asked("V10")) return std::nullopt;
  std::vector<OutputView> views;
  KW_ASSIGN(std::optional<Verdict> missing, output_views(session, result, views));
  if (missing) return missing;
  KW_ASSIGN(const TrialVerdict verdict, session.oracle.judge(plan, views, session.stop));
  CheckRecord& record = session.record("V10." + plan.label, verdict.passed(), plan.seed);
  const std::size_t at = verdict.culprit();
  const Comparison& c = verdict.outputs[at];
  const Value& value = session.task.graph.value(session.task.graph.outputs[at]);
  record.figures["max_error_in_bounds"] = verdict.worst();
  record.figures["judged"] = static_cast<double>(verdict.judged());
  record.figures["finite"] = static_cast<double>(verdict.finite());
  if (c.mean_allowed > 0) {
    record.figures["mean_error_in_bounds"] = std::fabs(c.mean_signed) / c.mean_allowed;
  }
  record.notes["family"] = std::string(to_string(plan.family));
  record.notes["shape"] = kw::to_string(value.shape);
  if (plan.target != kNoValue) record.notes["target"] = session.task.graph.value(plan.target).name;
  TrialCoverage& coverage = session.coverage.emplace_back();
  coverage.label = plan.label;
  coverage.family = plan.family;
  for (const Comparison& output : verdict.outputs) {
    coverage.elements.push_back(output.elements);
    coverage.judged.push_back(output.judged);
  }
  if (verdict.judged() == 0) {
    record.notes["skipped"] = "no element of the reference has a definite value in this family";
    return std::nullopt;
  }
  if (verdict.passed()) return std::nullopt;
  return wrong(session, plan, c, value);
}

}  // namespace kw::verify
