#include "lower/product_runs.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

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

/// One operand of every mma of a run, and the slots that hold it decoded. The fragment that is
/// needed last gives way, so that few slots are in use: they share a cache.
class Decoded {
 public:
  Decoded(std::vector<Registers> uses, std::uint32_t slots)
      : uses_(std::move(uses)), held_(slots) {}

  struct Found {
    std::uint32_t slot;
    bool have;
  };
  /// For the run's mma number `at`.
  Found find(std::size_t at) {
    std::uint32_t free = 0;
    std::size_t latest = 0;
    for (std::uint32_t s = 0; s < held_.size(); ++s) {
      if (!held_[s].empty() && same(held_[s], uses_[at])) return {s, true};
      const std::size_t next = next_use(held_[s], at);
      if (next <= latest) continue;
      latest = next;
      free = s;
    }
    held_[free] = uses_[at];
    return {free, false};
  }
  void written(Registers results) {
    for (Registers& held : held_) {
      const bool changed = std::any_of(held.begin(), held.end(), [&](std::uint32_t at) {
        return std::any_of(results.begin(), results.end(),
                           [&](std::uint32_t to) { return overlap(at, to); });
      });
      if (changed) held = {};
    }
  }

 private:
  static constexpr std::size_t kFar = 64;  // later uses count as none

  static bool same(Registers x, Registers y) { return std::equal(x.begin(), x.end(), y.begin()); }
  std::size_t next_use(Registers fragment, std::size_t after) const {
    const std::size_t end = std::min(uses_.size(), after + kFar);
    for (std::size_t i = after + 1; i < end && !fragment.empty(); ++i) {
      if (same(fragment, uses_[i])) return i;
    }
    return uses_.size();
  }

  std::vector<Registers> uses_;
  std::vector<Registers> held_;  // empty: nothing
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
    const std::size_t first = i;
    std::vector<Registers> a, b;
    for (; i < kernel.code.size() && kernel.handlers[i] == kernel.handlers[first]; ++i) {
      const Registers all(&kernel.extra[kernel.code[i].extra], 8 + shape->a + shape->b);
      a.push_back(all.subspan(4, shape->a));
      b.push_back(all.subspan(4 + shape->a, shape->b));
    }
    Decoded decoded_a(std::move(a), kRunA), decoded_b(std::move(b), kRunB);
    for (std::size_t at = 0; first + at < i; ++at) {
      Ins& ins = kernel.code[first + at];
      const auto left = decoded_a.find(at), right = decoded_b.find(at);
      const Registers d(&kernel.extra[ins.extra], 4), c(d.data() + 4 + shape->a + shape->b, 4);
      ins.x =
          RunBits::pack(left.slot, right.slot,
                        (left.have ? RunBits::kHaveA : 0u) | (right.have ? RunBits::kHaveB : 0u) |
                            (crossed(d, c) ? RunBits::kCrossed : 0u));
      decoded_a.written(d);
      decoded_b.written(d);
    }
  }
}

}  // namespace kw::ptxvm
