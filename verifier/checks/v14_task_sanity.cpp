#include "kw/verify/degeneracy.h"

#include <algorithm>
#include <cmath>

#include "kw/core/random.h"
#include "kw/reference/interpret.h"
#include "trial_plan.h"

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

Result<Degeneracy> degeneracy(const Task& task, std::uint64_t seed, int draws) {
  std::vector<Drawn> all;
  for (int i = 0; i < draws; ++i) {
    const Philox4 w = philox(seed, purpose("degeneracy"), static_cast<std::uint64_t>(i));
    KW_ASSIGN(Drawn d, draw(task, w[0]));
    all.push_back(std::move(d));
  }
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

}  // namespace kw::verify
