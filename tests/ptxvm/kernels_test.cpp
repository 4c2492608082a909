// Whole kernels as a compiler emits them, against plain C++.

#include <cmath>
#include <numeric>

#include "ptxvm/harness.h"

namespace kw::ptxvm {
namespace {

TEST(PtxVmKernels, VectorAddMatchesForASizeThatIsNoMultipleOfTheBlock) {
  const int n = 1000;
  const auto a = random_floats(n, 1), b = random_floats(n, 2);
  Memory memory;
  const auto pa = upload(memory, "a", a), pb = upload(memory, "b", b);
  const auto pc = memory.allocate("c", n * sizeof(float)).value();
  const Report report = run_kernel(kernels(), memory, "vadd", {4}, {256}, Arguments(pa, pb, pc, n));
  ASSERT_TRUE(report.clean()) << first_message(report);
  const auto c = download<float>(memory, pc);
  for (int i = 0; i < n; ++i)
    EXPECT_EQ(c[static_cast<std::size_t>(i)],
              a[static_cast<std::size_t>(i)] + b[static_cast<std::size_t>(i)]);
  EXPECT_TRUE(memory.is_initialised(pc, n * sizeof(float)));
}

TEST(PtxVmKernels, SoftmaxMatchesTheReferenceWithinItsApproximateExponential) {
  const int rows = 3, columns = 257;
  const auto x = random_floats(rows * columns, 3, -5, 5);
  Memory memory;
  const auto px = upload(memory, "x", x);
  const auto py = memory.allocate("y", x.size() * sizeof(float)).value();
  const Report report =
      run_kernel(kernels(), memory, "softmax", {rows}, {128}, Arguments(px, py, columns));
  ASSERT_TRUE(report.clean()) << first_message(report);
  const auto y = download<float>(memory, py);
  for (std::size_t r = 0; r < rows; ++r) {
    double sum = 0;
    for (std::size_t i = 0; i < columns; ++i)
      sum += std::exp(static_cast<double>(x[r * columns + i]));
    for (std::size_t i = 0; i < columns; ++i) {
      const double want = std::exp(static_cast<double>(x[r * columns + i])) / sum;
      EXPECT_NEAR(y[r * columns + i], want, 2e-6 * want);
    }
  }
}

TEST(PtxVmKernels, LayerNormMatchesTheReference) {
  const int rows = 2, columns = 300;
  const auto x = random_floats(rows * columns, 4), gamma = random_floats(columns, 5),
             beta = random_floats(columns, 6);
  Memory memory;
  const auto px = upload(memory, "x", x), pg = upload(memory, "gamma", gamma),
             pb = upload(memory, "beta", beta);
  const auto py = memory.allocate("y", x.size() * sizeof(float)).value();
  const Report report =
      run_kernel(kernels(), memory, "layernorm", {rows}, {64}, Arguments(px, pg, pb, py, columns));
  ASSERT_TRUE(report.clean()) << first_message(report);
  const auto y = download<float>(memory, py);
  for (std::size_t r = 0; r < rows; ++r) {
    double s = 0, q = 0;
    for (std::size_t i = 0; i < columns; ++i) {
      s += x[r * columns + i];
      q += static_cast<double>(x[r * columns + i]) * x[r * columns + i];
    }
    const double mean = s / columns, scale = 1 / std::sqrt(q / columns - mean * mean + 1e-5);
    for (std::size_t i = 0; i < columns; ++i) {
      EXPECT_NEAR(y[r * columns + i], (x[r * columns + i] - mean) * scale * gamma[i] + beta[i],
                  5e-6);
    }
  }
}

TEST(PtxVmKernels, TiledSgemmIsBitwiseTheSequentialFmaChain) {
  const int m = 64, n = 128, k = 48;
  const auto a = random_floats(m * k, 7), b = random_floats(k * n, 8);
  for (const HostIsa isa : {HostIsa::Best, HostIsa::Baseline}) {
    Memory memory;
    const auto pa = upload(memory, "a", a), pb = upload(memory, "b", b);
    const auto pc = memory.allocate("c", m * n * sizeof(float)).value();
    Options options;
    options.isa = isa;
    options.count_memory = true;
    const Report report = run_kernel(kernels(), memory, "sgemm", {2, 1}, {256},
                                     Arguments(pa, pb, pc, m, n, k), options);
    ASSERT_TRUE(report.clean()) << first_message(report);
    const auto c = download<float>(memory, pc);
    for (std::size_t i = 0; i < m; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        float want = 0;
        for (std::size_t kk = 0; kk < k; ++kk) want = std::fma(a[i * k + kk], b[kk * n + j], want);
        ASSERT_EQ(c[i * n + j], want);
      }
    }
    EXPECT_GT(report.counters.global_requests, 0u);
    EXPECT_GT(report.counters.shared_waves, report.counters.shared_requests);
    EXPECT_DOUBLE_EQ(report.counters.lane_utilisation(), 1.0);
  }
}

// f16 values with few bits, so that every sum is exact in every model.
TEST(PtxVmKernels, TensorCoreGemmWithAsyncCopiesIsExactOnSmallIntegers) {
  const int m = 64, n = 64, k = 96;
  std::mt19937 engine(9);
  std::vector<_Float16> a(m * k), b(n * k);
  for (auto& x : a) x = static_cast<_Float16>(static_cast<int>(engine() % 17) - 8);
  for (auto& x : b) x = static_cast<_Float16>(static_cast<int>(engine() % 17) - 8);
  for (const bool exact : {false, true}) {
    Memory memory;
    const auto pa = upload(memory, "a", a), pb = upload(memory, "b", b);
    const auto pc = memory.allocate("c", m * n * sizeof(float)).value();
    Options options;
    options.exact_tensor_accumulation = exact;
    const Report report = run_kernel(kernels(), memory, "hgemm", {1, 1}, {128},
                                     Arguments(pa, pb, pc, m, n, k), options);
    ASSERT_TRUE(report.clean()) << first_message(report);
    const auto c = download<float>(memory, pc);
    for (std::size_t i = 0; i < m; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        float want = 0;
        for (std::size_t kk = 0; kk < k; ++kk)
          want += static_cast<float>(a[i * k + kk]) * static_cast<float>(b[j * k + kk]);
        ASSERT_EQ(c[i * n + j], want) << i << ' ' << j;
      }
    }
    EXPECT_EQ(report.counters.matrix_multiply_adds, static_cast<std::uint64_t>(m) * n * k);
  }
}

// Library-like tiles, all checks on, on two threads too.
TEST(PtxVmKernels, WideProductsAreRightAndClean) {
  const int m = 256, n = 64, k = 64;
  std::mt19937 engine(19);
  std::vector<_Float16> a(m * k), b(k * n), b_transposed(n * k);
  std::vector<float> wide_a(m * k), wide_b(k * n);
  for (int i = 0; i < m * k; ++i) {
    a[i] = static_cast<_Float16>(static_cast<int>(engine() % 17) - 8);
    wide_a[i] = static_cast<float>(a[i]);
  }
  for (int i = 0; i < k * n; ++i) {
    b[i] = static_cast<_Float16>(static_cast<int>(engine() % 17) - 8);
    wide_b[i] = static_cast<float>(b[i]);
    b_transposed[i % n * k + i / n] = b[i];
  }
  Options checked = with_all_checks(), threads;
  threads.threads = 2;
  for (const Options& options : {checked, threads}) {
    Memory memory;
    const auto pa = upload(memory, "a", a), pb = upload(memory, "b", b_transposed),
               qa = upload(memory, "wide a", wide_a), qb = upload(memory, "wide b", wide_b);
    const auto pc = memory.allocate("c", m * n * sizeof(float)).value(),
               qc = memory.allocate("wide c", m * n * sizeof(float)).value();
    const Report half = run_kernel(products(), memory, "hgemm_wide", {1, 2}, {128},
                                   Arguments(pa, pb, pc, m, n, k), options);
    const Report full = run_kernel(products(), memory, "sgemm_wide", {1, 2}, {128},
                                   Arguments(qa, qb, qc, m, n, k), options);
    ASSERT_TRUE(half.clean()) << first_message(half);
    ASSERT_TRUE(full.clean()) << first_message(full);
    const auto c = download<float>(memory, pc), other = download<float>(memory, qc);
    for (std::size_t i = 0; i < m * n; ++i) {
      float want = 0;
      for (std::size_t kk = 0; kk < k; ++kk)
        want += wide_a[i / n * k + kk] * wide_b[kk * n + i % n];
      ASSERT_EQ(c[i], want) << i;
      ASSERT_EQ(other[i], want) << i;
    }
  }
}

TEST(PtxVmKernels, HistogramCountsWithSharedAndGlobalAtomicsOnSeveralThreads) {
  std::mt19937 engine(10);
  std::vector<unsigned char> data(20000);
  for (auto& x : data) x = static_cast<unsigned char>(engine() % 50);
  std::vector<unsigned> want(256);
  for (const auto x : data) ++want[x];
  Memory memory;
  const auto pd = upload(memory, "data", data),
             pb = upload(memory, "bins", std::vector<unsigned>(256));
  Options options;
  options.threads = 4;
  const Report report = run_kernel(kernels(), memory, "histogram", {8}, {128},
                                   Arguments(pd, pb, static_cast<int>(data.size())), options);
  ASSERT_TRUE(report.clean()) << first_message(report);
  EXPECT_EQ(download<unsigned>(memory, pb), want);
}

TEST(PtxVmKernels, WarpShuffleReductionSums) {
  std::vector<int> x(256);
  std::iota(x.begin(), x.end(), 1);
  Memory memory;
  const auto px = upload(memory, "x", x), ps = upload(memory, "sum", std::vector<int>(1));
  const Report report = run_kernel(kernels(), memory, "warp_sum", {2}, {128}, Arguments(px, ps));
  ASSERT_TRUE(report.clean()) << first_message(report);
  EXPECT_EQ(download<int>(memory, ps)[0], 256 * 257 / 2);
}

TEST(PtxVmKernels, ArraysIndexedByDataLiveInLocalMemory) {
  std::mt19937 engine(11);
  std::vector<int> x(64 * 8), want(64 * 8);
  for (std::size_t t = 0; t < 64; ++t) {
    std::vector<int> order(8);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), engine);
    for (std::size_t i = 0; i < 8; ++i) {
      x[t * 8 + i] = order[i] + 8 * static_cast<int>(t);
      want[t * 8 + static_cast<std::size_t>(order[i])] = x[t * 8 + i];
    }
  }
  Memory memory;
  const auto px = upload(memory, "x", x), py = upload(memory, "y", std::vector<int>(64 * 8));
  const Report report = run_kernel(kernels(), memory, "local_sort", {1}, {64}, Arguments(px, py));
  ASSERT_TRUE(report.clean()) << first_message(report);
  EXPECT_EQ(download<int>(memory, py), want);
}

TEST(PtxVmKernels, CallsAFunctionWithConstantMemoryAndKeepsModuleVariables) {
  const int n = 100;
  const auto x = random_floats(n, 12);
  Memory memory;
  const auto px = upload(memory, "x", x);
  const auto py = memory.allocate("y", n * sizeof(float)).value();
  for (int repeat = 0; repeat < 2; ++repeat) {
    const Report report =
        run_kernel(kernels(), memory, "function_call", {1}, {128}, Arguments(px, py, n));
    ASSERT_TRUE(report.clean()) << first_message(report);
  }
  const auto y = download<float>(memory, py);
  for (std::size_t i = 0; i < n; ++i) {
    const float v = x[i];
    float want = 0;
    for (int k = (v > 0 ? 4 : 2) - 1; k >= 0; --k)
      want = std::fma(want, std::fabs(v), std::ldexp(1.0f, -k));
    EXPECT_EQ(y[i], want);
  }
  const auto calls = memory.symbol(kernels(), "calls").value();
  EXPECT_EQ(download<unsigned>(memory, calls)[0], 205u);
}

TEST(PtxVmKernels, BlocksThatWaitForEarlierOnesFinishInEveryStartingOrder) {
  const std::vector<int> x(40, 3);
  for (const Schedule schedule : {Schedule::InOrder, Schedule::Reversed, Schedule::Shuffled}) {
    for (const unsigned threads : {1u, 2u}) {
      Memory memory;
      const auto px = upload(memory, "x", x), pp = upload(memory, "prefix", std::vector<int>(41));
      const auto pd = upload(memory, "done", std::vector<int>(1));
      Options options;
      options.schedule = schedule;
      options.seed = 17;
      options.threads = threads;
      const Report report =
          run_kernel(kernels(), memory, "chained_scan", {40}, {32}, Arguments(px, pp, pd), options);
      ASSERT_TRUE(report.clean()) << first_message(report);
      EXPECT_EQ(download<int>(memory, pp)[40], 120);
    }
  }
}

TEST(PtxVmKernels, LanesOfAWarpThatSpinOnOneLockAllGetIt) {
  Memory memory;
  const auto lock = upload(memory, "lock", std::vector<int>(1)),
             count = upload(memory, "count", std::vector<int>(1));
  const Report report =
      run_kernel(kernels(), memory, "spin_lock", {2}, {64}, Arguments(lock, count));
  ASSERT_TRUE(report.clean()) << first_message(report);
  EXPECT_EQ(download<int>(memory, count)[0], 128);
}

}  // namespace
}  // namespace kw::ptxvm
