// V14: whether an answer that no kernel should get away with would pass. Asked of a task before any
// search, and recorded with every accept.

#include <algorithm>
#include <cmath>

#include "checks.h"
#include "kw/core/random.h"
#include "kw/reference/interpret.h"
#include "kw/verify/degeneracy.h"

namespace kw::verify {
namespace {

using reference::Tensor;

struct Drawn {
  std::map<ValueId, Tensor> inputs;
  std::vector<Tensor> outputs;
};

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

/// The mean over everything but the last dimension, repeated: what a normalised or averaged output
/// is often close to.
std::vector<double> channel_means(const Tensor& t) {
  const std::size_t width =
      t.shape.empty() ? 1 : std::max<std::size_t>(static_cast<std::size_t>(t.shape.back()), 1);
  std::vector<double> means(width, 0), out(t.size());
  for (std::size_t i = 0; i < t.size(); ++i) means[i % width] += t.value[i];
  const double rows = static_cast<double>(std::max<std::size_t>(t.size() / width, 1));
  for (std::size_t i = 0; i < t.size(); ++i) out[i] = means[i % width] / rows;
  return out;
}

void measure(Guess& guess, const Tensor& want, const std::vector<double>& answer) {
  for (std::size_t i = 0; i < want.size(); ++i) {
    const double bound = want.bound_at(i);
    if (!std::isfinite(want.value[i]) || bound == reference::kUnjudged) continue;
    const double error = std::fabs(answer[i] - want.value[i]);
    guess.in_tolerance =
        std::max(guess.in_tolerance, error / (1e-4 + 1e-4 * std::fabs(want.value[i])));
    if (error > 0) {
      guess.in_bounds = std::max(guess.in_bounds, bound > 0 ? error / bound : HUGE_VAL);
    }
  }
}

Result<Drawn> draw(const Task& task, std::uint64_t seed) {
  Drawn d;
  KW_ASSIGN(const TrialPlan plan, plan_trial(task, "", Family::AsDrawn, kNoValue, seed));
  KW_ASSIGN(d.inputs, decode_inputs(task, plan));
  KW_ASSIGN(d.outputs, reference::interpret(task.graph, reference::format_table(task.formats),
                                            d.inputs, {.policy = task.policy}));
  return d;
}

}  // namespace

bool Degeneracy::by_bounds() const {
  return std::any_of(guesses.begin(), guesses.end(),
                     [](const Guess& g) { return g.in_bounds <= 1; });
}
bool Degeneracy::by_tolerance() const {
  return std::any_of(guesses.begin(), guesses.end(),
                     [](const Guess& g) { return g.in_tolerance <= 1; });
}

namespace {

Degeneracy degeneracy_of(const Task& task, const std::vector<Drawn>& all) {
  Guess zeros{"zeros"}, constant{"constant"}, channels{"channel_mean"}, earlier{"earlier_output"},
      input{"input"}, input_mean{"input_mean"};
  const std::vector<ValueId> inputs = task.graph.with_role(Role::Input);
  bool has_input = false;
  for (std::size_t n = 0; n < all.size(); ++n) {
    for (std::size_t o = 0; o < all[n].outputs.size(); ++o) {
      const Tensor& want = all[n].outputs[o];
      const Tensor& first = all[0].outputs[o];
      measure(zeros, want, std::vector<double>(want.size(), 0));
      // What the first draw teaches is tried on the others.
      if (n == 0) continue;
      measure(constant, want, std::vector<double>(want.size(), mean_of(first.value)));
      measure(channels, want, channel_means(first));
      measure(earlier, want, first.value);
      if (inputs.empty()) continue;
      const Tensor& x = all[n].inputs.at(inputs.front());
      measure(input_mean, want, std::vector<double>(want.size(), mean_of(x.value)));
      if (x.size() == want.size()) {
        has_input = true;
        measure(input, want, x.value);
      }
    }
  }
  Degeneracy result;
  result.guesses = {zeros, constant, channels, earlier};
  if (!inputs.empty()) result.guesses.push_back(input_mean);
  if (has_input) result.guesses.push_back(input);
  return result;
}

/// Numbers of an output, at most kSample of them, evenly spread.
constexpr std::int64_t kSample = 1 << 20;
std::vector<double> sample(const Value& value, std::span<const std::byte> bytes) {
  const std::size_t width = size_of(value.dtype);
  const auto n = static_cast<std::int64_t>(bytes.size() / width);
  const std::int64_t step = std::max<std::int64_t>(1, n / kSample);
  std::vector<double> out;
  for (std::int64_t i = 0; i < n; i += step) {
    out.push_back(
        reference::decode_element(value.dtype, bytes.data() + static_cast<std::size_t>(i) * width));
  }
  return out;
}

TaskSanity classify(const Graph& graph, const std::vector<Guess>& guesses) {
  TaskSanity sanity;
  for (const Guess& g : guesses) {
    sanity.guesses[g.name] = g.in_tolerance;
    if (g.in_tolerance <= 1 && sanity.solved_by.empty()) sanity.solved_by = g.name;
  }
  sanity.algebra = algebraic(graph);
  sanity.klass = !sanity.solved_by.empty() ? "degenerate"
                 : !sanity.algebra.empty() ? "algebraic"
                                           : "genuine";
  return sanity;
}

void record_class(Session& session, const std::vector<Guess>& guesses) {
  const TaskSanity sanity = classify(session.task.graph, guesses);
  CheckRecord& record = session.record("V14", true, session.seed);
  record.figures = sanity.guesses;
  record.notes["class"] = sanity.klass;
  if (!sanity.solved_by.empty()) record.notes["solved_by"] = sanity.solved_by;
  if (!sanity.algebra.empty()) record.notes["algebra"] = sanity.algebra;
}

constexpr double kAskedBeforeSearch = 1e8;  // multiply-adds and elements of one evaluation

}  // namespace

Result<Degeneracy> degeneracy(const Task& task, std::uint64_t seed, int draws) {
  std::vector<Drawn> all;
  for (int i = 0; i < draws; ++i) {
    const Philox4 w = philox(seed, purpose("degeneracy"), static_cast<std::uint64_t>(i));
    KW_ASSIGN(Drawn d, draw(task, w[0]));
    all.push_back(std::move(d));
  }
  return degeneracy_of(task, all);
}

TaskSanity task_sanity(const Task& task, std::uint64_t seed) {
  TaskSanity sanity;
  const double cost = reference_cost(task);
  if (cost <= kAskedBeforeSearch) {
    const auto found = degeneracy(task, seed, cost <= kLargeCost ? 4 : 2);
    if (found) return classify(task.graph, found->guesses);
    sanity.unasked = found.error().message;
  } else {
    sanity.unasked = fmt::format(
        "{:.2g} multiply-adds and elements are too many for the interpreter; an accept will tell",
        cost);
  }
  sanity.algebra = algebraic(task.graph);
  if (!sanity.algebra.empty()) sanity.klass = "algebraic";
  return sanity;
}

Status record_task(Session& session, const std::vector<TrialPlan>& as_drawn) {
  if (as_drawn.size() < 2) return {};  // one draw teaches nothing about another
  std::vector<Drawn> all;
  for (const TrialPlan& plan : as_drawn) {
    Drawn d;
    KW_ASSIGN(d.inputs, decode_inputs(session.task, plan));
    KW_ASSIGN(const auto* expected, session.oracle.expected(plan, session.stop));
    d.outputs = *expected;
    all.push_back(std::move(d));
  }
  record_class(session, degeneracy_of(session.task, all).guesses);
  return {};
}

Status record_large_task(Session& session, const TrialResult& accepted) {
  std::vector<OutputView> views;
  KW_ASSIGN(const auto missing, output_views(session, accepted, views));
  if (missing) return {};
  Guess zeros{"zeros"}, constant{"constant"};
  for (std::size_t o = 0; o < views.size(); ++o) {
    const Value& value = session.task.graph.value(session.task.graph.outputs[o]);
    Tensor got = reference::make_tensor({});
    got.value = sample(value, views[o].bytes);
    if (got.value.empty()) continue;
    measure(zeros, got, std::vector<double>(got.size(), 0));
    measure(constant, got, std::vector<double>(got.size(), mean_of(got.value)));
  }
  record_class(session, {zeros, constant});
  return {};
}

}  // namespace kw::verify
