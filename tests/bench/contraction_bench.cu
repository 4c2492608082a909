// Times and checks the contraction kernels on a GPU, form by form and tile by tile.
//
//   nvcc -O3 -std=c++17 -gencode=arch=compute_90,code=sm_90 -Icodegen/skeletons -lcudart -ldl
//        tests/bench/contraction_bench.cu -o contraction_bench
//   ./contraction_bench [result.json]
//   ncu -k regex:fp16x3_kernel ./contraction_bench --profile TILE    one launch of tile number TILE
//
// Times are medians with a cold L2 (a 256 MiB buffer is read before every run). "all" is what a
// plan does per run: clear the counter, split both operands, multiply, offer the product to the
// wide path. Errors are against FP64 sums of sampled elements, in units of c = sum |a||b|. cuBLAS
// FP32 is the yardstick where libcublas.so.13 can be loaded.
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
#include "contraction_ffma.cuh"
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
                          long long bk, int m, int n, int k, int samples, double* sum,
                          double* magnitude, int* where) {
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
  if (threadIdx.x == 0) sum[s] = x, magnitude[s] = c, where[s] = row * n + column;
}

struct Error {
  double max = 0, mean = 0;
  int misplaced = 0;  // NaN or Inf on one side only, or NaN against Inf
};
Error error_of(const Shape& s, const float* c, int samples) {
  double* sum = device_array<double>(samples);
  double* magnitude = device_array<double>(samples);
  int* where = device_array<int>(samples);
  reference<<<samples, 32>>>(s.a, s.a_row(), s.a_k(), s.b, s.b_row(), s.b_k(), s.m, s.n, s.k,
                             samples, sum, magnitude, where);
  std::vector<double> x(samples), cc(samples);
  std::vector<int> at(samples);
  std::vector<float> y(static_cast<std::size_t>(s.m) * s.n);
  check(cudaMemcpy(x.data(), sum, samples * 8, cudaMemcpyDefault), "reference");
  check(cudaMemcpy(cc.data(), magnitude, samples * 8, cudaMemcpyDefault), "reference");
  check(cudaMemcpy(at.data(), where, samples * 4, cudaMemcpyDefault), "reference");
  check(cudaMemcpy(y.data(), c, y.size() * 4, cudaMemcpyDefault), "result");
  cudaFree(sum), cudaFree(magnitude), cudaFree(where);
  Error e;
  double mean = 0;
  int counted = 0;
  for (int i = 0; i < samples; ++i) {
    const float got = y[at[i]], want = static_cast<float>(x[i]);
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

int main(int argc, char** argv) {
  cudaDeviceProp device{};
  check(cudaGetDeviceProperties(&device, 0), "device");
  std::printf("%s, %d SMs\n", device.name, device.multiProcessorCount);
  std::string json = "[\n";
  const auto record = [&](const std::string& row) {
    json += (json.size() > 2 ? ",\n " : " ") + row;
  };
  char line[512];

  using kw::Fp16x3Tile;
  std::vector<Variant> variants;
  variants.push_back(variant<Fp16x3Tile<128, 128, 64, 32, 3, 2>, 1>());
  variants.push_back(variant<Fp16x3Tile<128, 64, 64, 32, 2, 2>, 2>());
  variants.push_back(variant<Fp16x3Tile<64, 128, 64, 32, 2, 2>, 2>());
  variants.push_back(variant<Fp16x3Tile<64, 64, 32, 32, 2, 2>, 3>());
  variants.push_back(variant<Fp16x3Tile<64, 64, 32, 32, 4, 1>, 3>());
  variants.push_back(variant<Fp16x3Tile<128, 128, 64, 32, 6, 1>, 1>());
  variants.push_back(variant<Fp16x3Tile<128, 64, 64, 32, 4, 1>, 2>());
  variants.push_back(variant<Fp16x3Tile<64, 128, 32, 64, 2, 2>, 2>());
  variants.push_back(variant<Fp16x3Tile<128, 128, 32, 64, 3, 2>, 1>());
  variants.push_back(variant<Fp16x3Tile<64, 64, 32, 32, 3, 2>, 2>());

  if (argc == 3 && std::string(argv[1]) == "--profile") {
    Shape s{"4096^3", 4096, 4096, 4096, true, false};
    allocate(s, Family::Uniform);
    const Workspace w = make_workspace(s);
    split(s, w);
    variants.at(static_cast<std::size_t>(std::atoi(argv[2]))).run(s, w);
    check(cudaDeviceSynchronize(), "profiled run");
    return 0;
  }

  // Correctness first, every family at an odd shape, both ways of reading each operand.
  std::printf("\n%-16s %-10s %10s %10s %6s %9s/%u\n", "family", "tile", "max/c", "mean/c", "wrong",
              "wide", 0u);
  for (int f = 0; f <= static_cast<int>(Family::FewWide); ++f) {
    for (int layout = 0; layout < 4; ++layout) {
      Shape s{"check", 308, 404, 900, (layout & 1) == 0, (layout & 2) == 0};
      allocate(s, static_cast<Family>(f));
      Workspace w = make_workspace(s);
      for (const bool few : {false, true}) {  // few: force the in-kernel path
        if (few) w.p.wide_limit = 0x7fffffffu;
        for (std::size_t v = 0; v < variants.size(); ++v) {
          if (!variants[v].usable || v > 4) continue;
          check(cudaMemset(s.c, 0xff, static_cast<std::size_t>(s.m) * s.n * 4), "poison");
          split(s, w);
          variants[v].run(s, w);
          ffma<Wide>(s, w.wide_count, w.p.wide_limit);
          check(cudaDeviceSynchronize(), variants[v].name.c_str());
          const Error e = error_of(s, s.c, s.m * s.n);
          const bool bad =
              e.max > 0x1p-20 + 0x1p-23 * 30 || std::abs(e.mean) > 0x1p-20 || e.misplaced != 0;
          if ((v == 1 && layout == 0) || bad) {
            std::printf("%-16s layout %d variant %zu %-9s %10.2e %10.2e %6d %9u/%u%s\n",
                        name_of(static_cast<Family>(f)), layout, v, few ? "in-kernel" : "limit 2%",
                        e.max, e.mean, e.misplaced, w.wide(), w.total, bad ? "   BAD" : "");
          }
        }
      }
      release(w);
      free_shape(s);
    }
  }

  Timer timer;
  Cublas cublas;
  const Shape shapes[] = {{"4096^3", 4096, 4096, 4096, true, false},
                          {"2048x4096x8192, A^T", 2048, 4096, 8192, false, false},
                          {"1024x8192x8192, B^T", 1024, 8192, 8192, true, true}};
  for (Shape s : shapes) {
    allocate(s, Family::Uniform);
    const double flop = 2.0 * s.m * s.n * s.k;
    double cublas_ms = std::numeric_limits<double>::quiet_NaN();
    std::printf("\n%s\n", s.name);
    if (cublas.sgemm != nullptr) {
      cublas_ms = timer.median_ms([&] { cublas.run(s, s.c); });
      const Error e = error_of(s, s.c, 20000);
      std::printf("%-44s %8.4f ms  %6.1f TFLOP/s  error max %.2e mean %+.2e\n", "cuBLAS FP32",
                  cublas_ms, flop / cublas_ms * 1e-9, e.max, e.mean);
    }
    Workspace w = make_workspace(s);
    const double split_ms = timer.median_ms([&] { split(s, w); });
    const double bytes = 8.0 * (static_cast<double>(s.m) + s.n) * s.k;
    std::printf("%-44s %8.4f ms  %6.2f TB/s\n", "split pass", split_ms, bytes / split_ms * 1e-9);
    for (const Variant& v : variants) {
      if (!v.usable) continue;
      check(cudaMemset(s.c, 0xff, static_cast<std::size_t>(s.m) * s.n * 4), "poison");
      const double main_ms = timer.median_ms([&] { v.run(s, w); });
      const double all_ms = timer.median_ms([&] {
        split(s, w);
        v.run(s, w);
        ffma<Wide>(s, w.wide_count, w.p.wide_limit);
      });
      const Error e = error_of(s, s.c, 20000);
      std::printf(
          "%-56s main %7.4f ms %6.1f TFLOP/s  all %7.4f ms (%.2fx)  error max %.2e mean %+.2e wide "
          "%u\n",
          v.name.c_str(), main_ms, flop / main_ms * 1e-9, all_ms, cublas_ms / all_ms, e.max, e.mean,
          w.wide());
      std::snprintf(line, sizeof line,
                    "{\"shape\":\"%s\",\"form\":\"fp16x3\",\"tile\":\"%s\",\"main_ms\":%.5f,"
                    "\"split_ms\":%.5f,"
                    "\"all_ms\":%.5f,\"cublas_ms\":%.5f,\"error_max\":%.3e,\"error_mean\":%.3e}",
                    s.name, v.name.c_str(), main_ms, split_ms, all_ms, cublas_ms, e.max, e.mean);
      record(line);
    }
    const auto time_ffma = [&](const char* name, const std::function<void()>& run) {
      check(cudaMemset(s.c, 0xff, static_cast<std::size_t>(s.m) * s.n * 4), "poison");
      const double ms = timer.median_ms(run, 5);
      const Error e = error_of(s, s.c, 20000);
      std::printf("%-44s %8.4f ms  %6.1f TFLOP/s (%.2fx)  error max %.2e mean %+.2e\n", name, ms,
                  flop / ms * 1e-9, cublas_ms / ms, e.max, e.mean);
      std::snprintf(
          line, sizeof line,
          "{\"shape\":\"%s\",\"form\":\"ffma\",\"tile\":\"%s\",\"all_ms\":%.5f,\"cublas_ms\":%.5f,"
          "\"error_max\":%.3e,\"error_mean\":%.3e}",
          s.name, name, ms, cublas_ms, e.max, e.mean);
      record(line);
    };
    time_ffma("ffma 128x128", [&] { ffma<kw::FfmaTile<128, 128, 0>>(s, nullptr, 0); });
    time_ffma("ffma 128x128 promoted every 256",
              [&] { ffma<kw::FfmaTile<128, 128, 256>>(s, nullptr, 0); });
    time_ffma("ffma 64x64", [&] { ffma<kw::FfmaTile<64, 64, 0>>(s, nullptr, 0); });
    // The cost of the wide path: one operand with a fraction of its blocks flagged, and everything.
    fill<<<static_cast<unsigned>((static_cast<long long>(s.m) * s.k + 255) / 256), 256>>>(
        s.a, s.a_along_k ? s.m : s.k, s.a_along_k ? s.k : s.m, Family::RowScales, 1, false);
    split(s, w);
    const double wide_ms = timer.median_ms(
        [&] {
          split(s, w);
          variants[0].run(s, w);
          ffma<Wide>(s, w.wide_count, w.p.wide_limit);
        },
        5);
    std::printf("%-44s all %7.4f ms, wide %u of %u\n", "rows scaled 2^+-60", wide_ms, w.wide(),
                w.total);
    release(w);
    free_shape(s);
  }

  // Matrix times vector.
  Shape s{"gemv 2048x1048576", 2048, 1, 1 << 20, true, true};
  allocate(s, Family::Uniform);
  float* partials = device_array<float>(2048 * 64);
  std::printf("\n%s\n", s.name);
  const double bytes = 4.0 * s.m * static_cast<double>(s.k);
  const auto time_gemv = [&](auto kernel, int rows, int unroll, int parts) {
    const kw::GemvProblem p{s.m, s.k, s.k / parts, 0, 0};
    const kw::GemvPartials sums{partials, 1, 1, s.m};
    check(cudaMemset(s.c, 0xff, s.m * 4), "poison");
    const double ms = timer.median_ms(
        [&] {
          kernel<<<dim3(s.m / rows, parts), 256>>>(p, {s.a, 0, s.k, 1}, {s.b, 0, s.k, 1}, sums);
          gemv_finish_kernel<<<8, 256>>>(sums, parts, {s.c});
        },
        7);
    const Error e = error_of(s, s.c, s.m);
    std::printf("rows %d unroll %d parts %2d  %8.4f ms  %5.2f TB/s  error max %.2e mean %+.2e\n",
                rows, unroll, parts, ms, bytes / ms * 1e-9, e.max, e.mean);
    std::snprintf(line, sizeof line,
                  "{\"shape\":\"%s\",\"form\":\"gemv\",\"rows\":%d,\"unroll\":%d,\"parts\":%d,"
                  "\"all_ms\":%.5f,"
                  "\"tb_per_s\":%.3f,\"error_max\":%.3e}",
                  s.name, rows, unroll, parts, ms, bytes / ms * 1e-9, e.max);
    record(line);
  };
  for (const int parts : {8, 32, 64}) {
    time_gemv(gemv_kernel<1, 4>, 1, 4, parts);
    time_gemv(gemv_kernel<1, 8>, 1, 8, parts);
    time_gemv(gemv_kernel<2, 4>, 2, 4, parts);
    time_gemv(gemv_kernel<2, 8>, 2, 8, parts);
  }
  if (cublas.sgemm != nullptr) {
    const double ms = timer.median_ms([&] { cublas.run(s, s.c); }, 5);
    std::printf("cuBLAS FP32 %8.4f ms\n", ms);
  }

  json += "\n]\n";
  if (argc > 1) {
    std::FILE* file = std::fopen(argv[1], "w");
    if (file == nullptr || std::fputs(json.c_str(), file) < 0 || std::fclose(file) != 0) {
      std::fprintf(stderr, "cannot write %s\n", argv[1]);
      return 3;
    }
  }
  return 0;
}
