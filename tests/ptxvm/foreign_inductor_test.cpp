// PTX of kernels that torch-inductor generated for small PyTorch functions.

#include "ptxvm/foreign.h"

namespace kw::ptxvm {
namespace {

constexpr std::uint64_t kNoScratch = 0;  // Triton's two last parameters
constexpr std::uint32_t kThreads = 128;

TEST(Inductor, BiasAndGelu) {
  constexpr std::size_t rows = 50, columns = 96;
  Foreign k("inductor/bias_gelu.ptx");
  const auto x = random_floats(rows * columns, 1, -3, 3), b = random_floats(columns, 2);
  const auto y = k.out<float>("y", x.size());
  k.run({19}, kThreads, 0,
        Arguments(k.in("x", x), k.in("b", b), y, int{rows * columns}, kNoScratch, kNoScratch));
  std::vector<double> want;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double v = x[i] + b[i % columns];
    want.push_back(0.5 * v * (1 + std::erf(v * std::sqrt(0.5))));
  }
  expect_near(download<float>(k.memory, y), want, 1e-5, 1e-6);
}

TEST(Inductor, Softmax) {
  constexpr std::size_t rows = 24, columns = 300;
  Foreign k("inductor/softmax.ptx");
  const auto x = random_floats(rows * columns, 3, -8, 8);
  const auto y = k.out<float>("y", x.size());
  k.run({rows}, kThreads, 16,
        Arguments(k.in("x", x), y, int{rows}, int{columns}, kNoScratch, kNoScratch));
  expect_near(download<float>(k.memory, y), softmax_of_rows(x, columns), 1e-5, 0);
}

TEST(Inductor, LayerNormOfHalves) {
  constexpr std::size_t rows = 16, columns = 256;
  Foreign k("inductor/layer_norm_half.ptx");
  const auto x = random_halves(rows * columns, 4), w = random_halves(columns, 5),
             b = random_halves(columns, 6);
  const auto y = k.out<Half>("y", x.size());
  k.run({rows}, kThreads, 16,
        Arguments(k.in("x", x), k.in("w", w), k.in("b", b), y, int{rows}, int{columns}, kNoScratch,
                  kNoScratch));
  const auto fx = from_halves(x), fw = from_halves(w), fb = from_halves(b);
  std::vector<double> want;
  for (std::size_t r = 0; r < rows; ++r) {
    const float* row = &fx[r * columns];
    double mean = 0, variance = 0;
    for (std::size_t c = 0; c < columns; ++c) mean += row[c] / double{columns};
    for (std::size_t c = 0; c < columns; ++c)
      variance += (row[c] - mean) * (row[c] - mean) / double{columns};
    for (std::size_t c = 0; c < columns; ++c)
      want.push_back((row[c] - mean) / std::sqrt(variance + 1e-5) * fw[c] + fb[c]);
  }
  expect_near(from_halves(download<Half>(k.memory, y)), want, 1e-3, 1e-3);
}

TEST(Inductor, VarianceAndMeanInALoop) {
  constexpr std::size_t rows = 6, columns = 5000;
  Foreign k("inductor/var_mean_looped.ptx");
  const auto x = random_floats(rows * columns, 7, 1, 3);
  const auto variance = k.out<float>("variance", rows), mean = k.out<float>("mean", rows);
  k.run({rows}, kThreads, 48,
        Arguments(variance, k.in("x", x), mean, int{rows}, int{columns}, kNoScratch, kNoScratch));
  std::vector<double> means, variances;
  for (std::size_t r = 0; r < rows; ++r) {
    const float* row = &x[r * columns];
    double mu = 0, sum = 0;
    for (std::size_t c = 0; c < columns; ++c) mu += row[c] / double{columns};
    for (std::size_t c = 0; c < columns; ++c) sum += (row[c] - mu) * (row[c] - mu);
    means.push_back(mu);
    variances.push_back(sum / (columns - 1));
  }
  expect_near(download<float>(k.memory, mean), means, 1e-5, 0);
  expect_near(download<float>(k.memory, variance), variances, 1e-4, 0);
}

TEST(Inductor, SumWithATransposedMatrix) {
  constexpr std::size_t rows = 72, columns = 40;
  Foreign k("inductor/transpose_add.ptx");
  const auto y = random_floats(rows * columns, 8), x = random_floats(rows * columns, 9);
  const auto z = k.out<float>("z", x.size());
  k.run({3, 3}, kThreads, 2048,
        Arguments(k.in("y", y), k.in("x", x), z, int{rows}, int{columns}, kNoScratch, kNoScratch));
  std::vector<float> want;
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) want.push_back(y[r * columns + c] + x[c * rows + r]);
  }
  EXPECT_EQ(download<float>(k.memory, z), want);
}

TEST(Inductor, ArgumentOfTheMaximum) {
  constexpr std::size_t rows = 8, columns = 700;
  Foreign k("inductor/argmax.ptx");
  auto x = random_floats(rows * columns, 10);
  x[17] = x[400] = 2.0f;  // of equals, the first
  const auto y = k.out<std::int64_t>("y", rows);
  k.run({rows}, kThreads, 32,
        Arguments(k.in("x", x), y, int{rows}, int{columns}, kNoScratch, kNoScratch));
  std::vector<std::int64_t> want;
  for (std::size_t r = 0; r < rows; ++r) {
    const auto row = x.begin() + static_cast<std::ptrdiff_t>(r * columns);
    want.push_back(std::max_element(row, row + columns) - row);
  }
  EXPECT_EQ(download<std::int64_t>(k.memory, y), want);
}

TEST(Inductor, CumulativeSum) {
  constexpr std::size_t rows = 8, columns = 200;
  Foreign k("inductor/cumsum.ptx");
  const auto x = random_floats(rows * columns, 11);
  const auto y = k.out<float>("y", x.size());
  k.run({rows}, kThreads, 16,
        Arguments(k.in("x", x), y, int{rows}, int{columns}, kNoScratch, kNoScratch));
  std::vector<double> want;
  for (std::size_t i = 0; i < x.size(); ++i)
    want.push_back(x[i] + (i % columns == 0 ? 0.0 : want.back()));
  expect_near(download<float>(k.memory, y), want, 1e-5, 1e-5);
}

TEST(Inductor, IndexAddWithAtomics) {
  constexpr std::size_t rows = 10, columns = 24, sources = 33;
  Foreign copy("inductor/index_add.ptx"), add("inductor/index_add_1.ptx");
  const auto x = random_floats(rows * columns, 12), source = random_floats(sources * columns, 13);
  std::vector<std::int64_t> index(sources);
  for (std::size_t i = 0; i < sources; ++i)
    index[i] = static_cast<std::int64_t>(i * 7 % rows) - (i % 3 == 0 ? std::int64_t{rows} : 0);
  const auto copied = copy.out<float>("y", x.size());
  copy.run({8}, kThreads, 0,
           Arguments(copy.in("x", x), copied, int{rows * columns}, kNoScratch, kNoScratch));
  EXPECT_EQ(download<float>(copy.memory, copied), x);
  const auto y = upload(add.memory, "y", x);
  add.run({1, 5}, kThreads, 0,
          Arguments(add.in("index", index), add.in("source", source), y, int{sources}, int{columns},
                    kNoScratch, kNoScratch));
  std::vector<double> want(x.begin(), x.end());
  for (std::size_t i = 0; i < sources * columns; ++i) {
    const auto row = static_cast<std::size_t>((index[i / columns] + rows) % rows);
    want[row * columns + i % columns] += source[i];
  }
  expect_near(download<float>(add.memory, y), want, 1e-5, 1e-5);
}

TEST(Inductor, CrossEntropyInTwoKernels) {
  constexpr std::size_t rows = 20, classes = 100;
  Foreign maxima("inductor/cross_entropy.ptx"), loss("inductor/cross_entropy_1.ptx");
  const auto x = random_floats(rows * classes, 14, -4, 4);
  std::vector<std::int64_t> target(rows);
  for (std::size_t i = 0; i < rows; ++i) target[i] = static_cast<std::int64_t>(i * 13 % classes);
  target[4] = -100;  // ignored
  const auto m = maxima.out<float>("m", rows), s = maxima.out<float>("s", rows);
  maxima.run({rows}, kThreads, 16,
             Arguments(maxima.in("x", x), m, s, int{rows}, int{classes}, kNoScratch, kNoScratch));
  const auto y = loss.out<float>("loss", 1);
  loss.run({1}, kThreads, 0,
           Arguments(y, loss.in("target", target), loss.in("x", x),
                     loss.in("m", download<float>(maxima.memory, m)),
                     loss.in("s", download<float>(maxima.memory, s)), int{rows}, kNoScratch,
                     kNoScratch));
  double sum = 0;
  for (std::size_t r = 0; r < rows; ++r) {
    if (target[r] < 0) continue;
    double total = 0;
    for (std::size_t c = 0; c < classes; ++c) total += std::exp(double{x[r * classes + c]});
    sum += std::log(total) - x[r * classes + static_cast<std::size_t>(target[r])];
  }
  expect_near(download<float>(loss.memory, y), {sum / (rows - 1)}, 1e-5, 0);
}

TEST(Inductor, AnIndexOutOfRangeIsFound) {
  Foreign add("inductor/index_add_1.ptx");
  std::vector<std::int64_t> index(33);
  index[20] = 10;  // of ten rows
  const auto y = upload(add.memory, "y", std::vector<float>(240));
  const Report report =
      run_kernel(add.program(), add.memory, "triton_poi_fused_1", {1, 5}, {kThreads},
                 Arguments(add.in("index", index), add.in("source", random_floats(33 * 24, 15)), y,
                           33, 24, kNoScratch, kNoScratch));
  ASSERT_FALSE(report.findings.empty());
  EXPECT_EQ(report.findings.front().kind, FindingKind::OutOfBounds);
  EXPECT_EQ(report.findings.front().allocation, "y");
}

TEST(Inductor, MaximumPooling) {
  constexpr std::size_t planes = 6, height = 16, width = 20;
  Foreign k("inductor/max_pool.ptx");
  const auto x = random_floats(planes * height * width, 16);
  const auto y = k.out<float>("y", x.size() / 4);
  k.run({2}, kThreads, 0, Arguments(k.in("x", x), y, 480, kNoScratch, kNoScratch));
  std::vector<float> want;
  for (std::size_t r = 0; r < planes * height; r += 2) {
    for (std::size_t c = 0; c < width; c += 2) {
      const std::size_t i = r * width + c;
      want.push_back(std::max(std::max(x[i], x[i + 1]), std::max(x[i + width], x[i + width + 1])));
    }
  }
  EXPECT_EQ(download<float>(k.memory, y), want);
}

}  // namespace
}  // namespace kw::ptxvm
