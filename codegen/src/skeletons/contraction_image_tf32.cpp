// Convolutions whose policy is `tf32`: one FP16 term per operand, the left one gathered from the
// image (image_convert.cuh, image_tf32.cuh).

#include <fmt/format.h>

#include <algorithm>

#include "emit/functor.h"
#include "skeletons/fp16x3_schedule.h"
#include "skeletons/image_lines.h"
#include "skeletons/image_site.h"

namespace kw::codegen {
namespace {

/// Of the main kernel with its best tile, cold L2 (measured, H100: convolution_bench).
constexpr double kTf32FlopsPerUs = 240e6;
/// A fragment is 16 wide; below that most of a tile is padding.
constexpr std::int64_t kLeastRows = 64, kLeastColumns = 16, kLeastK = 24;
constexpr std::int64_t kMostChunks = 0x7fffffff;  // lines are counted in 32 bits
constexpr std::int64_t kSlabK = 64, kSliceChannels = 128;

struct Tf32Parameters {
  std::int64_t tile_m = 128, tile_n = 128;  // outputs of a thread block
  std::int64_t warp_m = 64, warp_n = 64;    // of a warp
  std::int64_t stages = 3;                  // of 64 k
  std::int64_t blocks = 2;                  // thread blocks per SM that registers are kept for
  std::int64_t splits = 1;                  // parts of k

  static constexpr ParameterField<Tf32Parameters> kFields[] = {
      {"tile_m", &Tf32Parameters::tile_m}, {"tile_n", &Tf32Parameters::tile_n},
      {"warp_m", &Tf32Parameters::warp_m}, {"warp_n", &Tf32Parameters::warp_n},
      {"stages", &Tf32Parameters::stages}, {"blocks", &Tf32Parameters::blocks},
      {"splits", &Tf32Parameters::splits},
  };
};

std::int64_t chunks_of(const ImageSite& image) { return image.channels_padded / 8; }
/// k in one sum on the tensor cores, and scales of a row in a slab, as image_tf32.cuh has them.
std::int64_t run_of(const ImageSite& image) {
  const std::int64_t chunks = chunks_of(image);
  return chunks % 4 == 0 ? 32 : chunks % 2 == 0 ? 16 : 8;
}
std::int64_t scales_of(const ImageSite& image) {
  return chunks_of(image) % 8 == 0 ? 1 : kSlabK / run_of(image);
}
std::int64_t threads_of(const Tf32Parameters& p) {
  return p.tile_m / p.warp_m * (p.tile_n / p.warp_n) * 32;
}
std::int64_t shared_bytes(const Tf32Parameters& p, std::int64_t scales) {
  const std::int64_t stage =
      (p.tile_m + p.tile_n) * 128 + p.tile_m * 4 * scales + round_up(p.tile_n / 32 * 4, 128);
  return stage * p.stages + p.tile_m * 16;
}
std::int64_t resident_blocks(const Tf32Parameters& p, std::int64_t scales, const Target& target) {
  return (target.shared_per_block + 1024) / (shared_bytes(p, scales) + 1024);
}

struct Layout {
  std::int64_t n_padded, slabs, slabs_per_part, parts, slices, b_batches, tiles, limit;
  std::int64_t uses;  // of one pixel's channels by rows of the product, on average and rounded up
};

Layout layout_of(const ImageSite& image, const Tf32Parameters& p) {
  const ContractionSite& s = image.site;
  Layout l{};
  l.n_padded = round_up(s.n, p.tile_n);
  l.slabs = ceil_div(s.k, kSlabK);
  l.slabs_per_part = ceil_div(l.slabs, p.splits);
  l.parts = ceil_div(l.slabs, l.slabs_per_part);
  l.slices = ceil_div(image.channels_padded, kSliceChannels);
  l.b_batches = s.b.batched ? s.batch : 1;
  l.tiles = ceil_div(s.m, p.tile_m) * ceil_div(s.n, p.tile_n) * s.batch;
  l.limit = wide_limit(ceil_div(s.m, 16) * (l.n_padded / 32) * image.taps * l.slices * s.batch);
  l.uses = ceil_div(s.batch * s.m * image.taps, image.batches * image.pixels);
  return l;
}

/// With the share of the best rate that each sustains on full waves.
struct Preset {
  Tf32Parameters parameters;
  double rate;
};
const Preset kPresets[] = {
    {{128, 128, 64, 64, 3, 2, 1}, 1.0}, {{128, 96, 32, 96, 3, 2, 1}, 0.9},
    {{256, 64, 64, 64, 2, 2, 1}, 0.9},  {{128, 64, 64, 32, 3, 3, 1}, 0.85},
    {{128, 32, 32, 32, 3, 3, 1}, 0.6},  {{64, 64, 32, 32, 3, 4, 1}, 0.7},
};

struct Choice {
  Tf32Parameters parameters;
  double us = 0;  // of the main kernel and of adding the parts; 0: nothing fits
};

double main_us(const ImageSite& image, const Tf32Parameters& p, double rate, const Target& target) {
  const ContractionSite& s = image.site;
  const Layout l = layout_of(image, p);
  const double scale = static_cast<double>(target.sm_count) / 132;
  const double flops = 2.0 * static_cast<double>(l.tiles * p.tile_m * p.tile_n) *
                       static_cast<double>(l.slabs_per_part * l.parts * kSlabK);
  const double waves = wave_factor(l.tiles * l.parts, target.sm_count * p.blocks);
  // As the other forms' costs, without the way of the result to memory.
  double us = flops * waves / (kTf32FlopsPerUs * rate * scale);
  return us + parts_us(s, l.parts, target);
}

Choice heuristic(const ImageSite& image, const Target& target) {
  Choice best;
  for (const Preset& preset : kPresets) {
    Tf32Parameters p = preset.parameters;
    p.blocks = std::min(p.blocks, resident_blocks(p, scales_of(image), target));
    if (p.blocks == 0) continue;
    for (p.splits = 1; p.splits <= 16; p.splits *= 2) {
      if (p.splits > 1 && ceil_div(image.site.k, kSlabK) < 4 * p.splits) break;
      const double us = main_us(image, p, preset.rate, target);
      if (best.us == 0 || us < best.us) best = {p, us};
    }
  }
  return best;
}

class Emitter {
 public:
  Emitter(const ContractionForms& at, const ImageSite& image, const ImageLines& lines,
          const Config& config, const EmitContext& context)
      : at_(at),
        image_(image),
        context_(context),
        p_(read_parameters<Tf32Parameters>(config)),
        l_(layout_of(image, p_)),
        a_(operand_text(at.program, at.site.a, context.type_name("A"))),
        b_(operand_text(at.program, at.site.b, context.type_name("B"))),
        epilogue_(epilogue_text(at.program, at.site, context.type_name("Epilogue"))),
        lines_name_(context.type_name("Lines")),
        lines_(lines_text(lines, lines_name_)) {}

  Fragment emit() {
    fragment_.includes = {"contraction_operand.cuh", "contraction_ptx.cuh", "contraction_split.cuh",
                          "contraction_fp16x3.cuh",  "image_convert.cuh",   "image_tf32.cuh",
                          "contraction_ffma.cuh"};
    fragment_.code = a_.definitions + b_.definitions + epilogue_.definitions + lines_ + "\n";
    const std::int64_t pixels = image_.batches * image_.pixels;
    buffers_.a_terms = workspace("a_terms", pixels * image_.channels_padded * 2);
    buffers_.b_terms = workspace("b_terms", l_.b_batches * l_.slabs * l_.n_padded * 128);
    buffers_.a_scales = workspace("a_scales", l_.slices * pixels * 4);
    buffers_.b_scales =
        workspace("b_scales", l_.b_batches * ceil_div(l_.slabs, 2) * (l_.n_padded / 32) * 4);
    buffers_.wide_count = add_wide_count(context_, fragment_);
    if (l_.parts > 1) {
      buffers_.sums = context_.workspace("sums");
      fragment_.workspaces.push_back(parts_workspace(at_.site, l_.parts, buffers_.sums));
    }
    add_convert();
    add_product();
    add_wide_kernel(at_, a_, b_, epilogue_, l_.limit, l_.parts,
                    l_.parts > 1 ? l_.slabs_per_part * kSlabK : round_up(at_.site.k, 16), buffers_,
                    context_, fragment_);
    if (l_.parts > 1) {
      fragment_.includes.emplace_back("contraction_parts.cuh");
      add_finish_kernel(at_, epilogue_, l_.parts, buffers_.sums, context_, fragment_);
    }
    return std::move(fragment_);
  }

 private:
  static constexpr std::string_view kParameters =
      ",\n    unsigned char* __restrict__ a_terms, unsigned char* __restrict__ b_terms,\n"
      "    float* __restrict__ a_scales, float* __restrict__ b_scales,\n"
      "    unsigned* __restrict__ wide_count";
  std::string workspace(std::string_view name, std::int64_t bytes) {
    return add_workspace(context_, name, bytes, fragment_);
  }
  std::vector<std::string> workspaces() const {
    return {buffers_.a_terms, buffers_.b_terms, buffers_.a_scales, buffers_.b_scales,
            buffers_.wide_count};
  }

  /// ImageTarget. A flagged block of 16 pixels costs every product that reads one of them: at most
  /// two blocks of rows for each use.
  std::string image_target() const {
    return fmt::format("{{a_terms, a_scales, wide_count, {}, {}, {}, {}, {}u}}", image_.batches,
                       image_.channels, image_.pixels, chunks_of(image_),
                       2 * l_.uses * (l_.n_padded / 32));
  }
  /// WeightTarget. A flagged granule meets as many granules of the image as lie in 128 k.
  std::string weight_target() const {
    const ContractionSite& s = at_.site;
    const std::int64_t granules =
        ceil_div(kSliceChannels, std::min(image_.channels_padded, kSliceChannels));
    return fmt::format("{{b_terms, b_scales, wide_count, {}, {}, {}, {}, {}u}}", s.n, s.k,
                       l_.n_padded, l_.slabs,
                       s.batch / l_.b_batches * ceil_div(s.m, 16) * granules);
  }

  void add_convert() {
    const std::int64_t chunks = std::min<std::int64_t>(chunks_of(image_), kSliceChannels / 8);
    const std::int64_t quads = chunks == 1 ? 256 : 256 / chunks / 8 * 8;
    const std::int64_t a_tiles = image_.batches * l_.slices * ceil_div(image_.pixels, quads * 4);
    const std::int64_t b_tiles = l_.b_batches * ceil_div(l_.slabs, 2) * (l_.n_padded / 32);
    EntryPointers entry;
    const std::string image = entry.name(image_.image), b = operand_value(b_, entry);
    fragment_.code += fmt::format(
        "extern \"C\" __global__ void __launch_bounds__(256, 4)\n{}({}{}) {{\n"
        "  const kw::ImageTarget image{};\n  const kw::WeightTarget weights{};\n"
        "  kw::convert_operands<{}, {}>({}, image, {}, {}, weights);\n}}\n\n",
        context_.entry("convert"), parameter_text(at_.program, entry.tensors(), at_.region),
        kParameters, image_target(), weight_target(), chunks,
        image_.pixels % 4 == 0 ? "true" : "false", image, a_tiles, b);
    fragment_.run.push_back(contraction_node(at_.program, context_.entry("convert"),
                                             {a_tiles + b_tiles, 1, 1}, 256, 0, entry,
                                             workspaces()));
  }

  void add_product() {
    const ContractionSite& s = at_.site;
    EntryPointers entry;
    const std::string a = operand_value(a_, entry), b = operand_value(b_, entry);
    const std::string out = l_.parts > 1 ? store_part_value(s) : epilogue_value(epilogue_, entry);
    const bool by_rows = l_.parts == 1 && !epilogue_.pairs;
    std::vector<std::string> buffers = workspaces();
    if (l_.parts > 1) buffers.push_back(buffers_.sums);
    const std::string tile = context_.type_name("ProductTile");
    fragment_.code +=
        fmt::format("using {} = kw::Tf32Tile<{}, {}, {}, {}, {}, {}>;\n", tile, p_.tile_m,
                    p_.tile_n, p_.warp_m, p_.warp_n, p_.stages, chunks_of(image_));
    fragment_.code += fmt::format(
        "extern \"C\" __global__ void __launch_bounds__({}::kThreads, {})\n{}({}{}{}) {{\n"
        "  const kw::Tf32Problem problem{{\n      {},\n      {},\n      {}, {}, {}, {}, {}u, "
        "{}}};\n",
        tile, p_.blocks, context_.entry("product"),
        parameter_text(at_.program, entry.tensors(), at_.region), kParameters,
        l_.parts > 1 ? ",\n    float* __restrict__ sums" : "", image_target(), weight_target(), s.m,
        image_.taps, s.batch, s.b.batched ? 1 : 0, l_.limit, l_.slabs_per_part);
    fragment_.code += fmt::format(
        "  kw::tf32_product<{}, {}>(problem, {}{{}}, {}, {}, {},\n      wide_count, {});\n}}\n\n",
        tile, by_rows, lines_name_, a, s.a.batched ? 1 : 0, b, out);
    fragment_.run.push_back(contraction_node(at_.program, context_.entry("product"),
                                             {l_.tiles, l_.parts, 1}, threads_of(p_),
                                             shared_bytes(p_, scales_of(image_)), entry, buffers));
  }

  const ContractionForms& at_;
  const ImageSite& image_;
  const EmitContext& context_;
  Tf32Parameters p_;
  Layout l_;
  OperandText a_, b_;
  EpilogueText epilogue_;
  std::string lines_name_, lines_;
  Fp16x3Buffers buffers_;
  Fragment fragment_;
};

}  // namespace

std::optional<double> image_tf32_cost(const ContractionForms& at, const ImageSite& image) {
  const ContractionSite& s = image.site;
  const Stage& stage =
      at.program.stages[static_cast<std::size_t>(product_stage(at.program, at.region))];
  if (stage.numerics != PolicyClass::Tf32) return std::nullopt;
  if (s.m < kLeastRows || s.n < kLeastColumns || s.k < kLeastK) return std::nullopt;
  const std::int64_t pixels = image.batches * image.pixels;
  if (pixels * chunks_of(image) > kMostChunks || !image_lines(image)) return std::nullopt;
  const Choice choice = heuristic(image, at.target);
  if (choice.us == 0) return std::nullopt;
  const Layout l = layout_of(image, choice.parameters);
  if (l.limit > 0x7fffffff / 100) return std::nullopt;  // wide_count is 32 bits
  const double scale = static_cast<double>(at.target.sm_count) / 132;
  const double bytes = static_cast<double>(pixels) *
                           static_cast<double>(4 * image.channels + 2 * image.channels_padded) +
                       6.0 * static_cast<double>(l.b_batches * s.n * s.k);
  // Clearing the counter, convert, product, wide.
  const double cost = choice.us + bytes / (kSplitBytesPerUs * scale) + 4 * kLaunchUs;
  if (at.target.sm_count <= kVirtualMachineSms) {
    return std::min(cost, kLaunchUs);  // below every other form
  }
  return cost;
}

ParameterSpace image_tf32_space(const ContractionForms& at, const ImageSite& image) {
  const std::int64_t steps = run_of(image) == 32 ? 2 : 1;
  ParameterSpace space =
      declare(heuristic(image, at.target).parameters, {{"tile_m", {64, 128, 256}},
                                                       {"tile_n", {32, 64, 96, 128, 192, 256}},
                                                       {"warp_m", {16, 32, 64}},
                                                       {"warp_n", {32, 64, 96}},
                                                       {"stages", {2, 3, 4, 5}},
                                                       {"blocks", {1, 2, 3, 4}},
                                                       {"splits", {1, 2, 4, 8, 16}}});
  space.symbols["shared_per_block"] = at.target.shared_per_block;
  space.symbols["scales"] = scales_of(image);
  space.symbols["steps"] = steps;
  space.symbols["slabs"] = ceil_div(image.site.k, kSlabK);
  constexpr std::string_view kThreads = "(tile_m / warp_m * (tile_n / warp_n) * 32)";
  constexpr std::string_view kShared =
      "(((tile_m + tile_n) * 128 + tile_m * 4 * scales + round_up(tile_n / 32 * 4, 128)) * stages "
      "+ tile_m * 16)";
  // Sums, one more set of a row of fragments, fragments of B and of A, addresses.
  constexpr std::string_view kRegisters =
      "(warp_m * warp_n / 32 + warp_n / 2 + steps * (warp_n / 4 + 4) + 40)";
  constrain(space, "tile_m % warp_m == 0 && tile_n % warp_n == 0 && splits <= slabs");
  constrain(space, fmt::format("{} >= 64 && {} <= 512", kThreads, kThreads));
  constrain(space, fmt::format("{} % 64 == 0 && tile_m % ({} / 8) == 0", kThreads, kThreads));
  constrain(space, fmt::format("tile_n / 32 <= {}", kThreads));
  constrain(space, fmt::format("blocks * ({} + 1024) <= shared_per_block + 1024", kShared));
  constrain(space, fmt::format("{} <= 255", kRegisters));
  constrain(space, fmt::format("blocks * {} * {} <= 65536", kThreads, kRegisters));
  return space;
}

Fragment emit_image_tf32(const ContractionForms& at, const ImageSite& image, const Config& config,
                         const EmitContext& context) {
  return Emitter(at, image, *image_lines(image), config, context).emit();
}

}  // namespace kw::codegen
