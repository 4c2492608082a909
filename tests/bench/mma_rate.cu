// What mma.sync.m16n8k16 sustains on this GPU beside the work that FP16x3 mixes with it: FP32
// promotion, ldmatrix, both. The ceiling against which a contraction tile is judged.
//
//   nvcc -O3 -std=c++17 -gencode=arch=compute_90,code=sm_90 tests/bench/mma_rate.cu -o mma_rate
//
// Prints cycles of one SM sub-core per mma, and the FP16 TFLOP/s that makes on the whole device.
#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>

namespace {

__device__ __forceinline__ void mma(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1,
                                    const float (&c)[4]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%10, %11, %12, %13};"
      : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1), "f"(c[0]), "f"(c[1]),
        "f"(c[2]), "f"(c[3]));
}
__device__ __forceinline__ void load_matrices(unsigned (&r)[4], unsigned address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}

// Sum 0: 16 accumulators in turn. Sum 16, 32: chains of 3 or 6 products in groups of four tiles,
// each promoted by FMUL and FFMA. Loads: ldmatrix.x4 per 48 products.
template <int Sum, int Loads>
__global__ void probe(float* out, long long* cycles, int trips) {
  extern __shared__ unsigned char shared[];
  const unsigned base = static_cast<unsigned>(__cvta_generic_to_shared(shared)) +
                        (threadIdx.x & 31) * 16 + threadIdx.x / 32 * 4096;
  float acc[16][4] = {};
  unsigned a[8][4], b[4][4];
#pragma unroll
  for (int i = 0; i < 32; ++i) a[i / 4][i % 4] = 0;
#pragma unroll
  for (int i = 0; i < 16; ++i) b[i / 4][i % 4] = 0;
  const float scale = static_cast<float>(trips);
  __syncthreads();
  const long long begin = clock64();
#pragma unroll 1
  for (int t = 0; t < trips; ++t) {
// Every fragment changes in every trip, and every fragment is used.
#pragma unroll
    for (int l = 0; l < 12; ++l) {
      unsigned(&fragment)[4] = l < 8 ? a[l] : b[l - 8];
      if (l % 12 < Loads) {
        load_matrices(fragment, base + l * 512);
      } else {
        fragment[0] ^= t;
      }
    }
    if constexpr (Sum == 0) {
#pragma unroll
      for (int i = 0; i < 48; ++i)
        mma(acc[i % 16], a[i % 8], b[i / 8 % 4][i % 2], b[i / 8 % 4][2 + i % 2], acc[i % 16]);
    } else {
#pragma unroll
      for (int group = 0; group < 4; ++group) {
        if (Sum == 32 && group % 2 == 1) continue;
        float part[4][4] = {};
#pragma unroll
        for (int chain = 0; chain < Sum / 8; ++chain) {
#pragma unroll
          for (int j = 0; j < 4; ++j)
            mma(part[j], a[(group * 2 + chain) % 8], b[j][chain % 2], b[j][2 + chain % 2], part[j]);
        }
#pragma unroll
        for (int j = 0; j < 4; ++j) {
#pragma unroll
          for (int q = 0; q < 4; ++q) part[j][q] *= 1.f / 2048;
        }
#pragma unroll
        for (int chain = 0; chain < Sum / 16; ++chain) {
#pragma unroll
          for (int j = 0; j < 4; ++j)
            mma(part[j], a[(group * 2 + chain) % 8], b[j][chain % 2], b[j][2 + chain % 2], part[j]);
        }
#pragma unroll
        for (int j = 0; j < 4; ++j) {
#pragma unroll
          for (int q = 0; q < 4; ++q)
            acc[group * 4 + j][q] = fmaf(part[j][q], scale, acc[group * 4 + j][q]);
        }
      }
    }
  }
  const long long end = clock64();
  float sum = 0;
  for (int i = 0; i < 16; ++i) sum += acc[i][0] + acc[i][1] + acc[i][2] + acc[i][3];
  if (sum == 1.25f) out[threadIdx.x] = sum;
  if (threadIdx.x == 0) cycles[blockIdx.x] = end - begin;
}

template <int Sum, int Loads>
void measure(const char* name, int sms) {
  constexpr int kTrips = 4000, kShared = 128 << 10;
  const auto kernel = probe<Sum, Loads>;
  cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kShared);
  float* out = nullptr;
  long long* cycles = nullptr;
  cudaMalloc(&out, 4096), cudaMallocManaged(&cycles, sms * 8);
  for (const int warps : {4, 8, 12, 16}) {
    cudaEvent_t begin, end;
    cudaEventCreate(&begin), cudaEventCreate(&end);
    kernel<<<sms, warps * 32, kShared>>>(out, cycles, kTrips);
    cudaEventRecord(begin);
    kernel<<<sms, warps * 32, kShared>>>(out, cycles, kTrips);
    cudaEventRecord(end);
    if (cudaDeviceSynchronize() != cudaSuccess) std::exit(3);
    float ms = 0;
    cudaEventElapsedTime(&ms, begin, end);
    const double products = 48.0 * kTrips * warps;
    std::printf("%-28s warps/SM %2d  %6.2f cycles/mma  %6.1f TFLOP/s  %.0f MHz\n", name, warps,
                static_cast<double>(cycles[0]) / (products / 4), products * sms * 4096 / ms * 1e-9,
                static_cast<double>(cycles[0]) / ms * 1e-3);
  }
  cudaFree(out), cudaFree(cycles);
}

}  // namespace

int main() {
  int sms = 0;
  if (cudaDeviceGetAttribute(&sms, cudaDevAttrMultiProcessorCount, 0) != cudaSuccess) return 3;
  measure<0, 0>("mma", sms);
  measure<0, 8>("mma + 8 ldmatrix", sms);
  measure<0, 12>("mma + 12 ldmatrix", sms);
  measure<16, 0>("mma, promoted every 16", sms);
  measure<32, 0>("mma, promoted every 32", sms);
  measure<16, 12>("every 16 + 12 ldmatrix", sms);
  measure<32, 12>("every 32 + 12 ldmatrix", sms);
  return 0;
}
