#pragma once
// Basic blocks of a flattened kernel and their immediate post-dominators, where warps reconverge.

#include <cstdint>
#include <vector>

#include "ir/flatten.h"

namespace kw::ptxvm {

struct BasicBlock {
  std::uint32_t begin = 0, end = 0;  // instructions [begin, end)
  std::vector<std::uint32_t> successors;
  int post_dominator = -1;  // block number; -1: the paths meet only at the end of the thread
};

struct Cfg {
  std::vector<BasicBlock> blocks;       // in code order
  std::vector<std::uint32_t> block_of;  // by instruction index; code.size() maps to blocks.size()
};

Cfg build_cfg(const FlatKernel& kernel);

}  // namespace kw::ptxvm
