#include "skeletons/fp16x3_schedule.h"

#include <fmt/format.h>

#include <algorithm>

namespace kw::codegen {
namespace {

/// In-kernel wide products run at about a tenth of the main path's speed; past this share of all
/// products the separate kernel is faster.
constexpr std::int64_t kWidePercent = 2;
/// Below so many 16 x 32 x 128 products nothing is worth handing over.
constexpr std::int64_t kWideAlways = 16;

/// Expressions over the parameters, as contraction_fp16x3.cuh computes them.
constexpr std::string_view kThreads = "(tile_m / warp_m * (tile_n / warp_n) * 32)";
constexpr std::string_view kStageBytes =
    "((tile_m + tile_n) * 128 * slabs + round_up((tile_m + tile_n / 32) * 4, 128))";
/// Three sets of sums, fragments of B (one step) and A (two), addresses; ptxas is within a tenth.
constexpr std::string_view kRegisters = "(warp_m * warp_n / 32 * 3 + warp_n / 2 + 16 + 24)";

}  // namespace

double parts_us(const ContractionSite& site, std::int64_t parts, const Target& target) {
  if (parts == 1) return 0;
  const double scale = static_cast<double>(target.sm_count) / 132;
  const double outputs = static_cast<double>(site.batch * site.m * site.n);
  return 8.0 * outputs * static_cast<double>(parts) / (kSplitBytesPerUs * scale) + kLaunchUs;
}

std::int64_t stage_bytes(const Fp16x3Parameters& p) {
  return (p.tile_m + p.tile_n) * 128 * p.slabs + round_up((p.tile_m + p.tile_n / 32) * 4, 128);
}

std::int64_t threads(const Fp16x3Parameters& p) {
  return p.tile_m / p.warp_m * (p.tile_n / p.warp_n) * 32;
}

std::int64_t resident(const Fp16x3Parameters& p, const Target& target) {
  return (target.shared_per_block + 1024) / (stage_bytes(p) * p.stages + 1024);
}

std::int64_t wide_limit(std::int64_t total) {
  return std::max(total * kWidePercent / 100, kWideAlways);
}

ParameterSpace fp16x3_tiles(const Fp16x3Parameters& defaults, const Target& target,
                            std::vector<std::int64_t> slabs, std::vector<std::int64_t> splits) {
  ParameterSpace space = declare(defaults, {{"tile_m", {64, 128, 192, 256}},
                                            {"tile_n", {64, 96, 128, 192, 256}},
                                            {"warp_m", {32, 64}},
                                            {"warp_n", {32, 64}},
                                            {"stages", {2, 3, 4, 5, 6}},
                                            {"slabs", std::move(slabs)},
                                            {"blocks", {1, 2, 3, 4}},
                                            {"splits", std::move(splits)}});
  space.symbols["shared_per_block"] = target.shared_per_block;
  constrain(space, "tile_m % warp_m == 0 && tile_n % warp_n == 0");
  constrain(space, fmt::format("{} >= 128 && {} <= 384", kThreads, kThreads));
  constrain(space, fmt::format("tile_m / 4 + tile_n / 32 <= {}", kThreads));
  constrain(space, fmt::format("stages * {} <= shared_per_block", kStageBytes));
  constrain(space,
            fmt::format("blocks * (stages * {} + 1024) <= shared_per_block + 1024", kStageBytes));
  constrain(space, fmt::format("{} <= 255", kRegisters));
  constrain(space, fmt::format("blocks * {} * {} <= 65536", kThreads, kRegisters));
  return space;
}

std::string add_workspace(const EmitContext& context, std::string_view name, std::int64_t bytes,
                          Fragment& fragment) {
  PlanBuffer buffer;
  buffer.name = context.workspace(name);
  buffer.bytes = Expr(bytes);
  fragment.workspaces.push_back(buffer);
  return buffer.name;
}

std::string add_wide_count(const EmitContext& context, Fragment& fragment) {
  PlanBuffer count;
  count.name = "ws_wide_" + context.prefix + "count";
  count.bytes = Expr(4);
  count.init = BufferInit::EachRun;
  fragment.workspaces.push_back(count);
  return count.name;
}

void add_wide_kernel(const ContractionForms& at, const OperandText& a, const OperandText& b,
                     const EpilogueText& epilogue, std::int64_t limit, std::int64_t parts,
                     std::int64_t k_per_part, const Fp16x3Buffers& buffers,
                     const EmitContext& context, Fragment& fragment) {
  const ContractionSite& s = at.site;
  const std::int64_t tile = s.m * s.n <= 512 * 512 ? 64 : 128;
  const std::int64_t tiles = ceil_div(s.m, tile) * ceil_div(s.n, tile);
  // A closed gate costs as many thread blocks as there are: 200 us at 10^6 tiles.
  const std::int64_t blocks = std::min(tiles, 2 * context.target.sm_count);
  EntryPointers entry;
  const std::string a_value = operand_value(a, entry), b_value = operand_value(b, entry);
  const std::string out = parts > 1 ? store_part_value(s) : epilogue_value(epilogue, entry);
  std::vector<std::string> workspaces = {buffers.wide_count};
  if (parts > 1) workspaces.push_back(buffers.sums);
  fragment.code += fmt::format(
      "extern \"C\" __global__ void __launch_bounds__(256)\n"
      "{}({}, const unsigned* __restrict__ wide_count{}) {{\n"
      "  const kw::FfmaProblem problem{{{}, {}, {}, {}, wide_count, {}u}};\n"
      "  kw::ffma_product_in_turn<kw::FfmaTile<{}, {}, 256>>(problem, {},\n      {}, {}, {},\n     "
      " "
      "{}, {}, {});\n}}\n\n",
      context.entry("wide"), parameter_text(at.program, entry.tensors(), at.region),
      parts > 1 ? ",\n    float* __restrict__ sums" : "", s.m, s.n, s.k, k_per_part, limit, tile,
      tile, a_value, b_value, s.a.batched ? 1 : 0, s.b.batched ? 1 : 0, out, tiles, blocks);
  fragment.run.push_back(contraction_node(at.program, context.entry("wide"),
                                          {blocks, parts, s.batch}, 256, 0, entry, workspaces));
}

}  // namespace kw::codegen
