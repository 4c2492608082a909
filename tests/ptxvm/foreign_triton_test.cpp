// PTX that Triton made of the kernels of its tutorials.

#include "ptxvm/foreign.h"

namespace kw::ptxvm {
namespace {

constexpr std::uint64_t kNoScratch = 0;  // Triton's two last parameters
constexpr std::uint32_t kThreads = 128;

TEST(Triton, VectorAdd) {
  constexpr int n = 2500;
  Foreign k("triton/vector_add.ptx");
  const auto x = random_floats(n, 1), y = random_floats(n, 2);
  const auto out = k.out<float>("out", n);
  k.run({3}, kThreads, 0, Arguments(k.in("x", x), k.in("y", y), out, n, kNoScratch, kNoScratch));
  std::vector<float> want(n);
  for (std::size_t i = 0; i < n; ++i) want[i] = x[i] + y[i];
  EXPECT_EQ(download<float>(k.memory, out), want);
}

TEST(Triton, FusedSoftmax) {
  constexpr std::size_t rows = 13, columns = 200;
  Foreign k("triton/fused_softmax.ptx");
  const auto x = random_floats(rows * columns, 3, -8, 8);
  const auto out = k.out<float>("out", rows * columns);
  const int stride = columns;
  k.run({4}, kThreads, 3088,
        Arguments(out, k.in("in", x), stride, stride, static_cast<int>(rows), stride, kNoScratch,
                  kNoScratch));
  expect_near(download<float>(k.memory, out), softmax_of_rows(x, columns), 1e-5, 0);
}

TEST(Triton, MatrixProduct) {
  constexpr std::size_t m = 80, n = 48, depth = 112;
  Foreign k("triton/matmul.ptx");
  const auto a = random_halves(m * depth, 4), b = random_halves(depth * n, 5);
  const auto c = k.out<Half>("c", m * n);
  k.run({2 * 2}, kThreads, 12288,
        Arguments(k.in("a", a), k.in("b", b), c, int{m}, int{n}, int{depth}, int{depth}, int{n},
                  int{n}, kNoScratch, kNoScratch));
  const auto fa = from_halves(a), fb = from_halves(b);
  std::vector<double> want(m * n);
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t l = 0; l < depth; ++l)
        want[i * n + j] += double{fa[i * depth + l]} * fb[l * n + j];
    }
  }
  expect_near(from_halves(download<Half>(k.memory, c)), want, 1e-3, 1e-3);
}

TEST(Triton, CausalFlashAttention) {
  constexpr std::size_t heads = 2, length = 128, width = 64;
  constexpr float scale = 0.25f;
  Foreign k("triton/flash_attention.ptx");
  const std::size_t n = heads * length * width;
  const auto q = random_halves(n, 6), key = random_halves(n, 7), v = random_halves(n, 8);
  const auto out = k.out<Half>("out", n), logsum = k.out<float>("m", heads * length);
  constexpr int batch_stride = heads * length * width, head_stride = length * width, row = width;
  k.run({length / 64, heads}, kThreads, 24576,
        Arguments(k.in("q", q), k.in("k", key), k.in("v", v), scale, logsum, out, batch_stride,
                  head_stride, row, batch_stride, head_stride, row, batch_stride, head_stride, row,
                  batch_stride, head_stride, row, 1, int{heads}, int{length}, kNoScratch,
                  kNoScratch));
  const auto fq = from_halves(q), fk = from_halves(key), fv = from_halves(v);
  std::vector<double> want(n);
  for (std::size_t i = 0; i < heads * length; ++i) {
    const std::size_t first = i / length * length;  // row of the head's first key
    std::vector<double> p;
    double sum = 0;
    for (std::size_t j = first; j <= i; ++j) {
      double dot = 0;
      for (std::size_t d = 0; d < width; ++d) dot += double{fq[i * width + d]} * fk[j * width + d];
      p.push_back(std::exp(dot * double{scale}));
      sum += p.back();
    }
    for (std::size_t d = 0; d < width; ++d) {
      for (std::size_t j = first; j <= i; ++j)
        want[i * width + d] += p[j - first] / sum * fv[j * width + d];
    }
  }
  expect_near(from_halves(download<Half>(k.memory, out)), want, 2e-3, 1e-3);
}

TEST(Triton, LayerNorm) {
  constexpr std::size_t rows = 5, columns = 600;
  Foreign k("triton/layer_norm.ptx");
  const auto x = random_floats(rows * columns, 9), w = random_floats(columns, 10),
             b = random_floats(columns, 11);
  const auto y = k.out<float>("y", rows * columns), mean = k.out<float>("mean", rows),
             rstd = k.out<float>("rstd", rows);
  k.run({rows}, kThreads, 1024,
        Arguments(k.in("x", x), y, k.in("w", w), k.in("b", b), mean, rstd, int{columns},
                  int{columns}, 1e-5f, kNoScratch, kNoScratch));
  std::vector<double> want;
  for (std::size_t r = 0; r < rows; ++r) {
    const float* row = &x[r * columns];
    double mu = 0, variance = 0;
    for (std::size_t c = 0; c < columns; ++c) mu += row[c] / double{columns};
    for (std::size_t c = 0; c < columns; ++c)
      variance += (row[c] - mu) * (row[c] - mu) / double{columns};
    for (std::size_t c = 0; c < columns; ++c)
      want.push_back((row[c] - mu) / std::sqrt(variance + 1e-5) * w[c] + b[c]);
  }
  expect_near(download<float>(k.memory, y), want, 1e-4, 1e-5);
}

// Salmon et al., "Parallel random numbers: as easy as 1, 2, 3": Philox-4x32-10; the first word.
std::uint32_t philox(std::uint32_t counter, std::uint32_t seed) {
  std::uint32_t c[4] = {counter, 0, 0, 0}, key[2] = {seed, 0};
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * c[0], b = std::uint64_t{0xCD9E8D57} * c[2];
    const std::uint32_t next[4] = {
        static_cast<std::uint32_t>(b >> 32) ^ c[1] ^ key[0], static_cast<std::uint32_t>(b),
        static_cast<std::uint32_t>(a >> 32) ^ c[3] ^ key[1], static_cast<std::uint32_t>(a)};
    std::copy(std::begin(next), std::end(next), c);
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return c[0];
}

TEST(Triton, SeededDropout) {
  constexpr std::size_t n = 700;
  constexpr float p = 0.4f;
  Foreign k("triton/dropout.ptx");
  const auto x = random_floats(n, 12);
  const auto out = k.out<float>("out", n);
  k.run({3}, kThreads, 0, Arguments(k.in("x", x), out, int{n}, p, 1234, kNoScratch, kNoScratch));
  std::vector<double> want;
  for (std::uint32_t i = 0; i < n; ++i) {
    const auto bits = static_cast<std::int32_t>(philox(i, 1234));
    const double uniform = (bits < 0 ? -(bits + 1) : bits) * 4.6566127342e-10;
    want.push_back(uniform > double{p} ? x[i] / (1 - double{p}) : 0.0);
  }
  expect_near(download<float>(k.memory, out), want, 1e-6, 0);
}

}  // namespace
}  // namespace kw::ptxvm
