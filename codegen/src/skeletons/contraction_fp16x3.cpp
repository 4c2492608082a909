// FP16x3: a split pass, the tensor-core kernel, and the FFMA kernel that takes the whole product
// when too much of it is outside the range that two FP16 terms hold.

#include <fmt/format.h>

#include <algorithm>

#include "skeletons/fp16x3_schedule.h"

namespace kw::codegen {
namespace {

constexpr std::int64_t kRunSlabs = 2;  // what one sum on a tensor core covers

struct Layout {
  std::int64_t m_padded, n_padded, slices, slabs, slices_per_split, parts, a_batches, b_batches;
  std::int64_t tiles, total, wide_limit;  // total: products of 16 x 32 x 128
};
Layout layout_of(const ContractionSite& site, const Fp16x3Parameters& p) {
  Layout l{};
  // Whole tiles of the product, then of the split pass.
  l.m_padded = round_up(round_up(site.m, p.tile_m), kSplitRows);
  l.n_padded = round_up(round_up(site.n, p.tile_n), kSplitRows);
  l.slices = ceil_div(site.k, kSlice);
  l.slabs = round_up(ceil_div(site.k, kSlab), kRunSlabs);
  l.slices_per_split = ceil_div(l.slices, p.splits);
  l.parts = ceil_div(l.slices, l.slices_per_split);
  l.a_batches = site.a.batched ? site.batch : 1;
  l.b_batches = site.b.batched ? site.batch : 1;
  l.tiles = ceil_div(site.m, p.tile_m) * ceil_div(site.n, p.tile_n);
  l.total = l.m_padded / 16 * (l.n_padded / 32) * l.slices * site.batch;
  l.wide_limit = wide_limit(l.total);
  return l;
}

/// Schedules that were fastest at some shape, with the share of the best rate that each sustains on
/// full waves (contraction_bench).
struct Preset {
  Fp16x3Parameters parameters;
  double rate;
};
const Preset kPresets[] = {
    {{128, 128, 64, 32, 3, 2, 1, 1}, 1.0},
    {{64, 64, 32, 32, 2, 2, 3, 1}, 0.97},
};

struct Choice {
  Fp16x3Parameters parameters;
  double us = 0;  // of the main kernel and of adding the parts; 0: nothing fits
};

/// Full waves of padded tiles at the schedule's rate, and the parts' way through memory.
double main_us(const ContractionSite& site, const Preset& preset, std::int64_t splits,
               const Target& target) {
  Fp16x3Parameters p = preset.parameters;
  p.splits = splits;
  const Layout l = layout_of(site, p);
  const double scale = static_cast<double>(target.sm_count) / 132;
  const double flops =
      2.0 * static_cast<double>(l.tiles * p.tile_m * p.tile_n * site.batch) *
      static_cast<double>(l.parts > 1 ? l.slices_per_split * l.parts * kSlice : l.slabs * kSlab);
  const double waves = wave_factor(l.tiles * l.parts * site.batch, target.sm_count * p.blocks);
  double us = flops * waves / (kFp16x3FlopsPerUs * preset.rate * scale);
  return us + parts_us(site, l.parts, target);
}

Choice heuristic(const ContractionSite& site, const Target& target) {
  Choice best;
  for (const Preset& preset : kPresets) {
    Preset fitted = preset;
    Fp16x3Parameters& p = fitted.parameters;
    p.blocks = std::min(p.blocks, resident(p, target));
    if (p.blocks == 0) continue;
    for (std::int64_t splits = 1; splits <= 128; splits *= 2) {
      if (splits > 1 && ceil_div(site.k, kSlice) < 8 * splits) break;
      const double us = main_us(site, fitted, splits, target);
      if (best.us != 0 && us >= best.us) continue;
      best = {p, us};
      best.parameters.splits = splits;
    }
  }
  return best;
}

class Emitter {
 public:
  Emitter(const ContractionForms& at, const Config& config, const EmitContext& context)
      : at_(at),
        context_(context),
        p_(read_parameters<Fp16x3Parameters>(config)),
        l_(layout_of(at.site, p_)),
        a_(operand_text(at.program, at.site.a, context.type_name("A"))),
        b_(operand_text(at.program, at.site.b, context.type_name("B"))),
        epilogue_(epilogue_text(at.program, at.site, context.type_name("Epilogue"))) {}

  Fragment emit() {
    fragment_.includes = {"contraction_operand.cuh", "contraction_ptx.cuh", "contraction_split.cuh",
                          "contraction_fp16x3.cuh", "contraction_ffma.cuh"};
    fragment_.code = a_.definitions + b_.definitions + epilogue_.definitions;
    add_workspaces();
    add_split();
    add_product();
    add_wide_kernel(at_, a_, b_, epilogue_, l_.wide_limit, l_.parts, l_.slices_per_split * kSlice,
                    buffers_, context_, fragment_);
    if (l_.parts > 1) {
      fragment_.includes.emplace_back("contraction_parts.cuh");
      add_finish_kernel(at_, epilogue_, l_.parts, buffers_.sums, context_, fragment_);
    }
    return std::move(fragment_);
  }

 private:
  std::string workspace(std::string_view name, std::int64_t bytes) {
    return add_workspace(context_, name, bytes, fragment_);
  }

  void add_workspaces() {
    const std::int64_t a = l_.a_batches * l_.slices, b = l_.b_batches * l_.slices;
    buffers_.a_terms = workspace("a_terms", l_.a_batches * l_.slabs * l_.m_padded * 4 * kSlab);
    buffers_.b_terms = workspace("b_terms", l_.b_batches * l_.slabs * l_.n_padded * 4 * kSlab);
    buffers_.a_scales = workspace("a_scales", a * l_.m_padded * 4);
    buffers_.b_scales = workspace("b_scales", b * l_.n_padded / 32 * 4);
    buffers_.a_wide = workspace("a_wide", a * l_.m_padded / 16);
    buffers_.b_wide = workspace("b_wide", b * l_.n_padded / 32);
    buffers_.wide_count = add_wide_count(context_, fragment_);
    if (l_.parts > 1) {
      buffers_.sums = context_.workspace("sums");
      fragment_.workspaces.push_back(parts_workspace(at_.site, l_.parts, buffers_.sums));
    }
  }

  std::string target_text(bool of_a) const {
    const ContractionSite& s = at_.site;
    // A flagged block costs all the other operand's columns (rows), in every batch that shares it.
    const std::int64_t sharing = of_a ? s.batch / l_.a_batches : s.batch / l_.b_batches;
    const std::int64_t products = sharing * (of_a ? l_.n_padded / 32 : l_.m_padded / 16);
    const char side = of_a ? 'a' : 'b';
    return fmt::format(
        "{{{0}_terms, {0}_scales, {0}_wide, wide_count, {1}, {2}, {3}, {4}, {5}, {6}u}}", side,
        of_a ? s.m : s.n, s.k, of_a ? l_.m_padded : l_.n_padded, l_.slices, l_.slabs, products);
  }

  void add_split() {
    const std::int64_t a_tiles = l_.a_batches * l_.slices * (l_.m_padded / kSplitRows);
    const std::int64_t b_tiles = l_.b_batches * l_.slices * (l_.n_padded / kSplitRows);
    EntryPointers entry;
    const std::string a = operand_value(a_, entry), b = operand_value(b_, entry);
    fragment_.code += fmt::format(
        "extern \"C\" __global__ void __launch_bounds__(256, 4)\n{}({}{}) {{\n"
        "  const kw::SplitTarget a_out{};\n  const kw::SplitTarget b_out{};\n"
        "  kw::split_operands({}, a_out, {}, {}, b_out);\n}}\n\n",
        context_.entry("split"), parameter_text(at_.program, entry.tensors(), at_.region),
        kSplitParameters, target_text(true), target_text(false), a, a_tiles, b);
    fragment_.run.push_back(contraction_node(at_.program, context_.entry("split"),
                                             {a_tiles + b_tiles, 1, 1}, 256, 0, entry,
                                             buffers_.split()));
  }

  std::string sink(EntryPointers& entry) const {
    return l_.parts > 1 ? store_part_value(at_.site) : epilogue_value(epilogue_, entry);
  }
  std::string_view sums_parameter() const {
    return l_.parts > 1 ? ",\n    float* __restrict__ sums" : "";
  }

  void add_product() {
    EntryPointers entry;
    const std::string a = operand_value(a_, entry), b = operand_value(b_, entry);
    const std::string out = sink(entry);
    std::vector<std::string> workspaces = buffers_.split();
    if (l_.parts > 1) workspaces.push_back(buffers_.sums);
    fragment_.code += fmt::format(
        "using {0}Tile = kw::Fp16x3Tile<{1}, {2}, {3}, {4}, {5}, {6}>;\n"
        "extern \"C\" __global__ void __launch_bounds__({0}Tile::kThreads, {7})\n{8}({9}{10}{11}) "
        "{{\n"
        "  const kw::Fp16x3Problem problem{{\n      {12},\n      {13},\n      {14}, {15}, {16}u, "
        "{17}}};\n"
        "  kw::fp16x3_product<{0}Tile>(problem, {18}, {19},\n      wide_count, {20});\n}}\n\n",
        context_.type_name("Product"), p_.tile_m, p_.tile_n, p_.warp_m, p_.warp_n, p_.stages,
        p_.slabs, p_.blocks, context_.entry("product"),
        parameter_text(at_.program, entry.tensors(), at_.region), kSplitParameters,
        sums_parameter(), target_text(true), target_text(false), at_.site.a.batched ? 1 : 0,
        at_.site.b.batched ? 1 : 0, l_.wide_limit, l_.slices_per_split, a, b, out);
    fragment_.run.push_back(contraction_node(at_.program, context_.entry("product"),
                                             {l_.tiles, l_.parts, at_.site.batch}, threads(p_),
                                             stage_bytes(p_) * p_.stages, entry, workspaces));
  }

  const ContractionForms& at_;
  const EmitContext& context_;
  Fp16x3Parameters p_;
  Layout l_;
  OperandText a_, b_;
  EpilogueText epilogue_;
  Fp16x3Buffers buffers_;
  Fragment fragment_;
};

}  // namespace

std::optional<double> fp16x3_cost(const ContractionForms& at) {
  const ContractionSite& s = at.site;
  // A fragment is 16 wide; below that most of a tile is padding.
  if (s.m < 32 || s.n < 32 || s.k < 32) return std::nullopt;
  const Choice choice = heuristic(s, at.target);
  if (choice.us == 0) return std::nullopt;
  const Layout l = layout_of(s, choice.parameters);
  if (l.total > 0x7fffffff / 2) return std::nullopt;  // wide_count is 32 bits, both operands add
  const double scale = static_cast<double>(at.target.sm_count) / 132;
  const double split_bytes =
      8.0 * static_cast<double>(kSlab * l.slabs) *
      static_cast<double>(l.a_batches * l.m_padded + l.b_batches * l.n_padded);
  // Clearing the counter, split, product, wide.
  const double cost = choice.us + split_bytes / (kSplitBytesPerUs * scale) + 4 * kLaunchUs;
  if (at.target.sm_count <= kVirtualMachineSms && std::min(s.m, s.n) >= 64 && s.k >= 64) {
    return std::min(cost, ffma_cost(at).value_or(cost) / 2);
  }
  return cost;
}

ParameterSpace fp16x3_space(const ContractionForms& at) {
  ParameterSpace space = fp16x3_tiles(heuristic(at.site, at.target).parameters, at.target, {1, 2},
                                      {1, 2, 4, 8, 16, 32, 64});
  space.symbols["slices"] = ceil_div(at.site.k, kSlice);
  constrain(space, "splits <= slices");
  return space;
}

Fragment emit_fp16x3(const ContractionForms& at, const Config& config, const EmitContext& context) {
  return Emitter(at, config, context).emit();
}

}  // namespace kw::codegen
