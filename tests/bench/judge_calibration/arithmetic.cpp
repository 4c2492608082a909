#include "arithmetic.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#define KW_ISA calibration
#include "handlers/matrix.h"

namespace kw::calibration {
namespace {

namespace hw = ptxvm::calibration;

constexpr std::size_t kRun = 64;  // terms between two promotions
constexpr float kLowScale = 2048;

float as_tf32(float x) { return hw::bit_cast<float>(hw::float_to_tf32_rna(x)); }
float as_fp16(float x) { return hw::half_to_float(hw::float_to_half(x)); }
float as_bf16(float x) {
  const auto u = hw::bit_cast<std::uint32_t>(x);
  if (x != x) return x;
  return hw::bit_cast<float>((u + 0x7FFFu + (u >> 16 & 1u)) & 0xFFFF0000u);
}
/// E4M3 without its range: three fraction bits.
float as_fp8(float x) {
  const auto u = hw::bit_cast<std::uint32_t>(x);
  if (x - x != 0) return x;
  return hw::bit_cast<float>((u + 0x7FFFFu + (u >> 20 & 1u)) & 0xFFF00000u);
}

/// The power of two that brings the largest magnitude into [2^14, 2^15), and whether every number
/// of the row keeps its significand there.
struct Scaling {
  float up = 1, down = 1;
  bool fits = true;
};
Scaling scaling_of(const float* x, std::size_t n, int spread) {
  float most = 0, least = std::numeric_limits<float>::infinity();
  bool finite = true;
  for (std::size_t i = 0; i < n; ++i) {
    const float m = std::fabs(x[i]);
    finite = finite && m - m == 0;
    most = std::max(most, m);
    if (m > 0) least = std::min(least, m);
  }
  Scaling s;
  if (most == 0) return s;
  s.fits = finite && most < 0x1p100f && most > 0x1p-100f && least >= std::ldexp(most, -spread);
  if (!finite || most < 0x1p-100f || most > 0x1p100f) return s;
  const int e = 14 - std::ilogb(most);
  s.up = std::ldexp(1.0f, e);
  s.down = std::ldexp(1.0f, -e);
  return s;
}

/// One operand of one run, as one or two terms.
struct Split {
  alignas(64) float high[kRun]{}, low[kRun]{};
  float down = 1;
  bool exact = true;  // the terms stand for the operand as its scheme promises
};

bool two_terms(Scheme s) {
  return s == Scheme::Fp16x3 || s == Scheme::Tf32x3 || s == Scheme::Fp16x3Unpromoted ||
         s == Scheme::Tf32x3Unpromoted;
}
bool by_tf32(Scheme s) {
  return s == Scheme::Tf32 || s == Scheme::Tf32x3 || s == Scheme::Tf32x3Unpromoted ||
         s == Scheme::Tf32Unpromoted;
}
bool by_fp16(Scheme s) {
  return s == Scheme::Fp16 || s == Scheme::Fp16x3 || s == Scheme::Fp16x3Unpromoted ||
         s == Scheme::Fp8;
}

Split split(Scheme scheme, const float* x, std::size_t n, const Scaling& scale) {
  Split out;
  out.down = 1;
  out.exact = scale.fits;
  if (by_fp16(scheme)) {
    out.down = scale.down;
    for (std::size_t i = 0; i < n; ++i) {
      const float v = x[i] * scale.up;
      out.high[i] = scheme == Scheme::Fp8 ? as_fp8(v) : as_fp16(v);
      if (two_terms(scheme)) out.low[i] = as_fp16((v - out.high[i]) * kLowScale);
    }
  } else {
    for (std::size_t i = 0; i < n; ++i) {
      out.high[i] = by_tf32(scheme) ? as_tf32(x[i]) : as_bf16(x[i]);
      if (two_terms(scheme)) out.low[i] = as_tf32(x[i] - out.high[i]);
    }
  }
  return out;
}

/// Sums of a 16 x 8 tile: the high products, and the two kinds of mixed ones.
struct Accumulators {
  alignas(64) float high[16][8]{}, low[16][8]{};
};

template <unsigned K, int Lowest>
void multiply(const Split* a, std::size_t rows, bool a_low, const Split* b, std::size_t columns,
              bool b_low, std::size_t n, float (*c)[8]) {
  constexpr hw::Model kModel{K, Lowest, Lowest, false};
  hw::Product<16, K> p{};
  std::memcpy(p.c, c, sizeof p.c);
  for (std::size_t first = 0; first < n; first += K) {
    for (std::size_t r = 0; r < rows; ++r) {
      const float* from = (a_low ? a[r].low : a[r].high) + first;
      std::memcpy(p.a[r], from, sizeof p.a[r]);
    }
    for (std::size_t col = 0; col < columns; ++col) {
      const float* from = (b_low ? b[col].low : b[col].high) + first;
      for (unsigned k = 0; k < K; ++k) p.b[k][col] = from[k];
    }
    hw::accumulate<kModel>(p, false);
  }
  std::memcpy(c, p.c, sizeof p.c);
}
void multiply(Scheme s, const Split* a, std::size_t rows, bool a_low, const Split* b,
              std::size_t columns, bool b_low, std::size_t n, float (*c)[8]) {
  if (by_tf32(s)) {
    multiply<8, -126>(a, rows, a_low, b, columns, b_low, n, c);
  } else if (by_fp16(s)) {
    multiply<16, -14>(a, rows, a_low, b, columns, b_low, n, c);
  } else {
    multiply<16, -126>(a, rows, a_low, b, columns, b_low, n, c);
  }
}

/// One 16 x 8 tile over all of k. FP16 operands are scaled by run where sums are promoted, else by
/// row, since one accumulator has one scale.
void tensor_core_tile(Scheme scheme, const Rows& a, std::size_t m0, std::size_t rows, const Rows& b,
                      std::size_t n0, std::size_t columns, std::vector<float>& out) {
  const bool promoted = promotes(scheme);
  std::vector<Split> sa(16), sb(8);
  Accumulators acc;
  float total[16][8] = {};
  std::vector<Scaling> whole_a(16), whole_b(8);
  for (std::size_t r = 0; r < rows && !promoted; ++r) {
    whole_a[r] = scaling_of(a.row(m0 + r), a.k, 28);
  }
  for (std::size_t c = 0; c < columns && !promoted; ++c) {
    whole_b[c] = scaling_of(b.row(n0 + c), b.k, 28);
  }
  for (std::size_t k = 0; k < a.k; k += kRun) {
    const std::size_t n = std::min(kRun, a.k - k);
    for (std::size_t r = 0; r < rows; ++r) {
      const float* x = a.row(m0 + r) + k;
      sa[r] = split(scheme, x, n, promoted ? scaling_of(x, n, by_fp16(scheme) ? 28 : 200) : whole_a[r]);
    }
    for (std::size_t c = 0; c < columns; ++c) {
      const float* x = b.row(n0 + c) + k;
      sb[c] = split(scheme, x, n, promoted ? scaling_of(x, n, by_fp16(scheme) ? 28 : 200) : whole_b[c]);
    }
    if (promoted) acc = {};
    if (two_terms(scheme)) {
      multiply(scheme, sa.data(), rows, true, sb.data(), columns, false, n, acc.low);
      multiply(scheme, sa.data(), rows, false, sb.data(), columns, true, n, acc.low);
    }
    multiply(scheme, sa.data(), rows, false, sb.data(), columns, false, n, acc.high);
    const bool last = k + kRun >= a.k;
    if (!promoted && !last) continue;
    const float low = by_fp16(scheme) ? 1 / kLowScale : 1;
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < columns; ++c) {
        const bool guarded = two_terms(scheme) || scheme == Scheme::Fp16;
        const bool wide = promoted && guarded && !(sa[r].exact && sb[c].exact);
        if (wide) {  // the range guard: this run in FP32
          const float *x = a.row(m0 + r) + k, *y = b.row(n0 + c) + k;
          float sum = 0;
          for (std::size_t i = 0; i < n; ++i) sum = std::fma(x[i], y[i], sum);
          total[r][c] += sum;
          continue;
        }
        const float sum = two_terms(scheme) ? std::fma(acc.low[r][c], low, acc.high[r][c])
                                            : acc.high[r][c];
        total[r][c] = std::fma(sum * sa[r].down, sb[c].down, total[r][c]);
      }
    }
  }
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) out[(m0 + r) * b.rows + n0 + c] = total[r][c];
  }
}

float fp32_sum(Order order, const float* x, const float* y, std::size_t k) {
  const std::size_t lanes = std::max<std::size_t>(std::min(order.lanes, k), 1);
  const std::size_t part = (k + lanes - 1) / lanes;
  const std::size_t chain = order.chain == 0 ? k : order.chain;
  std::vector<float> sum(lanes, 0.0f);
  for (std::size_t l = 0; l < lanes; ++l) {
    const std::size_t begin = order.interleaved ? l : std::min(k, l * part);
    const std::size_t end = order.interleaved ? k : std::min(k, begin + part);
    const std::size_t step = order.interleaved ? lanes : 1;
    float total = 0, run = 0;
    std::size_t in_run = 0;
    for (std::size_t i = begin; i < end; i += step) {
      run = y == nullptr ? run + x[i] : std::fma(x[i], y[i], run);
      if (++in_run < chain) continue;
      total += run;
      run = 0;
      in_run = 0;
    }
    sum[l] = in_run == 0 ? total : total + run;
  }
  for (std::size_t half = 1; half < lanes; half *= 2) {  // a tree, as shuffles make one
    for (std::size_t l = 0; l + half < lanes; l += 2 * half) sum[l] += sum[l + half];
  }
  return sum[0];
}

}  // namespace

bool promotes(Scheme s) noexcept {
  return s != Scheme::Fp16x3Unpromoted && s != Scheme::Tf32x3Unpromoted &&
         s != Scheme::Tf32Unpromoted && s != Scheme::Bf16Unpromoted;
}

std::string_view to_string(Scheme scheme) noexcept {
  switch (scheme) {
    case Scheme::Ffma:
      return "ffma";
    case Scheme::Fp16x3:
      return "fp16x3";
    case Scheme::Tf32x3:
      return "3xtf32";
    case Scheme::Tf32:
      return "tf32";
    case Scheme::Fp16:
      return "fp16";
    case Scheme::Bf16:
      return "bf16";
    case Scheme::Fp8:
      return "fp8";
    case Scheme::Tf32Unpromoted:
      return "tf32_unpromoted";
    case Scheme::Bf16Unpromoted:
      return "bf16_unpromoted";
    case Scheme::Fp16x3Unpromoted:
      return "fp16x3_unpromoted";
    case Scheme::Tf32x3Unpromoted:
      return "3xtf32_unpromoted";
  }
  return "?";
}

float stored(Scheme scheme, float x) noexcept {
  switch (scheme) {
    case Scheme::Tf32:
    case Scheme::Tf32Unpromoted:
    case Scheme::Fp16:  // a kernel that scales keeps its significand, TF32's, over FP32's range
      return as_tf32(x);
    case Scheme::Bf16:
    case Scheme::Bf16Unpromoted:
      return as_bf16(x);
    case Scheme::Fp8:
      return as_fp8(x);
    case Scheme::Ffma:
    case Scheme::Fp16x3:
    case Scheme::Tf32x3:
    case Scheme::Fp16x3Unpromoted:
    case Scheme::Tf32x3Unpromoted:
      return x;
  }
  return x;
}

std::uint64_t Dice::next() {  // splitmix64
  std::uint64_t z = state_ += 0x9E3779B97F4A7C15ull;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ z >> 27) * 0x94D049BB133111EBull;
  return z ^ z >> 31;
}

Order any_order(Dice& dice, std::size_t terms) {
  constexpr std::size_t kLanes[] = {1, 1, 4, 8, 32, 32, 128, 256, 512, 1024};
  constexpr std::size_t kChains[] = {0, 0, 16, 64, 128, 256};
  Order order;
  order.lanes = kLanes[dice.below(std::size(kLanes))];
  order.chain = kChains[dice.below(std::size(kChains))];
  order.interleaved = dice.below(2) == 0;
  if (order.chain == 0 && terms / order.lanes > kLongestChain) order.chain = kLongestChain;
  return order;
}

std::vector<float> products(Scheme scheme, Order order, const Rows& a, const Rows& b) {
  std::vector<float> out(a.rows * b.rows);
  if (scheme == Scheme::Ffma) {
    for (std::size_t m = 0; m < a.rows; ++m) {
      for (std::size_t n = 0; n < b.rows; ++n) {
        out[m * b.rows + n] = fp32_sum(order, a.row(m), b.row(n), a.k);
      }
    }
    return out;
  }
  for (std::size_t m = 0; m < a.rows; m += 16) {
    for (std::size_t n = 0; n < b.rows; n += 8) {
      tensor_core_tile(scheme, a, m, std::min<std::size_t>(16, a.rows - m), b, n,
                       std::min<std::size_t>(8, b.rows - n), out);
    }
  }
  return out;
}

std::vector<float> sums(Scheme scheme, Order order, const Rows& terms) {
  if (!promotes(scheme) || scheme == Scheme::Fp16x3 || scheme == Scheme::Tf32x3) {
    const Rows ones{1, terms.k, std::vector<float>(terms.k, 1.0f)};
    return products(scheme, order, terms, ones);
  }
  std::vector<float> out(terms.rows);
  for (std::size_t r = 0; r < terms.rows; ++r) {
    out[r] = fp32_sum(order, terms.row(r), nullptr, terms.k);
  }
  return out;
}

float function(Dice& dice, double exact, int ulps) {
  auto rounded = static_cast<float>(exact);
  if (rounded - rounded != 0 || rounded == 0 || ulps < 2) return rounded;
  const auto away = static_cast<int>(dice.below(static_cast<std::size_t>(2 * ulps - 1))) - (ulps - 1);
  const float to = away < 0 ? -std::numeric_limits<float>::infinity()
                            : std::numeric_limits<float>::infinity();
  for (int i = 0; i < std::abs(away); ++i) rounded = std::nextafter(rounded, to);
  return rounded;
}

}  // namespace kw::calibration
