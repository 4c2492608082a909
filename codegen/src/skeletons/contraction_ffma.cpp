// The plain form, and what the forms share: parts of k, kernel nodes.

#include <fmt/format.h>

#include <algorithm>

#include "skeletons/contraction_forms.h"

namespace kw::codegen {
namespace {

/// FP32 products on the plain pipes, of 67 TFLOP/s (measured, H100).
constexpr double kFlopsPerUs = 41e6;
constexpr std::int64_t kPromote = 256;

struct FfmaParameters {
  std::int64_t tile_m = 128, tile_n = 128;  // outputs of a thread block
  std::int64_t promote = kPromote;          // k after which the sum moves to a second accumulator
  std::int64_t splits = 1;                  // parts of k

  static constexpr ParameterField<FfmaParameters> kFields[] = {
      {"tile_m", &FfmaParameters::tile_m},
      {"tile_n", &FfmaParameters::tile_n},
      {"promote", &FfmaParameters::promote},
      {"splits", &FfmaParameters::splits},
  };
};

FfmaParameters heuristic(const ContractionSite& site, const Target& target) {
  FfmaParameters p;
  const auto tiles = [&] {
    return ceil_div(site.m, p.tile_m) * ceil_div(site.n, p.tile_n) * site.batch;
  };
  if (site.m <= 64 || tiles() < 2 * target.sm_count) p.tile_m = 64;
  if (site.n <= 64 || tiles() < 2 * target.sm_count) p.tile_n = 64;
  if (site.k <= kPromote) p.promote = 0;
  while (tiles() * p.splits < target.sm_count && site.k >= 512 * p.splits && p.splits < 64) {
    p.splits *= 2;
  }
  return p;
}

}  // namespace

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t round_up(std::int64_t a, std::int64_t b) { return ceil_div(a, b) * b; }

double wave_factor(std::int64_t blocks, std::int64_t resident) {
  const std::int64_t waves = ceil_div(std::max<std::int64_t>(blocks, 1), resident);
  return static_cast<double>(waves * resident) / static_cast<double>(blocks);
}

PlanNode contraction_node(const Program& program, std::string entry,
                          std::array<std::int64_t, 3> grid, std::int64_t threads,
                          std::int64_t shared, const EntryPointers& pointers,
                          const std::vector<std::string>& workspaces) {
  KernelNode kernel;
  kernel.kernel = entry;
  kernel.grid = {Expr(grid[0]), Expr(grid[1]), Expr(grid[2])};
  kernel.block = {Expr(threads), Expr(1), Expr(1)};
  kernel.shared = Expr(shared);
  for (const TensorId t : pointers.tensors()) kernel.args.push_back(tensor_arg(program, t));
  for (const std::string& name : workspaces) kernel.args.push_back(BufferArg{name, Expr(0)});
  return {std::move(entry), {}, std::move(kernel)};
}

PlanBuffer parts_workspace(const ContractionSite& site, std::int64_t parts, std::string name) {
  PlanBuffer buffer;
  buffer.name = std::move(name);
  buffer.bytes = Expr(parts * site.batch * site.m * round_up(site.n, 2) * 4);
  return buffer;
}

std::string store_part_value(const ContractionSite& site) {
  return fmt::format("kw::StorePart{{sums, {}, {}}}", site.batch, site.m);
}

void add_finish_kernel(const ContractionForms& at, const EpilogueText& epilogue, std::int64_t parts,
                       const std::string& workspace, const EmitContext& context,
                       Fragment& fragment) {
  EntryPointers entry;
  const std::string value = epilogue_value(epilogue, entry);
  fragment.code += fmt::format(
      "extern \"C\" __global__ void __launch_bounds__(256)\n{}({}, float* __restrict__ sums) {{\n"
      "  kw::add_parts({}, {}, {}, {});\n}}\n\n",
      context.entry("finish"), parameter_text(at.program, entry.tensors(), at.region),
      store_part_value(at.site), parts, at.site.n, value);
  const std::int64_t pairs = at.site.batch * at.site.m * ceil_div(at.site.n, 2);
  fragment.run.push_back(contraction_node(at.program, context.entry("finish"),
                                          {ceil_div(pairs, 256), 1, 1}, 256, 0, entry,
                                          {workspace}));
}

std::optional<double> ffma_cost(const ContractionForms& at) {
  const FfmaParameters p = heuristic(at.site, at.target);
  const std::int64_t tiles =
      ceil_div(at.site.m, p.tile_m) * ceil_div(at.site.n, p.tile_n) * at.site.batch;
  const double padded = 2.0 * static_cast<double>(tiles * p.tile_m * p.tile_n * at.site.k);
  Work work;
  work.bytes = minimal_bytes(at.program, at.region);
  work.operations = padded * wave_factor(tiles * p.splits, at.target.sm_count);
  work.operations_per_us = kFlopsPerUs * static_cast<double>(at.target.sm_count) / 132;
  work.launches = p.splits > 1 ? 2 : 1;
  return cost_of(work, at.target);
}

ParameterSpace ffma_space(const ContractionForms& at) {
  ParameterSpace space = declare(heuristic(at.site, at.target), {{"tile_m", {64, 128}},
                                                                 {"tile_n", {64, 128}},
                                                                 {"promote", {0, 256}},
                                                                 {"splits", {1, 2, 4, 8, 16, 32}}});
  space.symbols["k"] = at.site.k;
  constrain(space, "splits * 16 <= k || splits == 1");
  return space;
}

Fragment emit_ffma(const ContractionForms& at, const Config& config, const EmitContext& context) {
  const auto p = read_parameters<FfmaParameters>(config);
  const ContractionSite& site = at.site;
  const OperandText a = operand_text(at.program, site.a, context.type_name("A"));
  const OperandText b = operand_text(at.program, site.b, context.type_name("B"));
  const EpilogueText epilogue = epilogue_text(at.program, site, context.type_name("Epilogue"));
  const std::int64_t k_per_split = round_up(ceil_div(site.k, p.splits), 16);
  const std::int64_t parts = ceil_div(site.k, k_per_split);

  Fragment fragment;
  fragment.includes = {"contraction_operand.cuh", "contraction_ffma.cuh"};
  fragment.code = a.definitions + b.definitions + epilogue.definitions;
  EntryPointers entry;
  const std::string a_value = operand_value(a, entry), b_value = operand_value(b, entry);
  const std::string sink = parts > 1 ? store_part_value(site) : epilogue_value(epilogue, entry);
  fragment.code += fmt::format(
      "extern \"C\" __global__ void __launch_bounds__(256)\n{}({}{}) {{\n"
      "  const kw::FfmaProblem problem{{{}, {}, {}, {}, nullptr, 0u}};\n"
      "  kw::ffma_product<kw::FfmaTile<{}, {}, {}>>(problem, {},\n      {}, {}, {},\n      "
      "{});\n}}\n\n",
      context.entry("product"), parameter_text(at.program, entry.tensors(), at.region),
      parts > 1 ? ", float* __restrict__ sums" : "", site.m, site.n, site.k, k_per_split, p.tile_m,
      p.tile_n, p.promote, a_value, b_value, site.a.batched ? 1 : 0, site.b.batched ? 1 : 0, sink);
  const std::string sums = context.workspace("sums");
  const std::int64_t tiles = ceil_div(site.m, p.tile_m) * ceil_div(site.n, p.tile_n);
  fragment.run.push_back(contraction_node(
      at.program, context.entry("product"), {tiles, parts, site.batch}, 256, 0, entry,
      parts > 1 ? std::vector<std::string>{sums} : std::vector<std::string>{}));
  if (parts > 1) {
    fragment.includes.emplace_back("contraction_parts.cuh");
    fragment.workspaces.push_back(parts_workspace(site, parts, sums));
    add_finish_kernel(at, epilogue, parts, sums, context, fragment);
  }
  return fragment;
}

}  // namespace kw::codegen
