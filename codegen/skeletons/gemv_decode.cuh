// y = W x for a W stored in a block format (format_decode.cuh), up to eight vectors x in FP32.
//
// A warp takes RowsPerWarp rows; a lane decodes N neighbouring codes of each (at most 16 bytes,
// within one block), so a step of the warp covers 32 * N of k and every row has one load in flight
// per lane. The vectors of the thread block's part of k lie in shared memory, turned so that the
// lanes of a step read neighbouring 16 bytes. A block's scale multiplies its sum of products, not
// each product: unscaled codes times vectors within 2^+-90 are normal numbers. Where a vector holds
// anything else (subnormals, huge numbers, NaN), the thread block scales its codes first.

namespace kw {

constexpr int kDecodeWarps = 8;

template <class F>
struct DecodeRows {
  const unsigned char* __restrict__ codes;
  const typename F::Scale* __restrict__ scales;
  const unsigned char* __restrict__ zeros;  // null where the format has none
  const float* __restrict__ tensor_scale;   // null where the format has none
  long long first_row;                      // of the encoded tensor
};

__device__ __forceinline__ bool ordinary(float x) {
  constexpr unsigned kLeast = (127 - 90) << 23, kRange = 180u << 23;
  const unsigned bits = __float_as_uint(x) & 0x7fffffffu;
  return bits == 0 || bits - kLeast < kRange;
}

template <class F, int Vectors, int RowsPerWarp, int N, class X, class Sink>
__device__ __forceinline__ void gemv_decode(const GemvProblem& p, const DecodeRows<F>& w,
                                            const X& x, const Sink& sink) {
  constexpr int kQuads = N / 4;
  float4* turned = reinterpret_cast<float4*>(dynamic_shared());  // [vector][step][quad][lane]
  const int tid = static_cast<int>(threadIdx.x), lane = tid & 31, warp = tid >> 5;
  const int part = static_cast<int>(blockIdx.y);
  const int row0 = (static_cast<int>(blockIdx.x) * kDecodeWarps + warp) * RowsPerWarp;
  const int k_begin = part * p.k_per_part, k_end = min(p.k, k_begin + p.k_per_part);
  const int steps = (k_end - k_begin + 32 * N - 1) / (32 * N);

  bool careful = false;
  const int quads = (k_end - k_begin) / 4;
  for (int i = tid; i < Vectors * quads; i += kDecodeWarps * 32) {
    const int vector = i / quads, quad = i % quads, run = quad / kQuads;
    const float4 v = load_four_of_k(x, 0, vector, k_begin + quad * 4, Vectors, k_end);
    turned[((vector * steps + run / 32) * kQuads + quad % kQuads) * 32 + run % 32] = v;
    careful |= !(ordinary(v.x) && ordinary(v.y) && ordinary(v.z) && ordinary(v.w));
  }
  careful = __syncthreads_or(careful) != 0;

  float acc[RowsPerWarp][Vectors] = {};
#pragma unroll 2
  for (int step = 0; step < steps; ++step) {
    const int k = k_begin + (step * 32 + lane) * N;
    if (k >= k_end) break;
    KwCodeWords<F, N> packed[RowsPerWarp];
    float scale[RowsPerWarp];
    int zero[RowsPerWarp] = {};
#pragma unroll
    for (int r = 0; r < RowsPerWarp; ++r) {
      const long long row = w.first_row + min(row0 + r, p.rows - 1);
      packed[r].load(w.codes, row, k);
      scale[r] = kw_block_scale<F>(w.scales, row, k / F::kBlock);
      if constexpr (F::kZeros) zero[r] = kw_block_zero<F>(w.zeros, row, k / F::kBlock);
    }
#pragma unroll
    for (int r = 0; r < RowsPerWarp; ++r) {
      float code[N];
      kw_decode_words<F, N>(packed[r].words, zero[r], code);
      float factor = F::kFactor;
      if (careful) {
#pragma unroll
        for (int i = 0; i < N; ++i) code[i] = code[i] * factor * scale[r];
        factor = scale[r] = 1.f;
      }
#pragma unroll
      for (int v = 0; v < Vectors; ++v) {
        float sum = 0.f;
#pragma unroll
        for (int q = 0; q < kQuads; ++q) {
          const float4 b = turned[((v * steps + step) * kQuads + q) * 32 + lane];
          sum = dot4(make_float4(code[q * 4], code[q * 4 + 1], code[q * 4 + 2], code[q * 4 + 3]), b,
                     sum);
        }
        acc[r][v] = fmaf(sum * factor, scale[r], acc[r][v]);
      }
    }
  }
  float tensor = 1.f;
  if constexpr (F::kTensorScale) tensor = __ldg(w.tensor_scale);
#pragma unroll
  for (int r = 0; r < RowsPerWarp; ++r) {
#pragma unroll
    for (int v = 0; v < Vectors; ++v) {
      float sum = acc[r][v];
#pragma unroll
      for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(~0u, sum, step);
      if (lane == 0 && row0 + r < p.rows) sink(part, 0, v, row0 + r, sum * tensor);
    }
  }
}

}  // namespace kw
