// recurrence: LSTM, GRU and plain RNN layers, one launch per time step: a warp per (sequence, unit)
// sums the unit's gates over h and applies the cell.

#include <fmt/format.h>

#include "skeletons/skeleton.h"

namespace kw::codegen {
namespace {

constexpr std::int64_t kThreads = 128;

const Stage& stage_of(const Program& program, const Region& region) {
  return program.stages[static_cast<std::size_t>(region.first)];
}

/// What a cell makes of the gates: x0.. from the input, s0.. from h, both with their biases.
std::string cell_text(Cell::Kind kind) {
  switch (kind) {
    case Cell::Kind::Lstm:
      return "  const float i = sigmoid(x0 + s0), f = sigmoid(x1 + s1), g = tanhf(x2 + s2),\n"
             "              o = sigmoid(x3 + s3);\n"
             "  const float cell = f * (step == 0 ? c0[at] : c[at]) + i * g;\n"
             "  c[at] = cell;\n  y[t * units + at] = o * tanhf(cell);\n";
    case Cell::Kind::Gru:
      return "  const float r = sigmoid(x0 + s0), z = sigmoid(x1 + s1);\n"
             "  const float n = tanhf(x2 + r * s2);\n"
             "  y[t * units + at] = (1.0f - z) * n + z * before[at];\n";
    case Cell::Kind::Tanh:
      return "  y[t * units + at] = tanhf(x0 + s0);\n";
    case Cell::Kind::Relu:
      return "  y[t * units + at] = kw_max(x0 + s0, 0.0f);\n";
  }
  return {};
}

std::string kernel_text(const std::string& entry, const Cell& cell, bool biased) {
  std::string declare, step, reduce, finish;
  for (int g = 0; g < cell.gates(); ++g) {
    declare += fmt::format("  double d{} = 0;\n", g);
    step += fmt::format("    d{0} += v * w[({0} * hidden + unit) * hidden + k];\n", g);
    reduce += fmt::format("    d{0} += __shfl_xor_sync(0xffffffffu, d{0}, lane_mask);\n", g);
    finish += fmt::format(
        "  const float x{0} = gates[(t * batch + sequence) * {1} * hidden + {0} * hidden + unit];\n"
        "  const float s{0} = static_cast<float>(d{0}{2});\n",
        g, cell.gates(), biased ? fmt::format(" + bias[{} * hidden + unit]", g) : "");
  }
  const bool lstm = cell.kind == Cell::Kind::Lstm;
  return fmt::format(
      "extern \"C\" __global__ void __launch_bounds__({0})\n{1}(const float* __restrict__ gates, "
      "const float* __restrict__ w,\n    {2}const float* __restrict__ h0, {3}float* y, {4}long "
      "long "
      "step, long long steps, long long batch,\n    long long hidden, int reverse) {{\n"
      "  const long long units = batch * hidden;\n"
      "  const long long at = (blockIdx.x * static_cast<long long>(blockDim.x) + threadIdx.x) / "
      "32;\n"
      "  if (at >= units) return;\n"
      "  const int lane = threadIdx.x % 32;\n"
      "  const long long sequence = at / hidden, unit = at % hidden;\n"
      "  const long long t = reverse != 0 ? steps - 1 - step : step;\n"
      "  const float* before = step == 0 ? h0 : y + (reverse != 0 ? t + 1 : t - 1) * units;\n{5}"
      "  for (long long k = lane; k < hidden; k += 32) {{\n"
      "    const double v = before[sequence * hidden + k];\n{6}  }}\n"
      "  for (int lane_mask = 16; lane_mask > 0; lane_mask /= 2) {{\n{7}  }}\n"
      "  if (lane != 0) return;\n"
      "  [[maybe_unused]] const auto sigmoid = [](float v) {{ return 1.0f / (1.0f + expf(-v)); "
      "}};\n"
      "{8}{9}}}\n",
      kThreads, entry, biased ? "const float* __restrict__ bias, " : "",
      lstm ? "const float* __restrict__ c0, " : "", lstm ? "float* c, " : "", declare, step, reduce,
      finish, cell_text(cell.kind));
}

class RecurrenceSkeleton final : public Skeleton {
 public:
  std::string_view name() const override { return "recurrence@1"; }

  std::vector<Offer> match(Program& program, const Region& region,
                           const Target& target) const override {
    if (region.first != region.last || stage_of(program, region).kind != Stage::Kind::Recurrence) {
      return {};
    }
    const Cell& cell = stage_of(program, region).cell;
    const double units = static_cast<double>(cell.batch) * static_cast<double>(cell.hidden);
    Work work;
    work.operations = 2.0 * units * static_cast<double>(cell.gates()) *
                      static_cast<double>(cell.hidden) * static_cast<double>(cell.steps);
    work.bytes = minimal_bytes(program, region);
    work.launches = static_cast<int>(cell.steps);
    return {{"steps", cost_of(work, target)}};
  }

  ParameterSpace space(Program&, const Region&, std::string_view, const Target&) const override {
    return {};
  }

  Result<Fragment> emit(Program& program, const Region& region, std::string_view, const Config&,
                        const EmitContext& context) const override {
    const Stage& stage = stage_of(program, region);
    const Cell& cell = stage.cell;
    const std::string step = context.prefix + "t";
    Fragment fragment;
    fragment.code = kernel_text(context.entry("step"), cell, stage.operands[2] != kNoTensor);
    KernelNode kernel;
    kernel.kernel = context.entry("step");
    kernel.grid = {Expr((cell.batch * cell.hidden * 32 + kThreads - 1) / kThreads), Expr(1),
                   Expr(1)};
    kernel.block = {Expr(kThreads), Expr(1), Expr(1)};
    for (const TensorId t : stage.operands) {
      if (t != kNoTensor) kernel.args.push_back(tensor_arg(program, t));
    }
    for (const TensorId t : stage.results) kernel.args.push_back(tensor_arg(program, t));
    KW_ASSIGN(Expr at, Expr::parse(step));
    kernel.args.push_back(ScalarArg{"i64", std::move(at)});
    for (const std::int64_t value : {cell.steps, cell.batch, cell.hidden}) {
      kernel.args.push_back(ScalarArg{"i64", Expr(value)});
    }
    kernel.args.push_back(ScalarArg{"i32", Expr(cell.reverse ? 1 : 0)});
    LoopNode loop;
    loop.variable = step;
    loop.count = Expr(cell.steps);
    loop.body.push_back({context.entry("step"), {}, std::move(kernel)});
    fragment.run.push_back({context.entry("steps"), {}, std::move(loop)});
    return fragment;
  }
};

}  // namespace

const Skeleton& recurrence_skeleton() {
  static const RecurrenceSkeleton skeleton;
  return skeleton;
}

}  // namespace kw::codegen
