// A matrix stored in a block format times at most eight vectors: codes are decoded in registers.

#include <fmt/format.h>

#include <algorithm>

#include "emit/format_code.h"
#include "skeletons/contraction_forms.h"

namespace kw::codegen {
namespace {

constexpr std::int64_t kWarps = 8;  // of a thread block (gemv_decode.cuh)
/// Instructions per element: unpacking, conversion, FFMA and a share of the loads.
constexpr double kInstructions = 3;

struct DecodeParameters {
  std::int64_t rows = 2;   // of W per warp
  std::int64_t parts = 1;  // of k

  static constexpr ParameterField<DecodeParameters> kFields[] = {
      {"rows", &DecodeParameters::rows},
      {"parts", &DecodeParameters::parts},
  };
};

/// The encoded side, when it is read row by row as it is stored.
struct EncodedSide {
  GemvSides sides;
  Encoded encoded;
  std::int64_t first_row = 0;
  std::int64_t run = 0;  // codes per access: 16 bytes, or a block
};
std::optional<EncodedSide> encoded_side(const ContractionForms& at) {
  const auto sides = gemv_sides(at.site);
  if (!sides || at.site.batch != 1) return std::nullopt;
  const ContractionOperand& w = sides->w_is_a ? at.site.a : at.site.b;
  const Scalar& leaf = at.program.scalars[w.value];
  if (leaf.op != Op::Decode || !decodable(leaf.encoded.format)) return std::nullopt;
  const Index& row = leaf.at[0];
  const bool by_rows = row.is_affine() && row.coefficient_of(0) == 0 &&
                       row.coefficient_of(2) == 0 &&
                       (row.coefficient_of(1) == 1 || sides->rows == 1);
  if (!by_rows || !(leaf.at[1] == Index::variable(2))) return std::nullopt;
  const Format& format = leaf.encoded.format;
  EncodedSide side{*sides, leaf.encoded, row.constant,
                   std::min<std::int64_t>(128 / format.element.bits, format.block)};
  if (side.run < 4 || at.site.k % side.run != 0 || leaf.encoded.k != at.site.k) return std::nullopt;
  return side;
}

std::int64_t k_per_part(std::int64_t k, std::int64_t run, std::int64_t parts) {
  return round_up(ceil_div(k, parts), run);
}
/// The vectors of one part, turned: whole steps of a warp.
std::int64_t shared_bytes(std::int64_t k_part, std::int64_t run, std::int64_t vectors) {
  return vectors * round_up(k_part, 32 * run) * 4;
}

DecodeParameters heuristic(const ContractionForms& at, const EncodedSide& side) {
  DecodeParameters p;
  const std::int64_t rows = side.sides.rows;
  if (rows < 2 * kWarps * at.target.sm_count) p.rows = 1;
  if (rows >= 8 * kWarps * at.target.sm_count && side.sides.vectors <= 2) p.rows = 4;
  const auto part = [&] { return k_per_part(at.site.k, side.run, p.parts); };
  const std::int64_t half = at.target.shared_per_block / 2;
  while (shared_bytes(part(), side.run, side.sides.vectors) > half) p.parts *= 2;
  while (ceil_div(rows, p.rows * kWarps) * p.parts < at.target.sm_count &&
         part() >= 4 * 32 * side.run) {
    p.parts *= 2;
  }
  return p;
}

}  // namespace

std::optional<double> decode_cost(const ContractionForms& at) {
  const auto side = encoded_side(at);
  if (!side) return std::nullopt;
  const DecodeParameters p = heuristic(at, *side);
  const std::int64_t blocks = ceil_div(side->sides.rows, p.rows * kWarps) * p.parts;
  Work work;
  work.bytes = minimal_bytes(at.program, at.region) *
               std::max(1.0, static_cast<double>(at.target.sm_count) / static_cast<double>(blocks));
  work.operations = kInstructions * static_cast<double>(side->sides.rows) *
                    static_cast<double>(at.site.k) * static_cast<double>(1 + side->sides.vectors) /
                    2;
  work.launches = p.parts > 1 ? 2 : 1;
  return cost_of(work, at.target);
}

ParameterSpace decode_space(const ContractionForms& at) {
  const auto side = encoded_side(at);
  if (!side) return {};
  ParameterSpace space =
      declare(heuristic(at, *side), {{"rows", {1, 2, 4}}, {"parts", {1, 2, 4, 8, 16, 32}}});
  space.symbols["k"] = at.site.k;
  space.symbols["run"] = side->run;
  space.symbols["vectors"] = side->sides.vectors;
  space.symbols["shared_per_block"] = at.target.shared_per_block;
  constrain(space, "rows * vectors <= 16");
  constrain(space, "parts * run <= k || parts == 1");
  constrain(
      space,
      "vectors * round_up(round_up(ceil_div(k, parts), run), 32 * run) * 4 <= shared_per_block");
  return space;
}

Fragment emit_decode(const ContractionForms& at, const Config& config, const EmitContext& context) {
  const auto p = read_parameters<DecodeParameters>(config);
  const EncodedSide side = *encoded_side(at);
  const GemvSides& s = side.sides;
  const ContractionOperand& x_side = s.w_is_a ? at.site.b : at.site.a;
  const OperandText x = operand_text(at.program, x_side, context.type_name("X"));
  const EpilogueText epilogue = epilogue_text(at.program, at.site, context.type_name("Epilogue"));
  const std::int64_t k_part = k_per_part(at.site.k, side.run, p.parts);
  const std::int64_t parts = ceil_div(at.site.k, k_part);

  Fragment fragment;
  fragment.includes = {"contraction_operand.cuh", "contraction_ptx.cuh", "gemv.cuh",
                       "gemv_decode.cuh"};
  fragment.formats.push_back(side.encoded);
  fragment.code = x.definitions + epilogue.definitions;
  EntryPointers entry;
  const auto pointer = [&](TensorId t) {
    return t == kNoTensor ? std::string("nullptr") : entry.name(t);
  };
  const Encoded& e = side.encoded;
  const std::string format = format_struct(e);
  const std::string w_value =
      fmt::format("kw::DecodeRows<{}>{{{}, {}, {}, {}, {}}}", format, pointer(e.codes),
                  pointer(e.scales), pointer(e.zeros), pointer(e.tensor_scale), side.first_row);
  const std::string x_value = operand_value(x, entry);
  const GemvSink sink = gemv_sink(at, s, epilogue, parts, entry);
  fragment.code += fmt::format(
      "extern \"C\" __global__ void __launch_bounds__(256)\n{}({}{}) {{\n"
      "  const kw::GemvProblem problem{{{}, {}, {}, 0, 0}};\n"
      "  kw::gemv_decode<{}, {}, {}, {}>(problem, {},\n      {},\n      {});\n}}\n\n",
      context.entry("gemv"), parameter_text(at.program, entry.tensors(), at.region), sink.parameter,
      s.rows, at.site.k, k_part, format, s.vectors, p.rows, side.run, w_value, x_value, sink.value);
  add_gemv_nodes(at, s, epilogue, {ceil_div(s.rows, p.rows * kWarps), parts, 1},
                 shared_bytes(k_part, side.run, s.vectors), entry, context, fragment);
  return fragment;
}

}  // namespace kw::codegen
