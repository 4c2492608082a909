// The error model tells honest FP32 arithmetic from the next lower precision, at every length.

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <functional>

#include "kw/core/random.h"
#include "kw/reference/interpret.h"

namespace kw::reference {
namespace {

float round_to(float x, int bits) {  // keeps `bits` fraction bits, nearest, ties away
  const auto u = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t drop = 23u - static_cast<std::uint32_t>(bits);
  return std::bit_cast<float>((u + (1u << (drop - 1))) & ~((1u << drop) - 1));
}

using Arithmetic = std::function<float(const std::vector<float>&, const std::vector<float>&)>;

float ffma_chain(const std::vector<float>& a, const std::vector<float>& b) {
  float sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum = std::fmaf(a[i], b[i], sum);
  return sum;
}
Arithmetic rounded_operands(int bits) {
  return [bits](const std::vector<float>& a, const std::vector<float>& b) {
    float sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
      sum = std::fmaf(round_to(a[i], bits), round_to(b[i], bits), sum);
    return sum;
  };
}
/// x = h + l, products hh and, in an accumulator of their own, hl + lh.
Arithmetic two_terms(int bits) {
  return [bits](const std::vector<float>& a, const std::vector<float>& b) {
    float high = 0, low = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const float ah = round_to(a[i], bits), bh = round_to(b[i], bits);
      const float al = round_to(a[i] - ah, bits), bl = round_to(b[i] - bh, bits);
      high = std::fmaf(ah, bh, high);
      low = std::fmaf(ah, bl, std::fmaf(al, bh, low));
    }
    return high + low;
  };
}
/// Tensor cores truncate as they accumulate; `promote` terms later the partial sum joins an FP32
/// register by a rounding add.
Arithmetic truncating(std::size_t promote) {
  return [promote](const std::vector<float>& a, const std::vector<float>& b) {
    float total = 0, part = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double exact =
          static_cast<double>(part) + static_cast<double>(a[i]) * static_cast<double>(b[i]);
      part = static_cast<float>(exact);
      if (std::fabs(static_cast<double>(part)) > std::fabs(exact)) part = std::nextafterf(part, 0);
      if ((i + 1) % promote == 0) {
        total += part;
        part = 0;
      }
    }
    return total + part;
  };
}

enum class Data { Coherent, Uniform, Normal, Constant };
std::vector<float> draw(RandomStream& random, Data data, std::size_t n) {
  std::vector<float> x(n);
  for (float& v : x) {
    const auto bits = static_cast<std::uint32_t>(random.next_u64());
    switch (data) {
      case Data::Coherent:  // just below the ties of TF32, FP16 and BF16
        v = std::bit_cast<float>((126u + (bits >> 30 & 1)) << 23 | (bits & 0x7F) << 16 | 0x6FF0u |
                                 (bits >> 8 & 15));
        break;
      case Data::Uniform:
        v = static_cast<float>(random.uniform() * 2 - 1);
        break;
      case Data::Normal:
        v = static_cast<float>(random.normal());
        break;
      case Data::Constant:
        v = 1.2345678f;
        break;
    }
  }
  return x;
}

/// Largest error in units of the bound over `outputs` dot products of length k.
struct Found {
  double worst = 0, mean = 0;
};
Found judge(const Arithmetic& arithmetic, Data data, std::size_t k, std::size_t outputs,
            bool few_valued = false) {
  Graph graph;
  const auto n = static_cast<std::int64_t>(k);
  graph.values = {{"a", DType::F32, {n}, {}, "", Role::Input},
                  {"b", DType::F32, {n}, {}, "", Role::Input},
                  {"y", DType::F32, {}, {}, "", Role::Output}};
  graph.nodes = {{"aten.dot", {0, 1}, {}, {2}}};
  graph.outputs = {2};
  RandomStream random(11, k);
  Found found;
  for (std::size_t o = 0; o < outputs; ++o) {
    const std::vector<float> a = draw(random, data, k), b = draw(random, data, k);
    Tensors inputs;
    inputs[0] = {{n}, {a.begin(), a.end()}, {}, {}};
    inputs[1] = {{n}, {b.begin(), b.end()}, {}, {}};
    const auto y =
        interpret(graph, {}, inputs, {.policy = {}, .few_valued = few_valued, .threads = 1});
    const double error = static_cast<double>(arithmetic(a, b)) - (*y)[0].value[0];
    found.worst = std::fmax(found.worst, std::fabs(error) / (*y)[0].bound[0]);
    found.mean += error / (*y)[0].magnitude[0] / static_cast<double>(outputs);
  }
  return found;
}

constexpr std::size_t kLengths[] = {1, 2, 7, 64, 100, 1000, 4096, 16384};

TEST(ErrorModel, FfmaChainsPassAtEveryLength) {
  for (const std::size_t k : kLengths) {
    for (const Data data : {Data::Coherent, Data::Uniform, Data::Normal}) {
      const Found f = judge(ffma_chain, data, k, k > 1000 ? 40 : 400);
      EXPECT_LT(f.worst, 1) << "K " << k;
      EXPECT_LT(std::fabs(f.mean), 0x1p-20) << "K " << k;
    }
  }
}
TEST(ErrorModel, LowerPrecisionFailsOnCoherentDataAtEveryLength) {
  for (const std::size_t k : kLengths) {
    EXPECT_GT(judge(rounded_operands(10), Data::Coherent, k, 20).worst, 5) << "TF32, K " << k;
    EXPECT_GT(judge(rounded_operands(7), Data::Coherent, k, 20).worst, 5) << "BF16, K " << k;
  }
}
TEST(ErrorModel, TwoTermsOfBFloatFailAtSmallLengths) {
  EXPECT_GT(judge(two_terms(7), Data::Coherent, 1, 200).worst, 1);
  EXPECT_GT(judge(two_terms(7), Data::Coherent, 16, 50).worst, 1);
}
TEST(ErrorModel, TwoTermsOfHalfPass) {
  for (const std::size_t k : kLengths) {
    EXPECT_LT(judge(two_terms(10), Data::Coherent, k, 50).worst, 1) << "K " << k;
  }
}
TEST(ErrorModel, TruncatingChainsFailUnlessTheyArePromoted) {
  const Found never = judge(truncating(1u << 30), Data::Coherent, 16384, 50);
  EXPECT_TRUE(never.worst > 1 || std::fabs(never.mean) > 0x1p-20);
  const Found promoted = judge(truncating(64), Data::Coherent, 16384, 50);
  EXPECT_LT(promoted.worst, 1);
}
TEST(ErrorModel, ConstantDataIsJudgedByTheWorstCase) {
  EXPECT_GT(judge(ffma_chain, Data::Constant, 4096, 1).worst, 0.5);
  EXPECT_LT(judge(ffma_chain, Data::Constant, 4096, 1, true).worst, 1);
}

/// log_softmax of one row at 1000 and a little, in FP32 as kernels order it.
double log_softmax_units(bool together, std::uint64_t seed) {
  constexpr std::int64_t kN = 77;
  Graph graph;
  graph.values = {{"x", DType::F32, {1, kN}, {}, {}, Role::Input},
                  {"y", DType::F32, {1, kN}, {}, {}, Role::Output}};
  graph.nodes = {{"aten.log_softmax.int", {0}, {{"dim", std::int64_t{-1}}}, {1}}};
  graph.outputs = {1};
  Tensor x = make_tensor({1, kN});
  RandomStream random(seed, purpose("log_softmax"));
  std::vector<float> row;
  for (double& v : x.value) {
    row.push_back(static_cast<float>(1000 + random.uniform()));
    v = static_cast<double>(row.back());
  }
  const auto y = interpret(graph, {}, {{0, x}}, {.policy = {}, .few_valued = false, .threads = 1});
  EXPECT_TRUE(y);
  float top = row[0], sum = 0;
  for (const float v : row) top = std::fmax(top, v);
  for (const float v : row) sum += std::exp(v - top);
  const float log = std::log(sum);
  double worst = 0;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const float got = together ? row[i] - (top + log) : (row[i] - top) - log;
    const double error = std::fabs(static_cast<double>(got) - (*y)[0].value[i]);
    worst = std::fmax(worst, error / (*y)[0].bound[i]);
  }
  return worst;
}
TEST(ErrorModel, LogSoftmaxMayAddTheMaximumToTheLogarithmFirst) {
  double apart = 0, together = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    apart = std::fmax(apart, log_softmax_units(false, seed));
    together = std::fmax(together, log_softmax_units(true, seed));
  }
  EXPECT_LT(apart, 0.2);
  EXPECT_LT(together, 1);
  EXPECT_GT(together, 0.4) << "the bound is that of the order that rounds most, and no more";
}

TEST(ErrorModel, RoundingToAPoliciesFormatTakesAUnitRoundoffPerOperand) {
  // BF16 has 8 significant bits, TF32 has 11: half a unit each.
  EXPECT_GE(contraction_factor(PolicyClass::Half, 1, false, false), 2 * 0x1p-8);
  EXPECT_LT(contraction_factor(PolicyClass::Half, 65536, false, false), 4 * 0x1p-8);
  EXPECT_GE(contraction_factor(PolicyClass::Tf32, 1, false, false), 2 * 0x1p-11);
  EXPECT_LT(contraction_factor(PolicyClass::Tf32, 65536, false, false), 5 * 0x1p-11);
  EXPECT_LT(contraction_factor(PolicyClass::Ieee, 65536, false, false), 0x1p-14);
}

}  // namespace
}  // namespace kw::reference
