// Times and checks FP32 products at the shapes of KernelBench's problems: the form with a split
// pass and the form that splits in its main loop, with several tiles each, beside cuBLAS FP32 and
// the floor.
//
//   nvcc -O3 -std=c++17 -gencode=arch=compute_90,code=sm_90 -Icodegen/skeletons -lcudart -ldl
//        tests/bench/product_shapes_bench.cu -o product_shapes_bench
//   ./product_shapes_bench [part of a shape's name]
//
// Times are medians with a cold L2. The floor is the larger of the operands' and the result's bytes
// at 3.0 TB/s and the multiplications at 133 TFLOP/s (what FP16x3 sustains on mma.sync).
#include <cstring>

#include "contraction_bench.cuh"

namespace {

struct Call {
  const Shape& s;
  kw::DirectProblem p;
  int parts;
  float* sums;
};
struct Direct {
  std::string name;
  int tile_m, tile_n, resident;
  bool quads;
  std::vector<std::function<void(const Call&)>> run;  // by layout: a_along_k + 2 * b_along_k
};

template <class Tile, int MinBlocks, bool AK, bool BK, bool Quads, class Sink>
__global__ void __launch_bounds__(Tile::kThreads, MinBlocks)
    direct_kernel(kw::DirectProblem p, kw::Strided<AK, Quads> a, kw::Strided<BK, Quads> b,
                  Sink sink) {
  kw::direct_product<Tile>(p, a, b, sink);
}
__global__ void finish_kernel(kw::StorePart sums, int parts, int columns, Store store) {
  kw::add_parts(sums, parts, columns, store);
}

template <class Tile, int MinBlocks, bool AK, bool BK, bool Quads>
void launch_direct(const Call& c) {
  const Shape& s = c.s;
  const kw::Strided<AK, Quads> a{s.a, 0, s.a_row(), s.a_k()};
  const kw::Strided<BK, Quads> b{s.b, 0, s.b_row(), s.b_k()};
  const unsigned tiles = static_cast<unsigned>((s.m + Tile::kTileM - 1) / Tile::kTileM *
                                               ((s.n + Tile::kTileN - 1) / Tile::kTileN));
  cudaMemsetAsync(c.p.wide_count, 0, 4);
  const Store store{s.c, s.m, s.n};
  if (c.parts == 1) {
    direct_kernel<Tile, MinBlocks, AK, BK, Quads>
        <<<tiles, Tile::kThreads, Tile::kSharedBytes>>>(c.p, a, b, store);
  } else {
    const kw::StorePart sums{c.sums, 1, s.m};
    direct_kernel<Tile, MinBlocks, AK, BK, Quads>
        <<<dim3(tiles, static_cast<unsigned>(c.parts)), Tile::kThreads, Tile::kSharedBytes>>>(
            c.p, a, b, sums);
    const long long pairs = static_cast<long long>(s.m) * ((s.n + 1) / 2);
    finish_kernel<<<static_cast<unsigned>((pairs + 255) / 256), 256>>>(sums, c.parts, s.n, store);
  }
  ffma<Wide>(s, c.p.wide_count, c.p.wide_limit);  // gated: never runs on these values
}
template <class Tile, int MinBlocks, bool AK, bool BK, bool Quads, class Sink>
void allow_shared(const std::string& name) {
  const auto kernel = direct_kernel<Tile, MinBlocks, AK, BK, Quads, Sink>;
  check(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, Tile::kSharedBytes),
      name.c_str());
  cudaFuncAttributes attributes{};
  cudaFuncGetAttributes(&attributes, kernel);
  {
    std::printf("%s %d%d: registers %d local %zu\n", name.c_str(), AK, BK, attributes.numRegs,
                attributes.localSizeBytes);
  }
}
template <class Tile, int MinBlocks, bool Quads>
Direct direct(bool every_layout) {
  Direct d;
  d.name = "direct " + std::to_string(Tile::kTileM) + "x" + std::to_string(Tile::kTileN) +
           " warp " + std::to_string(Tile::kWarpM) + "x" + std::to_string(Tile::kWarpN) +
           " stages " + std::to_string(Tile::kStages) + " blocks/SM " + std::to_string(MinBlocks) +
           (Quads ? "" : " odd");
  d.tile_m = Tile::kTileM, d.tile_n = Tile::kTileN, d.resident = MinBlocks, d.quads = Quads;
  d.run.resize(4);
  const auto add = [&](auto ak, auto bk) {
    constexpr bool AK = decltype(ak)::value, BK = decltype(bk)::value;
    allow_shared<Tile, MinBlocks, AK, BK, Quads, Store>(d.name);
    allow_shared<Tile, MinBlocks, AK, BK, Quads, kw::StorePart>(d.name);
    d.run[AK + 2 * BK] = launch_direct<Tile, MinBlocks, AK, BK, Quads>;
  };
  add(std::true_type{}, std::false_type{});
  add(std::true_type{}, std::true_type{});
  if constexpr (Tile::kTileM == 128 && Tile::kTileN == 128 && Quads) {
    if (every_layout) {
      add(std::false_type{}, std::false_type{});
      add(std::false_type{}, std::true_type{});
    }
  }
  return d;
}

}  // namespace

int main(int argc, char** argv) {
  cudaDeviceProp device{};
  check(cudaGetDeviceProperties(&device, 0), "device");
  const int sms = device.multiProcessorCount;
  std::printf("%s, %d SMs\n", device.name, sms);

  using kw::DirectTile;
  using kw::Fp16x3Tile;
  const Direct directs[] = {
      direct<DirectTile<128, 128, 64, 32, 3>, 1, true>(false),
      direct<DirectTile<128, 128, 64, 32, 3>, 1, false>(false),
      direct<DirectTile<64, 128, 32, 32, 4>, 1, true>(false),
      direct<DirectTile<128, 32, 16, 32, 5>, 1, true>(false),
      direct<DirectTile<32, 128, 32, 16, 5>, 1, true>(false),
      direct<DirectTile<16, 128, 16, 16, 6>, 1, true>(false),
  };
  const Variant splits[] = {variant<Fp16x3Tile<128, 128, 64, 32, 3, 2>, 1>(),
                            variant<Fp16x3Tile<64, 64, 32, 32, 2, 2>, 3>()};
  const Shape shapes[] = {
      {"2/56 128x32768x32768", 128, 32768, 32768, true, true},
      {"1/6 256x256x524288", 256, 256, 524288, true, false},
      {"2/66 128x16384x16384", 128, 16384, 16384, true, true},
      {"3/1 128x8192x16384", 128, 8192, 16384, true, true},
      {"2/51 2048x8192x8192", 2048, 8192, 8192, true, true},
      {"1/1 4096x4096x4096", 4096, 4096, 4096, true, false},
      {"1/7 32768x32768x64", 32768, 32768, 64, true, false},
      {"1/9 32768x32768x32", 32768, 32768, 32, true, false},
      {"1/8 8205x5921x2949", 8205, 5921, 2949, true, false},
      {"1/16 2048x4096x8192 A^T", 2048, 4096, 8192, false, false},
      {"1/10 16384x768x2048", 16384, 768, 2048, true, false},
      {"1/11 1048576x768x256", 1048576, 768, 256, true, false},
      {"3/31 scores 16384x16384x32", 16384, 16384, 32, true, true},
      {"3/31 values 16384x32x16384", 16384, 32, 16384, true, false},
      {"64x8192x8192", 64, 8192, 8192, true, true},
      {"32x8192x8192", 32, 8192, 8192, true, true},
      {"16x8192x8192", 16, 8192, 8192, true, true},
      {"1024x1024x1024", 1024, 1024, 1024, true, true},
      {"512x512x4096", 512, 512, 4096, true, true},
  };
  Timer timer;
  Cublas cublas;
  for (Shape s : shapes) {
    if (argc > 1 && std::strstr(s.name, argv[1]) == nullptr) continue;
    allocate(s, Family::Normal);
    const double flop = 2.0 * s.m * s.n * static_cast<double>(s.k);
    const double bytes = 4.0 * (static_cast<double>(s.m) * s.k + static_cast<double>(s.n) * s.k +
                                static_cast<double>(s.m) * s.n);
    const double memory_ms = bytes / 3.0e9, product_ms = flop / 133e9;
    double cublas_ms = std::numeric_limits<double>::quiet_NaN();
    if (cublas.sgemm != nullptr) cublas_ms = timer.median_ms([&] { cublas.run(s, s.c); }, 5);
    std::printf("\n%s: floor %.3f ms (memory %.3f, products %.3f), cuBLAS FP32 %.3f ms\n", s.name,
                std::max(memory_ms, product_ms), memory_ms, product_ms, cublas_ms);
    const bool quads = s.k % 4 == 0 && s.m % 4 == 0 && s.n % 4 == 0;
    const auto report = [&](const std::string& name, int parts, double ms, unsigned wide) {
      const Error e = error_of(s, s.c, 4000);
      const bool bad = e.max > 0x1p-20 + 0x1p-23 * std::sqrt(static_cast<double>(s.k)) ||
                       std::abs(e.mean) > 0x1p-20 || e.misplaced != 0;
      std::printf(
          "  %-44s parts %3d %9.4f ms %6.1f TFLOP/s %5.2f TB/s (%.2fx)  max %.1e wide %u%s\n",
          name.c_str(), parts, ms, flop / ms * 1e-9, bytes / ms * 1e-9, cublas_ms / ms, e.max, wide,
          bad ? "  BAD" : "");
      std::fflush(stdout);
    };
    if (quads) {
      const Workspace w = make_workspace(s);
      for (const Variant& v : splits) {
        check(cudaMemset(s.c, 0xff, static_cast<std::size_t>(s.m) * s.n * 4), "poison");
        const double ms = timer.median_ms(
            [&] {
              split(s, w);
              v.run(s, w);
              ffma<Wide>(s, w.wide_count, w.p.wide_limit);
            },
            5);
        report(v.name, 1, ms, w.wide());
      }
      release(w);
    }
    unsigned* wide_count = device_array<unsigned>(1);
    const int runs = (s.k + kw::kRun - 1) / kw::kRun;
    for (const Direct& d : directs) {
      const auto& run = d.run[s.a_along_k + 2 * s.b_along_k];
      if (!run || d.quads != quads) continue;
      // A tile much larger than the product, or much smaller, is no candidate.
      if (d.tile_m >= 2 * s.m + 16 || (d.tile_m < 64 && s.m >= 2 * d.tile_m)) continue;
      if (d.tile_n >= 2 * s.n + 16 || (d.tile_n < 64 && s.n >= 2 * d.tile_n)) continue;
      const long long tiles = static_cast<long long>((s.m + d.tile_m - 1) / d.tile_m) *
                              ((s.n + d.tile_n - 1) / d.tile_n);
      int last = 0;
      for (const int waves : {1, 2}) {
        int parts = static_cast<int>(std::max<long long>(1, waves * d.resident * sms / tiles));
        parts = std::max(1, std::min(parts, runs / 4));
        const int per_part = (runs + parts - 1) / parts;
        parts = (runs + per_part - 1) / per_part;
        if (parts == last) continue;
        last = parts;
        float* sums = device_array<float>(
            parts > 1 ? static_cast<std::size_t>(parts) * s.m * ((s.n + 1) / 2 * 2) : 1);
        const Call call{s, {s.m, s.n, s.k, 0, 0, per_part, 1u << 30, wide_count}, parts, sums};
        check(cudaMemset(s.c, 0xff, static_cast<std::size_t>(s.m) * s.n * 4), "poison");
        const double ms = timer.median_ms([&] { run(call); }, 5);
        unsigned wide = 0;
        check(cudaMemcpy(&wide, wide_count, 4, cudaMemcpyDefault), "wide count");
        report(d.name, parts, ms, wide);
        cudaFree(sums);
      }
    }
    cudaFree(wide_count);
    free_shape(s);
  }
  return 0;
}
