#pragma once
// What the programs that measure contraction kernels on a GPU share: data, FP64 sums to check
// against, a timer with a cold L2, cuBLAS, the FP16x3 form with its split pass.
#include <cuda_runtime.h>
#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <string>
#include <vector>

// Each file uses the ones before it, as in an emitted kernel.
// clang-format off
#include "contraction_operand.cuh"
#include "contraction_ptx.cuh"
#include "contraction_split.cuh"
#include "contraction_fp16x3.cuh"
#include "contraction_direct.cuh"
#include "contraction_ffma.cuh"
#include "contraction_parts.cuh"
#include "gemv.cuh"
// clang-format on

namespace {

void check(cudaError_t rc, const char* what) {
  if (rc == cudaSuccess) return;
  std::fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(rc));
  std::exit(3);
}

template <class T>
T* device_array(std::size_t count) {
  void* p = nullptr;
  check(cudaMalloc(&p, std::max<std::size_t>(count * sizeof(T), 256)), "cudaMalloc");
  return static_cast<T*>(p);
}

// ---- kernels under test -----------------------------------------------------------------------

struct Store {
  static constexpr bool kRunsAlongColumns = true;
  float* out;
  int m, n;
  __device__ __forceinline__ void operator()(int, int batch, int row, int column, int columns,
                                             float x, float y) const {
    float* to = out + (static_cast<long long>(batch) * m + row) * n + column;
    if (column + 1 < columns && n % 2 == 0) {
      __stcs(reinterpret_cast<float2*>(to), make_float2(x, y));
    } else {
      if (column < columns) to[0] = x;
      if (column + 1 < columns) to[1] = y;
    }
  }
};
struct StoreVector {
  float* out;
  __device__ __forceinline__ void operator()(int, int, int, int row, float value) const {
    out[row] = value;
  }
};

using Any = kw::Strided<true, false>;

template <bool AK, bool BK>
__global__ void __launch_bounds__(256, 4)
    split_kernel(kw::Strided<AK, true> a, kw::SplitTarget a_out, int a_tiles,
                 kw::Strided<BK, true> b, kw::SplitTarget b_out) {
  kw::split_operands(a, a_out, a_tiles, b, b_out);
}
template <class Tile, int MinBlocks>
__global__ void __launch_bounds__(Tile::kThreads, MinBlocks)
    fp16x3_kernel(kw::Fp16x3Problem p, Any a, Any b, const unsigned* wide_count, Store store) {
  kw::fp16x3_product<Tile>(p, a, b, wide_count, store);
}
template <class Tile, bool AK, bool BK>
__global__ void __launch_bounds__(256)
    ffma_kernel(kw::FfmaProblem p, kw::Strided<AK, true> a, kw::Strided<BK, true> b, Store store) {
  kw::ffma_product<Tile>(p, a, b, 1, 1, store);
}
template <int Rows, int Unroll>
__global__ void __launch_bounds__(256)
    gemv_kernel(kw::GemvProblem p, kw::Strided<true, true> w, kw::Strided<true, true> x,
                kw::GemvPartials partials) {
  kw::gemv_along_k<Rows, 1, Unroll>(p, w, x, partials);
}
__global__ void gemv_finish_kernel(kw::GemvPartials p, int parts, StoreVector store) {
  kw::gemv_finish(p, parts, store);
}

// ---- data and reference -----------------------------------------------------------------------

enum class Family {
  Uniform,
  Normal,
  Spiky,
  Denormal,
  TinyHuge,
  NanInf,
  RowScales,
  Spread28,
  Spread29,
  Zeros,
  FewWide
};
const char* name_of(Family f) {
  const char* names[] = {"uniform",   "normal",  "spiky",         "denormal",
                         "tiny*huge", "nan/inf", "scales 2^+-60", "spread 28",
                         "spread 29", "zeros",   "few wide"};
  return names[static_cast<int>(f)];
}

__device__ unsigned mix(unsigned long long x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdull;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ull;
  x ^= x >> 33;
  return static_cast<unsigned>(x);
}
__global__ void fill(float* p, long long rows, long long columns, Family family, unsigned seed,
                     bool is_b) {
  const long long i = blockIdx.x * 256ll + threadIdx.x;
  if (i >= rows * columns) return;
  const long long row = i / columns;
  const unsigned u = mix(i * 2 + 1 + (static_cast<unsigned long long>(seed) << 40));
  const unsigned v = mix(i * 2 + 2 + (static_cast<unsigned long long>(seed) << 41));
  const float unit = (u >> 8) * 0x1p-24f;
  const float normal = sqrtf(-2.f * logf(unit + 0x1p-25f)) * cospif((v >> 8) * 0x1p-23f);
  const float mantissa = 1.f + (v >> 9) * 0x1p-23f;
  float x = unit;
  switch (family) {
    case Family::Uniform:
      break;
    case Family::Normal:
      x = normal;
      break;
    case Family::Spiky:
      x = (v & 1023) == 0 ? normal * 1e6f : (v & 1023) == 1 ? normal * 1e-6f : normal;
      break;
    case Family::Denormal:
      x = normal * (is_b ? 1.f : 0x1p-128f);
      break;
    case Family::TinyHuge:
      x = normal * (is_b ? 0x1p+100f : 0x1p-100f);
      break;
    case Family::NanInf:
      x = normal;
      if (u % 20011 == 0) x = __int_as_float(0x7fffffff);
      if (u % 20011 == 1) x = __int_as_float(0x7f800000);
      if (u % 20011 == 2) x = 0.f;
      break;
    case Family::RowScales:
      x = normal * ((row & 1) ? 0x1p+60f : 0x1p-60f) * (is_b ? 0x1p-10f : 1.f);
      break;
    case Family::Spread28:
      x = ldexpf(mantissa, -static_cast<int>(u % 29));
      break;
    case Family::Spread29:
      x = ldexpf(mantissa, -static_cast<int>(u % 30));
      break;
    case Family::Zeros:
      x = 0.f;
      break;
    case Family::FewWide:
      x = unit + 0.5f;
      if (i == 12345) x = 0x1p-40f;
      if (i == 54321) x = 3e30f;
      break;
  }
  p[i] = x;
}

struct Shape {
  const char* name;
  int m, n, k;
  bool a_along_k, b_along_k;
  float* a = nullptr;
  float* b = nullptr;
  float* c = nullptr;
  long long a_row() const { return a_along_k ? k : 1; }
  long long a_k() const { return a_along_k ? 1 : m; }
  long long b_row() const { return b_along_k ? k : 1; }
  long long b_k() const { return b_along_k ? 1 : n; }
};

__global__ void reference(const float* a, long long ar, long long ak, const float* b, long long br,
                          long long bk, int m, int n, int k, int samples, const float* result,
                          double* sum, double* magnitude, float* got) {
  const int s = blockIdx.x;
  const bool every = samples == m * n;
  const int row = every ? s / n : static_cast<int>(mix(s * 2ull + 77) % m);
  const int column = every ? s % n : static_cast<int>(mix(s * 2ull + 78) % n);
  double x = 0, c = 0;
  for (int i = threadIdx.x; i < k; i += 32) {
    const double t =
        static_cast<double>(a[row * ar + i * ak]) * static_cast<double>(b[column * br + i * bk]);
    x += t;
    c += fabs(t);
  }
  for (int step = 16; step > 0; step /= 2) {
    x += __shfl_xor_sync(~0u, x, step);
    c += __shfl_xor_sync(~0u, c, step);
  }
  if (threadIdx.x == 0) {
    sum[s] = x, magnitude[s] = c, got[s] = result[static_cast<long long>(row) * n + column];
  }
}

struct Error {
  double max = 0, mean = 0;
  int misplaced = 0;  // NaN or Inf on one side only, or NaN against Inf
};
Error error_of(const Shape& s, const float* c, int samples) {
  double* sum = device_array<double>(samples);
  double* magnitude = device_array<double>(samples);
  float* result = device_array<float>(samples);
  reference<<<samples, 32>>>(s.a, s.a_row(), s.a_k(), s.b, s.b_row(), s.b_k(), s.m, s.n, s.k,
                             samples, c, sum, magnitude, result);
  std::vector<double> x(samples), cc(samples);
  std::vector<float> y(samples);
  check(cudaMemcpy(x.data(), sum, samples * 8, cudaMemcpyDefault), "reference");
  check(cudaMemcpy(cc.data(), magnitude, samples * 8, cudaMemcpyDefault), "reference");
  check(cudaMemcpy(y.data(), result, samples * 4, cudaMemcpyDefault), "result");
  cudaFree(sum), cudaFree(magnitude), cudaFree(result);
  Error e;
  double mean = 0;
  int counted = 0;
  for (int i = 0; i < samples; ++i) {
    const float got = y[i], want = static_cast<float>(x[i]);
    if (!std::isfinite(got) || !std::isfinite(want)) {
      const bool same = std::isnan(got) == std::isnan(want) && std::isinf(got) == std::isinf(want);
      e.misplaced += !same;
      continue;
    }
    const double error = static_cast<double>(got) - x[i];
    // Results below the normal range carry an absolute error of half their spacing.
    const double scaled =
        cc[i] > 0 ? (std::abs(error) <= 0x1p-148 ? 0 : error / cc[i]) : (error != 0);
    e.max = std::max(e.max, std::abs(scaled));
    mean += scaled;
    ++counted;
  }
  e.mean = counted ? mean / counted : 0;
  return e;
}

// ---- timing -----------------------------------------------------------------------------------

__global__ void read_all(const float4* p, long long count, float* sink) {
  float sum = 0;
  for (long long i = blockIdx.x * 256ll + threadIdx.x; i < count; i += gridDim.x * 256ll) {
    const float4 v = p[i];
    sum += v.x + v.y + v.z + v.w;
  }
  if (sum == 1.2345f) *sink = sum;
}
struct Timer {
  float4* flush = device_array<float4>(16 << 20);
  float* sink = device_array<float>(1);
  Timer() { check(cudaMemset(flush, 0, 256 << 20), "flush buffer"); }
  double median_ms(const std::function<void()>& run, int repeats = 15) {
    cudaEvent_t begin, end;
    cudaEventCreate(&begin), cudaEventCreate(&end);
    std::vector<float> times;
    for (int i = 0; i < repeats + 2; ++i) {
      read_all<<<1056, 256>>>(flush, 16 << 20, sink);
      cudaEventRecord(begin);
      run();
      cudaEventRecord(end);
      check(cudaEventSynchronize(end), "timed run");
      float ms = 0;
      cudaEventElapsedTime(&ms, begin, end);
      if (i >= 2) times.push_back(ms);
    }
    check(cudaGetLastError(), "launch");
    cudaEventDestroy(begin), cudaEventDestroy(end);
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
  }
};

// ---- cuBLAS, if it is there -------------------------------------------------------------------

struct Cublas {
  using Create = int (*)(void**);
  using Sgemm = int (*)(void*, int, int, int, int, int, const float*, const float*, int,
                        const float*, int, const float*, float*, int);
  void* handle = nullptr;
  Sgemm sgemm = nullptr;
  Cublas() {
    void* lib = dlopen("libcublas.so.13", RTLD_NOW);
    if (lib == nullptr) lib = dlopen("libcublas.so.12", RTLD_NOW);
    if (lib == nullptr) return;
    const auto create = reinterpret_cast<Create>(dlsym(lib, "cublasCreate_v2"));
    sgemm = reinterpret_cast<Sgemm>(dlsym(lib, "cublasSgemm_v2"));
    if (create == nullptr || create(&handle) != 0) sgemm = nullptr;
  }
  // Row-major C[m,n] is column-major C^T = B^T A^T.
  void run(const Shape& s, float* c) const {
    const float one = 1, zero = 0;
    sgemm(handle, s.b_along_k ? 1 : 0, s.a_along_k ? 0 : 1, s.n, s.m, s.k, &one, s.b,
          s.b_along_k ? s.k : s.n, s.a, s.a_along_k ? s.k : s.m, &zero, c, s.n);
  }
};

// ---- one form ---------------------------------------------------------------------------------

struct Workspace {
  unsigned char *a_terms, *b_terms, *a_wide, *b_wide;
  float *a_scales, *b_scales;
  unsigned* wide_count;
  kw::Fp16x3Problem p{};
  int a_tiles, b_tiles;
  unsigned wide() const {
    unsigned w = 0;
    check(cudaMemcpy(&w, wide_count, 4, cudaMemcpyDefault), "wide count");
    return w;
  }
  unsigned total = 0;
};
int round_up(int x, int by) { return (x + by - 1) / by * by; }

Workspace make_workspace(const Shape& s) {
  Workspace w{};
  // Padded for every tile of the sweep.
  const int mp = round_up(s.m, 384), np = round_up(s.n, 384), slices = (s.k + 127) / 128;
  w.a_terms = device_array<unsigned char>(static_cast<std::size_t>(mp) * slices * 512);
  w.b_terms = device_array<unsigned char>(static_cast<std::size_t>(np) * slices * 512);
  w.a_scales = device_array<float>(static_cast<std::size_t>(mp) * slices);
  w.b_scales = device_array<float>(static_cast<std::size_t>(np) / 32 * slices);
  w.a_wide = device_array<unsigned char>(static_cast<std::size_t>(mp) / 16 * slices);
  w.b_wide = device_array<unsigned char>(static_cast<std::size_t>(np) / 32 * slices);
  w.wide_count = device_array<unsigned>(1);
  w.p.a = {w.a_terms, w.a_scales, w.a_wide, w.wide_count, s.m,
           s.k,       mp,         slices,   slices * 4,   unsigned(np / 32)};
  w.p.b = {w.b_terms, w.b_scales, w.b_wide, w.wide_count, s.n,
           s.k,       np,         slices,   slices * 4,   unsigned(mp / 16)};
  w.p.a_batched = w.p.b_batched = 1;
  w.total = unsigned(mp / 16) * unsigned(np / 32) * unsigned(slices);
  w.p.wide_limit = w.total / 50;
  w.p.slices_per_split = slices;
  w.a_tiles = mp / 64 * slices;
  w.b_tiles = np / 64 * slices;
  return w;
}
void release(const Workspace& w) {
  cudaFree(w.a_terms), cudaFree(w.b_terms), cudaFree(w.a_scales), cudaFree(w.b_scales);
  cudaFree(w.a_wide), cudaFree(w.b_wide), cudaFree(w.wide_count);
}

template <bool AK, bool BK>
void launch_split(const Shape& s, const Workspace& w) {
  split_kernel<AK, BK><<<w.a_tiles + w.b_tiles, 256>>>(
      {s.a, 0, s.a_row(), s.a_k()}, w.p.a, w.a_tiles, {s.b, 0, s.b_row(), s.b_k()}, w.p.b);
}
void split(const Shape& s, const Workspace& w) {
  cudaMemsetAsync(w.wide_count, 0, 4);
  if (s.a_along_k && s.b_along_k) launch_split<true, true>(s, w);
  if (s.a_along_k && !s.b_along_k) launch_split<true, false>(s, w);
  if (!s.a_along_k && s.b_along_k) launch_split<false, true>(s, w);
  if (!s.a_along_k && !s.b_along_k) launch_split<false, false>(s, w);
}
template <class Tile, bool AK, bool BK>
void launch_ffma(const Shape& s, const kw::FfmaProblem& p) {
  const int tiles =
      (s.m + Tile::kTileM - 1) / Tile::kTileM * ((s.n + Tile::kTileN - 1) / Tile::kTileN);
  ffma_kernel<Tile, AK, BK><<<tiles, 256>>>(p, {s.a, 0, s.a_row(), s.a_k()},
                                            {s.b, 0, s.b_row(), s.b_k()}, {s.c, s.m, s.n});
}
template <class Tile>
void ffma(const Shape& s, const unsigned* gate, unsigned limit) {
  const kw::FfmaProblem p{s.m, s.n, s.k, round_up(s.k, 16), gate, limit};
  if (s.a_along_k && s.b_along_k) launch_ffma<Tile, true, true>(s, p);
  if (s.a_along_k && !s.b_along_k) launch_ffma<Tile, true, false>(s, p);
  if (!s.a_along_k && s.b_along_k) launch_ffma<Tile, false, true>(s, p);
  if (!s.a_along_k && !s.b_along_k) launch_ffma<Tile, false, false>(s, p);
}
using Wide = kw::FfmaTile<128, 128, 0>;

struct Variant {
  std::string name;
  int shared_bytes;
  std::function<void(const Shape&, const Workspace&)> run;
  bool usable = true;
};
template <class Tile, int MinBlocks>
Variant variant() {
  Variant v;
  v.name = std::to_string(Tile::kTileM) + "x" + std::to_string(Tile::kTileN) + " warp " +
           std::to_string(Tile::kWarpM) + "x" + std::to_string(Tile::kWarpN) + " stages " +
           std::to_string(Tile::kStages) + "x" + std::to_string(Tile::kSlabs) + " blocks/SM " +
           std::to_string(MinBlocks);
  v.shared_bytes = Tile::kSharedBytes;
  const auto kernel = fp16x3_kernel<Tile, MinBlocks>;
  v.usable = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  Tile::kSharedBytes) == cudaSuccess;
  cudaFuncAttributes attributes{};
  cudaFuncGetAttributes(&attributes, kernel);
  int resident = 0;
  cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, kernel, Tile::kThreads,
                                                Tile::kSharedBytes);
  std::printf("%-56s registers %3d local %4zu shared %6d resident %d%s\n", v.name.c_str(),
              attributes.numRegs, attributes.localSizeBytes, Tile::kSharedBytes, resident,
              v.usable ? "" : "  REFUSED");
  cudaGetLastError();
  v.run = [kernel](const Shape& s, const Workspace& w) {
    const int tiles =
        (s.m + Tile::kTileM - 1) / Tile::kTileM * ((s.n + Tile::kTileN - 1) / Tile::kTileN);
    kernel<<<tiles, Tile::kThreads, Tile::kSharedBytes>>>(w.p, {s.a, 0, s.a_row(), s.a_k()},
                                                          {s.b, 0, s.b_row(), s.b_k()},
                                                          w.wide_count, {s.c, s.m, s.n});
  };
  return v;
}

void allocate(Shape& s, Family family) {
  const long long ca = static_cast<long long>(s.m) * s.k, cb = static_cast<long long>(s.n) * s.k;
  s.a = device_array<float>(ca);
  s.b = device_array<float>(cb);
  s.c = device_array<float>(static_cast<std::size_t>(s.m) * s.n);
  const int ar = s.a_along_k ? s.m : s.k, br = s.b_along_k ? s.n : s.k;
  fill<<<static_cast<unsigned>((ca + 255) / 256), 256>>>(s.a, ar, ca / ar, family, 1, false);
  fill<<<static_cast<unsigned>((cb + 255) / 256), 256>>>(s.b, br, cb / br, family, 2, true);
  check(cudaDeviceSynchronize(), "fill");
}
void free_shape(const Shape& s) { cudaFree(s.a), cudaFree(s.b), cudaFree(s.c); }

}  // namespace
