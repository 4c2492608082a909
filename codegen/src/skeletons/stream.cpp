// stream: pointwise chains with broadcasting, as one pass over a flat space (stream.cuh).

#include <fmt/format.h>

#include <algorithm>

#include "emit/format_code.h"
#include "emit/vector.h"
#include "skeletons/parameters.h"
#include "skeletons/skeleton.h"

namespace kw::codegen {
namespace {

struct Output {
  TensorId tensor = kNoTensor;
  ScalarId value = -1;
  Index offset;
};

/// Every output of the region as an expression over variables that number the elements: element
/// i = linear(variables).
std::vector<Output> outputs_at(Program& program, const Region& region, const Index& linear,
                               const Shape& extents) {
  std::vector<Output> outputs;
  for (const TensorId t : region.outputs) {
    const Stage& stage = program.stages[static_cast<std::size_t>(program.producer(t))];
    const std::vector<Index> at = delinearise(linear, stage.extents, extents);
    Output out;
    out.tensor = t;
    out.value = inline_maps(program, region, substitute(program, stage.body, at, extents), extents);
    std::vector<Index> store;
    for (const Index& index : stage.store) store.push_back(substitute(index, at, extents));
    out.offset = linearise(store, program.tensor(t).strides);
    outputs.push_back(std::move(out));
  }
  return outputs;
}

std::vector<ScalarId> values_of(const std::vector<Output>& outputs) {
  std::vector<ScalarId> values;
  for (const Output& out : outputs) values.push_back(out.value);
  return values;
}

std::int64_t flat_count(const Program& program, const Region& region) {
  return count_of(
      program.stages[static_cast<std::size_t>(program.producer(region.outputs.front()))].extents);
}

/// Bytes of the narrowest element that is written: 16-byte accesses of it.
std::int64_t usual_vector(const Program& program, const Region& region) {
  std::size_t bytes = 8;
  for (const TensorId t : region.outputs) bytes = std::min(bytes, size_of(program.tensor(t).dtype));
  return std::clamp<std::int64_t>(16 / static_cast<std::int64_t>(bytes), 1, 8);
}

/// Vectors worth trying: decoders read several codes at once.
std::int64_t widest_vector(const Program& program, const Region& region) {
  const bool bytes = std::any_of(region.inputs.begin(), region.inputs.end(),
                                 [&](TensorId t) { return program.tensor(t).dtype == DType::U8; });
  return bytes ? 8 : usual_vector(program, region);
}

/// What a flat pass reads again: an input that is broadcast over outer dimensions comes back once
/// for each of them, and one that is not small against the L2 cache comes from memory.
double read_again(const Program& program, const Region& region, std::int64_t count,
                  const Target& target) {
  double bytes = 0;
  for (const TensorId t : region.inputs) {
    const Tensor& tensor = program.tensor(t);
    const std::int64_t elements = count_of(tensor.shape);
    const double once = static_cast<double>(elements) * static_cast<double>(size_of(tensor.dtype));
    if (elements >= count || once < static_cast<double>(target.l2_bytes) / 4) continue;
    bytes += once * static_cast<double>(count / elements - 1);
  }
  return bytes;
}

/// Schedule of the stream skeleton.
struct StreamParameters {
  std::int64_t vector = 4;   // elements per access
  std::int64_t block = 256;  // threads
  std::int64_t items = 2;    // vectors in flight per thread
  std::int64_t stream = 1;   // 1: evict-first hints on loads and stores

  static constexpr ParameterField<StreamParameters> kFields[] = {
      {"vector", &StreamParameters::vector},
      {"block", &StreamParameters::block},
      {"items", &StreamParameters::items},
      {"stream", &StreamParameters::stream},
  };
};

class StreamSkeleton final : public Skeleton {
 public:
  std::string_view name() const override { return "stream@1"; }

  std::vector<Offer> match(Program& program, const Region& region,
                           const Target& target) const override {
    if (region.outputs.empty()) return {};
    const std::int64_t count = flat_count(program, region);
    for (int s = region.first; s <= region.last; ++s) {
      if (program.stages[static_cast<std::size_t>(s)].kind != Stage::Kind::Map) return {};
    }
    for (const TensorId t : region.outputs) {
      const Stage& stage = program.stages[static_cast<std::size_t>(program.producer(t))];
      if (count_of(stage.extents) != count) return {};
    }
    Work work;
    work.bytes = minimal_bytes(program, region) + read_again(program, region, count, target);
    std::vector<ScalarId> bodies;
    for (int s = region.first; s <= region.last; ++s) {
      bodies.push_back(program.stages[static_cast<std::size_t>(s)].body);
    }
    work.operations = operations_of(program.scalars, bodies) * static_cast<double>(count);
    return {{"flat", cost_of(work, target)}};
  }

  ParameterSpace space(Program& program, const Region& region, std::string_view,
                       const Target& target) const override {
    const std::int64_t count = flat_count(program, region);
    StreamParameters best;
    best.vector = usual_vector(program, region);
    while (best.vector > 1 && count < 32 * best.vector) best.vector /= 2;
    best.items = std::max<std::int64_t>(
        4 / std::max<std::int64_t>(static_cast<std::int64_t>(region.inputs.size()), 1), 1);
    // Small tensors: more blocks before more work per thread.
    const auto blocks = [&] { return count / (best.vector * best.block * best.items); };
    while (best.items > 1 && blocks() < 4 * target.sm_count) best.items /= 2;
    while (best.block > 64 && blocks() < 2 * target.sm_count) best.block /= 2;
    best.stream = minimal_bytes(program, region) > static_cast<double>(target.l2_bytes) ? 1 : 0;
    ParameterSpace space = declare(best, {{"vector", {1, 2, 4, 8}},
                                          {"block", {64, 128, 256, 512, 1024}},
                                          {"items", {1, 2, 4, 8}},
                                          {"stream", {0, 1}}});
    space.symbols["count"] = count;
    space.symbols["widest"] = widest_vector(program, region);
    constrain(space, "vector <= widest");
    constrain(space, "vector * items <= 32");
    return space;
  }

  Result<Fragment> emit(Program& program, const Region& region, std::string_view,
                        const Config& config, const EmitContext& context) const override {
    const auto p = read_parameters<StreamParameters>(config);
    const std::int64_t count = flat_count(program, region);
    std::vector<TensorId> pointers = region.inputs;
    pointers.insert(pointers.end(), region.outputs.begin(), region.outputs.end());
    const std::string index = count > kLastInt32 ? "long long" : index_type(program, pointers);
    const std::string functor = context.type_name("Stream");

    Fragment fragment;
    fragment.includes = {"stream.cuh"};
    fragment.code = functor_text(program, region, p, pointers, functor, index);
    fragment.code += entry_text(program, region, p, pointers, functor, index, count, context);
    note_formats(program, values_of(outputs_at(program, region, Index::variable(0), {count})),
                 fragment);

    KernelNode kernel;
    kernel.kernel = context.entry("stream");
    const std::int64_t per_block = p.vector * p.block * p.items;
    kernel.grid = {Expr((count + per_block - 1) / per_block), Expr(1), Expr(1)};
    kernel.block = {Expr(p.block), Expr(1), Expr(1)};
    for (const TensorId t : pointers) kernel.args.push_back(tensor_arg(program, t));
    fragment.run.push_back({context.entry("stream"), {}, std::move(kernel)});
    return fragment;
  }

 private:
  static std::string functor_text(Program& program, const Region& region, const StreamParameters& p,
                                  const std::vector<TensorId>& pointers, const std::string& name,
                                  const std::string& index) {
    const auto pointer = [&](TensorId t) {
      return fmt::format("p{}", std::find(pointers.begin(), pointers.end(), t) - pointers.begin());
    };
    const std::int64_t count = flat_count(program, region);
    const LaneSpace space{{"u", "w"}, {std::max<std::int64_t>(count / p.vector, 1), p.vector}};
    const Index linear = Index::variable(0) * p.vector + Index::variable(1);
    const std::vector<Output> vectors = outputs_at(program, region, linear, space.extents);
    LaneReader reader(program, space, pointer, p.stream != 0);
    reader.add(values_of(vectors));

    std::string text =
        fmt::format("struct {} {{\n{}", name, member_text(program, pointers, region));
    text += fmt::format("  struct Inputs {{\n{}  }};\n", reader.members());
    text += fmt::format(
        "  __device__ __forceinline__ void load([[maybe_unused]] {} u, Inputs& in) const {{\n{}  "
        "}}\n",
        index, reader.loads("    ", "in"));
    text += fmt::format(
        "  __device__ __forceinline__ void store({} u, const Inputs& in) const {{\n", index);
    text += lane_outputs(program, vectors, space, reader, pointer, p.stream != 0);
    text += "  }\n";
    text += fmt::format("  __device__ __forceinline__ void point({} i) const {{\n", index);
    Binding binding{{"i"}, {}, pointer, "    ", "t"};
    const std::vector<Output> points = outputs_at(program, region, Index::variable(0), {count});
    const Body body = emit_body(program, values_of(points), binding);
    text += body.statements;
    for (std::size_t o = 0; o < points.size(); ++o) {
      text += fmt::format("    {}[{}] = {};\n", pointer(points[o].tensor),
                          to_code(points[o].offset, binding.variables),
                          stored_value(body.values[o], program.tensor(points[o].tensor).dtype));
    }
    return text + "  }\n};\n\n";
  }

  /// One loop over the lanes computes every output; then each is written as a vector.
  static std::string lane_outputs(const Program& program, const std::vector<Output>& outputs,
                                  const LaneSpace& space, const LaneReader& reader,
                                  const LaneReader::Pointer& pointer, bool stream) {
    std::string text;
    for (std::size_t o = 0; o < outputs.size(); ++o) {
      text += fmt::format("    {} y{}[{}];\n",
                          storage_name(program.tensor(outputs[o].tensor).dtype), o, space.width());
    }
    text += fmt::format("#pragma unroll\n    for (int w = 0; w < {}; ++w) {{\n", space.width());
    const Binding binding{{"u", "w"},
                          [&](ScalarId leaf) { return reader.lane_value(leaf, "in"); },
                          pointer,
                          "      ",
                          "t"};
    const Body body = emit_body(program, values_of(outputs), binding);
    text += body.statements;
    for (std::size_t o = 0; o < outputs.size(); ++o) {
      text += fmt::format("      y{}[w] = {};\n", o,
                          stored_value(body.values[o], program.tensor(outputs[o].tensor).dtype));
    }
    text += "    }\n";
    for (std::size_t o = 0; o < outputs.size(); ++o) {
      text += lane_store(outputs[o].offset, space, pointer(outputs[o].tensor),
                         fmt::format("y{}", o), stream, "    ");
    }
    return text;
  }

  static std::string entry_text(const Program& program, const Region& region,
                                const StreamParameters& p, const std::vector<TensorId>& pointers,
                                const std::string& functor, const std::string& index,
                                std::int64_t count, const EmitContext& context) {
    const std::int64_t vectors = count / p.vector;
    return fmt::format(
        "extern \"C\" __global__ void __launch_bounds__({0})\n{1}({2}) {{\n"
        "  kw_stream<{0}, {3}, {4}>({5}{{{6}}}, {7}, {8}, {9});\n}}\n",
        p.block, context.entry("stream"), parameter_text(program, pointers, region), p.items, index,
        functor, argument_text(pointers), vectors, vectors * p.vector, count);
  }
};

}  // namespace

const Skeleton& stream_skeleton() {
  static const StreamSkeleton skeleton;
  return skeleton;
}

}  // namespace kw::codegen
