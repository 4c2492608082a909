// FP16x3 without a split pass: one kernel that splits its operands in the main loop, and the FFMA
// kernel that takes the whole product when too much of it is outside the range of two FP16 terms.

#include <fmt/format.h>

#include <algorithm>

#include "skeletons/fp16x3_schedule.h"

namespace kw::codegen {
namespace {

constexpr std::int64_t kRun = 64;  // k of a stage
/// FP32 of one row in a stage, and its scale.
constexpr std::int64_t kRowBytes = kRun * 4 + 4;
/// Of FP32 through L2 to all thread blocks.
constexpr double kTileBytesPerUs = 4.5e6;
/// Elements that all SMs split, which adds to the time of the products.
constexpr double kSplitElementsPerUs = 1.0e6;
constexpr double kCopyBytesPerUs = 3.0e6;

struct DirectParameters {
  std::int64_t tile_m = 128, tile_n = 128;  // outputs of a thread block
  std::int64_t warp_m = 64, warp_n = 32;    // of a warp
  std::int64_t stages = 3;                  // of 64 k
  std::int64_t blocks = 1;                  // thread blocks per SM that registers are kept for
  std::int64_t splits = 1;                  // parts of k

  static constexpr ParameterField<DirectParameters> kFields[] = {
      {"tile_m", &DirectParameters::tile_m}, {"tile_n", &DirectParameters::tile_n},
      {"warp_m", &DirectParameters::warp_m}, {"warp_n", &DirectParameters::warp_n},
      {"stages", &DirectParameters::stages}, {"blocks", &DirectParameters::blocks},
      {"splits", &DirectParameters::splits},
  };
};

/// Tiles that were fastest at some shape, with the share of the tensor rate that each sustains
/// (product_shapes_bench).
struct Preset {
  DirectParameters parameters;
  double rate;
};
const Preset kPresets[] = {
    {{128, 128, 64, 32, 3, 1, 1}, 1.0}, {{64, 128, 32, 32, 4, 1, 1}, 1.0},
    {{64, 64, 32, 32, 3, 2, 1}, 1.0},   {{128, 32, 16, 32, 5, 1, 1}, 0.5},
    {{32, 128, 32, 16, 5, 1, 1}, 0.4},  {{16, 128, 16, 16, 6, 1, 1}, 0.3},
};

std::int64_t threads(const DirectParameters& p) {
  return p.tile_m / p.warp_m * (p.tile_n / p.warp_n) * 32;
}
std::int64_t shared_bytes(const DirectParameters& p) {
  return p.stages * ((p.tile_m + p.tile_n) * kRowBytes + 4) + 12;
}
std::int64_t resident(const DirectParameters& p, const Target& target) {
  return (target.shared_per_block + 1024) / (shared_bytes(p) + 1024);
}

struct Layout {
  std::int64_t runs, runs_per_part, parts, tiles;
  std::int64_t total;  // products of 16 x 32 (or the warp's columns, if less) x 64
};
Layout layout_of(const ContractionSite& site, const DirectParameters& p) {
  Layout l{};
  l.runs = ceil_div(site.k, kRun);
  l.runs_per_part = ceil_div(l.runs, p.splits);
  l.parts = ceil_div(l.runs, l.runs_per_part);
  const std::int64_t m = ceil_div(site.m, p.tile_m), n = ceil_div(site.n, p.tile_n);
  l.tiles = m * n;
  l.total = m * n * (p.tile_m / 16) * (p.tile_n / std::min<std::int64_t>(p.warp_n, 32)) * l.runs *
            site.batch;
  return l;
}

struct Choice {
  DirectParameters parameters;
  double us = 0;  // without what the operands' and the result's own bytes cost; 0: nothing fits
};

double main_us(const ContractionSite& site, const Preset& preset, const Target& target) {
  const DirectParameters& p = preset.parameters;
  const Layout l = layout_of(site, p);
  const double scale = static_cast<double>(target.sm_count) / 132;
  const std::int64_t blocks = l.tiles * l.parts * site.batch;
  const double waves = wave_factor(blocks, target.sm_count * p.blocks);
  const double k = static_cast<double>(l.runs_per_part * kRun) * static_cast<double>(blocks);
  const double sides = static_cast<double>(p.tile_m + p.tile_n);
  const double flops = 2.0 * static_cast<double>(p.tile_m * p.tile_n) * k;
  double us =
      waves * (flops / (kFp16x3FlopsPerUs * preset.rate) + sides * k / kSplitElementsPerUs) / scale;
  us = std::max(us, 4.0 * sides * k / (kTileBytesPerUs * scale));
  return us + parts_us(site, l.parts, target);
}

Choice heuristic(const ContractionSite& site, const Target& target) {
  Choice best;
  for (const Preset& preset : kPresets) {
    Preset fitted = preset;
    DirectParameters& p = fitted.parameters;
    p.blocks = std::min(p.blocks, resident(p, target));
    if (p.blocks == 0) continue;
    const std::int64_t at_once = target.sm_count * p.blocks;
    const std::int64_t tiles = layout_of(site, p).tiles * site.batch;
    for (std::int64_t waves = 1; waves <= 4; ++waves) {
      p.splits = std::clamp<std::int64_t>(waves * at_once / tiles, 1,
                                          std::max<std::int64_t>(1, ceil_div(site.k, kRun) / 4));
      const double us = main_us(site, fitted, target);
      if (best.us == 0 || us < best.us) best = {p, us};
    }
  }
  return best;
}

class Emitter {
 public:
  Emitter(const ContractionForms& at, const Config& config, const EmitContext& context)
      : at_(at),
        context_(context),
        p_(read_parameters<DirectParameters>(config)),
        l_(layout_of(at.site, p_)),
        a_(operand_text(at.program, at.site.a, context.type_name("A"))),
        b_(operand_text(at.program, at.site.b, context.type_name("B"))),
        epilogue_(epilogue_text(at.program, at.site, context.type_name("Epilogue"))) {}

  Fragment emit() {
    fragment_.includes = {"contraction_operand.cuh", "contraction_ptx.cuh",
                          "contraction_split.cuh",   "contraction_fp16x3.cuh",
                          "contraction_direct.cuh",  "contraction_ffma.cuh"};
    fragment_.code = a_.definitions + b_.definitions + epilogue_.definitions;
    buffers_.wide_count = add_wide_count(context_, fragment_);
    if (l_.parts > 1) {
      buffers_.sums = context_.workspace("sums");
      fragment_.workspaces.push_back(parts_workspace(at_.site, l_.parts, buffers_.sums));
    }
    add_product();
    add_wide_kernel(at_, a_, b_, epilogue_, wide_limit(l_.total), l_.parts, l_.runs_per_part * kRun,
                    buffers_, context_, fragment_);
    if (l_.parts > 1) {
      fragment_.includes.emplace_back("contraction_parts.cuh");
      add_finish_kernel(at_, epilogue_, l_.parts, buffers_.sums, context_, fragment_);
    }
    return std::move(fragment_);
  }

 private:
  void add_product() {
    const ContractionSite& s = at_.site;
    EntryPointers entry;
    const std::string a = operand_value(a_, entry), b = operand_value(b_, entry);
    const bool parts = l_.parts > 1;
    const std::string out = parts ? store_part_value(s) : epilogue_value(epilogue_, entry);
    std::vector<std::string> workspaces = {buffers_.wide_count};
    if (parts) workspaces.push_back(buffers_.sums);
    fragment_.code += fmt::format(
        "using {0}Tile = kw::DirectTile<{1}, {2}, {3}, {4}, {5}>;\n"
        "extern \"C\" __global__ void __launch_bounds__({0}Tile::kThreads, {6})\n"
        "{7}({8}, unsigned* __restrict__ wide_count{9}) {{\n"
        "  const kw::DirectProblem problem{{{10}, {11}, {12}, {13}, {14}, {15}, {16}u, "
        "wide_count}};\n"
        "  kw::direct_product<{0}Tile>(problem, {17}, {18},\n      {19});\n}}\n\n",
        context_.type_name("Product"), p_.tile_m, p_.tile_n, p_.warp_m, p_.warp_n, p_.stages,
        p_.blocks, context_.entry("product"),
        parameter_text(at_.program, entry.tensors(), at_.region),
        parts ? ",\n    float* __restrict__ sums" : "", s.m, s.n, s.k, s.a.batched ? 1 : 0,
        s.b.batched ? 1 : 0, l_.runs_per_part, wide_limit(l_.total), a, b, out);
    fragment_.run.push_back(contraction_node(at_.program, context_.entry("product"),
                                             {l_.tiles, l_.parts, s.batch}, threads(p_),
                                             shared_bytes(p_), entry, workspaces));
  }

  const ContractionForms& at_;
  const EmitContext& context_;
  DirectParameters p_;
  Layout l_;
  OperandText a_, b_;
  EpilogueText epilogue_;
  Fp16x3Buffers buffers_;
  Fragment fragment_;
};

}  // namespace

std::optional<double> direct_cost(const ContractionForms& at) {
  const ContractionSite& s = at.site;
  // Up to eight vectors are gemv's; so narrow or short a product is padding for the most part.
  if (std::min(s.m, s.n) <= 8 || s.k < 16) return std::nullopt;
  // Every tile reads its operands anew: anything slower than 16-byte copies belongs in a pass of
  // its own. (The virtual machine has no such speeds.)
  const bool vm = at.target.sm_count <= kVirtualMachineSms;
  if (!vm && !(is_read_in_quads(at.program, s.a) && is_read_in_quads(at.program, s.b))) {
    return std::nullopt;
  }
  const Choice choice = heuristic(s, at.target);
  if (choice.us == 0) return std::nullopt;
  if (layout_of(s, choice.parameters).total > 0x7fffffff) return std::nullopt;
  const double scale = static_cast<double>(at.target.sm_count) / 132;
  const double memory_us = minimal_bytes(at.program, at.region) / (kCopyBytesPerUs * scale);
  // Clearing the counter, product, wide.
  const double cost = std::max(choice.us, memory_us) + 3 * kLaunchUs;
  // The virtual machine's narrow shapes stand for wider ones (fp16x3_cost).
  if (vm && std::min(s.m, s.n) < 64 && s.k >= 64) {
    return std::min(cost, ffma_cost(at).value_or(cost) / 2);
  }
  return cost;
}

ParameterSpace direct_space(const ContractionForms& at) {
  ParameterSpace space =
      declare(heuristic(at.site, at.target).parameters, {{"tile_m", {16, 32, 64, 128}},
                                                         {"tile_n", {32, 64, 128}},
                                                         {"warp_m", {16, 32, 64}},
                                                         {"warp_n", {16, 32}},
                                                         {"stages", {3, 4, 5, 6}},
                                                         {"blocks", {1, 2, 3}},
                                                         {"splits", {1, 2, 4, 8, 16, 32, 64}}});
  const std::string block_threads = "(tile_m / warp_m * (tile_n / warp_n) * 32)";
  const std::string shared = fmt::format("(stages * ((tile_m + tile_n) * {} + 4) + 12)", kRowBytes);
  const std::string registers = "(warp_m * warp_n / 32 * 3 + warp_n / 2 + 16 + 24)";
  space.symbols["shared_per_block"] = at.target.shared_per_block;
  space.symbols["runs"] = ceil_div(at.site.k, kRun);
  constrain(space, "tile_m % warp_m == 0 && tile_n % warp_n == 0");
  constrain(space, fmt::format("{0} >= 128 && {0} <= 256", block_threads));
  constrain(space, fmt::format("blocks * ({} + 1024) <= shared_per_block + 1024", shared));
  constrain(space, fmt::format("blocks * {} * {} <= 65536", block_threads, registers));
  constrain(space, "splits <= runs");
  return space;
}

Fragment emit_direct(const ContractionForms& at, const Config& config, const EmitContext& context) {
  return Emitter(at, config, context).emit();
}

}  // namespace kw::codegen
