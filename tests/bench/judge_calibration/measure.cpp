#include "measure.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "kw/core/random.h"
#include "kw/reference/interpret.h"
#include "oracle.h"

namespace kw::calibration {
namespace {

using verify::Family;

/// The graph's operands as rows along their last extent; encoded weights decoded.
Result<std::vector<Rows>> operands(const Task& task, const verify::TrialPlan& plan) {
  KW_ASSIGN(const auto inputs, verify::decode_inputs(task, plan));
  std::vector<Rows> out;
  const auto as_rows = [&](const reference::Tensor& t) {
    Rows r;
    r.k = t.shape.empty() ? 1 : static_cast<std::size_t>(t.shape.back());
    r.rows = r.k == 0 ? 0 : t.size() / r.k;
    for (const double v : t.value) r.data.push_back(static_cast<float>(v));
    out.push_back(std::move(r));
  };
  if (task.formats.empty()) {
    for (const ValueId id : verify::filled_values(task.graph)) as_rows(inputs.at(id));
    return out;
  }
  Graph decoding = task.graph;  // only kw.dequantize
  decoding.nodes.resize(1);
  decoding.outputs = decoding.nodes[0].outputs;
  KW_ASSIGN(const auto decoded,
            reference::interpret(decoding, reference::format_table(task.formats), inputs, {}));
  as_rows(inputs.at(task.graph.with_role(Role::Input).front()));
  as_rows(decoded.front());
  return out;
}

/// Log-uniform, a third of them powers of two.
std::int64_t any_length(Dice& dice) {
  constexpr std::int64_t kLeast = 16, kMost = 65536;
  const double at = 4 + 12 * static_cast<double>(dice.below(1u << 20)) * 0x1p-20;
  const double rounded = dice.below(3) == 0 ? std::round(at) : at;
  return std::clamp(static_cast<std::int64_t>(std::exp2(rounded)), kLeast, kMost);
}

struct Data {
  Family family;
  ValueId target = kNoValue;
};
Data any_data(const Task& task, Dice& dice) {
  constexpr Family kAll[] = {Family::AsDrawn, Family::Uniform,   Family::Normal,   Family::Coherent,
                             Family::Shifted, Family::Spiky,     Family::RowScaled, Family::Constant,
                             Family::Denormal, Family::Huge,     Family::NonFinite};
  Data data{kAll[dice.below(std::size(kAll))]};
  const std::vector<ValueId> free = verify::free_values(task);
  const bool one = data.family == Family::Denormal || data.family == Family::Huge ||
                   data.family == Family::NonFinite;
  if (one) data.target = free[dice.below(free.size())];
  return data;
}

struct Kernel {
  bool honest = true;
  Scheme scheme = Scheme::Ffma;
  bool one_chain = false;
};

class Case {
 public:
  Case(const TaskFamily& family, const Task& task, std::int64_t k, std::uint64_t seed,
       std::uint64_t index, Tally& tally)
      : family_(family), task_(task), k_(k), seed_(seed), index_(index), tally_(tally),
        oracle_(verify::make_cpu_oracle(task, 1)) {}

  /// Draws the data once; several kernels may then answer.
  Status draw(Data data) {
    KW_ASSIGN(plan_, verify::plan_trial(task_, "", data.family, data.target, seed_));
    for (verify::BufferFill& fill : plan_.fills) {
      KW_ASSIGN(auto bytes, verify::materialise(fill));
      fill.bytes = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
    }
    KW_ASSIGN(inputs_, operands(task_, plan_));
    return {};
  }

  Status judge(Kernel kernel, Dice& dice) {
    one_chain = kernel.one_chain;
    const std::vector<float> y = family_.run(task_, kernel.scheme, inputs_, dice);
    one_chain = false;
    const verify::OutputView view{std::as_bytes(std::span(y))};
    KW_ASSIGN(const verify::TrialVerdict verdict, oracle_->judge(plan_, {view}, {}));
    const verify::Comparison& c = verdict.outputs.front();
    Failure seen;
    seen.index = index_;
    seen.row = {kernel.honest, std::string(kw::to_string(task_.policy.contraction)),
                std::string(to_string(kernel.scheme)) + (kernel.one_chain ? "_one_chain" : ""),
                family_.name, std::string(verify::to_string(plan_.family)),
                static_cast<int>(std::bit_width(static_cast<std::uint64_t>(k_))) - 1};
    seen.k = k_;
    seen.in_bounds = c.worst;
    seen.bias = c.mean_allowed > 0 ? std::fabs(c.mean_signed) / c.mean_allowed : 0;
    seen.at = c.worst_index;
    seen.expected = c.expected;
    seen.got = c.got;
    seen.bound = c.bound;
    tally_.add(seen.row, seen, !verdict.passed(), verdict.judged() > 0);
    return {};
  }

 private:
  const TaskFamily& family_;
  const Task& task_;
  std::int64_t k_;
  std::uint64_t seed_, index_;
  Tally& tally_;
  std::unique_ptr<verify::Oracle> oracle_;
  verify::TrialPlan plan_;
  std::vector<Rows> inputs_;
};

Scheme one_of(std::initializer_list<Scheme> list, Dice& dice) {
  return list.begin()[dice.below(list.size())];
}

Scheme honest_scheme(PolicyClass policy, Dice& dice) {
  switch (policy) {
    case PolicyClass::Tf32:
      return one_of({Scheme::Tf32, Scheme::Tf32Unpromoted, Scheme::Fp16, Scheme::Tf32x3}, dice);
    case PolicyClass::Half:
      return one_of({Scheme::Bf16, Scheme::Bf16Unpromoted, Scheme::Fp16, Scheme::Tf32}, dice);
    case PolicyClass::Ieee:
    case PolicyClass::Exact:
      break;
  }
  return one_of({Scheme::Ffma, Scheme::Ffma, Scheme::Fp16x3, Scheme::Tf32x3}, dice);
}
Scheme lower_scheme(PolicyClass policy, std::int64_t k, Dice& dice) {
  switch (policy) {
    case PolicyClass::Tf32:
      return Scheme::Bf16;
    case PolicyClass::Half:
      return Scheme::Fp8;
    case PolicyClass::Ieee:
    case PolicyClass::Exact:
      break;
  }
  if (k >= 1024 && dice.below(2) == 0) {
    return one_of({Scheme::Fp16x3Unpromoted, Scheme::Tf32x3Unpromoted}, dice);
  }
  return one_of({Scheme::Tf32, Scheme::Fp16, Scheme::Bf16}, dice);
}

}  // namespace

void Tally::add(const Row& row, const Failure& seen, bool failed, bool judged) {
  Count& count = rows[row];
  ++count.cases;
  count.failed += failed ? 1 : 0;
  if (!judged) {
    ++count.unjudged;
    return;
  }
  const double worst = std::max(seen.in_bounds, seen.bias);
  count.most = std::max(count.most, worst);
  count.least = std::min(count.least, worst);
  if (failed && row.honest && refused.size() < kMaxFailures) refused.push_back(seen);
}

void Tally::add(const Tally& other) {
  for (const auto& [row, count] : other.rows) {
    Count& mine = rows[row];
    mine.cases += count.cases;
    mine.failed += count.failed;
    mine.unjudged += count.unjudged;
    mine.most = std::max(mine.most, count.most);
    mine.least = std::min(mine.least, count.least);
  }
  for (const Failure& f : other.refused) {
    if (refused.size() < kMaxFailures) refused.push_back(f);
  }
}

Status run_case(Half half, std::uint64_t seed, std::uint64_t index, const std::string& only,
                Tally& tally) {
  const std::uint64_t stream =
      purpose(half == Half::Test ? "calibration.test" : "calibration.calibration");
  const Philox4 w = philox(seed, stream, index);
  const std::uint64_t data_seed = w[0] | std::uint64_t{w[1]} << 32;
  Dice dice(w[2] | std::uint64_t{w[3]} << 32);
  const auto all = task_families();
  const TaskFamily* family = &all[index % all.size()];
  if (!only.empty()) {
    const auto found = std::ranges::find(all, only, &TaskFamily::name);
    if (found == all.end()) return fail(Errc::NotFound, "no task family '{}'", only);
    family = &*found;
  }
  const std::int64_t k = any_length(dice);
  KW_ASSIGN(Task task, family->make(family->name, k, dice));
  if (family->contraction && family->name != "attention") {
    const std::size_t roll = dice.below(8);
    if (roll < 2) task.policy = preset(roll == 0 ? PolicyClass::Tf32 : PolicyClass::Half);
  }
  Case one(*family, task, k, data_seed, index, tally);
  const PolicyClass policy = task.policy.contraction;
  KW_RETURN_IF_ERROR(one.draw(any_data(task, dice)));
  KW_RETURN_IF_ERROR(one.judge({true, honest_scheme(policy, dice)}, dice));
  if (index / all.size() % 4 == 0) {
    KW_RETURN_IF_ERROR(one.draw({Family::Coherent}));
    KW_RETURN_IF_ERROR(one.judge({false, lower_scheme(policy, k, dice)}, dice));
  }
  if (index / all.size() % 16 == 1 && policy == PolicyClass::Ieee &&
      k > static_cast<std::int64_t>(kLongestChain)) {
    KW_RETURN_IF_ERROR(one.judge({false, Scheme::Ffma, true}, dice));
  }
  return {};
}

}  // namespace kw::calibration
