#include "lower/product_runs.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "exec/product_run.h"
#include "exec/warp.h"

namespace kw::ptxvm {
namespace {

struct Shape {
  std::string_view handler;
  std::uint32_t a, b;  // registers of the operands; D and C have four
};
constexpr std::array<Shape, 4> kShapes{{{"$mma.m16n8k16.f32.f16.f16", 4, 2},
                                        {"$mma.m16n8k16.f32.bf16.bf16", 4, 2},
                                        {"$mma.m16n8k8.f32.f16.f16", 2, 1},
                                        {"$mma.m16n8k8.f32.bf16.bf16", 2, 1}}};

const Shape* shape_of(int handler) {
  const std::string_view name = handler_entry(handler).name;
  const auto* const it = std::find_if(kShapes.begin(), kShapes.end(),
                                      [&](const Shape& s) { return s.handler == name; });
  return it == kShapes.end() ? nullptr : it;
}

using Registers = std::span<const std::uint32_t>;

bool overlap(std::uint32_t x, std::uint32_t y) {
  constexpr std::uint32_t kBytes = 4 * kLanes;
  return x < y + kBytes && y < x + kBytes;
}

/// What the slots for one operand hold; the one that was used longest ago gives way.
class Decoded {
 public:
  explicit Decoded(std::uint32_t slots) : held_(slots), used_(slots) {}

  struct Found {
    std::uint32_t slot;
    bool have;
  };
  Found find(Registers wanted) {
    for (std::uint32_t s = 0; s < held_.size(); ++s) {
      if (!std::equal(held_[s].begin(), held_[s].end(), wanted.begin(), wanted.end())) continue;
      used_[s] = ++clock_;
      return {s, true};
    }
    const auto slot =
        static_cast<std::uint32_t>(std::min_element(used_.begin(), used_.end()) - used_.begin());
    held_[slot] = wanted;
    used_[slot] = ++clock_;
    return {slot, false};
  }
  void written(Registers results) {
    for (std::size_t s = 0; s < held_.size(); ++s) {
      const bool changed = std::any_of(held_[s].begin(), held_[s].end(), [&](std::uint32_t at) {
        return std::any_of(results.begin(), results.end(),
                           [&](std::uint32_t to) { return overlap(at, to); });
      });
      if (!changed) continue;
      held_[s] = {};
      used_[s] = 0;
    }
  }

 private:
  std::vector<Registers> held_;  // empty: nothing
  std::vector<std::uint32_t> used_;
  std::uint32_t clock_ = 0;
};

bool crossed(Registers d, Registers c) {
  for (std::size_t i = 0; i < d.size(); ++i) {
    for (std::size_t j = 0; j < c.size(); ++j) {
      if (i != j && overlap(d[i], c[j])) return true;
    }
  }
  return false;
}

}  // namespace

void plan_product_runs(LoweredKernel& kernel) {
  for (std::size_t i = 0; i < kernel.code.size();) {
    const Shape* const shape = shape_of(kernel.handlers[i]);
    if (shape == nullptr) {
      ++i;
      continue;
    }
    Decoded decoded_a(kRunA), decoded_b(kRunB);
    const int handler = kernel.handlers[i];
    for (; i < kernel.code.size() && kernel.handlers[i] == handler; ++i) {
      const Registers all(&kernel.extra[kernel.code[i].extra], 8 + shape->a + shape->b);
      const Registers d = all.first(4), c = all.last(4);
      const auto a = decoded_a.find(all.subspan(4, shape->a));
      const auto b = decoded_b.find(all.subspan(4 + shape->a, shape->b));
      kernel.code[i].x =
          RunBits::pack(a.slot, b.slot,
                        (a.have ? RunBits::kHaveA : 0u) | (b.have ? RunBits::kHaveB : 0u) |
                            (crossed(d, c) ? RunBits::kCrossed : 0u));
      decoded_a.written(d);
      decoded_b.written(d);
    }
  }
}

}  // namespace kw::ptxvm
