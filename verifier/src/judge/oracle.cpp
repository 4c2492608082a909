#include "oracle.h"

#include <algorithm>

#include "kw/reference/interpret.h"
#include "kw/verify/roofline.h"

namespace kw::verify {

bool TrialVerdict::passed() const {
  return std::all_of(outputs.begin(), outputs.end(),
                     [](const Comparison& c) { return c.passed(); });
}
std::int64_t TrialVerdict::judged() const {
  std::int64_t sum = 0;
  for (const Comparison& c : outputs) sum += c.judged;
  return sum;
}
std::int64_t TrialVerdict::finite() const {
  std::int64_t sum = 0;
  for (const Comparison& c : outputs) sum += c.finite;
  return sum;
}
double TrialVerdict::worst() const {
  double worst = 0;
  for (const Comparison& c : outputs) worst = std::max(worst, c.worst);
  return worst;
}
std::size_t TrialVerdict::culprit() const {
  std::size_t at = 0;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].passed()) return i;
    if (outputs[i].worst > outputs[at].worst) at = i;
  }
  return at;
}

bool all_ieee(const Task& task) {
  const Policy policy = policy_in_effect(task);
  return policy.contraction == PolicyClass::Ieee && policy.convolution == PolicyClass::Ieee &&
         policy.recurrence == PolicyClass::Ieee;
}

bool mean_tells(const Task& task, const TrialPlan& plan, std::size_t index) {
  if (!all_ieee(task) || plan.few_valued) return false;
  const int producer = task.graph.producer(task.graph.outputs[index]);
  if (producer < 0 || contraction_length(task.graph, index) <= 2048) return true;
  const std::string_view op = task.graph.nodes[static_cast<std::size_t>(producer)].op;
  return is_contraction(op) || op.find("conv") != std::string_view::npos;
}

double contraction_length(const Graph& graph, std::size_t index) {
  const int producer = graph.producer(graph.outputs[index]);
  if (producer < 0) return 1;
  const Node& node = graph.nodes[static_cast<std::size_t>(producer)];
  double longest = 1;
  double out = 1;
  for (const std::int64_t extent : graph.value(graph.outputs[index]).shape) {
    out *= static_cast<double>(std::max<std::int64_t>(extent, 1));
  }
  for (const ValueId id : node.inputs) {
    if (id == kNoValue) continue;
    const Shape& shape = graph.value(id).shape;
    if (shape.empty()) continue;
    double all = 1;
    for (const std::int64_t extent : shape) all *= static_cast<double>(extent);
    // A contraction runs over the last extent of an operand (or less than all of it), a sum over
    // what its output lacks; either way no more than this many terms meet in one element.
    longest = std::max({longest, static_cast<double>(shape.back()), all / out});
  }
  return longest;
}

namespace {

/// "lstm" of "aten.lstm.input"
bool is_recurrence(std::string_view op) {
  return op.starts_with("aten.lstm") || op.starts_with("aten.gru") || op.starts_with("aten.rnn_");
}

}  // namespace

double reference_cost(const Task& task) {
  double cost = 0;
  const auto elements = [&](ValueId id) {
    return static_cast<double>(element_count(task.graph.value(id).shape).value_or(0));
  };
  for (const Node& node : task.graph.nodes) {
    double work = 0, out = 0;
    for (const ValueId id : node.inputs) work += id == kNoValue ? 0 : elements(id);
    for (const ValueId id : node.outputs) out += id == kNoValue ? 0 : elements(id);
    cost += work + out;
    if (node.op.find("conv") != std::string::npos && node.inputs.size() >= 2) {
      // Terms per output: a weight's elements over its channels, or per input where transposed.
      const Shape& w = task.graph.value(node.inputs[1]).shape;
      const Shape& x = task.graph.value(node.inputs[0]).shape;
      if (w.size() < 3 || x.size() < 2) continue;
      const double terms =
          elements(node.inputs[1]) / static_cast<double>(std::max<std::int64_t>(w[0], 1));
      const bool transposed = node.op.find("transpose") != std::string::npos;
      cost += (transposed ? elements(node.inputs[0]) : out) * terms;
      continue;
    }
    if (is_recurrence(node.op)) {  // every weight meets every step of every sequence
      const Shape& x = task.graph.value(node.inputs[0]).shape;
      double weights = 0;
      for (const ValueId id : node.inputs) {
        if (id != kNoValue && task.graph.value(id).shape.size() == 2) weights += elements(id);
      }
      if (x.size() >= 2) cost += static_cast<double>(x[0]) * static_cast<double>(x[1]) * weights;
      continue;
    }
    if (node.op.find("dot_product_attention") != std::string::npos && node.inputs.size() >= 3) {
      // Each query meets every key, and its weights every value.
      const Shape& key = task.graph.value(node.inputs[1]).shape;
      if (key.size() >= 2)
        cost += 2 * elements(node.inputs[0]) * static_cast<double>(key[key.size() - 2]);
      continue;
    }
    if (!is_contraction(node.op) || node.inputs.size() < 2) continue;
    // Terms per output: the operands' elements over the output's, in the geometric mean.
    const std::size_t first = node.op.find("add") != std::string::npos ? 1 : 0;
    const Shape& a = task.graph.value(node.inputs[first]).shape;
    cost += out * (a.empty() ? 1 : static_cast<double>(a.back()));
  }
  return cost;
}

CompareRules rules_for(const Task& task, const TrialPlan& plan, std::size_t index) {
  const bool coded = std::ranges::any_of(
      task.graph.nodes, [](const Node& node) { return node.op == "kw.dequantize"; });
  const double k = contraction_length(task.graph, index);
  return {.test_mean = mean_tells(task, plan, index),
          .atomics = task.determinism == Determinism::WithinBound,
          .k = k,
          .alike = plan.family == Family::Coherent && coded ? k : 0};
}

namespace {

/// What decides a trial's inputs, and with them its reference.
struct Known {
  Family family = Family::AsDrawn;
  ValueId target = kNoValue;
  std::uint64_t seed = 0;
  bool few_valued = false;
  std::vector<std::shared_ptr<const std::vector<std::byte>>> bytes;
  std::vector<reference::Tensor> outputs;

  explicit Known(const TrialPlan& plan)
      : family(plan.family), target(plan.target), seed(plan.seed), few_valued(plan.few_valued) {
    for (const BufferFill& fill : plan.fills) bytes.push_back(fill.bytes);
  }
  bool same(const Known& other) const {
    // The target names the buffer that a family fills, or whose bytes were given.
    return family == other.family && target == other.target && seed == other.seed &&
           few_valued == other.few_valued && bytes == other.bytes;
  }
};

class CpuOracle : public Oracle {
 public:
  CpuOracle(const Task& task, unsigned threads)
      : task_(task), threads_(threads), formats_(reference::format_table(task.formats)) {}

  Result<const std::vector<reference::Tensor>*> expected(const TrialPlan& plan,
                                                         std::stop_token stop) override {
    Known wanted(plan);
    for (const Known& known : known_) {
      if (known.same(wanted)) return &known.outputs;
    }
    KW_ASSIGN(const auto inputs, decode_inputs(task_, plan));
    if (stop.stop_requested()) return fail(Errc::Cancelled, "judging was cancelled");
    reference::Options options;
    options.policy = task_.policy;
    options.few_valued = plan.few_valued;
    options.threads = threads_;
    KW_ASSIGN(wanted.outputs, reference::interpret(task_.graph, formats_, inputs, options));
    // The first stays: it is asked for again at the end, and for every changed input.
    if (known_.size() == kKept) known_.erase(known_.begin() + 1);
    known_.push_back(std::move(wanted));
    return &known_.back().outputs;
  }

  Result<TrialVerdict> judge(const TrialPlan& plan, const std::vector<OutputView>& outputs,
                             std::stop_token stop) override {
    KW_ASSIGN(const auto* reference, expected(plan, stop));
    TrialVerdict verdict;
    for (std::size_t i = 0; i < reference->size(); ++i) {
      const CompareRules rules = rules_for(task_, plan, i);
      KW_ASSIGN(Comparison c, compare(task_.graph.value(task_.graph.outputs[i]), (*reference)[i],
                                      outputs[i].bytes, rules));
      verdict.outputs.push_back(c);
    }
    return verdict;
  }

 private:
  static constexpr std::size_t kKept = 3;
  const Task& task_;
  const unsigned threads_;
  reference::FormatTable formats_;
  std::vector<Known> known_;
};

}  // namespace

Result<const std::vector<reference::Tensor>*> Oracle::expected(const TrialPlan&, std::stop_token) {
  return fail(Errc::Unsupported, "the reference of this size stays on its device");
}

std::unique_ptr<Oracle> make_cpu_oracle(const Task& task, unsigned threads) {
  return std::make_unique<CpuOracle>(task, threads);
}

}  // namespace kw::verify
