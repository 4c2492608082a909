#pragma once
// A contraction whose left operand is gathered from an image: a convolution, plain or transposed,
// of any rank.

#include <optional>

#include "skeletons/contraction_site.h"

namespace kw::codegen {

/// How a pixel's channels lie in the kernel's own image.
enum class ImageTerms {
  Two,  // contraction_image.cuh: lines of 32 channels, two FP16 terms each
  One,  // image_tf32.cuh: one FP16 term, channels rounded up to 8 or to multiples of 16
};

/// The image is [batches][channels][pixels] in memory. contraction_image.cuh and image_tf32.cuh say
/// what becomes of it.
struct ImageSite {
  ContractionSite site;  // k is taps x padded channels; both operands are zero in the padding
  TensorId image = kNoTensor;
  std::int64_t taps = 1, channels = 1, channels_padded = 32;
  std::int64_t batches = 1, pixels = 1,
               lines = 64;  // lines of a batch: a multiple of 64, more than pixels
  ScalarId line =
      -1;  // over v0 = batch, v1 = m, v2 = tap: an I32, the number of the line in slab 0
  /// Over the same variables: the pixel's number among batches * pixels, where `inside` holds.
  Index pixel;
  struct Range {
    Index at;
    std::int64_t low = 0, high = 0;  // low <= at < high
  };
  std::vector<Range> inside;
  bool ranges = true;  // false: a condition is something else, and `inside` is not all

  std::int64_t slabs() const { return channels_padded / 32; }
  /// Slabs whose products may stay in one sum (64 of k at most), within one tap.
  std::int64_t run_slabs() const { return slabs() % 2 == 0 ? 2 : 1; }
};

/// Nothing when contraction_site() gives nothing, or the left operand is anything but a load of a
/// contiguous FP32 tensor that the region does not make, zero outside conditions, in which one
/// reduced variable is the position in one dimension that nothing else but batch variables enters.
std::optional<ImageSite> image_site(Program& program, const Region& region,
                                    ImageTerms terms = ImageTerms::Two);

}  // namespace kw::codegen
