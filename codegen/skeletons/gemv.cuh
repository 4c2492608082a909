// y = W x for a wide W and up to eight vectors x: read W once, at the speed of memory.
//
// gemv_along_k: W's k is contiguous. A thread block takes `Rows` rows and one part of k; every
// thread has Rows x Unroll 16-byte loads in flight, and shares the vectors' loads among the rows.
// gemv_along_rows: W's rows are contiguous (y = x^T B). A thread holds four neighbouring rows and
// walks k.
// Each part of k leaves one partial sum per output; gemv_finish adds the parts in a fixed order and
// applies the epilogue, so results do not depend on scheduling.

namespace kw {

constexpr int kGemvThreads = 256;

struct GemvProblem {
  int rows, k, k_per_part;       // k_per_part: multiple of 1024 (along k) or 8 (along rows)
  float* __restrict__ partials;  // [part][vector][row]
};

__device__ __forceinline__ float dot4(const float4& a, const float4& b, float sum) {
  return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, sum))));
}

template <int Rows, int Vectors, int Unroll, class W, class X>
__device__ __forceinline__ void gemv_along_k(const GemvProblem& p, const W& w, const X& x) {
  __shared__ float sums[kGemvThreads / 32][Rows * Vectors];
  const int tid = static_cast<int>(threadIdx.x), lane = tid & 31, warp = tid >> 5;
  const int row0 = static_cast<int>(blockIdx.x) * Rows, part = static_cast<int>(blockIdx.y);
  const int k_begin = part * p.k_per_part, k_end = min(p.k, k_begin + p.k_per_part);

  float acc[Rows][Vectors] = {};
#pragma unroll 1
  for (int k0 = k_begin + tid * 4; k0 < k_end; k0 += kGemvThreads * 4 * Unroll) {
    float4 a[Unroll][Rows];
#pragma unroll
    for (int u = 0; u < Unroll; ++u) {
#pragma unroll
      for (int r = 0; r < Rows; ++r) {
        a[u][r] = load_quad<true>(w, 0, row0 + r, k0 + u * kGemvThreads * 4, p.rows, k_end);
      }
    }
#pragma unroll
    for (int u = 0; u < Unroll; ++u) {
#pragma unroll
      for (int v = 0; v < Vectors; ++v) {
        const float4 b = load_quad<false>(x, 0, v, k0 + u * kGemvThreads * 4, Vectors, k_end);
#pragma unroll
        for (int r = 0; r < Rows; ++r) acc[r][v] = dot4(a[u][r], b, acc[r][v]);
      }
    }
  }
#pragma unroll
  for (int r = 0; r < Rows; ++r) {
#pragma unroll
    for (int v = 0; v < Vectors; ++v) {
      float sum = acc[r][v];
#pragma unroll
      for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(~0u, sum, step);
      if (lane == 0) sums[warp][r * Vectors + v] = sum;
    }
  }
  __syncthreads();
  if (tid < Rows * Vectors) {
    float sum = 0.f;
#pragma unroll
    for (int i = 0; i < kGemvThreads / 32; ++i) sum += sums[i][tid];
    const int row = row0 + tid / Vectors, vector = tid % Vectors;
    if (row < p.rows) {
      p.partials[(static_cast<long long>(part) * Vectors + vector) * p.rows + row] = sum;
    }
  }
}

template <int Vectors, int Unroll, class W, class X>
__device__ __forceinline__ void gemv_along_rows(const GemvProblem& p, const W& w, const X& x) {
  // 32 lanes cover 128 rows; the eight warps take every eighth group of `Unroll` k.
  __shared__ float sums[kGemvThreads / 32][Vectors][128];
  const int tid = static_cast<int>(threadIdx.x), lane = tid & 31, warp = tid >> 5;
  const int row0 = static_cast<int>(blockIdx.x) * 128, part = static_cast<int>(blockIdx.y);
  const int row = row0 + lane * 4;
  const int k_begin = part * p.k_per_part, k_end = min(p.k, k_begin + p.k_per_part);

  float acc[Vectors][4] = {};
#pragma unroll 1
  for (int k0 = k_begin + warp * Unroll; k0 < k_end; k0 += Unroll * (kGemvThreads / 32)) {
    float4 a[Unroll];
#pragma unroll
    for (int u = 0; u < Unroll; ++u) a[u] = load_quad<true>(w, 0, row, k0 + u, p.rows, k_end);
#pragma unroll
    for (int u = 0; u < Unroll; ++u) {
#pragma unroll
      for (int v = 0; v < Vectors; ++v) {
        const float b = k0 + u < k_end ? x.at(0, v, k0 + u) : 0.f;
        acc[v][0] = fmaf(a[u].x, b, acc[v][0]);
        acc[v][1] = fmaf(a[u].y, b, acc[v][1]);
        acc[v][2] = fmaf(a[u].z, b, acc[v][2]);
        acc[v][3] = fmaf(a[u].w, b, acc[v][3]);
      }
    }
  }
#pragma unroll
  for (int v = 0; v < Vectors; ++v) {
    *reinterpret_cast<float4*>(&sums[warp][v][lane * 4]) =
        make_float4(acc[v][0], acc[v][1], acc[v][2], acc[v][3]);
  }
  __syncthreads();
  for (int i = tid; i < Vectors * 128; i += kGemvThreads) {
    const int vector = i / 128, r = i % 128;
    float sum = 0.f;
#pragma unroll
    for (int s = 0; s < kGemvThreads / 32; ++s) sum += sums[s][vector][r];
    if (row0 + r < p.rows) {
      p.partials[(static_cast<long long>(part) * Vectors + vector) * p.rows + row0 + r] = sum;
    }
  }
}

// One thread per output. The epilogue gets (vector, row, value).
template <int Vectors, class Epilogue>
__device__ __forceinline__ void gemv_finish(const GemvProblem& p, int parts,
                                            const Epilogue& epilogue) {
  const int i = static_cast<int>(blockIdx.x) * kGemvThreads + static_cast<int>(threadIdx.x);
  if (i >= p.rows * Vectors) return;
  float sum = 0.f;
  for (int part = 0; part < parts; ++part) {
    sum += p.partials[static_cast<long long>(part) * Vectors * p.rows + i];
  }
  epilogue(i / p.rows, i % p.rows, sum);
}

}  // namespace kw
