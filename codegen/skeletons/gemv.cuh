// y = W x for a wide W and up to eight vectors x: read W once, at the speed of memory.
//
// gemv_along_k: W's k is contiguous. A thread block takes `Rows` rows and one part of k; every
// thread has Rows x Unroll 16-byte loads in flight, and shares the vectors' loads among the rows.
// gemv_along_rows: W's rows are contiguous (y = x^T B). A thread holds four neighbouring rows and
// walks k.
// With one part of k the sum goes straight to the epilogue (GemvDirect); otherwise each part leaves
// one partial sum per output (GemvPartials), and gemv_finish adds the parts in a fixed order, so
// that results do not depend on scheduling.

namespace kw {

[[maybe_unused]] constexpr int kGemvThreads = 256;

struct GemvProblem {
  int rows, k;
  int k_per_part;            // for each blockIdx.y; a multiple of 4
  int w_batched, x_batched;  // 0: the operand is shared by all batches (blockIdx.z)
};

struct GemvPartials {
  float* __restrict__ partials;  // [part][batch][vector][row]
  int batches, vectors, rows;
  __device__ __forceinline__ float& at(int part, int batch, int vector, int row) const {
    return partials[((static_cast<long long>(part) * batches + batch) * vectors + vector) * rows +
                    row];
  }
  __device__ __forceinline__ void operator()(int part, int batch, int vector, int row,
                                             float sum) const {
    at(part, batch, vector, row) = sum;
  }
};
// `RowsAreColumns`: W is the right operand, so its rows are columns of the product.
template <bool RowsAreColumns, class Epilogue>
struct GemvDirect {
  Epilogue epilogue;
  __device__ __forceinline__ void operator()(int, int batch, int vector, int row, float sum) const {
    epilogue.one(batch, RowsAreColumns ? vector : row, RowsAreColumns ? row : vector, sum);
  }
};

__device__ __forceinline__ float dot4(const float4& a, const float4& b, float sum) {
  return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, sum))));
}

/// Elements k .. k+3 of one vector, however the vectors lie; zeros past k_end.
template <class X>
__device__ __forceinline__ float4 load_four_of_k(const X& x, int batch, int vector, int k,
                                                 int vectors, int k_end) {
  if constexpr (X::kRunsAlongK) {
    return load_quad<false>(x, batch, vector, k, vectors, k_end);
  } else {
    const auto one = [&](int at) { return at < k_end ? x.at(batch, vector, at) : 0.f; };
    return make_float4(one(k), one(k + 1), one(k + 2), one(k + 3));
  }
}

template <int Rows, int Vectors, int Unroll, class W, class X, class Sink>
__device__ __forceinline__ void gemv_along_k(const GemvProblem& p, const W& w, const X& x,
                                             const Sink& sink) {
  __shared__ float sums[kGemvThreads / 32][Rows * Vectors];
  const int tid = static_cast<int>(threadIdx.x), lane = tid & 31, warp = tid >> 5;
  const int row0 = static_cast<int>(blockIdx.x) * Rows, part = static_cast<int>(blockIdx.y);
  const int batch = static_cast<int>(blockIdx.z);
  const int w_batch = p.w_batched ? batch : 0, x_batch = p.x_batched ? batch : 0;
  const int k_begin = part * p.k_per_part, k_end = min(p.k, k_begin + p.k_per_part);

  float acc[Rows][Vectors] = {};
#pragma unroll 1
  for (int k0 = k_begin + tid * 4; k0 < k_end; k0 += kGemvThreads * 4 * Unroll) {
    float4 a[Unroll][Rows];
#pragma unroll
    for (int u = 0; u < Unroll; ++u) {
#pragma unroll
      for (int r = 0; r < Rows; ++r) {
        a[u][r] = load_quad<true>(w, w_batch, row0 + r, k0 + u * kGemvThreads * 4, p.rows, k_end);
      }
    }
#pragma unroll
    for (int u = 0; u < Unroll; ++u) {
#pragma unroll
      for (int v = 0; v < Vectors; ++v) {
        const float4 b = load_four_of_k(x, x_batch, v, k0 + u * kGemvThreads * 4, Vectors, k_end);
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
    if (row < p.rows) sink(part, batch, vector, row, sum);
  }
}

template <int Vectors, int Unroll, class W, class X, class Sink>
__device__ __forceinline__ void gemv_along_rows(const GemvProblem& p, const W& w, const X& x,
                                                const Sink& sink) {
  // 32 lanes cover 128 rows; the eight warps take every eighth group of `Unroll` k.
  __shared__ float sums[kGemvThreads / 32][Vectors][128];
  const int tid = static_cast<int>(threadIdx.x), lane = tid & 31, warp = tid >> 5;
  const int row0 = static_cast<int>(blockIdx.x) * 128, part = static_cast<int>(blockIdx.y);
  const int batch = static_cast<int>(blockIdx.z), row = row0 + lane * 4;
  const int w_batch = p.w_batched ? batch : 0, x_batch = p.x_batched ? batch : 0;
  const int k_begin = part * p.k_per_part, k_end = min(p.k, k_begin + p.k_per_part);

  float acc[Vectors][4] = {};
#pragma unroll 1
  for (int k0 = k_begin + warp * Unroll; k0 < k_end; k0 += Unroll * (kGemvThreads / 32)) {
    float4 a[Unroll];
#pragma unroll
    for (int u = 0; u < Unroll; ++u) a[u] = load_quad<true>(w, w_batch, row, k0 + u, p.rows, k_end);
#pragma unroll
    for (int u = 0; u < Unroll; ++u) {
#pragma unroll
      for (int v = 0; v < Vectors; ++v) {
        const float b = k0 + u < k_end ? x.at(x_batch, v, k0 + u) : 0.f;
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
    if (row0 + r < p.rows) sink(part, batch, vector, row0 + r, sum);
  }
}

// One thread per output.
template <class Sink>
__device__ __forceinline__ void gemv_finish(const GemvPartials& p, int parts, const Sink& sink) {
  const int i = static_cast<int>(blockIdx.x) * kGemvThreads + static_cast<int>(threadIdx.x);
  if (i >= p.batches * p.vectors * p.rows) return;
  const int row = i % p.rows, vector = i / p.rows % p.vectors, batch = i / p.rows / p.vectors;
  float sum = 0.f;
  for (int part = 0; part < parts; ++part) sum += p.at(part, batch, vector, row);
  sink(0, batch, vector, row, sum);
}

}  // namespace kw
