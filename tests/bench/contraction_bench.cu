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
#include "contraction_bench.cuh"

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
