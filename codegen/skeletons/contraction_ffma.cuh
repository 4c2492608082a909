// C = A * B in FP32 on the plain pipes: any extents, any accessor. 256 threads hold TileM x TileN
// in registers; slices of 16 k pass through two shared-memory buffers, the next one in flight in
// registers. With Promote > 0 the running sum is added to a second set of registers every so many
// k, so that rounding errors grow with K / Promote instead of K; the sum over k of one element then
// has two levels, and a third when k is divided among blockIdx.y.
//
// Also the wide path of FP16x3: with a gate, the kernel returns at once unless more blocks were
// flagged than fp16x3_product takes.

namespace kw {

struct FfmaProblem {
  int m, n, k;
  int k_per_split;                    // multiple of 16, for each blockIdx.y
  const unsigned* __restrict__ gate;  // null: always run
  unsigned gate_limit;                // run when *gate > gate_limit
};

template <int TileM, int TileN, int Promote>
struct FfmaTile {
  static constexpr int kTileM = TileM, kTileN = TileN, kPromote = Promote;
  static constexpr int kTileK = 16, kThreads = 256;
  static constexpr int kThreadM = TileM / 16, kThreadN = TileN / 16;
  static_assert(kThreadM % 4 == 0 && kThreadN % 4 == 0, "whole float4 fragments");
  static_assert(Promote % kTileK == 0, "promotion at slice edges");
};

// A slice of 16 k of one operand: global memory -> registers -> shared[k][row].
template <int Rows, class Operand>
struct FfmaLoader {
  static constexpr int kQuads = Rows * 16 / 4 / 256;
  static constexpr int kPitch = Rows + 4;
  float4 v[kQuads];

  __device__ __forceinline__ static void place(int quad, int& row, int& k) {
    if (Operand::kRunsAlongK) {
      row = quad / 4, k = quad % 4 * 4;
    } else {
      row = quad % (Rows / 4) * 4, k = quad / (Rows / 4);
    }
  }
  __device__ __forceinline__ void load(const Operand& operand, int batch, int row0, int k0,
                                       int rows, int k_end) {
#pragma unroll
    for (int q = 0; q < kQuads; ++q) {
      int row, k;
      place(q * 256 + static_cast<int>(threadIdx.x), row, k);
      v[q] = load_quad<false>(operand, batch, row0 + row, k0 + k, rows, k_end);
    }
  }
  __device__ __forceinline__ void store(float (*shared)[kPitch]) const {
#pragma unroll
    for (int q = 0; q < kQuads; ++q) {
      int row, k;
      place(q * 256 + static_cast<int>(threadIdx.x), row, k);
      if (Operand::kRunsAlongK) {
        shared[k][row] = v[q].x, shared[k + 1][row] = v[q].y;
        shared[k + 2][row] = v[q].z, shared[k + 3][row] = v[q].w;
      } else {
        *reinterpret_cast<float4*>(&shared[k][row]) = v[q];
      }
    }
  }
};

// Tile number `index`; blockIdx.y: part of k; blockIdx.z: batch.
template <class Tile, class A, class B, class Epilogue>
__device__ __forceinline__ void ffma_tile(const FfmaProblem& p, const A& a, const B& b,
                                          int a_batched, int b_batched, const Epilogue& epilogue,
                                          int index) {
  constexpr int TM = Tile::kThreadM, TN = Tile::kThreadN, kTileK = Tile::kTileK;
  using LoadA = FfmaLoader<Tile::kTileM, A>;
  using LoadB = FfmaLoader<Tile::kTileN, B>;
  __shared__ __align__(16) float a_shared[2][kTileK][LoadA::kPitch];
  __shared__ __align__(16) float b_shared[2][kTileK][LoadB::kPitch];

  const int tx = static_cast<int>(threadIdx.x) & 15, ty = static_cast<int>(threadIdx.x) >> 4;
  const int m_tiles = (p.m + Tile::kTileM - 1) / Tile::kTileM;
  const int n_tiles = (p.n + Tile::kTileN - 1) / Tile::kTileN;
  const TileIndex tile = rasterise(index, m_tiles, n_tiles);
  const int m0 = tile.m * Tile::kTileM, n0 = tile.n * Tile::kTileN;
  const int batch = static_cast<int>(blockIdx.z), part = static_cast<int>(blockIdx.y);
  const int a_batch = a_batched ? batch : 0, b_batch = b_batched ? batch : 0;
  const int k_begin = part * p.k_per_split, k_end = min(p.k, k_begin + p.k_per_split);

  float acc[TM][TN] = {}, total[Tile::kPromote ? TM : 1][Tile::kPromote ? TN : 1] = {};
  LoadA load_a;
  LoadB load_b;
  load_a.load(a, a_batch, m0, k_begin, p.m, k_end);
  load_b.load(b, b_batch, n0, k_begin, p.n, k_end);
  load_a.store(a_shared[0]);
  load_b.store(b_shared[0]);
  __syncthreads();
  int buffer = 0;
  for (int k0 = k_begin; k0 < k_end; k0 += kTileK) {
    const bool more = k0 + kTileK < k_end;
    if (more) {
      load_a.load(a, a_batch, m0, k0 + kTileK, p.m, k_end);
      load_b.load(b, b_batch, n0, k0 + kTileK, p.n, k_end);
    }
#pragma unroll
    for (int k = 0; k < kTileK; ++k) {
      float x[TM], y[TN];
#pragma unroll
      for (int i = 0; i < TM; i += 4) {
        *reinterpret_cast<float4*>(&x[i]) =
            *reinterpret_cast<const float4*>(&a_shared[buffer][k][i * 16 + ty * 4]);
      }
#pragma unroll
      for (int j = 0; j < TN; j += 4) {
        *reinterpret_cast<float4*>(&y[j]) =
            *reinterpret_cast<const float4*>(&b_shared[buffer][k][j * 16 + tx * 4]);
      }
#pragma unroll
      for (int i = 0; i < TM; ++i) {
#pragma unroll
        for (int j = 0; j < TN; ++j) acc[i][j] = fmaf(x[i], y[j], acc[i][j]);
      }
    }
    if constexpr (Tile::kPromote > 0) {
      if ((k0 + kTileK - k_begin) % Tile::kPromote == 0) {
#pragma unroll
        for (int i = 0; i < TM; ++i) {
#pragma unroll
          for (int j = 0; j < TN; ++j) total[i][j] += acc[i][j], acc[i][j] = 0.f;
        }
      }
    }
    if (more) {
      load_a.store(a_shared[buffer ^ 1]);
      load_b.store(b_shared[buffer ^ 1]);
    }
    __syncthreads();
    buffer ^= 1;
  }
#pragma unroll
  for (int i = 0; i < TM; ++i) {
    const int row = m0 + i / 4 * 64 + ty * 4 + i % 4;
    if (row >= p.m) continue;
#pragma unroll
    for (int j = 0; j < TN; j += 2) {
      const int column = n0 + j / 4 * 64 + tx * 4 + j % 4;
      float low = acc[i][j], high = acc[i][j + 1];
      if constexpr (Tile::kPromote > 0) low += total[i][j], high += total[i][j + 1];
      epilogue(part, batch, row, column, p.n, low, high);
    }
  }
}

// blockIdx.x: tile.
template <class Tile, class A, class B, class Epilogue>
__device__ __forceinline__ void ffma_product(const FfmaProblem& p, const A& a, const B& b,
                                             int a_batched, int b_batched,
                                             const Epilogue& epilogue) {
  if (p.gate != nullptr && *p.gate <= p.gate_limit) return;
  ffma_tile<Tile>(p, a, b, a_batched, b_batched, epilogue, static_cast<int>(blockIdx.x));
}

// The same by few thread blocks, tile after tile: a launch that mostly finds its gate closed.
template <class Tile, class A, class B, class Epilogue>
__device__ __forceinline__ void ffma_product_in_turn(const FfmaProblem& p, const A& a, const B& b,
                                                     int a_batched, int b_batched,
                                                     const Epilogue& epilogue, int tiles,
                                                     int blocks) {
  if (p.gate != nullptr && *p.gate <= p.gate_limit) return;
#pragma unroll 1
  for (int index = static_cast<int>(blockIdx.x); index < tiles; index += blocks) {
    ffma_tile<Tile>(p, a, b, a_batched, b_batched, epilogue, index);
  }
}

}  // namespace kw
