// encode: a Storer of block formats. Pointwise stages in front are inlined into the reads.

#include <fmt/format.h>

#include <algorithm>

#include "emit/encode_code.h"
#include "emit/format_code.h"
#include "emit/vector.h"
#include "skeletons/parameters.h"
#include "skeletons/skeleton.h"

namespace kw::codegen {
namespace {

struct EncodeParameters {
  std::int64_t block = 256;  // threads

  static constexpr ParameterField<EncodeParameters> kFields[] = {
      {"block", &EncodeParameters::block}};
};

const Stage& encode_stage(const Program& program, const Region& region) {
  return program.stages[static_cast<std::size_t>(region.last)];
}

class EncodeSkeleton final : public Skeleton {
 public:
  std::string_view name() const override { return "encode@1"; }

  std::vector<Offer> match(Program& program, const Region& region,
                           const Target& target) const override {
    const Stage& stage = encode_stage(program, region);
    if (stage.kind != Stage::Kind::Encode) return {};
    for (int s = region.first; s < region.last; ++s) {
      const Stage& map = program.stages[static_cast<std::size_t>(s)];
      if (map.kind != Stage::Kind::Map || map.extents.size() != 2) return {};
    }
    for (const TensorId t : region.outputs) {
      if (program.producer(t) != region.last) return {};
    }
    Work work;
    work.bytes = minimal_bytes(program, region);
    work.operations = 25.0 * static_cast<double>(count_of(stage.extents));
    return {{"lanes", cost_of(work, target)}};
  }

  ParameterSpace space(Program&, const Region&, std::string_view, const Target&) const override {
    return declare(EncodeParameters{}, {{"block", {64, 128, 256, 512}}});
  }

  Result<Fragment> emit(Program& program, const Region& region, std::string_view,
                        const Config& config, const EmitContext& context) const override {
    const auto p = read_parameters<EncodeParameters>(config);
    const Stage& stage = encode_stage(program, region);
    const Encoded& e = stage.encoded;
    std::vector<TensorId> pointers = region.inputs;
    pointers.insert(pointers.end(), stage.results.begin(), stage.results.end());
    const auto pointer = [&](TensorId t) {
      return fmt::format("p{}", std::find(pointers.begin(), pointers.end(), t) - pointers.begin());
    };

    Fragment fragment;
    fragment.includes = {"format_encode.cuh", "encode.cuh"};
    fragment.formats = {e};
    const std::string functor = context.type_name("Encode");
    const std::string index = index_type(program, pointers);
    std::vector<ScalarId> roots;
    fragment.code = functor_text(program, region, pointers, pointer, functor, index, roots);
    note_formats(program, roots, fragment);
    fragment.code += fmt::format(
        "extern \"C\" __global__ void __launch_bounds__({0})\n{1}({2}) {{\n"
        "  kw_encode<{3}, {0}, {10}>({4}{{{5}}}, {6}, {7}, {8}, {9});\n}}\n",
        p.block, context.entry("encode"), parameter_text(program, pointers, region),
        format_struct(e), functor, argument_text(pointers), stage.extents[0], pointer(e.codes),
        pointer(e.scales), e.zeros == kNoTensor ? "nullptr" : pointer(e.zeros), index);

    KernelNode kernel;
    kernel.kernel = context.entry("encode");
    const std::int64_t lanes = e.format.block / 4;
    const std::int64_t threads = encode_units(stage) * lanes;
    kernel.grid = {Expr((threads + p.block - 1) / p.block), Expr(1), Expr(1)};
    kernel.block = {Expr(p.block), Expr(1), Expr(1)};
    for (const TensorId t : pointers) kernel.args.push_back(tensor_arg(program, t));
    fragment.run.push_back({context.entry("encode"), {}, std::move(kernel)});
    return fragment;
  }

 private:
  static std::string functor_text(Program& program, const Region& region,
                                  const std::vector<TensorId>& pointers,
                                  const LaneReader::Pointer& pointer, const std::string& name,
                                  const std::string& index, std::vector<ScalarId>& roots) {
    const Stage& stage = encode_stage(program, region);
    const std::int64_t k = stage.encoded.k;
    const bool whole = k % 4 == 0;  // a lane's four elements are all inside or all outside
    const std::int64_t width = whole ? 4 : 1;
    const LaneSpace space{{"row", "u", "w"}, {stage.extents[0], (k + width - 1) / width, width}};
    const std::vector<Index> at = {Index::variable(0),
                                   Index::variable(1) * width + Index::variable(2)};
    const ScalarId value = inline_maps(
        program, region, substitute(program, stage.body, at, space.extents), space.extents);
    roots.push_back(value);
    LaneReader reader(program, space, pointer, true);
    reader.add({value});
    const Binding binding{space.names, [&](ScalarId leaf) { return reader.lane_value(leaf, "in"); },
                          pointer, "        ", "t"};
    const Body body = emit_body(program, {value}, binding);

    std::string text =
        fmt::format("struct {} {{\n{}", name, member_text(program, pointers, region));
    text += fmt::format(
        "  struct Inputs {{\n{0}  }};\n"
        "  __device__ __forceinline__ void load({2} row, {2} k, float (&x)[4]) const "
        "{{\n"
        "#pragma unroll\n    for (int i = 0; i < 4; i += {1}) {{\n",
        reader.members(), width, index);
    text += fmt::format(
        "      if (k + i >= {}) {{\n#pragma unroll\n        for (int w = 0; w < {}; ++w) x[i + w] "
        "= 0.0f;\n"
        "        continue;\n      }}\n",
        k, width);
    text += fmt::format("      const {} u = (k + i) / {};\n      Inputs in;\n{}", index, width,
                        reader.loads("      ", "in"));
    text += fmt::format(
        "#pragma unroll\n      for (int w = 0; w < {}; ++w) {{\n{}        x[i + w] = {};\n      "
        "}}\n",
        width, body.statements, body.values.front());
    text += "    }\n  }\n  __device__ __forceinline__ float factor() const {\n";
    if (stage.tensor_amax >= 0) {
      Binding scalar{{"0", "0"}, {}, pointer, "    ", "t"};
      const Body amax = emit_body(program, {stage.tensor_amax}, scalar);
      text += amax.statements;
      text += fmt::format("    return kw_tensor_factor<{}>({});\n", format_struct(stage.encoded),
                          amax.values.front());
    } else {
      text += "    return 1.0f;\n";
    }
    return text + "  }\n};\n\n";
  }
};

}  // namespace

const Skeleton& encode_skeleton() {
  static const EncodeSkeleton skeleton;
  return skeleton;
}

}  // namespace kw::codegen
