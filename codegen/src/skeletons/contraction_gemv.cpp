// One side of the product is at most eight wide: the other is read once, at the speed of memory.

#include <fmt/format.h>

#include <algorithm>

#include "skeletons/contraction_forms.h"

namespace kw::codegen {
namespace {

constexpr std::int64_t kThreads = 256;
/// Rows of a thread block when W runs along its rows (gemv.cuh).
constexpr std::int64_t kRowsAcross = 128;

struct GemvParameters {
  std::int64_t rows = 1;    // of W per thread block (W along k)
  std::int64_t unroll = 8;  // 16-byte loads in flight per row
  std::int64_t parts = 1;   // of k

  static constexpr ParameterField<GemvParameters> kFields[] = {
      {"rows", &GemvParameters::rows},
      {"unroll", &GemvParameters::unroll},
      {"parts", &GemvParameters::parts},
  };
};

bool matrix_along_k(const ContractionForms& at, const GemvSides& s) {
  const ContractionOperand& w = s.w_is_a ? at.site.a : at.site.b;
  return operand_text(at.program, w, "W").along_k;
}

GemvParameters heuristic(const ContractionForms& at, const GemvSides& s) {
  GemvParameters p;
  const bool along_k = matrix_along_k(at, s);
  // Several vectors cost registers and arithmetic per load: share each load among rows instead.
  if (s.vectors > 1) p.rows = 2, p.unroll = 4;
  if (!along_k) p.rows = 1, p.unroll = 8;
  const std::int64_t per_trip = along_k ? kThreads * 4 * p.unroll : 8 * p.unroll;
  while (p.unroll > 1 && at.site.k < (along_k ? kThreads * 4 : 8) * p.unroll) p.unroll /= 2;
  const std::int64_t row_blocks = ceil_div(s.rows, along_k ? p.rows : kRowsAcross) * at.site.batch;
  // Blocks for every SM, and no part longer than 32 trips: late blocks then end together.
  const std::int64_t wanted =
      std::max(ceil_div(8 * at.target.sm_count, row_blocks),
               row_blocks > at.target.sm_count ? ceil_div(at.site.k, per_trip * 32) : 1);
  while (p.parts < wanted && at.site.k >= 2 * p.parts * per_trip) p.parts *= 2;
  return p;
}

}  // namespace

std::optional<GemvSides> gemv_sides(const ContractionSite& site) {
  constexpr std::int64_t kMostVectors = 8;
  if (site.n <= kMostVectors && site.n <= site.m) return GemvSides{true, site.m, site.n};
  if (site.m <= kMostVectors) return GemvSides{false, site.n, site.m};
  return std::nullopt;
}

GemvSink gemv_sink(const ContractionForms& at, const GemvSides& s, const EpilogueText& epilogue,
                   std::int64_t parts, EntryPointers& entry) {
  if (parts > 1) {
    return {", float* __restrict__ sums",
            fmt::format("kw::GemvPartials{{sums, {}, {}, {}}}", at.site.batch, s.vectors, s.rows)};
  }
  return {"", fmt::format("kw::GemvDirect<{}, {}>{{{}}}", !s.w_is_a, epilogue.type,
                          epilogue_value(epilogue, entry))};
}

void add_gemv_nodes(const ContractionForms& at, const GemvSides& s, const EpilogueText& epilogue,
                    std::array<std::int64_t, 3> grid, std::int64_t shared,
                    const EntryPointers& entry, const EmitContext& context, Fragment& fragment) {
  const std::int64_t parts = grid[1];
  if (parts == 1) {
    fragment.run.push_back(
        contraction_node(at.program, context.entry("gemv"), grid, kThreads, shared, entry, {}));
    return;
  }
  const std::int64_t outputs = at.site.batch * s.vectors * s.rows;
  PlanBuffer buffer;
  buffer.name = context.workspace("sums");
  buffer.bytes = Expr(parts * outputs * 4);
  fragment.run.push_back(contraction_node(at.program, context.entry("gemv"), grid, kThreads, shared,
                                          entry, {buffer.name}));
  EntryPointers finish, none;
  const std::string direct = gemv_sink(at, s, epilogue, 1, finish).value;
  fragment.code += fmt::format(
      "extern \"C\" __global__ void __launch_bounds__(256)\n{}({}, float* __restrict__ sums) {{\n"
      "  kw::gemv_finish({}, {},\n      {});\n}}\n\n",
      context.entry("finish"), parameter_text(at.program, finish.tensors(), at.region),
      gemv_sink(at, s, epilogue, parts, none).value, parts, direct);
  fragment.run.push_back(contraction_node(at.program, context.entry("finish"),
                                          {ceil_div(outputs, kThreads), 1, 1}, kThreads, 0, finish,
                                          {buffer.name}));
  fragment.workspaces.push_back(std::move(buffer));
}

std::optional<double> gemv_cost(const ContractionForms& at) {
  const auto s = gemv_sides(at.site);
  if (!s) return std::nullopt;
  const GemvParameters p = heuristic(at, *s);
  const std::int64_t blocks =
      ceil_div(s->rows, matrix_along_k(at, *s) ? p.rows : kRowsAcross) * at.site.batch * p.parts;
  Work work;
  const double busy =
      std::min(1.0, static_cast<double>(blocks) / static_cast<double>(at.target.sm_count));
  work.bytes = minimal_bytes(at.program, at.region) / busy;
  // An FFMA and its share of loads, and what it takes to make an element of W.
  const ContractionOperand& w = s->w_is_a ? at.site.a : at.site.b;
  // Threads that share a short row idle beyond its end.
  const std::int64_t trip = matrix_along_k(at, *s) ? kThreads * 4 : 8;
  const double idle =
      static_cast<double>(round_up(at.site.k, trip)) / static_cast<double>(at.site.k);
  work.operations =
      idle * (at.site.flops() + static_cast<double>(s->rows * at.site.batch) *
                                    static_cast<double>(at.site.k) *
                                    operations_of(at.program.scalars, {w.value}));
  work.launches = p.parts > 1 ? 2 : 1;
  return cost_of(work, at.target);
}

ParameterSpace gemv_space(const ContractionForms& at) {
  const auto s = gemv_sides(at.site);
  if (!s) return {};
  ParameterSpace space = declare(
      heuristic(at, *s),
      {{"rows", {1, 2, 4}}, {"unroll", {1, 2, 4, 8}}, {"parts", {1, 2, 4, 8, 16, 32, 64, 128}}});
  space.symbols["vectors"] = s->vectors;
  space.symbols["k"] = at.site.k;
  constrain(space, "rows * vectors <= 32 && rows * unroll <= 16");
  constrain(space, "parts * 32 <= k || parts == 1");
  return space;
}

Fragment emit_gemv(const ContractionForms& at, const Config& config, const EmitContext& context) {
  const auto p = read_parameters<GemvParameters>(config);
  const ContractionSite& site = at.site;
  const GemvSides s = *gemv_sides(site);
  const ContractionOperand& w_side = s.w_is_a ? site.a : site.b;
  const ContractionOperand& x_side = s.w_is_a ? site.b : site.a;
  const OperandText w = operand_text(at.program, w_side, context.type_name("W"));
  const OperandText x = operand_text(at.program, x_side, context.type_name("X"));
  const EpilogueText epilogue = epilogue_text(at.program, site, context.type_name("Epilogue"));
  const std::int64_t k_per_part = round_up(ceil_div(site.k, p.parts), 4);
  const std::int64_t parts = ceil_div(site.k, k_per_part);

  Fragment fragment;
  fragment.includes = {"contraction_operand.cuh", "gemv.cuh"};
  fragment.code = w.definitions + x.definitions + epilogue.definitions;
  EntryPointers entry;
  const std::string w_value = operand_value(w, entry), x_value = operand_value(x, entry);
  const GemvSink sink = gemv_sink(at, s, epilogue, parts, entry);
  const std::string call =
      w.along_k ? fmt::format("kw::gemv_along_k<{}, {}, {}>", p.rows, s.vectors, p.unroll)
                : fmt::format("kw::gemv_along_rows<{}, {}>", s.vectors, p.unroll);
  fragment.code += fmt::format(
      "extern \"C\" __global__ void __launch_bounds__(256)\n{}({}{}) {{\n"
      "  const kw::GemvProblem problem{{{}, {}, {}, {}, {}}};\n"
      "  {}(problem, {}, {},\n      {});\n}}\n\n",
      context.entry("gemv"), parameter_text(at.program, entry.tensors(), at.region), sink.parameter,
      s.rows, site.k, k_per_part, w_side.batched ? 1 : 0, x_side.batched ? 1 : 0, call, w_value,
      x_value, sink.value);
  add_gemv_nodes(at, s, epilogue,
                 {ceil_div(s.rows, w.along_k ? p.rows : kRowsAcross), parts, site.batch}, 0, entry,
                 context, fragment);
  return fragment;
}

}  // namespace kw::codegen
