#include "kw/launch/scratch.h"

#include <algorithm>
#include <numeric>

namespace kw::launch {

namespace {

constexpr std::int64_t kAlign = 256;

std::int64_t rounded(std::int64_t bytes) {
  return (std::max<std::int64_t>(bytes, 1) + kAlign - 1) / kAlign * kAlign;
}

bool meet(const BoundBuffer& a, const BoundBuffer& b) {
  if (a.first_use < 0 || b.first_use < 0) return true;
  return a.first_use <= b.last_use && b.first_use <= a.last_use;
}

}  // namespace

ScratchLayout pack_scratch(const BoundPlan& plan) {
  const std::vector<BoundBuffer>& buffers = plan.buffers;
  ScratchLayout layout;
  layout.offset.assign(buffers.size(), -1);
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    if (buffers[i].role == Role::Scratch && buffers[i].is_root(i)) order.push_back(i);
  }
  std::ranges::stable_sort(order, std::greater{}, [&](std::size_t i) { return buffers[i].bytes; });

  std::vector<std::size_t> placed;  // by offset
  for (const std::size_t i : order) {
    std::int64_t at = 0;
    for (const std::size_t other : placed) {
      if (!meet(buffers[i], buffers[other])) continue;
      if (at + rounded(buffers[i].bytes) <= layout.offset[other]) break;
      at = std::max(at, layout.offset[other] + rounded(buffers[other].bytes));
    }
    layout.offset[i] = at;
    layout.bytes = std::max(layout.bytes, at + rounded(buffers[i].bytes));
    placed.insert(
        std::ranges::upper_bound(placed, at, {}, [&](std::size_t p) { return layout.offset[p]; }),
        i);
  }
  return layout;
}

}  // namespace kw::launch
