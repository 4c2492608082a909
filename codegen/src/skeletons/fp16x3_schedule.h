#pragma once
// What the kernels on two FP16 terms share (contraction_split.cuh, contraction_fp16x3.cuh): tiles,
// what they take of an SM, how fast they are.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "skeletons/contraction_forms.h"

namespace kw::codegen {

inline constexpr std::int64_t kSlice = 128;     // k per scale
inline constexpr std::int64_t kSlab = 32;       // k per 128-byte line of terms
inline constexpr std::int64_t kSplitRows = 64;  // of a thread block of the split pass
/// Of the main kernel with its best tile, cold L2 (measured, H100: contraction_bench).
inline constexpr double kFp16x3FlopsPerUs = 133e6;
/// Of the split pass, read and written together.
inline constexpr double kSplitBytesPerUs = 2.9e6;
/// So few SMs are the virtual machine, whose small shapes stand for large ones: what runs there
/// must be what a large shape would run.
inline constexpr std::int64_t kVirtualMachineSms = 8;

/// What it costs to write the sums of `parts` parts of k, to read them again and to launch what
/// adds them; 0 for one part.
double parts_us(const ContractionSite& site, std::int64_t parts, const Target& target);

struct Fp16x3Parameters {
  std::int64_t tile_m = 128, tile_n = 128;  // outputs of a thread block
  std::int64_t warp_m = 64, warp_n = 32;    // of a warp
  std::int64_t stages = 3;                  // of the pipeline
  std::int64_t slabs = 2;                   // of 32 k in a stage
  std::int64_t blocks = 1;                  // thread blocks per SM that registers are kept for
  std::int64_t splits = 1;                  // parts of k

  static constexpr ParameterField<Fp16x3Parameters> kFields[] = {
      {"tile_m", &Fp16x3Parameters::tile_m}, {"tile_n", &Fp16x3Parameters::tile_n},
      {"warp_m", &Fp16x3Parameters::warp_m}, {"warp_n", &Fp16x3Parameters::warp_n},
      {"stages", &Fp16x3Parameters::stages}, {"slabs", &Fp16x3Parameters::slabs},
      {"blocks", &Fp16x3Parameters::blocks}, {"splits", &Fp16x3Parameters::splits},
  };
};

std::int64_t stage_bytes(const Fp16x3Parameters& p);
std::int64_t threads(const Fp16x3Parameters& p);
/// Thread blocks whose shared memory fits on an SM; each costs 1 KiB more than it asks for.
std::int64_t resident(const Fp16x3Parameters& p, const Target& target);

/// Domains of the tile's parameters around `defaults`, and what shared memory, registers and the
/// kernels' copies allow. The caller adds what it knows of slabs and splits.
ParameterSpace fp16x3_tiles(const Fp16x3Parameters& defaults, const Target& target,
                            std::vector<std::int64_t> slabs, std::vector<std::int64_t> splits);

/// The most 16 x 32 x 128 products, of `total`, that the main kernel computes in FP32 itself; past
/// it the separate kernel is faster.
std::int64_t wide_limit(std::int64_t total);

/// The names of the workspaces, as parameters and as arguments.
struct Fp16x3Buffers {
  std::string a_terms, b_terms, a_scales, b_scales, a_wide, b_wide, wide_count, sums;
  std::vector<std::string> split() const {
    return {a_terms, b_terms, a_scales, b_scales, a_wide, b_wide, wide_count};
  }
};
/// Of the kernels that read or write terms, after the tensors.
inline constexpr std::string_view kSplitParameters =
    ",\n    unsigned char* __restrict__ a_terms, unsigned char* __restrict__ b_terms,\n"
    "    float* __restrict__ a_scales, float* __restrict__ b_scales,\n"
    "    unsigned char* __restrict__ a_wide, unsigned char* __restrict__ b_wide,\n"
    "    unsigned* __restrict__ wide_count";
/// A scratch buffer of the fragment; returns its name.
std::string add_workspace(const EmitContext& context, std::string_view name, std::int64_t bytes,
                          Fragment& fragment);
/// The counter of products that left the tensor cores, cleared before each run: what a test looks
/// at.
std::string add_wide_count(const EmitContext& context, Fragment& fragment);
/// The FFMA kernel that takes the whole product when *wide_count is above the limit, as text and
/// plan node.
void add_wide_kernel(const ContractionForms& at, const OperandText& a, const OperandText& b,
                     const EpilogueText& epilogue, std::int64_t limit, std::int64_t parts,
                     std::int64_t k_per_part, const Fp16x3Buffers& buffers,
                     const EmitContext& context, Fragment& fragment);

}  // namespace kw::codegen
