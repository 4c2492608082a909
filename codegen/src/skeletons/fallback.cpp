// The generic loop nest: one kernel per stage, any operator, slowly and obviously right. Sums,
// products of contractions and variances are accumulated in double, so that every bound is met by
// a plain serial loop. Every other skeleton is tested against this one. Extents and strides are
// kernel arguments, so that stages which differ in shapes alone are one kernel.

#include <fmt/format.h>

#include <algorithm>

#include "emit/encode_code.h"
#include "emit/format_code.h"
#include "skeletons/parameters.h"
#include "skeletons/skeleton.h"

namespace kw::codegen {
namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kMostBlocks = 65536;
/// Reductions longer than this get a block per result instead of a thread.
constexpr std::int64_t kLongReduction = 512;

std::vector<TensorId> pointers_of(const Program& program, const Stage& stage) {
  std::vector<TensorId> pointers = tensors_read(program, stage);
  pointers.insert(pointers.end(), stage.results.begin(), stage.results.end());
  return pointers;
}

/// Constants of a kernel's index arithmetic, which become its arguments c0, c1, ...
class Numbers {
 public:
  std::string operator()(std::int64_t value) {
    const bool plain = value >= -1 && value <= 1;
    if (plain || values_.size() >= kMost) return fmt::format("{}ll", value);
    values_.push_back(value);
    return fmt::format("c{}", values_.size() - 1);
  }
  std::string parameters() const {
    std::string text;
    for (std::size_t i = 0; i < values_.size(); ++i) text += fmt::format(", long long c{}", i);
    return text;
  }
  const std::vector<std::int64_t>& values() const { return values_; }

 private:
  static constexpr std::size_t kMost = 256;  // of 4 KB of arguments
  std::vector<std::int64_t> values_;
};

std::vector<std::string> variable_names(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t v = 0; v < count; ++v) names.push_back(fmt::format("v{}", v));
  return names;
}

/// "const long long v1 = i % 64;" for the dimensions [first, first + extents) of number `i`.
std::string coordinates(const std::string& number, const Shape& extents, std::size_t first,
                        const std::string& indent, const NumberText& text_of) {
  std::string text;
  std::int64_t stride = 1;
  for (std::size_t d = extents.size(); d-- > 0;) {
    const std::string quotient =
        d + 1 == extents.size() ? number : fmt::format("{} / {}", number, text_of(stride));
    text +=
        fmt::format("{}[[maybe_unused]] const long long v{} = {};\n", indent, first + d,
                    d == 0 ? quotient : fmt::format("({}) % {}", quotient, text_of(extents[d])));
    stride *= extents[d];
  }
  return text;
}

/// What a combiner keeps while it runs, in C++ text.
struct Accumulator {
  std::string declare;               // statements before the loop
  std::string step;                  // one value `x`
  std::string merge;                 // another thread's state, whose variables end in `_o`
  std::vector<std::string> state;    // variables, for shared memory
  std::vector<std::string> types;    // of the variables
  std::vector<std::string> results;  // of the stage, in compute type
};

Accumulator accumulator(Combiner combiner, DType type) {
  const bool real = is_floating(type);
  const std::string wide = real ? "double" : "long long";
  const std::string name(compute_name(type));
  const auto back = [&](const std::string& value) {
    return fmt::format("static_cast<{}>({})", name, value);
  };
  Accumulator a;
  switch (combiner) {
    case Combiner::None:
    case Combiner::Sum:
      a = {wide + " s = 0;", "s += x;", "s += s_o;", {"s"}, {wide}, {back("s")}};
      break;
    case Combiner::Prod:
      a = {wide + " s = 1;", "s *= x;", "s *= s_o;", {"s"}, {wide}, {back("s")}};
      break;
    case Combiner::Max:
    case Combiner::Min: {
      const std::string pick = combiner == Combiner::Max ? "kw_max" : "kw_min";
      a = {fmt::format("{} s = 0; bool any = false;", name),
           fmt::format("s = any ? {}(s, x) : x; any = true;", pick),
           fmt::format("if (any_o) {{ s = any ? {}(s, s_o) : s_o; any = true; }}", pick),
           {"s", "any"},
           {name, "bool"},
           {"s"}};
      break;
    }
    case Combiner::ArgMax:
    case Combiner::ArgMin: {
      // The first of equals wins, and a NaN wins over everything, as in PyTorch.
      const char* sign = combiner == Combiner::ArgMax ? ">" : "<";
      const auto better = [&](const std::string& x, const std::string& k) {
        return fmt::format(
            "(at < 0 || {0} {2} s || ({0} != {0} && s == s) || (({0} == s || ({0} != {0} && s != "
            "s)) && {1} < at))",
            x, k, sign);
      };
      a = {fmt::format("{} s = 0; long long at = -1;", name),
           fmt::format("if {} {{ s = x; at = k; }}", better("x", "k")),
           fmt::format("if (at_o >= 0 && {}) {{ s = s_o; at = at_o; }}", better("s_o", "at_o")),
           {"s", "at"},
           {name, "long long"},
           {"s", "at"}};
      break;
    }
    case Combiner::Welford:
      a = {"double n = 0, mean = 0, m2 = 0;",
           "n += 1; const double d = x - mean; mean += d / n; m2 += d * (x - mean);",
           "if (n_o > 0) { const double t = n + n_o, d = mean_o - mean; mean += d * (n_o / t); "
           "m2 += m2_o + d * d * (n * n_o / t); n = t; }",
           {"n", "mean", "m2"},
           {"double", "double", "double"},
           {back("mean"), back("m2")}};
      break;
    case Combiner::OnlineSoftmax:
      // exp(x - max) counts 1 where both are equal, infinite ones too; an infinite maximum is made
      // NaN where the operator asks for it.
      a = {fmt::format("{} m = -KW_INF; double s = 0;", name),
           "{ const auto t = kw_max(m, x); s = s * (m == t ? 1.0 : exp(double(m) - t)) + "
           "(x == t ? 1.0 : exp(double(x) - t)); m = t; }",
           "{ const auto t = kw_max(m, m_o); s = s * (m == t ? 1.0 : exp(double(m) - t)) + "
           "s_o * (m_o == t ? 1.0 : exp(double(m_o) - t)); m = t; }",
           {"m", "s"},
           {name, "double"},
           {"m", back("s")}};
      break;
  }
  return a;
}

class FallbackSkeleton final : public Skeleton {
 public:
  std::string_view name() const override { return "fallback@2"; }

  std::vector<Offer> match(Program& program, const Region& region,
                           const Target& target) const override {
    if (region.first != region.last) return {};
    const Stage& stage = program.stages[static_cast<std::size_t>(region.first)];
    if (stage.kind == Stage::Kind::Recurrence || stage.kind == Stage::Kind::Join) return {};
    Work work;
    work.bytes = minimal_bytes(program, region) * 4;  // no coalescing is promised
    work.operations = 30.0 * static_cast<double>(count_of(stage.extents));
    return {{"loops", cost_of(work, target)}};
  }

  ParameterSpace space(Program&, const Region&, std::string_view, const Target&) const override {
    return {};
  }

  Result<Fragment> emit(Program& program, const Region& region, std::string_view, const Config&,
                        const EmitContext& context) const override {
    const Stage& stage = program.stages[static_cast<std::size_t>(region.first)];
    const std::vector<TensorId> pointers = pointers_of(program, stage);
    const bool long_reduction = stage.kind != Stage::Kind::Scan &&
                                stage.combiner != Combiner::None &&
                                count_of(stage.reduced_extents()) > kLongReduction;

    Fragment fragment;
    const std::int64_t work_items = stage.kind == Stage::Kind::Encode
                                        ? encode_units(stage)
                                        : count_of(stage.parallel_extents());
    std::string body;
    Numbers numbers;
    const std::string count = numbers(work_items);
    if (stage.kind == Stage::Kind::Encode) {
      Binding literal = binding_for(pointers, nullptr);
      body = encode_loop_text(program, stage, literal);
      fragment.formats.push_back(stage.encoded);
      fragment.includes.emplace_back("format_encode.cuh");
    } else {
      const Binding binding = binding_for(pointers, &numbers);
      body = stage.kind == Stage::Kind::Map ? map_text(program, stage, binding)
             : stage.kind == Stage::Kind::Scan
                 ? scan_text(program, stage, binding)
                 : reduce_text(program, stage, binding, long_reduction);
    }
    fragment.code = fmt::format(
        "extern \"C\" __global__ void __launch_bounds__({0})\n{1}({2}{3}) {{\n{4}}}\n", kThreads,
        context.entry("loops"), parameter_text(program, pointers, region), numbers.parameters(),
        long_reduction ? block_loop(count, body) : thread_loop(count, body));
    note_formats(program, {stage.body}, fragment);

    KernelNode kernel;
    kernel.kernel = context.entry("loops");
    const std::int64_t blocks =
        long_reduction ? work_items : (work_items + kThreads - 1) / kThreads;
    kernel.grid = {Expr(std::min(blocks, kMostBlocks)), Expr(1), Expr(1)};
    kernel.block = {Expr(kThreads), Expr(1), Expr(1)};
    for (const TensorId t : pointers) kernel.args.push_back(tensor_arg(program, t));
    for (const std::int64_t value : numbers.values()) {
      kernel.args.push_back(ScalarArg{"i64", Expr(value)});
    }
    fragment.run.push_back({context.entry("loops"), {}, std::move(kernel)});
    return fragment;
  }

 private:
  static Binding binding_for(const std::vector<TensorId>& pointers, Numbers* numbers) {
    Binding binding;
    if (numbers != nullptr) {
      binding.number = [numbers](std::int64_t value) { return (*numbers)(value); };
    }
    binding.pointer = [pointers](TensorId t) {
      return fmt::format("p{}", std::find(pointers.begin(), pointers.end(), t) - pointers.begin());
    };
    binding.indent = "    ";
    return binding;
  }

  static std::string thread_loop(const std::string& count, const std::string& body) {
    return fmt::format(
        "  for (long long i = blockIdx.x * static_cast<long long>(blockDim.x) + threadIdx.x; i < "
        "{};\n"
        "       i += static_cast<long long>(gridDim.x) * blockDim.x) {{\n{}  }}\n",
        count, body);
  }
  static std::string block_loop(const std::string& count, const std::string& body) {
    return fmt::format("  for (long long i = blockIdx.x; i < {}; i += gridDim.x) {{\n{}  }}\n",
                       count, body);
  }

  static std::string store_text(const Program& program, const Stage& stage, std::size_t result,
                                const Binding& binding, const std::string& value) {
    const Tensor& tensor = program.tensor(stage.results[result]);
    return fmt::format(
        "    {}[{}] = {};\n", binding.pointer(stage.results[result]),
        to_code(linearise(stage.store, tensor.strides), binding.variables, binding.number),
        stored_value(value, tensor.dtype));
  }

  static std::string map_text(const Program& program, const Stage& stage, Binding binding) {
    binding.variables = variable_names(stage.extents.size());
    const Body body = emit_body(program, {stage.body}, binding);
    return coordinates("i", stage.extents, 0, "    ", binding.number) + body.statements +
           store_text(program, stage, 0, binding, body.values.front());
  }

  /// `x` at reduced point number k. The product of a contraction is exact in double.
  static std::string value_text(const Program& program, const Stage& stage, Binding binding) {
    binding.indent = "      ";
    const Scalar& root = program.scalars[stage.body];
    if (stage.kind == Stage::Kind::Contract && is_floating(root.type)) {
      const Body body = emit_body(program, {root.args[0], root.args[1]}, binding);
      return body.statements + fmt::format("      const double x = static_cast<double>({}) * {};\n",
                                           body.values[0], body.values[1]);
    }
    const Body body = emit_body(program, {stage.body}, binding);
    return body.statements +
           fmt::format("      const {} x = {};\n", compute_name(root.type), body.values.front());
  }

  static std::string reduce_text(const Program& program, const Stage& stage, Binding binding,
                                 bool by_block) {
    binding.variables = variable_names(stage.extents.size());
    const Accumulator a = accumulator(stage.combiner, program.scalars[stage.body].type);
    const Shape reduced = stage.reduced_extents();
    std::string text = coordinates("i", stage.parallel_extents(), 0, "    ", binding.number);
    text += fmt::format("    {}\n", a.declare);
    text += fmt::format("    for (long long k = {}; k < {}; k += {}) {{\n",
                        by_block ? "threadIdx.x" : "0", binding.number(count_of(reduced)),
                        by_block ? kThreads : 1);
    text += coordinates("k", reduced, static_cast<std::size_t>(stage.parallel), "      ",
                        binding.number);
    text += value_text(program, stage, binding);
    text += fmt::format("      {}\n    }}\n", a.step);
    if (by_block) text += block_merge(a);
    for (std::size_t r = 0; r < stage.results.size(); ++r) {
      text += store_text(program, stage, r, binding, a.results[r]);
    }
    if (by_block) text += "    }\n    __syncthreads();\n";
    return text;
  }

  /// One thread walks the last dimension and stores at every step.
  static std::string scan_text(const Program& program, const Stage& stage, Binding binding) {
    binding.variables = variable_names(stage.extents.size());
    Accumulator a = accumulator(stage.combiner, program.scalars[stage.body].type);
    if (stage.combiner == Combiner::ArgMax || stage.combiner == Combiner::ArgMin) {
      // The last of equals is what a running extremum names; once NaN, always NaN.
      a.step = fmt::format("if (at < 0 || x != x || (s == s && x {} s)) {{ s = x; at = k; }}",
                           stage.combiner == Combiner::ArgMax ? ">=" : "<=");
    }
    std::string text = coordinates("i", stage.parallel_extents(), 0, "    ", binding.number);
    text += fmt::format("    {}\n    for (long long k = 0; k < {}; ++k) {{\n", a.declare,
                        binding.number(count_of(stage.reduced_extents())));
    text += coordinates("k", stage.reduced_extents(), static_cast<std::size_t>(stage.parallel),
                        "      ", binding.number);
    text += value_text(program, stage, binding);
    text += fmt::format("      {}\n", a.step);
    for (std::size_t r = 0; r < stage.results.size(); ++r) {
      text += "  " + store_text(program, stage, r, binding, a.results[r]);
    }
    return text + "    }\n";
  }

  /// Every thread's state goes through shared memory; thread 0 merges them in order and stores.
  static std::string block_merge(const Accumulator& a) {
    std::string text;
    for (std::size_t v = 0; v < a.state.size(); ++v) {
      text += fmt::format("    __shared__ {0} {1}_s[{2}];\n    {1}_s[threadIdx.x] = {1};\n",
                          a.types[v], a.state[v], kThreads);
    }
    text += "    __syncthreads();\n    if (threadIdx.x == 0) {\n";
    text += fmt::format("    for (int t = 1; t < {}; ++t) {{\n", kThreads);
    for (std::size_t v = 0; v < a.state.size(); ++v) {
      text += fmt::format("      const {0} {1}_o = {1}_s[t];\n", a.types[v], a.state[v]);
    }
    return text + fmt::format("      {}\n    }}\n", a.merge);
  }
};

}  // namespace

const Skeleton& fallback_skeleton() {
  static const FallbackSkeleton skeleton;
  return skeleton;
}

}  // namespace kw::codegen
