// One side of the product is at most eight wide: the other is read once, at the speed of memory.

#include <fmt/format.h>

#include <algorithm>

#include "skeletons/contraction_forms.h"

namespace kw::codegen {
namespace {

constexpr std::int64_t kMostVectors = 8;
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

/// Which operand is the matrix; the other one is the vectors.
struct Sides {
  bool w_is_a = true;
  std::int64_t rows = 0, vectors = 0;
};
std::optional<Sides> sides(const ContractionSite& site) {
  if (site.n <= kMostVectors && site.n <= site.m) return Sides{true, site.m, site.n};
  if (site.m <= kMostVectors) return Sides{false, site.n, site.m};
  return std::nullopt;
}

bool matrix_along_k(const ContractionForms& at, const Sides& s) {
  const ContractionOperand& w = s.w_is_a ? at.site.a : at.site.b;
  return operand_text(at.program, w, "W").along_k;
}

GemvParameters heuristic(const ContractionForms& at, const Sides& s) {
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

std::optional<double> gemv_cost(const ContractionForms& at) {
  const auto s = sides(at.site);
  if (!s) return std::nullopt;
  const GemvParameters p = heuristic(at, *s);
  const std::int64_t blocks =
      ceil_div(s->rows, matrix_along_k(at, *s) ? p.rows : kRowsAcross) * at.site.batch * p.parts;
  Work work;
  const double busy =
      std::min(1.0, static_cast<double>(blocks) / static_cast<double>(at.target.sm_count));
  work.bytes = minimal_bytes(at.program, at.region) / busy;
  work.operations = at.site.flops();  // an FFMA and its share of loads
  work.launches = p.parts > 1 ? 2 : 1;
  return cost_of(work, at.target);
}

ParameterSpace gemv_space(const ContractionForms& at) {
  const auto s = sides(at.site);
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
  const Sides s = *sides(site);
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
  const std::string direct = fmt::format("kw::GemvDirect<{}, {}>", !s.w_is_a, epilogue.type);
  const std::string partials =
      fmt::format("kw::GemvPartials{{sums, {}, {}, {}}}", site.batch, s.vectors, s.rows);
  const std::string sink =
      parts > 1 ? partials : fmt::format("{}{{{}}}", direct, epilogue_value(epilogue, entry));
  const std::string call =
      w.along_k ? fmt::format("kw::gemv_along_k<{}, {}, {}>", p.rows, s.vectors, p.unroll)
                : fmt::format("kw::gemv_along_rows<{}, {}>", s.vectors, p.unroll);
  fragment.code += fmt::format(
      "extern \"C\" __global__ void __launch_bounds__(256)\n{}({}{}) {{\n"
      "  const kw::GemvProblem problem{{{}, {}, {}, {}, {}}};\n"
      "  {}(problem, {}, {},\n      {});\n}}\n\n",
      context.entry("gemv"), parameter_text(at.program, entry.tensors(), at.region),
      parts > 1 ? ", float* __restrict__ sums" : "", s.rows, site.k, k_per_part,
      w_side.batched ? 1 : 0, x_side.batched ? 1 : 0, call, w_value, x_value, sink);
  const std::string sums = context.workspace("sums");
  fragment.run.push_back(contraction_node(
      at.program, context.entry("gemv"),
      {ceil_div(s.rows, w.along_k ? p.rows : kRowsAcross), parts, site.batch}, kThreads, 0, entry,
      parts > 1 ? std::vector<std::string>{sums} : std::vector<std::string>{}));
  if (parts > 1) {
    PlanBuffer buffer;
    buffer.name = sums;
    const std::int64_t outputs = site.batch * s.vectors * s.rows;
    buffer.bytes = Expr(parts * outputs * 4);
    fragment.workspaces.push_back(std::move(buffer));
    EntryPointers finish;
    const std::string value = epilogue_value(epilogue, finish);
    fragment.code += fmt::format(
        "extern \"C\" __global__ void __launch_bounds__(256)\n{}({}, float* __restrict__ sums) {{\n"
        "  kw::gemv_finish({}, {},\n      {}{{{}}});\n}}\n\n",
        context.entry("finish"), parameter_text(at.program, finish.tensors(), at.region), partials,
        parts, direct, value);
    fragment.run.push_back(contraction_node(at.program, context.entry("finish"),
                                            {ceil_div(outputs, kThreads), 1, 1}, kThreads, 0,
                                            finish, {sums}));
  }
  return fragment;
}

}  // namespace kw::codegen
