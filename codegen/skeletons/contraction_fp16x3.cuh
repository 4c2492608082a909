// C = A * B with FP32 operands on FP16 tensor cores: h*h + (h*l + l*h) / 2048 of the terms that the
// split pass wrote (contraction_split.cuh), mma.sync.m16n8k16 with FP32 accumulators.
//
// Tensor cores truncate while they add, so no sum stays in one longer than a *run* of 64 k: high
// and low products have accumulators of their own, which start every run from zero and end it in
// FP32 registers, by one FFMA that puts the low sum below the high one and one that applies the two
// operands' scales. (Longer runs double the bias, to half of what `ieee` allows.)
// A warp holds the sums of WarpM x WarpN, keeps the B fragments of 16 k and streams 16-row
// fragments of A; the fragments of the next 16 k replace the current ones as soon as they are used.
//
// cp.async pipeline of Stages; a stage is Slabs slabs (32 of k: h and l of both tiles) and their
// scales. One barrier per stage: before its last 16 rows, when all its fragments are in registers,
// so that it both opens the next stage and frees this one.
//
// Wide granules are zeros here. When little is wide, those products are added from the FP32
// operands after the loop (add_wide); above `wide_limit` the whole product is left to the FFMA
// kernel that follows.

namespace kw {

// `Chunks` neighbouring 16-byte pieces from `from` to `to`, by all threads in turn; both addresses
// are those of this thread's first piece.
template <int Threads, int Chunks, int First = 0>
__device__ __forceinline__ void copy_async_chunks(unsigned to, const void* from, int wanted) {
  if constexpr (First + Threads <= Chunks) {
    copy_async_16<First * 16>(to, from, wanted);
    copy_async_chunks<Threads, Chunks, First + Threads>(to, from, wanted);
  } else if constexpr (First < Chunks) {
    copy_async_16<First * 16>(to, from, wanted && threadIdx.x < Chunks - First);
  }
}

template <int TileM, int TileN, int WarpM, int WarpN, int Stages, int Slabs, int RunSlabs = 2>
struct Fp16x3Tile {
  static constexpr int kTileM = TileM, kTileN = TileN, kWarpM = WarpM, kWarpN = WarpN;
  static constexpr int kStages = Stages, kSlabs = Slabs, kRunSlabs = RunSlabs;
  static constexpr int kWarpsM = TileM / WarpM, kWarpsN = TileN / WarpN;
  static constexpr int kThreads = 32 * kWarpsM * kWarpsN;
  // A stage: A's slabs, B's slabs, scales of A, scales of B.
  static constexpr int kBOffset = TileM * 128 * Slabs,
                       kScaleOffset = kBOffset + TileN * 128 * Slabs;
  static constexpr int kStageBytes = kScaleOffset + ((TileM + TileN / 32) * 4 + 127) / 128 * 128;
  static constexpr int kSharedBytes = kStageBytes * Stages;
  static_assert(TileM % WarpM == 0 && TileN % WarpN == 0, "whole warps");
  static_assert(WarpM % 16 == 0 && WarpN % 32 == 0, "whole fragments and whole groups of B");
  static_assert(TileM % 16 == 0 && TileN % 32 == 0, "whole blocks of flags and scales");
  static_assert(RunSlabs % Slabs == 0, "whole stages in a run");
  static_assert(TileM / 4 + TileN / 32 <= kThreads, "one copy of scales per thread");
};

struct Fp16x3Problem {
  SplitTarget a, b;          // as the split pass filled them
  int a_batched, b_batched;  // 0: the operand is shared by all batches
  unsigned wide_limit;       // when *wide_count is above it, this kernel does nothing
  int slices_per_split;      // of k, for each blockIdx.y
};

// Adds, in FP32 from the operands themselves, the products of k in [k0, k1) to block (bi, bg) of a
// warp's sums: this lane's eight columns from `column` on, of `row` where `low`, of row + 8 where
// `high`.
template <int MI, int NJ, class A, class B>
__device__ __forceinline__ void add_block(float (&acc)[MI][NJ][4], int bi, int bg, const A& a,
                                          int a_batch, int row, int rows, const B& b, int b_batch,
                                          int column, int columns, int k0, int k1, bool low,
                                          bool high) {
  float sum[4][4];
#pragma unroll
  for (int j = 0; j < 4; ++j) sum[j][0] = sum[j][1] = sum[j][2] = sum[j][3] = 0.f;
#pragma unroll 1
  for (int k = k0; k < k1; ++k) {
    const float x = row < rows ? a.at(a_batch, row, k) : 0.f;
    const float y = row + 8 < rows ? a.at(a_batch, row + 8, k) : 0.f;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int c = column + j * 8;
      const float u = c < columns ? b.at(b_batch, c, k) : 0.f;
      const float v = c + 1 < columns ? b.at(b_batch, c + 1, k) : 0.f;
      sum[j][0] = fmaf(x, u, sum[j][0]);
      sum[j][1] = fmaf(x, v, sum[j][1]);
      sum[j][2] = fmaf(y, u, sum[j][2]);
      sum[j][3] = fmaf(y, v, sum[j][3]);
    }
  }
  // The block's accumulators are found by comparison: registers cannot be indexed.
#pragma unroll
  for (int i = 0; i < MI; ++i) {
#pragma unroll
    for (int g = 0; g < NJ / 4; ++g) {
      if (i != bi || g != bg) continue;
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        if (low) acc[i][g * 4 + j][0] += sum[j][0], acc[i][g * 4 + j][1] += sum[j][1];
        if (high) acc[i][g * 4 + j][2] += sum[j][2], acc[i][g * 4 + j][3] += sum[j][3];
      }
    }
  }
}

// Adds the products of wide granules to one warp's accumulators: blocks of 16 rows x 32 columns
// where the rows or the columns are flagged in a slice of k; of these, the elements whose row or
// column group has scale 0.
template <int MI, int NJ, class A, class B>
__device__ __forceinline__ void add_wide(float (&acc)[MI][NJ][4], const Fp16x3Problem& p,
                                         const A& a, const B& b, int batch, int m0, int n0,
                                         int first_slice, int last_slice) {
  constexpr int kGroups = NJ / 4;
  const int lane = threadIdx.x & 31;
  const int a_batch = p.a_batched ? batch : 0, b_batch = p.b_batched ? batch : 0;
  for (int base = first_slice; base < last_slice; base += 32) {
    unsigned flags = 0;  // of slice base + lane: bit i for 16 rows, bit 16 + g for 32 columns
    if (base + lane < last_slice) {
      const long long sa = static_cast<long long>(a_batch) * p.a.slices + base + lane;
      const long long sb = static_cast<long long>(b_batch) * p.b.slices + base + lane;
#pragma unroll
      for (int i = 0; i < MI; ++i) {
        flags |= unsigned(p.a.wide[sa * (p.a.rows_padded / 16) + m0 / 16 + i]) << i;
      }
#pragma unroll
      for (int g = 0; g < kGroups; ++g) {
        flags |= unsigned(p.b.wide[sb * (p.b.rows_padded / 32) + n0 / 32 + g]) << (16 + g);
      }
    }
    for (unsigned slices = __ballot_sync(~0u, flags != 0); slices != 0; slices &= slices - 1) {
      const int from = __ffs(slices) - 1, slice = base + from;
      const unsigned here = __shfl_sync(~0u, flags, from);
      const float* a_scales =
          p.a.scales + (static_cast<long long>(a_batch) * p.a.slices + slice) * p.a.rows_padded;
      for (int block = 0; block < MI * kGroups; ++block) {
        const int bi = block / kGroups, bg = block % kGroups;
        const bool wide_columns = (here >> (16 + bg)) & 1u;
        if (!wide_columns && !((here >> bi) & 1u)) continue;
        const int row = m0 + bi * 16 + lane / 4, column = n0 + bg * 32 + (lane & 3) * 2;
        const bool low = wide_columns || a_scales[row] == 0.f;
        const bool high = wide_columns || a_scales[row + 8] == 0.f;
        add_block(acc, bi, bg, a, a_batch, row, p.a.rows, b, b_batch, column, p.b.rows,
                  slice * kSlice, min(p.a.k, (slice + 1) * kSlice), low, high);
      }
    }
  }
}

// What a warp needs to know of the pipeline. `fetch(stage number, address)` starts a stage's
// copies.
template <class Tile, class Fetch>
struct StageLoop {
  static constexpr int MI = Tile::kWarpM / 16, NJ = Tile::kWarpN / 8;
  const unsigned char* shared;
  unsigned base;            // of the stages
  unsigned a_lane, b_lane;  // this lane's fragment rows within a stage; bits 4 to 6 hold the chunk:
                            // ^32 is the next 16 of k, ^64 the low terms
  int row, group;           // this lane's first row, the warp's first group of 32 columns
  int count;                // stages to run through
  Fetch& fetch;
  int slot = 0;

  __device__ __forceinline__ unsigned address() const { return base + slot * Tile::kStageBytes; }
  // Makes the next stage current; the last one stays, so that prefetches read valid memory.
  __device__ __forceinline__ void advance(int stage) {
    if (stage + 1 < count) slot = slot + 1 == Tile::kStages ? 0 : slot + 1;
  }
  // All warps have the last fragments of `here` in registers; its slot is filled anew.
  __device__ __forceinline__ void turn(int stage, unsigned here) {
    copy_async_wait<Tile::kStages - 2>();
    __syncthreads();
    fetch(stage + Tile::kStages, here);
  }
  // Fragments of 16 k, of the stage at `from`: 16 rows of A, 16 columns of B.
  __device__ __forceinline__ void load_a(unsigned (&h)[4], unsigned (&l)[4], unsigned from,
                                         int step, int i) const {
    const unsigned at = (from + a_lane) ^ (step % 2 * 32);
    const int offset = step / 2 * Tile::kTileM * 128 + i * 2048;
    load_matrices(h, at + offset);
    load_matrices(l, (at ^ 64) + offset);
  }
  __device__ __forceinline__ void load_b(unsigned (&b)[4], unsigned from, int step, int j,
                                         int low) const {
    const unsigned at = (from + b_lane) ^ (step % 2 * 32 + low * 64);
    load_matrices(b, at + step / 2 * Tile::kTileN * 128 + j * 2048);
  }
  // Scales of rows i * 16 + {0, 8} with column group g, in the stage at `here`.
  __device__ __forceinline__ void scales(unsigned here, int i, float (&scale)[NJ / 4][2]) const {
    const float* table =
        reinterpret_cast<const float*>(shared + (here - base) + Tile::kScaleOffset);
#pragma unroll
    for (int g = 0; g < NJ / 4; ++g) {
      const float b = table[Tile::kTileM + group + g];
      scale[g][0] = b * table[row + i * 16];
      scale[g][1] = b * table[row + i * 16 + 8];
    }
  }
};

template <class Tile, class Loop, int MI, int NJ>
__device__ __forceinline__ void sum_runs(Loop& loop, float (&acc)[MI][NJ][4]) {
  constexpr int kStagesPerRun = Tile::kRunSlabs / Tile::kSlabs, kSteps = Tile::kSlabs * 2;
  float high[MI][NJ][4], low[MI][NJ][4];
  unsigned ah[2][4], al[2][4], bh[NJ / 2][4], bl[NJ / 2][4];
  loop.load_a(ah[0], al[0], loop.base, 0, 0);
#pragma unroll
  for (int j = 0; j < NJ / 2; ++j) {
    loop.load_b(bl[j], loop.base, 0, j, 1);
    loop.load_b(bh[j], loop.base, 0, j, 0);
  }
#pragma unroll 1
  for (int first = 0; first < loop.count; first += kStagesPerRun) {
#pragma unroll
    for (int u = 0; u < kStagesPerRun; ++u) {
      const unsigned here = loop.address();
      loop.advance(first + u);
      const unsigned next = loop.address();
#pragma unroll
      for (int step = 0; step < kSteps; ++step) {
#pragma unroll
        for (int i = 0; i < MI; ++i) {
          const int now = (step * MI + i) & 1, then = now ^ 1;
          const bool last = i == MI - 1, leaves_stage = last && step == kSteps - 1;
          const bool ends_run = u == kStagesPerRun - 1 && step == kSteps - 1;
          float scale[NJ / 4][2];
          if (ends_run) loop.scales(here, i, scale);
          if (leaves_stage) loop.turn(first + u, here);
          // Fragments that follow: A of the next 16 rows, B of the next 16 k.
          const unsigned from = leaves_stage ? next : here;
          const int after = (step + 1) % kSteps;
          loop.load_a(ah[then], al[then], from, last ? after : step, last ? 0 : i + 1);
          if (u == 0 && step == 0) {
#pragma unroll
            for (int j = 0; j < NJ; ++j) {
#pragma unroll
              for (int q = 0; q < 4; ++q) high[i][j][q] = low[i][j][q] = 0.f;
            }
          }
#pragma unroll
          for (int j = 0; j < NJ; ++j) {
            unsigned(&b)[4] = bl[j / 2];
            mma(low[i][j], ah[now], b[j % 2 * 2], b[j % 2 * 2 + 1], low[i][j]);
            if (last && j % 2 == 1) loop.load_b(b, from, after, j / 2, 1);
          }
#pragma unroll
          for (int j = 0; j < NJ; ++j) {
            const unsigned(&b)[4] = bh[j / 2];
            mma(high[i][j], ah[now], b[j % 2 * 2], b[j % 2 * 2 + 1], high[i][j]);
          }
#pragma unroll
          for (int j = 0; j < NJ; ++j) {
            unsigned(&b)[4] = bh[j / 2];
            mma(low[i][j], al[now], b[j % 2 * 2], b[j % 2 * 2 + 1], low[i][j]);
            if (last && j % 2 == 1) loop.load_b(b, from, after, j / 2, 0);
          }
          if (ends_run) {
#pragma unroll
            for (int j = 0; j < NJ; ++j) {
#pragma unroll
              for (int q = 0; q < 4; ++q) {
                acc[i][j][q] = fmaf(fmaf(low[i][j][q], kLowScale, high[i][j][q]),
                                    scale[j / 4][q / 2], acc[i][j][q]);
              }
            }
          }
        }
      }
    }
  }
}

// A warp's sums, from (row0, column0) on, to the epilogue: (part, batch, row, column, columns, two
// neighbours).
template <int MI, int NJ, class Epilogue>
__device__ __forceinline__ void store_sums(const float (&acc)[MI][NJ][4], int part, int batch,
                                           int row0, int rows, int column0, int columns,
                                           const Epilogue& epilogue) {
  const int lane = threadIdx.x & 31;
#pragma unroll
  for (int i = 0; i < MI; ++i) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = row0 + i * 16 + half * 8 + (lane >> 2);
      if (row >= rows) continue;
#pragma unroll
      for (int j = 0; j < NJ; ++j) {
        const int column = column0 + j * 8 + (lane & 3) * 2;
        epilogue(part, batch, row, column, columns, acc[i][j][half * 2], acc[i][j][half * 2 + 1]);
      }
    }
  }
}

// The sums of a thread block to an epilogue whose neighbouring columns are neighbours in memory.
// They pass through shared memory, where the stages were, so that a warp stores whole lines: pieces
// of 32 bytes cost memory twice their size when L2 evicts them apart.
template <class Tile, int MI, int NJ, class Epilogue>
__device__ __forceinline__ void store_lines(const float (&acc)[MI][NJ][4], float* staged, int warp_m,
                                           int warp_n, int part, int batch, int m0, int rows,
                                           int n0, int columns, const Epilogue& epilogue) {
  constexpr int kPitch = Tile::kTileN + 8;  // no bank conflicts
  constexpr int kPairs = Tile::kTileN / 2;
  static_assert(Tile::kTileN % 32 == 0 && Tile::kTileM * kPitch * 4 <= Tile::kSharedBytes,
                "staged");
  const int lane = static_cast<int>(threadIdx.x) & 31;
  __syncthreads();  // nobody reads the stages any more
#pragma unroll
  for (int i = 0; i < MI; ++i) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float* line = staged + (warp_m + i * 16 + half * 8 + (lane >> 2)) * kPitch + warp_n;
#pragma unroll
      for (int j = 0; j < NJ; ++j) {
        *reinterpret_cast<float2*>(line + j * 8 + (lane & 3) * 2) =
            make_float2(acc[i][j][half * 2], acc[i][j][half * 2 + 1]);
      }
    }
  }
  __syncthreads();
#pragma unroll 4
  for (int pair = static_cast<int>(threadIdx.x); pair < Tile::kTileM * kPairs;
       pair += Tile::kThreads) {
    const int row = pair / kPairs, column = pair % kPairs * 2;
    if (m0 + row >= rows) break;
    const float2 sums = *reinterpret_cast<const float2*>(staged + row * kPitch + column);
    epilogue(part, batch, m0 + row, n0 + column, columns, sums.x, sums.y);
  }
}

template <class Tile, int MI, int NJ, class Epilogue>
__device__ __forceinline__ void store_tile(const float (&acc)[MI][NJ][4], float* staged, int warp_m,
                                           int warp_n, int part, int batch, int m0, int rows,
                                           int n0, int columns, const Epilogue& epilogue) {
  if constexpr (Epilogue::kRunsAlongColumns) {
    store_lines<Tile>(acc, staged, warp_m, warp_n, part, batch, m0, rows, n0, columns, epilogue);
  } else {
    store_sums(acc, part, batch, m0 + warp_m, rows, n0 + warp_n, columns, epilogue);
  }
}

// blockIdx.x: tile; blockIdx.y: part of k; blockIdx.z: batch. The epilogue is called with
// (part, batch, row, column, value) for every element in range.
template <class Tile, class A, class B, class Epilogue>
__device__ __forceinline__ void fp16x3_product(const Fp16x3Problem& p, const A& a, const B& b,
                                               const unsigned* wide_count,
                                               const Epilogue& epilogue) {
  constexpr int MI = Tile::kWarpM / 16, NJ = Tile::kWarpN / 8, kThreads = Tile::kThreads;
  constexpr int kStages = Tile::kStages, kStageBytes = Tile::kStageBytes;
  unsigned char* shared = dynamic_shared();

  const int tid = static_cast<int>(threadIdx.x), lane = tid & 31, warp = tid >> 5;
  const int warp_m = warp % Tile::kWarpsM * Tile::kWarpM,
            warp_n = warp / Tile::kWarpsM * Tile::kWarpN;
  const int batch = static_cast<int>(blockIdx.z);
  const TileIndex tile =
      rasterise(static_cast<int>(blockIdx.x), (p.a.rows + Tile::kTileM - 1) / Tile::kTileM,
                (p.b.rows + Tile::kTileN - 1) / Tile::kTileN);
  const int m0 = tile.m * Tile::kTileM, n0 = tile.n * Tile::kTileN;
  const int first_slice = static_cast<int>(blockIdx.y) * p.slices_per_split;
  const int last_slice = min(p.a.slices, first_slice + p.slices_per_split);
  const int stages = (min(p.a.slabs, last_slice * 4) - first_slice * 4) / Tile::kSlabs;

  // What this thread copies of every slab: neighbouring threads, neighbouring 16 bytes.
  const int a_batch = p.a_batched ? batch : 0, b_batch = p.b_batched ? batch : 0;
  const unsigned char* a_from = p.a.line(a_batch, first_slice * 4, m0) + tid * 16;
  const unsigned char* b_from = p.b.line(b_batch, first_slice * 4, n0) + tid * 16;
  const long long a_step = p.a.rows_padded * 128ll, b_step = p.b.rows_padded * 128ll;
  // Scales: the first threads copy four of A's each, the next ones one of B's.
  constexpr int kCopiesOfA = Tile::kTileM / 4, kCopiesOfB = Tile::kTileN / 32;
  const bool scales_of_a = tid < kCopiesOfA;
  const bool scales_of_b = !scales_of_a && tid < kCopiesOfA + kCopiesOfB;
  const int scale_row = scales_of_a ? p.a.rows_padded : p.b.rows_padded / 32;
  const float* scale_from =
      scales_of_a ? p.a.scales + m0 + tid * 4 : p.b.scales + n0 / 32 + (tid - kCopiesOfA);
  scale_from +=
      (static_cast<long long>(scales_of_a ? a_batch : b_batch) * p.a.slices + first_slice) *
      scale_row;
  const unsigned base = shared_address(shared);
  const unsigned scale_to =
      Tile::kScaleOffset + (scales_of_a ? tid * 16 : Tile::kTileM * 4 + (tid - kCopiesOfA) * 4);
  const auto fetch = [&](int stage, unsigned to) {
    const int wanted = stage < stages;
#pragma unroll
    for (int slab = 0; slab < Tile::kSlabs; ++slab) {
      copy_async_chunks<kThreads, Tile::kTileM * 8>(to + slab * Tile::kTileM * 128 + tid * 16,
                                                    a_from, wanted);
      copy_async_chunks<kThreads, Tile::kTileN * 8>(
          to + Tile::kBOffset + slab * Tile::kTileN * 128 + tid * 16, b_from, wanted);
      a_from += a_step;
      b_from += b_step;
    }
    copy_async_16<0>(to + scale_to, scale_from, wanted && scales_of_a);
    copy_async_4(to + scale_to, scale_from, wanted && scales_of_b);
    copy_async_commit();
    constexpr int kPerSlice = kSlice / kSlab / Tile::kSlabs;
    if (stage % kPerSlice == kPerSlice - 1) scale_from += scale_row;
  };
#pragma unroll
  for (int s = 0; s < kStages; ++s) fetch(s, base + s * kStageBytes);
  const unsigned wide = *wide_count;
  if (wide > p.wide_limit) {
    copy_async_wait<0>();
    return;
  }

  float acc[MI][NJ][4] = {};
  StageLoop<Tile, decltype(fetch)> loop{
      shared,
      base,
      unsigned((warp_m + (lane & 15)) * 128 + (((lane >> 4) ^ (lane & 7)) << 4)),
      unsigned(Tile::kBOffset + (warp_n + (lane & 7) + (lane >> 4) * 8) * 128 +
               ((((lane >> 3) & 1) ^ (lane & 7)) << 4)),
      warp_m + (lane >> 2),
      warp_n / 32,
      stages,
      fetch};
  copy_async_wait<kStages - 1>();
  __syncthreads();
  sum_runs<Tile>(loop, acc);
  copy_async_wait<0>();

  if (wide != 0) {
    add_wide<MI, NJ>(acc, p, a, b, batch, m0 + warp_m, n0 + warp_n, first_slice, last_slice);
  }
  store_tile<Tile>(acc, reinterpret_cast<float*>(shared), warp_m, warp_n,
                   static_cast<int>(blockIdx.y), batch, m0, p.a.rows, n0, p.b.rows, epilogue);
}

}  // namespace kw
