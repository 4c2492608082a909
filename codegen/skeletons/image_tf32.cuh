// A convolution on one FP16 term per operand (image_convert.cuh): TF32's products, gathered from the
// channels-last image without copying a patch.
//
// k runs over taps, and within a tap over the padded channels, in slabs of 64; both operands and
// the accessors of the wide path have that order. Row m of A is, at tap t, a pixel's channels, or
// zeros where the tap is outside. `Lines`, which the generator writes, splits the pixel's number
// into a part of the row, kept in shared memory, and a part of the tap:
//   ImageRow row(batch, m)    ImageTap tap(batch, tap)    bool inside(row, tap)
//
// Tensor cores truncate while they add, so a sum stays in one for at most 32 of k, and no longer
// than its scale holds: 32 channels of a pixel, or 16, or 8 where pixels have no more. Each such sum
// is scaled and added to FP32 registers by one FFMA. A warp holds the sums of WarpM x WarpN and the B
// fragments of 32 k; 16-row fragments of A pass by.
//
// cp.async pipeline of Stages slabs, one barrier for each. Wide granules are zeros here; when few
// products are wide they are added from the FP32 operands after the loop, above `wide_limit` the
// FFMA kernel that follows takes the whole product.

namespace kw {

struct __align__(16) ImageRow {
  int line, u, v, w;  // u, v, w: positions in the dimensions that have an outside
};
struct ImageTap {
  int line, u, v, w;
  bool inside;
};

struct Tf32Problem {
  ImageTarget image;     // as the convert pass filled them
  WeightTarget weights;  // `k` is taps * chunks * 8
  int rows, taps;
  int batches, weights_batched;  // of the product; 0: the weights are shared by all batches
  unsigned wide_limit;           // when *wide_count is above it, this kernel does nothing
  int slabs_per_part;            // of k, for each blockIdx.y
};

template <int TileM, int TileN, int WarpM, int WarpN, int Stages, int Chunks>
struct Tf32Tile {
  static constexpr int kTileM = TileM, kTileN = TileN, kWarpM = WarpM, kWarpN = WarpN;
  static constexpr int kStages = Stages, kChunks = Chunks;
  static constexpr int kWarpsM = TileM / WarpM, kWarpsN = TileN / WarpN;
  static constexpr int kThreads = 32 * kWarpsM * kWarpsN;
  static constexpr int kRun = Chunks % 4 == 0 ? 32 : Chunks % 2 == 0 ? 16 : 8;  // k in one sum
  static constexpr int kScaleRun = Chunks % 8 == 0 ? 64 : kRun;                 // k per scale of A
  static constexpr int kScales = 64 / kScaleRun;                                // in a slab
  // A stage: A, B, scales of A by run and row, scales of B. Behind the stages: the rows.
  static constexpr int kBOffset = TileM * 128, kScaleOffset = kBOffset + TileN * 128;
  static constexpr int kBScaleOffset = kScaleOffset + TileM * 4 * kScales;
  static constexpr int kStageBytes = kBScaleOffset + (TileN / 32 * 4 + 127) / 128 * 128;
  static constexpr int kSharedBytes = kStageBytes * Stages + TileM * 16;
  static_assert(TileM % WarpM == 0 && TileN % WarpN == 0, "whole warps");
  static_assert(WarpM % 16 == 0 && WarpN % 32 == 0, "whole fragments and whole groups of B");
  static_assert(kThreads % 64 == 0 && TileM % (kThreads / 8) == 0, "whole lines for each thread");
  static_assert(Stages >= 2, "a stage to fill and one to read");
};

// Starts the copies of slab `slab` into the stage at `to`; past the last one, of nothing.
template <class Tile, class Lines>
__device__ __forceinline__ void fetch_slab(const Tf32Problem& p, const Lines& lines, int batch,
                                           const ImageRow* rows, const unsigned char* weights,
                                           const float* weight_scales, int slab, bool wanted,
                                           unsigned to) {
  constexpr int kThreads = Tile::kThreads, kStep = kThreads / 8, kChunks = Tile::kChunks;
  const int tid = static_cast<int>(threadIdx.x);
  const int chunk = slab * 8 + ((tid ^ (tid >> 3)) & 7);
  const int tap = chunk / kChunks, within = chunk % kChunks;
  const ImageTap place = lines.tap(batch, min(tap, p.taps - 1));
  const bool real = wanted && tap < p.taps;
  const bool scales = wanted && chunk * 8 % Tile::kScaleRun == 0;
  const unsigned scales_to =
      to + Tile::kScaleOffset + chunk * 8 % 64 / Tile::kScaleRun * Tile::kTileM * 4;
  const float* scale_from =
      p.image.scales +
      static_cast<long long>(within / kSliceChunks) * p.image.batches * p.image.pixels;
#pragma unroll
  for (int i = 0; i < Tile::kTileM / kStep; ++i) {
    const int at = (tid >> 3) + i * kStep;
    const ImageRow row = rows[at];
    const bool inside = real && lines.inside(row, place);
    const int line = inside ? row.line + place.line : 0;
    copy_async_or_zero(to + tid * 16 + i * kThreads * 16,
                       p.image.terms + (static_cast<long long>(line) * kChunks + within) * 16,
                       wanted, inside ? 16 : 0);
    copy_async_4(scales_to + at * 4, scale_from + line, scales);
  }
  copy_async_chunks<kThreads, Tile::kTileN * 8>(
      to + Tile::kBOffset + tid * 16,
      weights + static_cast<long long>(slab) * p.weights.rows_padded * 128 + tid * 16, wanted);
  copy_async_4(to + Tile::kBScaleOffset + tid * 4,
               weight_scales + slab / 2 * (p.weights.rows_padded / 32) + tid,
               wanted && tid < Tile::kTileN / 32);
  copy_async_commit();
}

// One slab from the stage at `here` (an address) and `scales` (the same stage's scales) to the sums.
template <class Tile, int MI, int NJ>
__device__ __forceinline__ void add_slab(float (&acc)[MI][NJ][4], unsigned a_lane, unsigned b_lane,
                                         const float* a_scales, const float* b_scales) {
  constexpr int kRun = Tile::kRun, kSteps = kRun < 16 ? 1 : kRun / 16;
  constexpr int kParts = kRun < 16 ? 16 / kRun : 1;  // runs in one fragment
#pragma unroll
  for (int first = 0; first < 4; first += kSteps) {
    unsigned b[kSteps][NJ / 2][4];
#pragma unroll
    for (int s = 0; s < kSteps; ++s) {
#pragma unroll
      for (int j = 0; j < NJ / 2; ++j) {
        load_matrices(b[s][j], (b_lane ^ ((first + s) * 32)) + j * 2048);
      }
    }
#pragma unroll
    for (int i = 0; i < MI; ++i) {
      unsigned a[kSteps][4];
#pragma unroll
      for (int s = 0; s < kSteps; ++s) {
        load_matrices(a[s], (a_lane ^ ((first + s) * 32)) + i * 2048);
      }
#pragma unroll
      for (int part = 0; part < kParts; ++part) {
        const int k = first * 16 + part * kRun;
        const float* scales = a_scales + k / Tile::kScaleRun * Tile::kTileM + i * 16;
        const float low = scales[0], high = scales[8];
        float sum[NJ][4];
#pragma unroll
        for (int j = 0; j < NJ; ++j) sum[j][0] = sum[j][1] = sum[j][2] = sum[j][3] = 0.f;
#pragma unroll
        for (int s = 0; s < kSteps; ++s) {
#pragma unroll
          for (int j = 0; j < NJ; ++j) {
            const unsigned(&c)[4] = b[s][j / 2];
            if constexpr (kParts == 1) {
              mma(sum[j], a[s], c[j % 2 * 2], c[j % 2 * 2 + 1], sum[j]);
            } else {
              mma_8(sum[j], a[s][part * 2], a[s][part * 2 + 1], c[j % 2 * 2 + part], sum[j]);
            }
          }
        }
#pragma unroll
        for (int j = 0; j < NJ; ++j) {
          const float of_low = low * b_scales[j / 4], of_high = high * b_scales[j / 4];
          acc[i][j][0] = fmaf(sum[j][0], of_low, acc[i][j][0]);
          acc[i][j][1] = fmaf(sum[j][1], of_low, acc[i][j][1]);
          acc[i][j][2] = fmaf(sum[j][2], of_high, acc[i][j][2]);
          acc[i][j][3] = fmaf(sum[j][3], of_high, acc[i][j][3]);
        }
      }
    }
  }
}

// Adds the products of wide granules in slabs [first, last) to a warp's sums.
template <class Tile, int MI, int NJ, class Lines, class A, class B>
__device__ __forceinline__ void add_wide_granules(float (&acc)[MI][NJ][4], const Tf32Problem& p,
                                                  const Lines& lines, const A& a, int a_batched,
                                                  const B& b, int batch, int m0, int n0, int first,
                                                  int last) {
  constexpr int kGroups = NJ / 4, kRun = Tile::kScaleRun, kChannels = Tile::kChunks * 8;
  const int lane = static_cast<int>(threadIdx.x) & 31;
  const int b_batch = p.weights_batched ? batch : 0, slices = p.weights.slices();
  const int end = min(p.weights.k, last * 64);
  for (int k0 = first * 64; k0 < end; k0 += kRun) {
    const int tap = k0 / kChannels, slice = k0 % kChannels / 128;
    const ImageTap place = lines.tap(batch, tap);
    const float* a_scales =
        p.image.scales + static_cast<long long>(slice) * p.image.batches * p.image.pixels;
    const float* b_scales =
        p.weights.scales +
        (static_cast<long long>(b_batch) * slices + k0 / 128) * (p.weights.rows_padded / 32) +
        n0 / 32;
    const auto wide_row = [&](int m) {
      const ImageRow row = lines.row(batch, min(m, p.rows - 1));
      return lines.inside(row, place) && a_scales[row.line + place.line] == 0.f;
    };
    bool any = lane < kGroups && b_scales[lane] == 0.f;
    for (int r = lane; r < MI * 16; r += 32) any = wide_row(m0 + r) || any;
    if (__ballot_sync(~0u, any) == 0) continue;
    for (int block = 0; block < MI * kGroups; ++block) {
      const int bi = block / kGroups, bg = block % kGroups;
      const int row = m0 + bi * 16 + lane / 4, column = n0 + bg * 32 + (lane & 3) * 2;
      const bool wide_columns = b_scales[bg] == 0.f;
      const bool low = wide_columns || wide_row(row), high = wide_columns || wide_row(row + 8);
      if (__ballot_sync(~0u, low || high) == 0) continue;
      add_block(acc, bi, bg, a, a_batched ? batch : 0, row, p.rows, b, b_batch, column,
                p.weights.rows, k0, min(end, k0 + kRun), low, high);
    }
  }
}

// The sums through shared memory to the epilogue, one value at a time, so that neighbouring lanes
// have neighbouring rows: for an output whose rows are contiguous.
template <class Tile, int MI, int NJ, class Epilogue>
__device__ __forceinline__ void store_by_rows(const float (&acc)[MI][NJ][4], unsigned char* shared,
                                              int warp_m, int warp_n, int batch, int m0, int rows,
                                              int n0, int columns, const Epilogue& epilogue) {
  constexpr int kPitch = Tile::kTileM + 4, kThreads = Tile::kThreads;
  constexpr int kFits = Tile::kStages * Tile::kStageBytes / (kPitch * 4) / 32 * 32;
  constexpr int kColumns = kFits < Tile::kTileN ? kFits : Tile::kTileN;  // at a time
  static_assert(kColumns >= 32, "room for a group of columns");
  float* sums = reinterpret_cast<float*>(shared);
  const int tid = static_cast<int>(threadIdx.x), lane = tid & 31;
#pragma unroll
  for (int first = 0; first < Tile::kTileN; first += kColumns) {
    __syncthreads();
#pragma unroll
    for (int j = 0; j < NJ; ++j) {
      const int column = warp_n + j * 8 + (lane & 3) * 2 - first;
      if (column < 0 || column >= kColumns) continue;
#pragma unroll
      for (int i = 0; i < MI; ++i) {
        float* to = sums + column * kPitch + warp_m + i * 16 + (lane >> 2);
        to[0] = acc[i][j][0], to[kPitch] = acc[i][j][1];
        to[8] = acc[i][j][2], to[kPitch + 8] = acc[i][j][3];
      }
    }
    __syncthreads();
    constexpr int kAtOnce = kThreads < Tile::kTileM ? 1 : kThreads / Tile::kTileM;
    const int last = min(kColumns, columns - n0 - first);
    for (int r = tid % Tile::kTileM; r < Tile::kTileM && m0 + r < rows; r += kThreads) {
#pragma unroll 8
      for (int column = tid / Tile::kTileM; column < last; column += kAtOnce) {
        epilogue.one(batch, m0 + r, n0 + first + column, sums[column * kPitch + r]);
      }
    }
  }
}

// blockIdx.x: tile and batch, batches that share pixels next to each other; blockIdx.y: part of k.
// `a` and `b` are the operands themselves, for what is wide.
template <class Tile, bool ByRows, class Lines, class A, class B, class Epilogue>
__device__ __forceinline__ void tf32_product(const Tf32Problem& p, const Lines& lines, const A& a,
                                             int a_batched, const B& b, const unsigned* wide_count,
                                             const Epilogue& epilogue) {
  constexpr int MI = Tile::kWarpM / 16, NJ = Tile::kWarpN / 8;
  constexpr int kStages = Tile::kStages, kStageBytes = Tile::kStageBytes;
  unsigned char* shared = dynamic_shared();
  ImageRow* rows = reinterpret_cast<ImageRow*>(shared + kStages * kStageBytes);

  const int tid = static_cast<int>(threadIdx.x), lane = tid & 31, warp = tid >> 5;
  const int warp_m = warp % Tile::kWarpsM * Tile::kWarpM,
            warp_n = warp / Tile::kWarpsM * Tile::kWarpN;
  const int n_tiles = (p.weights.rows + Tile::kTileN - 1) / Tile::kTileN;
  const TileIndex tile =
      rasterise(static_cast<int>(blockIdx.x), (p.rows + Tile::kTileM - 1) / Tile::kTileM,
                n_tiles * p.batches);
  const int batch = tile.n / n_tiles, b_batch = p.weights_batched ? batch : 0;
  const int m0 = tile.m * Tile::kTileM, n0 = tile.n % n_tiles * Tile::kTileN;
  const int part = static_cast<int>(blockIdx.y), first = part * p.slabs_per_part;
  const int count = min(p.slabs_per_part, p.weights.slabs - first);

  for (int r = tid; r < Tile::kTileM; r += Tile::kThreads) {
    rows[r] = lines.row(batch, min(m0 + r, p.rows - 1));
  }
  const unsigned char* weights =
      p.weights.terms +
      (static_cast<long long>(b_batch) * p.weights.slabs * p.weights.rows_padded + n0) * 128;
  const float* weight_scales =
      p.weights.scales +
      static_cast<long long>(b_batch) * p.weights.slices() * (p.weights.rows_padded / 32) + n0 / 32;
  const unsigned base = shared_address(shared);
  const auto fetch = [&](int s) {
    fetch_slab<Tile>(p, lines, batch, rows, weights, weight_scales, first + s, s < count,
                     base + s % kStages * kStageBytes);
  };
  const unsigned wide = *wide_count;
  if (wide > p.wide_limit) return;
  __syncthreads();
#pragma unroll
  for (int s = 0; s < kStages - 1; ++s) fetch(s);

  float acc[MI][NJ][4] = {};
  const unsigned a_lane =
      base + (warp_m + (lane & 15)) * 128 + (((lane >> 4) ^ (lane & 7)) << 4);
  const unsigned b_lane = base + Tile::kBOffset + (warp_n + (lane & 7) + (lane >> 4) * 8) * 128 +
                          ((((lane >> 3) & 1) ^ (lane & 7)) << 4);
#pragma unroll 1
  for (int s = 0; s < count; ++s) {
    copy_async_wait<kStages - 2>();
    __syncthreads();
    fetch(s + kStages - 1);
    const int here = s % kStages * kStageBytes;
    const float* a_scales = reinterpret_cast<const float*>(shared + here + Tile::kScaleOffset);
    const float* b_scales = reinterpret_cast<const float*>(shared + here + Tile::kBScaleOffset);
    add_slab<Tile>(acc, a_lane + here, b_lane + here, a_scales + warp_m + (lane >> 2),
                   b_scales + warp_n / 32);
  }
  copy_async_wait<0>();

  if (wide != 0) {
    add_wide_granules<Tile>(acc, p, lines, a, a_batched, b, batch, m0 + warp_m, n0 + warp_n, first,
                            first + count);
  }
  if constexpr (ByRows) {
    store_by_rows<Tile>(acc, shared, warp_m, warp_n, batch, m0, p.rows, n0, p.weights.rows,
                        epilogue);
  } else {
    store_sums(acc, part, batch, m0 + warp_m, p.rows, n0 + warp_n, p.weights.rows, epilogue);
  }
}

}  // namespace kw
