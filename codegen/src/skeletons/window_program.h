#pragma once
// The normal form of a region that slides a window: a reduction (or a product with weights) over
// few taps, whose image is read at places that overlap from one output to the next.

#include <optional>
#include <vector>

#include "ir/region.h"

namespace kw::codegen {

/// An output variable o and a tap t that the image depends on as stride * o + step * t alone.
struct WindowPair {
  int o = -1, t = -1;
  std::int64_t stride = 1, step = 1;
};

struct WindowOutput {
  TensorId tensor = kNoTensor;
  ScalarId value = -1;  // over the stage's parallel variables; Loads of the result stay
  Index offset;
};

struct WindowProgram {
  int stage = -1;
  Shape extents;  // of the stage
  int parallel = 0;
  Combiner combiner = Combiner::Sum;
  /// The image over the stage's variables, but v[tile.o] stands for stride * o + step * t and
  /// v[tile.t] does not occur, if there is a tile.
  ScalarId left = -1;
  ScalarId right = -1;  // weights, or -1
  TensorId result = kNoTensor;
  int lane = -1;                   // parallel variable of neighbouring threads
  std::optional<WindowPair> tile;  // whose outputs a thread has several of
  std::vector<int> inner, outer;   // other reduced variables: unrolled, looped
  std::int64_t lane_step = 1;      // elements of the image between neighbouring threads
  std::vector<WindowOutput> outputs;

  std::int64_t extent(int v) const { return extents[static_cast<std::size_t>(v)]; }
  std::int64_t extent_of(const std::vector<int>& variables) const;
  /// Rows of the image that `outputs` neighbours meet.
  std::int64_t rows(std::int64_t outputs) const;
};

/// Nothing when the region is no window: one Reduce (sum, extremum) or Contract of F32, at most a
/// few hundred taps, at least one sliding variable, pointwise stages before it and, element by
/// element, after.
std::optional<WindowProgram> window_program(Program& program, const Region& region);

}  // namespace kw::codegen
