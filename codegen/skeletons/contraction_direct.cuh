// C = A * B with FP32 operands on FP16 tensor cores, as contraction_fp16x3.cuh does it, without a
// split pass: a thread block reads its operands as they are and splits them in its main loop. Each
// operand is read once per tile that needs it and nothing is written but the sums, so this form is
// for products that memory bounds: few rows, few tiles with a long k, a short k.
//
// A *run* is 64 of k: what a sum stays on the tensor cores for, what a stage of the cp.async ring
// holds, and with one row of either operand the granule of a scale (the guard is
// contraction_split.cuh's). Rows come in groups of eight, 2 KiB of FP32 in a stage. One warp splits
// a group: reads it all, finds the scales of its rows, writes their terms where the FP32 was. Both
// layouts are free of bank conflicts.
//
// Between two barriers every warp multiplies run r and splits its share of run r + 1. Of two warps
// on one scheduler one does it in this order and the other in the reverse, so that one's
// conversions hide behind the other's products.
//
// Products of wide granules are added in FP32 from the operands as soon as their run is summed,
// and counted. Past `wide_limit` every thread block gives up, and the FFMA kernel that follows
// computes the whole product: the count only grows, so whether it passes the limit does not depend
// on who ran when.

namespace kw {

constexpr int kRun = 64;
constexpr int kGroupBytes = 8 * kRun * 4;

template <int TileM, int TileN, int WarpM, int WarpN, int Stages>
struct DirectTile {
  static constexpr int kTileM = TileM, kTileN = TileN, kWarpM = WarpM, kWarpN = WarpN;
  static constexpr int kStages = Stages;
  static constexpr int kWarpsM = TileM / WarpM, kWarpsN = TileN / WarpN;
  static constexpr int kWarps = kWarpsM * kWarpsN, kThreads = 32 * kWarps;
  // The stages (A, then B), their scales, a word per stage (whether it has wide granules), two that
  // say to give up after even and odd runs, one that says not to begin.
  static constexpr int kBOffset = TileM * kRun * 4, kStageBytes = (TileM + TileN) * kRun * 4;
  static constexpr int kScaleOffset = kStageBytes * Stages;
  static constexpr int kWordOffset = kScaleOffset + (TileM + TileN) * 4 * Stages;
  static constexpr int kSharedBytes = kWordOffset + (Stages + 3) * 4;
  static_assert(TileM % WarpM == 0 && TileN % WarpN == 0, "whole warps");
  static_assert(WarpM % 16 == 0 && WarpN % 16 == 0, "whole fragments");
  static_assert(Stages >= 3, "one is multiplied, one split, the others on their way");
};

struct DirectProblem {
  int m, n, k;
  int a_batched, b_batched;  // 0: the operand is shared by all batches
  int runs_per_part;         // of k, for each blockIdx.y
  unsigned wide_limit;       // above it the whole product is left to the wide kernel
  unsigned* wide_count;      // 16 x 32 x 64 products added in FP32
};

// Where the FP32 of (row, k) of a tile's operand lies in its part of a stage. Chunks of 16 bytes
// are displaced so that neither the copies nor split_group meet bank conflicts.
template <bool RunsAlongK>
__device__ __forceinline__ int raw_offset(int row, int k) {
  const int group = row >> 3;
  if (RunsAlongK) {  // as the terms: [slab of 32 k][row][32 k]
    const int chunk = ((k >> 2) & 7) ^ ((row & 3) << 1 | ((row >> 2) & 1));
    return group * kGroupBytes + (k >> 5) * 1024 + (row & 7) * 128 + chunk * 16 + (k & 3) * 4;
  }
  const int chunk = (k << 1 | ((row >> 2) & 1)) ^ (((k >> 3) ^ group) & 3) << 1;  // [k][row]
  return group * kGroupBytes + chunk * 16 + (row & 3) * 4;
}

// Copies of one thread, `Step` rows (of an operand along k) or `Step` k apart: `offset` is that of
// the first one. The first one's row (k) is below Step, a power of two, so that an offset is the
// first one with bits flipped and a constant added.
template <int Step, int Count, int Index = 0, class Operand>
__device__ __forceinline__ void fetch_spaced(const Operand& operand, unsigned to, int offset,
                                             const float* from) {
  if constexpr (Index < Count) {
    constexpr bool kAlongK = Operand::kRunsAlongK;
    constexpr int kApart = Index * Step;
    constexpr int kFlip = kAlongK ? ((kApart & 3) << 1 | ((kApart >> 2) & 1)) * 16
                                  : (kApart * 32) ^ ((kApart >> 3) & 3) << 5;
    constexpr int kAdd = kAlongK ? (kApart >> 3) * kGroupBytes + (kApart & 7) * 128 : 0;
    const float* at = from + kApart * (kAlongK ? operand.row_stride : operand.k_stride);
    if constexpr (Operand::kQuads) {
      copy_async_16_or_zero<kAdd>(to + (offset ^ kFlip), at, true);
    } else {
      copy_async_4_or_zero<kAdd>(to + (offset ^ kFlip), at, true);
    }
    fetch_spaced<Step, Count, Index + 1>(operand, to, offset, from);
  }
}

// Starts copying `Rows` rows x 64 k of an operand to a stage; zeros outside the operand.
template <int Rows, int Threads, class Operand>
__device__ __forceinline__ void fetch_run(const Operand& operand, unsigned char* to, int batch,
                                          int row0, int k0, int rows, int k_end) {
  constexpr int kWidth = Operand::kQuads ? 4 : 1;
  constexpr int kLine = (Operand::kRunsAlongK ? kRun : Rows) / kWidth;
  constexpr int kPieces = Rows * kRun / kWidth;
  if constexpr (Operand::kInMemory && kPieces % Threads == 0 && Threads % kLine == 0) {
    if (row0 + Rows <= rows && k0 + kRun <= k_end) {
      const int along = static_cast<int>(threadIdx.x) % kLine * kWidth,
                across = static_cast<int>(threadIdx.x) / kLine;
      const int row = Operand::kRunsAlongK ? across : along;
      const int k = Operand::kRunsAlongK ? along : across;
      fetch_spaced<Threads / kLine, kPieces / Threads>(operand, shared_address(to),
                                                       raw_offset<Operand::kRunsAlongK>(row, k),
                                                       operand.address(batch, row0 + row, k0 + k));
      return;
    }
  }
  // Addresses of more copies at once would not fit beside the sums.
#pragma unroll 4
  for (int first = 0; first < kPieces; first += Threads) {
    const int piece = first + static_cast<int>(threadIdx.x);
    if (kPieces % Threads != 0 && piece >= kPieces) break;
    const int along = piece % kLine * kWidth, across = piece / kLine;
    const int row = Operand::kRunsAlongK ? across : along;
    const int k = Operand::kRunsAlongK ? along : across;
    const bool inside = row0 + row < rows && k0 + k < k_end;
    unsigned char* at = to + raw_offset<Operand::kRunsAlongK>(row, k);
    if constexpr (!Operand::kInMemory) {
      *reinterpret_cast<float*>(at) = inside ? operand.at(batch, row0 + row, k0 + k) : 0.f;
    } else if constexpr (Operand::kQuads) {
      copy_async_16_or_zero(shared_address(at), operand.quad(batch, row0 + row, k0 + k), inside);
    } else {
      copy_async_4_or_zero(shared_address(at), operand.address(batch, row0 + row, k0 + k), inside);
    }
  }
}

// FP32 -> terms, in place, of `Groups` groups, `Step` apart, by one warp: four lanes per row, each
// with eight k of both slabs. Leaves the rows' scales; returns whether some row is wide.
template <bool RunsAlongK, int Groups, int Step>
__device__ __forceinline__ bool split_groups(unsigned char* operand, int first, float* scales) {
  const int lane = static_cast<int>(threadIdx.x) & 31;
  const int quarter = lane & 3, row = (lane & 4) | lane >> 3;
  float v[Groups][16];
#pragma unroll
  for (int g = 0; g < Groups; ++g) {
    const int at = (first + g * Step) * 8 + row;
    if constexpr (RunsAlongK) {
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        const float4 x = *reinterpret_cast<const float4*>(
            operand + raw_offset<true>(at, c / 2 * 32 + quarter * 8 + c % 2 * 4));
        v[g][c * 4] = x.x, v[g][c * 4 + 1] = x.y, v[g][c * 4 + 2] = x.z, v[g][c * 4 + 3] = x.w;
      }
    } else {
#pragma unroll
      for (int j = 0; j < 16; ++j) {
        v[g][j] = *reinterpret_cast<const float*>(
            operand + raw_offset<false>(at, j / 8 * 32 + quarter * 8 + j % 8));
      }
    }
  }
  // A NaN is no magnitude: it passes through the terms to all sums that it belongs to.
  float large[Groups];
  unsigned small[Groups];  // twice the bits, without the sign, less 1: zero is the largest
#pragma unroll
  for (int g = 0; g < Groups; ++g) {
    large[g] = 0.f, small[g] = ~0u;
#pragma unroll
    for (int j = 0; j < 16; ++j) {
      const unsigned bits = __float_as_uint(v[g][j]);
      large[g] = fmaxf(large[g], fabsf(v[g][j]));
      small[g] = min(small[g], bits + bits - 1u);
    }
  }
#pragma unroll
  for (int step = 1; step <= 2; step *= 2) {
#pragma unroll
    for (int g = 0; g < Groups; ++g) {
      large[g] = fmaxf(large[g], __shfl_xor_sync(~0u, large[g], step));
      small[g] = min(small[g], __shfl_xor_sync(~0u, small[g], step));
    }
  }
  SplitScale scale[Groups];
  bool wide = false;
#pragma unroll
  for (int g = 0; g < Groups; ++g) {
    Magnitudes magnitudes;
    magnitudes.take(__float_as_uint(large[g]), ((small[g] + 1u) >> 1) - 1u);
    scale[g] = split_scale(magnitudes);
    wide |= scale[g].down == 0.f;
    if (quarter == 0) scales[(first + g * Step) * 8 + row] = scale[g].down;
  }
  wide = __ballot_sync(~0u, wide) != 0;  // also: all groups are in registers
  if (wide) {
    keep_branch();
#pragma unroll
    for (int g = 0; g < Groups; ++g) {
#pragma unroll
      for (int j = 0; j < 16; ++j) v[g][j] = scale[g].down == 0.f ? 0.f : v[g][j];
    }
  }
  __syncwarp();
#pragma unroll
  for (int g = 0; g < Groups; ++g) {
    unsigned char* line = operand + (first + g * Step) * kGroupBytes + row * 128;
#pragma unroll
    for (int slab = 0; slab < 2; ++slab) {
      const float* x = v[g] + slab * 8;
      uint4 h, l;
      split_pair(x[0], x[1], scale[g].up, h.x, l.x);
      split_pair(x[2], x[3], scale[g].up, h.y, l.y);
      split_pair(x[4], x[5], scale[g].up, h.z, l.z);
      split_pair(x[6], x[7], scale[g].up, h.w, l.w);
      const int chunk = quarter ^ row;
      *reinterpret_cast<uint4*>(line + slab * 1024 + chunk * 16) = h;
      *reinterpret_cast<uint4*>(line + slab * 1024 + (chunk ^ 4) * 16) = l;
    }
  }
  return wide;
}

// One warp's share of `Groups` groups, two at a time where it has as many.
template <bool RunsAlongK, int Groups, int Warps>
__device__ __forceinline__ bool split_share(unsigned char* operand, int warp, float* scales) {
  constexpr int kAtOnce = Groups % (2 * Warps) == 0 ? 2 : 1;
  bool wide = false;
#pragma unroll
  for (int g = 0; g < Groups; g += kAtOnce * Warps) {
    if (Groups % Warps != 0 && g + warp >= Groups) break;
    wide |= split_groups<RunsAlongK, kAtOnce, Warps>(operand, g + warp, scales);
  }
  return wide;
}

// A warp's sums of one run, scaled, into `acc`. a_lane, b_lane: this lane's fragment rows in the
// stage; ^32 is the next 16 of k, ^64 the low terms. a_scales, b_scales: of the lane's first row
// and first column.
template <int MI, int NJ>
__device__ __forceinline__ void multiply_run(float (&acc)[MI][NJ][4], unsigned a_lane,
                                             unsigned b_lane, const float* a_scales,
                                             const float* b_scales) {
  constexpr int kSteps = kRun / 16;
  float high[MI][NJ][4], low[MI][NJ][4];
  unsigned ah[2][4], al[2][4], bh[NJ / 2][4], bl[NJ / 2][4];
  const auto load_a = [&](int into, int step, int i) {
    const unsigned at = a_lane ^ (step % 2 * 32);
    const int offset = step / 2 * 1024 + i * 2 * kGroupBytes;
    load_matrices(ah[into], at + offset);
    load_matrices(al[into], (at ^ 64) + offset);
  };
  const auto load_b = [&](unsigned(&b)[4], int step, int j, int is_low) {
    load_matrices(b,
                  (b_lane ^ (step % 2 * 32 + is_low * 64)) + step / 2 * 1024 + j * 2 * kGroupBytes);
  };
#pragma unroll
  for (int j = 0; j < NJ / 2; ++j) load_b(bl[j], 0, j, 1), load_b(bh[j], 0, j, 0);
  load_a(0, 0, 0);
#pragma unroll
  for (int i = 0; i < MI; ++i) {
#pragma unroll
    for (int j = 0; j < NJ; ++j) {
#pragma unroll
      for (int q = 0; q < 4; ++q) high[i][j][q] = low[i][j][q] = 0.f;
    }
  }
#pragma unroll
  for (int step = 0; step < kSteps; ++step) {
#pragma unroll
    for (int i = 0; i < MI; ++i) {
      const int now = (step * MI + i) & 1, then = now ^ 1;
      const bool last_i = i == MI - 1, last_step = step == kSteps - 1;
      if (!last_i) load_a(then, step, i + 1);
      if (last_i && !last_step) load_a(then, step + 1, 0);
#pragma unroll
      for (int j = 0; j < NJ; ++j) {
        unsigned(&b)[4] = bl[j / 2];
        mma(low[i][j], ah[now], b[j % 2 * 2], b[j % 2 * 2 + 1], low[i][j]);
        if (last_i && !last_step && j % 2 == 1) load_b(b, step + 1, j / 2, 1);
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
        if (last_i && !last_step && j % 2 == 1) load_b(b, step + 1, j / 2, 0);
      }
      if (last_step) {
        const float a[2] = {a_scales[i * 16], a_scales[i * 16 + 8]};
#pragma unroll
        for (int j = 0; j < NJ; ++j) {
          const float2 b = *reinterpret_cast<const float2*>(b_scales + j * 8);
#pragma unroll
          for (int q = 0; q < 4; ++q) {
            const float sum = fmaf(low[i][j][q], kLowScale, high[i][j][q]) * a[q / 2];
            acc[i][j][q] = fmaf(sum, q % 2 == 0 ? b.x : b.y, acc[i][j][q]);
          }
        }
      }
    }
  }
}

// Adds to a warp's sums, in FP32 from the operands, the products of k in [k0, k1) whose row or
// column has scale 0. Blocks of 16 rows and up to 32 columns; returns how many it took.
template <int MI, int NJ, class A, class B>
__device__ __forceinline__ unsigned add_wide_run(float (&acc)[MI][NJ][4], const DirectProblem& p,
                                                 const A& a, int a_batch, int row0, const B& b,
                                                 int b_batch, int column0, int k0, int k1,
                                                 const float* a_scales, const float* b_scales) {
  constexpr int G = NJ < 4 ? NJ : 4;
  unsigned blocks = 0;
#pragma unroll 1
  for (int block = 0; block < MI * (NJ / G); ++block) {
    const int bi = block / (NJ / G), bg = block % (NJ / G);
    const int row = row0 + bi * 16, column = column0 + bg * G * 8;
    unsigned rows = 0, columns = 0;  // wide ones: bit 0 for `row`, bit 1 for row + 8; columns
    if (a_scales[bi * 16] == 0.f) rows |= 1u;
    if (a_scales[bi * 16 + 8] == 0.f) rows |= 2u;
#pragma unroll
    for (int c = 0; c < 2 * G; ++c) {
      if (b_scales[bg * G * 8 + c / 2 * 8 + c % 2] == 0.f) columns |= 1u << c;
    }
    if (__ballot_sync(~0u, (rows | columns) != 0) == 0) continue;
    ++blocks;
    float sum[G][4] = {};
#pragma unroll 1
    for (int k = k0; k < k1; ++k) {
      const float x = row < p.m ? a.at(a_batch, row, k) : 0.f;
      const float y = row + 8 < p.m ? a.at(a_batch, row + 8, k) : 0.f;
#pragma unroll
      for (int j = 0; j < G; ++j) {
        const int c = column + j * 8;
        const float u = c < p.n ? b.at(b_batch, c, k) : 0.f;
        const float v = c + 1 < p.n ? b.at(b_batch, c + 1, k) : 0.f;
        sum[j][0] = fmaf(x, u, sum[j][0]);
        sum[j][1] = fmaf(x, v, sum[j][1]);
        sum[j][2] = fmaf(y, u, sum[j][2]);
        sum[j][3] = fmaf(y, v, sum[j][3]);
      }
    }
    // Registers cannot be indexed: the block's accumulators are found by comparison.
#pragma unroll
    for (int i = 0; i < MI; ++i) {
#pragma unroll
      for (int j = 0; j < NJ; ++j) {
        if (i != bi || j / G != bg) continue;
#pragma unroll
        for (int q = 0; q < 4; ++q) {
          const bool wide = (rows >> (q / 2) & 1u) | (columns >> (j % G * 2 + q % 2) & 1u);
          if (wide) acc[i][j][q] += sum[j % G][q];
        }
      }
    }
  }
  return blocks;
}

// blockIdx.x: tile; blockIdx.y: part of k; blockIdx.z: batch. The epilogue is fp16x3_product's.
template <class Tile, class A, class B, class Epilogue>
__device__ __forceinline__ void direct_product(const DirectProblem& p, const A& a, const B& b,
                                               const Epilogue& epilogue) {
  constexpr int MI = Tile::kWarpM / 16, NJ = Tile::kWarpN / 8, kStages = Tile::kStages;
  constexpr int kGroupsOfA = Tile::kTileM / 8, kGroupsOfB = Tile::kTileN / 8;
  unsigned char* shared = dynamic_shared();
  float* all_scales = reinterpret_cast<float*>(shared + Tile::kScaleOffset);
  unsigned* stage_is_wide = reinterpret_cast<unsigned*>(shared + Tile::kWordOffset);
  unsigned* give_up = stage_is_wide + kStages;
  unsigned* skip = give_up + 2;

  const int tid = static_cast<int>(threadIdx.x), lane = tid & 31, warp = tid >> 5;
  const int warp_m = warp % Tile::kWarpsM * Tile::kWarpM,
            warp_n = warp / Tile::kWarpsM * Tile::kWarpN;
  const int batch = static_cast<int>(blockIdx.z), part = static_cast<int>(blockIdx.y);
  const int a_batch = p.a_batched ? batch : 0, b_batch = p.b_batched ? batch : 0;
  const TileIndex tile =
      rasterise(static_cast<int>(blockIdx.x), (p.m + Tile::kTileM - 1) / Tile::kTileM,
                (p.n + Tile::kTileN - 1) / Tile::kTileN);
  const int m0 = tile.m * Tile::kTileM, n0 = tile.n * Tile::kTileN;
  const int k_begin = part * p.runs_per_part * kRun;
  const int runs = min(p.runs_per_part, (p.k - k_begin + kRun - 1) / kRun);

  const auto fetch = [&](int run, int slot) {
    if (run < runs) {
      unsigned char* stage = shared + slot * Tile::kStageBytes;
      const int k0 = k_begin + run * kRun;
      fetch_run<Tile::kTileM, Tile::kThreads>(a, stage, a_batch, m0, k0, p.m, p.k);
      fetch_run<Tile::kTileN, Tile::kThreads>(b, stage + Tile::kBOffset, b_batch, n0, k0, p.n, p.k);
    }
    copy_async_commit();
  };
  const auto split = [&](int slot) {
    unsigned char* stage = shared + slot * Tile::kStageBytes;
    float* scales = all_scales + slot * (Tile::kTileM + Tile::kTileN);
    bool wide = split_share<A::kRunsAlongK, kGroupsOfA, Tile::kWarps>(stage, warp, scales);
    wide |= split_share<B::kRunsAlongK, kGroupsOfB, Tile::kWarps>(stage + Tile::kBOffset, warp,
                                                                  scales + Tile::kTileM);
    if (wide && lane == 0) atomicOr(stage_is_wide + slot, 1u);
  };

#pragma unroll
  for (int s = 0; s < kStages; ++s) fetch(s, s);
  if (tid < kStages + 2) stage_is_wide[tid] = 0;
  if (tid == 0) *skip = atomicAdd(p.wide_count, 0u) > p.wide_limit;
  copy_async_wait<kStages - 1>();
  __syncthreads();
  if (*skip) {
    copy_async_wait<0>();
    return;
  }
  split(0);
  copy_async_wait<kStages - 2>();
  __syncthreads();

  float acc[MI][NJ][4] = {};
  // Rows of a fragment lie in two groups: of A, lanes 0 to 15 have a row each and 16 to 31 the next
  // eight of k; of B, every eight lanes have the rows of one group, bit 3 is the next eight of k.
  const unsigned base = shared_address(shared);
  const unsigned a_lane = base + (warp_m / 8 + ((lane >> 3) & 1)) * kGroupBytes + (lane & 7) * 128 +
                          (((lane >> 4) ^ (lane & 7)) << 4);
  const unsigned b_lane = base + Tile::kBOffset + (warp_n / 8 + (lane >> 4)) * kGroupBytes +
                          (lane & 7) * 128 + ((((lane >> 3) & 1) ^ (lane & 7)) << 4);
  const bool splits_first = (warp & 4) != 0;
  bool gives_up = false;
  int slot = 0;
#pragma unroll 1
  for (int run = 0; run < runs; ++run) {
    const int next = slot + 1 == kStages ? 0 : slot + 1;
#pragma unroll 1
    for (int half = 0; half < 2; ++half) {
      if ((half != 0) == splits_first) {
        const float* scales = all_scales + slot * (Tile::kTileM + Tile::kTileN);
        const float* a_scales = scales + warp_m + (lane >> 2);
        const float* b_scales = scales + Tile::kTileM + warp_n + (lane & 3) * 2;
        multiply_run(acc, a_lane + slot * Tile::kStageBytes, b_lane + slot * Tile::kStageBytes,
                     a_scales, b_scales);
        if (stage_is_wide[slot] != 0) {
          const int k0 = k_begin + run * kRun;
          const unsigned blocks = add_wide_run(acc, p, a, a_batch, m0 + warp_m + (lane >> 2), b,
                                               b_batch, n0 + warp_n + (lane & 3) * 2, k0,
                                               min(p.k, k0 + kRun), a_scales, b_scales);
          if (lane == 0 && blocks != 0 && atomicAdd(p.wide_count, blocks) + blocks > p.wide_limit) {
            atomicOr(give_up + (run & 1), 1u);
          }
        }
      } else if (run + 1 < runs) {
        split(next);
      }
    }
    copy_async_wait<kStages - 3>();
    __syncthreads();
    if (tid == 0) stage_is_wide[slot] = 0;
    gives_up = give_up[run & 1] != 0;
    if (gives_up) break;
    fetch(run + kStages, slot);
    slot = next;
  }
  copy_async_wait<0>();
  if (gives_up) return;
  store_tile<Tile>(acc, reinterpret_cast<float*>(shared), warp_m, warp_n, part, batch, m0, p.m, n0,
                   p.n, epilogue);
}

}  // namespace kw
