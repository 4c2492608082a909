// FP16x3 where the left operand is gathered from an image: convolutions without patches.

#include <fmt/format.h>

#include <algorithm>

#include "emit/functor.h"
#include "skeletons/fp16x3_schedule.h"
#include "skeletons/image_site.h"

namespace kw::codegen {
namespace {

/// Lines are found one by one: the share of the main path's rate that is left.
constexpr double kRate = 0.8;
/// A fragment is 16 wide; below that most of a tile is padding.
constexpr std::int64_t kLeastRows = 64, kLeastColumns = 16;

struct Layout {
  std::int64_t n_padded, a_slices, b_slices, slabs, b_batches;
  std::int64_t tiles, limit;
  std::int64_t uses;  // of one pixel's channels by rows of the product, on average and rounded up
};

Layout layout_of(const ImageSite& image, const Fp16x3Parameters& p) {
  const ContractionSite& s = image.site;
  Layout l{};
  l.n_padded = round_up(round_up(s.n, p.tile_n), kSplitRows);
  l.a_slices = ceil_div(image.slabs(), kSlice / kSlab);
  l.slabs = image.taps * image.slabs();
  l.b_slices = ceil_div(l.slabs, kSlice / kSlab);
  l.b_batches = s.b.batched ? s.batch : 1;
  l.tiles = ceil_div(s.m, p.tile_m) * ceil_div(s.n, p.tile_n);
  l.limit = wide_limit(ceil_div(s.m, 16) * (l.n_padded / 32) * image.taps * l.a_slices * s.batch);
  l.uses = ceil_div(s.batch * s.m * image.taps, image.batches * image.pixels);
  return l;
}

const Fp16x3Parameters kPresets[] = {
    {128, 128, 64, 32, 3, 2, 1, 1},
    {128, 64, 64, 32, 2, 2, 2, 1},
    {64, 64, 32, 32, 2, 2, 3, 1},
};

struct Choice {
  Fp16x3Parameters parameters;
  double us = 0;  // of the main kernel; 0: nothing fits
};

Choice heuristic(const ImageSite& image, const Target& target) {
  const ContractionSite& s = image.site;
  Choice best;
  for (Fp16x3Parameters p : kPresets) {
    p.slabs = std::min(p.slabs, image.run_slabs());
    p.blocks = std::min(p.blocks, resident(p, target));
    if (p.blocks == 0) continue;
    const Layout l = layout_of(image, p);
    const double flops = 2.0 * static_cast<double>(l.tiles * p.tile_m * p.tile_n * s.batch) *
                         static_cast<double>(s.k);
    const double us = flops * wave_factor(l.tiles * s.batch, target.sm_count * p.blocks) /
                      (kFp16x3FlopsPerUs * kRate * static_cast<double>(target.sm_count) / 132);
    if (best.us == 0 || us < best.us) best = {p, us};
  }
  return best;
}

class Emitter {
 public:
  Emitter(const ContractionForms& at, const ImageSite& image, const Config& config,
          const EmitContext& context)
      : at_(at),
        image_(image),
        context_(context),
        p_(read_parameters<Fp16x3Parameters>(config)),
        l_(layout_of(image, p_)),
        a_(operand_text(at.program, at.site.a, context.type_name("A"))),
        b_(operand_text(at.program, at.site.b, context.type_name("B"))),
        epilogue_(epilogue_text(at.program, at.site, context.type_name("Epilogue"))),
        lines_(emit_functor(at.program, image.line, context.type_name("Lines"), 3, "int")) {}

  Fragment emit() {
    fragment_.includes = {"contraction_operand.cuh", "contraction_ptx.cuh",
                          "contraction_split.cuh",   "contraction_fp16x3.cuh",
                          "contraction_image.cuh",   "contraction_ffma.cuh"};
    fragment_.code = a_.definitions + b_.definitions + epilogue_.definitions + lines_.text + "\n";
    const std::int64_t lines = image_.batches * image_.slabs() * image_.lines;
    buffers_.a_terms = add_workspace(context_, "a_terms", lines * 4 * kSlab, fragment_);
    buffers_.b_terms = add_workspace(context_, "b_terms",
                                     l_.b_batches * l_.slabs * l_.n_padded * 4 * kSlab, fragment_);
    buffers_.a_scales = add_workspace(context_, "a_scales", lines * 4, fragment_);
    const std::int64_t b = l_.b_batches * l_.b_slices * l_.n_padded / 32;
    buffers_.b_scales = add_workspace(context_, "b_scales", b * 4, fragment_);
    buffers_.b_wide = add_workspace(context_, "b_wide", b, fragment_);
    buffers_.wide_count = add_wide_count(context_, fragment_);
    add_split();
    add_product();
    add_wide_kernel(at_, a_, b_, epilogue_, l_.limit, 1, round_up(at_.site.k, 16), buffers_,
                    context_, fragment_);
    return std::move(fragment_);
  }

 private:
  static constexpr std::string_view kParameters =
      ",\n    unsigned char* __restrict__ a_terms, unsigned char* __restrict__ b_terms,\n"
      "    float* __restrict__ a_scales, float* __restrict__ b_scales,\n"
      "    unsigned char* __restrict__ b_wide, unsigned* __restrict__ wide_count";
  std::vector<std::string> workspaces() const {
    return {buffers_.a_terms,  buffers_.b_terms, buffers_.a_scales,
            buffers_.b_scales, buffers_.b_wide,  buffers_.wide_count};
  }

  /// SplitTarget of the image and of the other operand. A flagged block of 16 pixels costs every
  /// product that reads one of them: at most two blocks of rows for each use.
  std::string image_target() const {
    return fmt::format("{{a_terms, a_scales, nullptr, wide_count, {}, {}, {}, {}, {}, {}u, true}}",
                       image_.pixels, image_.channels, image_.lines, l_.a_slices, image_.slabs(),
                       2 * l_.uses * (l_.n_padded / 32));
  }
  std::string other_target() const {
    const ContractionSite& s = at_.site;
    const std::int64_t sharing = s.batch / l_.b_batches;
    return fmt::format("{{b_terms, b_scales, b_wide, wide_count, {}, {}, {}, {}, {}, {}u}}", s.n,
                       s.k, l_.n_padded, l_.b_slices, l_.slabs, sharing * ceil_div(s.m, 16));
  }

  void add_split() {
    const std::int64_t a_tiles = image_.batches * l_.a_slices * (image_.lines / kSplitRows);
    const std::int64_t b_tiles = l_.b_batches * l_.b_slices * (l_.n_padded / kSplitRows);
    EntryPointers entry;
    const std::string image = fmt::format(
        "kw::Strided<false, {}>{{{}, {}ll, 1, {}}}", image_.pixels % 4 == 0 ? "true" : "false",
        entry.name(image_.image), image_.channels * image_.pixels, image_.pixels);
    const std::string b = operand_value(b_, entry);
    fragment_.code += fmt::format(
        "extern \"C\" __global__ void __launch_bounds__(256, 4)\n{}({}{}) {{\n"
        "  const kw::SplitTarget a_out{};\n  const kw::SplitTarget b_out{};\n"
        "  kw::split_operands({}, a_out, {}, {}, b_out);\n}}\n\n",
        context_.entry("split"), parameter_text(at_.program, entry.tensors(), at_.region),
        kParameters, image_target(), other_target(), image, a_tiles, b);
    fragment_.run.push_back(contraction_node(at_.program, context_.entry("split"),
                                             {a_tiles + b_tiles, 1, 1}, 256, 0, entry,
                                             workspaces()));
  }

  void add_product() {
    const ContractionSite& s = at_.site;
    EntryPointers entry;
    const std::string a = operand_value(a_, entry), b = operand_value(b_, entry);
    const std::string out = epilogue_value(epilogue_, entry);
    fragment_.code += fmt::format(
        "using {0}Tile = kw::Fp16x3Tile<{1}, {2}, {3}, {4}, {5}, {6}, {7}>;\n"
        "extern \"C\" __global__ void __launch_bounds__({0}Tile::kThreads, {8})\n{9}({10}{11}) {{\n"
        "  const kw::ImageProblem problem{{\n      {12},\n      {13},\n      {14}, {15}, {16}, "
        "{17}, "
        "{18}u}};\n"
        "  kw::image_product<{0}Tile>(problem, {19}{{}}, {20}, {21},\n      wide_count, "
        "{22});\n}}\n\n",
        context_.type_name("Product"), p_.tile_m, p_.tile_n, p_.warp_m, p_.warp_n, p_.stages,
        p_.slabs, image_.run_slabs(), p_.blocks, context_.entry("product"),
        parameter_text(at_.program, entry.tensors(), at_.region), kParameters, image_target(),
        other_target(), s.m, image_.taps, s.a.batched ? 1 : 0, s.b.batched ? 1 : 0, l_.limit,
        lines_.name, a, b, out);
    fragment_.run.push_back(contraction_node(at_.program, context_.entry("product"),
                                             {l_.tiles, 1, s.batch}, threads(p_),
                                             stage_bytes(p_) * p_.stages, entry, workspaces()));
  }

  const ContractionForms& at_;
  const ImageSite& image_;
  const EmitContext& context_;
  Fp16x3Parameters p_;
  Layout l_;
  OperandText a_, b_;
  EpilogueText epilogue_;
  Functor lines_;
  Fp16x3Buffers buffers_;
  Fragment fragment_;
};

}  // namespace

std::optional<double> image_cost(const ContractionForms& at, const ImageSite& image) {
  const ContractionSite& s = at.site;
  if (s.m < kLeastRows || s.n < kLeastColumns || image.pixels < kLeastRows) return std::nullopt;
  const Choice choice = heuristic(image, at.target);
  if (choice.us == 0) return std::nullopt;
  const Layout l = layout_of(image, choice.parameters);
  if (l.limit > 0x7fffffff / 100) return std::nullopt;  // wide_count is 32 bits
  const double scale = static_cast<double>(at.target.sm_count) / 132;
  const double split_bytes = 8.0 * static_cast<double>(kSlab) *
                             static_cast<double>(image.batches * image.slabs() * image.lines +
                                                 l.b_batches * l.slabs * l.n_padded);
  // Clearing the counter, split, product, wide.
  const double cost = choice.us + split_bytes / (kSplitBytesPerUs * scale) + 4 * kLaunchUs;
  if (at.target.sm_count <= kVirtualMachineSms && image.channels >= 8) {
    return std::min(cost, ffma_cost(at).value_or(cost) / 2);
  }
  return cost;
}

ParameterSpace image_space(const ContractionForms& at, const ImageSite& image) {
  const std::int64_t run = image.run_slabs();
  ParameterSpace space =
      fp16x3_tiles(heuristic(image, at.target).parameters, at.target,
                   run == 2 ? std::vector<std::int64_t>{1, 2} : std::vector<std::int64_t>{1}, {1});
  constrain(space, "tile_m / warp_m * (tile_n / warp_n) % 2 == 0");  // whole lines for each thread
  constrain(space, "tile_m % (tile_m / warp_m * (tile_n / warp_n) * 4) == 0");
  return space;
}

Fragment emit_image(const ContractionForms& at, const ImageSite& image, const Config& config,
                    const EmitContext& context) {
  return Emitter(at, image, config, context).emit();
}

}  // namespace kw::codegen
