#pragma once
// Which lane shfl reads. PTX ISA, "shfl.sync".

#include "handlers/lanes.h"

namespace kw::ptxvm::KW_ISA {

enum class Shuffle { Up, Down, Butterfly, Index };

struct ShuffleSource {
  s32 lane;
  bool in_range;  // else the lane keeps its own value
};

/// b: the lane operand, c: clamp and segment mask.
template <Shuffle mode>
inline ShuffleSource shuffle_source(s32 lane, u32 b, u32 c) {
  const s32 by = static_cast<s32>(b & 31);
  const s32 clamp = static_cast<s32>(c & 31), segment = static_cast<s32>(c >> 8 & 31);
  const s32 last = (lane & segment) | (clamp & ~segment);
  s32 source = 0;
  switch (mode) {
    case Shuffle::Up:
      source = lane - by;
      break;
    case Shuffle::Down:
      source = lane + by;
      break;
    case Shuffle::Butterfly:
      source = lane ^ by;
      break;
    case Shuffle::Index:
      source = (lane & segment) | (by & ~segment);
      break;
  }
  const bool in_range = mode == Shuffle::Up ? source >= last : source <= last;
  return {in_range ? source & 31 : lane, in_range};
}

}  // namespace kw::ptxvm::KW_ISA
