#pragma once
// Runs CUDA C++ device code on the CPU, one thread block after another: every CUDA thread is a
// fiber, barriers and warp operations switch between them. So the skeletons' own text is tested,
// not a copy of its arithmetic. Include this before the .cuh files; their PTX wrappers
// (contraction_ptx.cuh) are replaced by what is below.
//
// Asynchronous copies happen at once; a tensor-core product is summed in double and truncated to
// FP32, which errs at least as far as the hardware does. Races are not seen: that is the PTX
// virtual machine's work.

#include <ucontext.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#define __device__
#define __forceinline__ inline
#define __restrict__
#define __shared__ static
#define __align__(bytes) __attribute__((aligned(bytes)))

using std::max;
using std::min;

struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }

namespace emulated_gpu {

struct Dim {
  unsigned x = 1, y = 1, z = 1;
};

constexpr std::size_t kSharedBytes = 227 << 10;
constexpr std::size_t kStackBytes = 128 << 10;
constexpr std::size_t kExchangeBytes = 64;

/// One thread block. Not thread-safe: one per process at a time.
class Block {
 public:
  static Block& current() {
    static Block block;
    return block;
  }
  alignas(128) std::array<unsigned char, kSharedBytes> shared;
  Dim thread{0, 0, 0}, block{0, 0, 0};

  void run(Dim at, int threads, const std::function<void()>& body) {
    block = at;
    body_ = &body;
    fibers_.resize(static_cast<std::size_t>(threads));
    shared.fill(0xff);  // NaN, to every reader of what nobody wrote
    arrived_ = 0;
    live_ = threads;
    warps_.assign(fibers_.size() / 32 + 1, {});
    for (Fiber& fiber : fibers_) {
      if (!fiber.stack) fiber.stack = std::make_unique<char[]>(kStackBytes);
      fiber.done = false;
      getcontext(&fiber.context);
      fiber.context.uc_stack.ss_sp = fiber.stack.get();
      fiber.context.uc_stack.ss_size = kStackBytes;
      makecontext(&fiber.context, &Block::enter, 0);
    }
    swapcontext(&outside_, &select(0).context);
  }

  void barrier() {
    wait(arrived_, generation_, [this] { return live_; });
  }
  void warp_barrier() {
    Warp& warp = warps_[now_ / 32];
    wait(warp.arrived, warp.generation, [] { return 32; });
  }
  /// What all lanes of the warp hold, in lane order.
  template <typename T>
  std::array<T, 32> exchange(const T& mine) {
    static_assert(sizeof(T) <= kExchangeBytes);
    Warp& warp = warps_[now_ / 32];
    std::memcpy(warp.slots[now_ % 32].data(), &mine, sizeof(T));
    warp_barrier();
    std::array<T, 32> all;
    for (std::size_t l = 0; l < 32; ++l) std::memcpy(&all[l], warp.slots[l].data(), sizeof(T));
    warp_barrier();
    return all;
  }
  std::size_t lane() const { return now_ % 32; }

 private:
  struct Fiber {
    ucontext_t context;
    std::unique_ptr<char[]> stack;
    bool done = false;
  };
  struct Warp {
    int arrived = 0;
    unsigned generation = 0;
    std::array<std::array<unsigned char, kExchangeBytes>, 32> slots;
  };

  static void enter() {
    Block& self = current();
    (*self.body_)();
    self.fibers_[self.now_].done = true;
    --self.live_;
    const std::size_t next = self.next();
    if (next == self.now_) setcontext(&self.outside_);
    setcontext(&self.select(next).context);
  }
  Fiber& select(std::size_t which) {
    now_ = which;
    thread.x = static_cast<unsigned>(which);
    return fibers_[which];
  }
  /// The next fiber that has not ended, or this one.
  std::size_t next() const {
    for (std::size_t step = 1; step < fibers_.size(); ++step) {
      const std::size_t which = (now_ + step) % fibers_.size();
      if (!fibers_[which].done) return which;
    }
    return now_;
  }
  template <typename Expected>
  void wait(int& arrived, unsigned& generation, Expected expected) {
    const unsigned entered = generation;
    if (++arrived == expected()) {
      arrived = 0;
      ++generation;
      return;
    }
    while (generation == entered) {
      Fiber& self = fibers_[now_];
      swapcontext(&self.context, &select(next()).context);
    }
  }

  const std::function<void()>* body_ = nullptr;
  ucontext_t outside_;
  std::vector<Fiber> fibers_;
  std::vector<Warp> warps_;
  std::size_t now_ = 0;
  int arrived_ = 0, live_ = 0;
  unsigned generation_ = 0;
};

inline void launch(Dim grid, int threads, const std::function<void()>& body) {
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; ++x) Block::current().run({x, y, z}, threads, body);
    }
  }
}

inline float half_to_float(unsigned bits) {
  return static_cast<float>(std::bit_cast<_Float16>(static_cast<std::uint16_t>(bits)));
}
inline unsigned float_to_half(float x) {
  return std::bit_cast<std::uint16_t>(static_cast<_Float16>(x));
}

}  // namespace emulated_gpu

#define threadIdx (emulated_gpu::Block::current().thread)
#define blockIdx (emulated_gpu::Block::current().block)

inline void __syncthreads() { emulated_gpu::Block::current().barrier(); }
inline void __syncwarp() { emulated_gpu::Block::current().warp_barrier(); }
template <typename T>
T __ldg(const T* p) {
  return *p;
}
template <typename T>
T __ldcs(const T* p) {
  return *p;
}
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __ffs(unsigned x) { return x == 0 ? 0 : std::countr_zero(x) + 1; }
inline void atomicOr(unsigned* p, unsigned x) { *p |= x; }
inline unsigned atomicAdd(unsigned* p, unsigned x) { return std::exchange(*p, *p + x); }
inline unsigned __reduce_max_sync(unsigned, unsigned x) {
  const auto all = emulated_gpu::Block::current().exchange(x);
  return *std::max_element(all.begin(), all.end());
}
inline unsigned __reduce_min_sync(unsigned, unsigned x) {
  const auto all = emulated_gpu::Block::current().exchange(x);
  return *std::min_element(all.begin(), all.end());
}
template <typename T>
T __shfl_xor_sync(unsigned, T x, int step) {
  auto& block = emulated_gpu::Block::current();
  return block.exchange(x)[block.lane() ^ static_cast<std::size_t>(step)];
}
template <typename T>
T __shfl_sync(unsigned, T x, int from) {
  return emulated_gpu::Block::current().exchange(x)[static_cast<std::size_t>(from)];
}
inline unsigned __ballot_sync(unsigned, bool x) {
  const auto all = emulated_gpu::Block::current().exchange(x);
  unsigned ballot = 0;
  for (unsigned l = 0; l < 32; ++l) ballot |= static_cast<unsigned>(all[l]) << l;
  return ballot;
}

// In place of contraction_ptx.cuh.
namespace kw {

inline unsigned pack_half2(float low, float high) {
  return emulated_gpu::float_to_half(low) | emulated_gpu::float_to_half(high) << 16;
}
inline void unpack_half2(unsigned packed, float& low, float& high) {
  low = emulated_gpu::half_to_float(packed & 0xffffu);
  high = emulated_gpu::half_to_float(packed >> 16);
}
inline unsigned char* dynamic_shared() { return emulated_gpu::Block::current().shared.data(); }
inline unsigned shared_address(const void* p) {
  return static_cast<unsigned>(static_cast<const unsigned char*>(p) -
                               emulated_gpu::Block::current().shared.data());
}
template <int Offset>
void copy_async_16(unsigned to, const void* from, int wanted) {
  if (wanted == 0) return;
  std::memcpy(emulated_gpu::Block::current().shared.data() + to + Offset,
              static_cast<const unsigned char*>(from) + Offset, 16);
}
inline void copy_async_4(unsigned to, const void* from, int wanted) {
  if (wanted != 0) std::memcpy(emulated_gpu::Block::current().shared.data() + to, from, 4);
}
inline void copy_async_or_zero(unsigned to, const void* from, bool wanted, std::size_t bytes) {
  unsigned char* at = emulated_gpu::Block::current().shared.data() + to;
  wanted ? std::memcpy(at, from, bytes) : std::memset(at, 0, bytes);
}
template <int Offset = 0>
void copy_async_16_or_zero(unsigned to, const void* from, bool wanted) {
  copy_async_or_zero(to + Offset, from, wanted, 16);
}
template <int Offset = 0>
void copy_async_4_or_zero(unsigned to, const void* from, bool wanted) {
  copy_async_or_zero(to + Offset, from, wanted, 4);
}
inline void keep_branch() {}
inline void copy_async_commit() {}
template <int Pending>
void copy_async_wait() {}

inline void load_matrices(unsigned (&r)[4], unsigned address) {
  auto& block = emulated_gpu::Block::current();
  const auto rows = block.exchange(address);
  const std::size_t lane = block.lane();
  for (std::size_t q = 0; q < 4; ++q) {
    std::memcpy(&r[q], block.shared.data() + rows[q * 8 + lane / 4] + lane % 4 * 4, 4);
  }
}

/// Towards zero, as tensor cores drop what does not fit.
inline float truncated(double sum) {
  const float nearest = static_cast<float>(sum);
  return std::isfinite(nearest) && std::abs(static_cast<double>(nearest)) > std::abs(sum)
             ? std::nextafter(nearest, 0.0f)
             : nearest;
}
inline void mma(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1,
                const float (&c)[4]) {
  struct Operands {
    unsigned a[4], b[2];
  };
  auto& block = emulated_gpu::Block::current();
  const auto warp = block.exchange(Operands{{a[0], a[1], a[2], a[3]}, {b0, b1}});
  const auto half = [](unsigned word, std::size_t k) {
    return static_cast<double>(
        emulated_gpu::half_to_float(k % 2 != 0 ? word >> 16 : word & 0xffffu));
  };
  const std::size_t lane = block.lane();
  float out[4];
  for (std::size_t q = 0; q < 4; ++q) {
    const std::size_t row = lane / 4, column = lane % 4 * 2 + q % 2;
    double sum = static_cast<double>(c[q]);
    for (std::size_t k = 0; k < 16; ++k) {
      const unsigned x = warp[row * 4 + k % 8 / 2].a[q / 2 + k / 8 * 2];
      const unsigned y = warp[column * 4 + k % 8 / 2].b[k / 8];
      sum += half(x, k) * half(y, k);
    }
    out[q] = truncated(sum);
  }
  for (std::size_t q = 0; q < 4; ++q) d[q] = out[q];
}

}  // namespace kw
