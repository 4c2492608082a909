// The product of contraction_fp16x3.cuh where the rows of A are gathered from an image: a
// convolution that copies no patch.
//
// The image is [batch][channel][pixel] in memory. Its split pass (SplitTarget::image) writes one
// line of terms for each pixel and slab of 32 channels, and lines of zeros behind the pixels of
// each batch. Row m of A is, at tap t, a pixel's channels, or zeros where the tap is outside:
// `lines(batch, m, t)`, which the generator writes, is the number of that line in slab 0. So k runs
// over taps, and within a tap over the padded channels; the other operand and both accessors of the
// wide path have the same order.
//
// A scale belongs to one pixel and 128 channels, and lies as the line of their first slab does.
// Scales pass through shared memory anyway: a warp notes the runs in which it saw scale 0, the mark
// of a wide granule, and adds those products in FP32 after the loop.

namespace kw {

struct ImageProblem {
  SplitTarget a, b;          // the image and the other operand, as the split pass filled them
  int rows, taps;            // of the product
  int a_batched, b_batched;  // 0: the accessor is shared by all batches
  unsigned wide_limit;       // when *wide_count is above it, this kernel does nothing
};

// Threads copy A line by line: eight to a line, thread t the lines t / 8 + i * kStep of the tile.
template <class Tile, class Lines>
struct ImageCopy {
  static constexpr int kStep = Tile::kThreads / 8, kLines = Tile::kTileM / kStep;
  static_assert(Tile::kThreads % 64 == 0 && Tile::kTileM % kStep == 0,
                "whole lines for each thread");
  const ImageProblem& p;
  const Lines& lines;
  int batch, row;  // of this thread's first line
  int tap = 0, slab = 0;
  unsigned at[kLines];  // this thread's 16 bytes of each line, in units of 16 bytes

  __device__ __forceinline__ void find_lines() {
    const unsigned chunk = (threadIdx.x ^ (threadIdx.x >> 3)) & 7;
#pragma unroll
    for (int i = 0; i < kLines; ++i) {
      const unsigned line = unsigned(lines(batch, min(row + i * kStep, p.rows - 1), tap));
      at[i] = line * 8 + (chunk ^ (line & 7));
    }
  }
  // The next slab to shared memory at `to`; with `scales`, the scales of its pixels too.
  __device__ __forceinline__ void copy_slab(unsigned to, unsigned scales_to, bool scales,
                                            int wanted) {
    if (slab == 0 && wanted) find_lines();
    const long long here = static_cast<long long>(slab) * p.a.rows_padded;
    const unsigned char* terms = p.a.terms + here * 128;
    const float* first = p.a.scales + static_cast<long long>(slab & ~3) * p.a.rows_padded;
#pragma unroll
    for (int i = 0; i < kLines; ++i) {
      copy_async_16<0>(to + threadIdx.x * 16 + i * Tile::kThreads * 16, terms + at[i] * 16ll,
                       wanted);
      if (scales) {
        copy_async_4(scales_to + (threadIdx.x / 8 + i * kStep) * 4, first + (at[i] >> 3),
                     wanted && (threadIdx.x & 7) == 0);
      }
    }
    if (++slab == p.a.slabs) slab = 0, ++tap;
  }
};

// Notes where scales of 0 pass: bit r / runs_per_bit of `seen` for run r.
template <class Tile, class Fetch>
struct WatchedLoop : StageLoop<Tile, Fetch> {
  using Base = StageLoop<Tile, Fetch>;
  int runs_per_bit;
  int bit = 0, left = runs_per_bit;
  unsigned seen = 0;

  __device__ __forceinline__ WatchedLoop(const Base& base, int per_bit)
      : Base(base), runs_per_bit(per_bit) {}
  __device__ __forceinline__ void scales(unsigned here, int i, float (&scale)[Base::NJ / 4][2]) {
    Base::scales(here, i, scale);
    bool zero = false;
#pragma unroll
    for (int g = 0; g < Base::NJ / 4; ++g) zero = zero || scale[g][0] == 0.f || scale[g][1] == 0.f;
    seen |= unsigned(zero) << bit;
    if (i == Base::MI - 1 && --left == 0) ++bit, left = runs_per_bit;
  }
};

// Adds the products of wide granules to a warp's sums, in the runs whose bit is set in `seen`.
template <class Tile, int MI, int NJ, class Lines, class A, class B>
__device__ __forceinline__ void add_wide_runs(float (&acc)[MI][NJ][4], const ImageProblem& p,
                                              const Lines& lines, const A& a, const B& b, int batch,
                                              int m0, int n0, unsigned seen, int runs_per_bit) {
  constexpr int kGroups = NJ / 4, kRun = Tile::kRunSlabs * kSlab;
  const int lane = threadIdx.x & 31, channels = p.a.slabs * kSlab;
  const int runs = p.taps * p.a.slabs / Tile::kRunSlabs;
  const int a_batch = p.a_batched ? batch : 0, b_batch = p.b_batched ? batch : 0;
  for (int run = 0; run < runs; ++run) {
    if (((seen >> (run / runs_per_bit)) & 1u) == 0) continue;
    const int k0 = run * kRun, tap = k0 / channels, slab = k0 % channels / kSlab;
    const float* a_scales = p.a.scales + static_cast<long long>(slab & ~3) * p.a.rows_padded;
    const float* b_scales = p.b.scales + p.b.slice_row(b_batch, k0 / kSlice) / 32 + n0 / 32;
    for (int block = 0; block < MI * kGroups; ++block) {
      const int bi = block / kGroups, bg = block % kGroups;
      const int row = m0 + bi * 16 + lane / 4, column = n0 + bg * 32 + (lane & 3) * 2;
      const bool wide_columns = b_scales[bg] == 0.f;
      const bool add_low = wide_columns || a_scales[lines(batch, min(row, p.rows - 1), tap)] == 0.f;
      const bool add_high =
          wide_columns || a_scales[lines(batch, min(row + 8, p.rows - 1), tap)] == 0.f;
      if (!__any_sync(~0u, add_low || add_high)) continue;
      add_block(acc, bi, bg, a, a_batch, row, p.rows, b, b_batch, column, p.b.rows, k0, k0 + kRun,
                add_low, add_high);
    }
  }
}

// blockIdx.x: tile; blockIdx.z: batch. `a` and `b` are the operands themselves, for what is wide.
template <class Tile, class Lines, class A, class B, class Epilogue>
__device__ __forceinline__ void image_product(const ImageProblem& p, const Lines& lines, const A& a,
                                              const B& b, const unsigned* wide_count,
                                              const Epilogue& epilogue) {
  constexpr int MI = Tile::kWarpM / 16, NJ = Tile::kWarpN / 8, kThreads = Tile::kThreads;
  constexpr int kStages = Tile::kStages, kStageBytes = Tile::kStageBytes;
  unsigned char* shared = dynamic_shared();

  const int tid = static_cast<int>(threadIdx.x), lane = tid & 31, warp = tid >> 5;
  const int warp_m = warp % Tile::kWarpsM * Tile::kWarpM,
            warp_n = warp / Tile::kWarpsM * Tile::kWarpN;
  const int batch = static_cast<int>(blockIdx.z), b_batch = p.b_batched ? batch : 0;
  const TileIndex tile =
      rasterise(static_cast<int>(blockIdx.x), (p.rows + Tile::kTileM - 1) / Tile::kTileM,
                (p.b.rows + Tile::kTileN - 1) / Tile::kTileN);
  const int m0 = tile.m * Tile::kTileM, n0 = tile.n * Tile::kTileN;
  const int stages = p.taps * p.a.slabs / Tile::kSlabs;

  ImageCopy<Tile, Lines> copy_a{p, lines, batch, m0 + tid / 8};
  const unsigned char* b_from = p.b.line(b_batch, 0, n0) + tid * 16;
  const long long b_step = p.b.rows_padded * 128ll;
  const bool scales_of_b = tid < Tile::kTileN / 32;
  const float* b_scale = p.b.scales + p.b.slice_row(b_batch, 0) / 32 + n0 / 32 + tid;
  const unsigned base = shared_address(shared);
  const auto fetch = [&](int stage, unsigned to) {
    const int wanted = stage < stages;
    const unsigned scales = to + Tile::kScaleOffset;
#pragma unroll
    for (int slab = 0; slab < Tile::kSlabs; ++slab) {
      copy_a.copy_slab(to + slab * Tile::kTileM * 128, scales, slab == 0, wanted);
      copy_async_chunks<kThreads, Tile::kTileN * 8>(
          to + Tile::kBOffset + slab * Tile::kTileN * 128 + tid * 16, b_from, wanted);
      b_from += b_step;
    }
    copy_async_4(scales + Tile::kTileM * 4 + tid * 4, b_scale, wanted && scales_of_b);
    copy_async_commit();
    constexpr int kPerSlice = kSlice / kSlab / Tile::kSlabs;
    if (stage % kPerSlice == kPerSlice - 1) b_scale += p.b.rows_padded / 32;
  };
#pragma unroll
  for (int s = 0; s < kStages; ++s) fetch(s, base + s * kStageBytes);
  if (*wide_count > p.wide_limit) {
    copy_async_wait<0>();
    return;
  }

  float acc[MI][NJ][4] = {};
  const int runs_per_bit = (p.taps * p.a.slabs / Tile::kRunSlabs + 31) / 32;
  const StageLoop<Tile, decltype(fetch)> plain{
      shared,
      base,
      unsigned((warp_m + (lane & 15)) * 128 + (((lane >> 4) ^ (lane & 7)) << 4)),
      unsigned(Tile::kBOffset + (warp_n + (lane & 7) + (lane >> 4) * 8) * 128 +
               ((((lane >> 3) & 1) ^ (lane & 7)) << 4)),
      warp_m + (lane >> 2),
      warp_n / 32,
      stages,
      fetch};
  WatchedLoop<Tile, decltype(fetch)> loop(plain, runs_per_bit);
  copy_async_wait<kStages - 1>();
  __syncthreads();
  sum_runs<Tile>(loop, acc);
  copy_async_wait<0>();

  const unsigned seen = __reduce_or_sync(~0u, loop.seen);
  if (seen != 0) {
    add_wide_runs<Tile>(acc, p, lines, a, b, batch, m0 + warp_m, n0 + warp_n, seen, runs_per_bit);
  }
  store_sums(acc, 0, batch, m0 + warp_m, p.rows, n0 + warp_n, p.b.rows, epilogue);
}

}  // namespace kw
