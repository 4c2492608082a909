// Instructions against exact arithmetic of the tests' own: formats that no recorded device has, by
// their definition, and integers in 128 bits.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "ptxvm/conformance.h"
#include "ptxvm/harness.h"

namespace kw::ptxvm {
namespace {

// The numbers of a format of `exponent` and `fraction` bits, by code, signs left out.
std::vector<double> numbers(int exponent, int fraction) {
  std::vector<double> out;
  const int bias = (1 << (exponent - 1)) - 1;
  for (int code = 0; code < 1 << (exponent + fraction); ++code) {
    const int e = code >> fraction, f = code & ((1 << fraction) - 1);
    out.push_back(e == 0 ? std::ldexp(f, 1 - bias - fraction)
                         : std::ldexp(f + (1 << fraction), e - bias - fraction));
  }
  return out;
}

// Nearest number, the even code of two; what is beyond the largest becomes it.
std::uint32_t nearest(const std::vector<double>& all, double x) {
  if (x >= all.back()) return static_cast<std::uint32_t>(all.size() - 1);
  std::size_t best = 0;
  for (std::size_t i = 1; i < all.size(); ++i) {
    const double old = std::fabs(all[best] - x), now = std::fabs(all[i] - x);
    if (now < old || (now == old && i % 2 == 0)) best = i;
  }
  return static_cast<std::uint32_t>(best);
}

std::vector<float> samples(const std::vector<double>& all) {
  std::vector<float> out{0.0f, -0.0f, HUGE_VALF, -HUGE_VALF, 1e30f, 1e-30f, -1e-44f};
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    const auto tie = static_cast<float>((all[i] + all[i + 1]) / 2);
    for (const float x : {static_cast<float>(all[i]), tie, std::nextafter(tie, 100.0f),
                          std::nextafter(tie, 0.0f)}) {
      out.push_back(x);
      out.push_back(-x);
    }
  }
  return out;
}

struct Format {
  const char* name;
  int exponent, fraction;
  const char* reg;  // type of the pair's register
};

TEST(PtxVmOracle, SixAndFourBitFloatsRoundToTheNearest) {
  for (const Format& f : {Format{"e2m1x2", 2, 1, "b8"}, Format{"e2m3x2", 2, 3, "b16"},
                          Format{"e3m2x2", 3, 2, "b16"}}) {
    const std::vector<double> all = numbers(f.exponent, f.fraction);
    const std::vector<float> xs = samples(all);
    const bool nibbles = all.size() == 8;
    Snippet to("{.reg ." + std::string(f.reg) +
                   " c; ld.global.f32 %f1, [%rd1];\nmov.f32 %f2, 0f3F800000;\ncvt.rn.satfinite." +
                   f.name + ".f32 c, %f1, %f2;\nst.global." + (nibbles ? "u8" : "u16") +
                   " [%rd2], c;}",
               "sm_100a");
    const auto codes = to.map<std::uint16_t>(xs);
    const std::uint32_t one = nearest(all, 1), sign = static_cast<std::uint32_t>(all.size()),
                        shift = nibbles ? 4 : 8;
    for (std::size_t i = 0; i < xs.size(); ++i) {
      const std::uint32_t want =
          nearest(all, std::fabs(static_cast<double>(xs[i]))) | (std::signbit(xs[i]) ? sign : 0);
      EXPECT_EQ(codes[i] & (nibbles ? 0xffu : 0xffffu), want << shift | one)
          << f.name << " of " << xs[i];
    }
    std::vector<std::uint16_t> every;
    for (std::uint32_t c = 0; c < 2 * sign; ++c)
      every.push_back(static_cast<std::uint16_t>(c << shift | c));
    Snippet from("{.reg ." + std::string(f.reg) + " c; ld.global." + (nibbles ? "u8" : "u16") +
                     " c, [%rd1];\ncvt.rn.f16x2." + f.name +
                     " %r1, c;\nmov.b32 {%h1, %h2}, %r1;\ncvt.f32.f16 %f1, %h2;\nst.global.f32 "
                     "[%rd2], %f1;}",
                 "sm_100a");
    const auto values = from.map<float>(every);
    for (std::uint32_t c = 0; c < 2 * sign; ++c) {
      const double want = all[c % sign] * (c >= sign ? -1 : 1);
      EXPECT_EQ(static_cast<double>(values[c]), want) << f.name << " code " << c;
    }
  }
}

TEST(PtxVmOracle, ExponentOnlyFloatsRoundDownAndUp) {
  std::vector<float> xs{1.0f,     1.5f, -3.0f, 0x1p-127f, 0x1.8p-127f, 0x1p-140f, 0x1.fffffep127f,
                        0x1p127f, 0.1f, 1e20f};
  for (const bool up : {false, true}) {
    Snippet snippet("ld.global.f32 %f1, [%rd1];\ncvt." + std::string(up ? "rp" : "rz") +
                        ".satfinite.ue8m0x2.f32 %h1, %f1, %f1;\nst.global.u16 [%rd2], %h1;",
                    "sm_100a");
    const auto codes = snippet.map<std::uint16_t>(xs);
    for (std::size_t i = 0; i < xs.size(); ++i) {
      const double log = std::log2(std::fabs(static_cast<double>(xs[i])));
      const double e = up ? std::ceil(log) : std::floor(log);
      const auto want = static_cast<unsigned>(std::min(254.0, std::max(0.0, e + 127)));
      EXPECT_EQ(codes[i], want << 8 | want) << xs[i] << (up ? " up" : " down");
    }
  }
}

// Integer instructions on the conformance records, recomputed in 128 bits.
TEST(PtxVmOracle, IntegersMatchExactArithmetic) {
  using Wide = __int128;
  const std::vector<std::pair<std::string, std::function<Wide(Wide, Wide, Wide, unsigned)>>> all{
      {"add.", [](Wide a, Wide b, Wide, unsigned) { return a + b; }},
      {"sub.", [](Wide a, Wide b, Wide, unsigned) { return a - b; }},
      {"min.", [](Wide a, Wide b, Wide, unsigned) { return a < b ? a : b; }},
      {"max.", [](Wide a, Wide b, Wide, unsigned) { return a < b ? b : a; }},
      {"mul.lo.",
       [](Wide a, Wide b, Wide, unsigned) {
         return static_cast<Wide>(static_cast<unsigned __int128>(a) *
                                  static_cast<unsigned __int128>(b));
       }},
      {"mul.hi.",
       [](Wide a, Wide b, Wide, unsigned n) {
         return n == 64 && (a > INT64_MAX || b > INT64_MAX)
                    ? static_cast<Wide>(static_cast<unsigned __int128>(a) *
                                            static_cast<unsigned __int128>(b) >>
                                        n)
                    : a * b >> n;
       }},
      {"mad.lo.",
       [](Wide a, Wide b, Wide c, unsigned) {
         return static_cast<Wide>(static_cast<unsigned __int128>(a) *
                                  static_cast<unsigned __int128>(b)) +
                c;
       }},
      {"sad.", [](Wide a, Wide b, Wide c, unsigned) { return c + (a < b ? b - a : a - b); }}};
  std::size_t compared = 0;
  for (const auto& [prefix, exact] : all) {
    for (const std::string type : {"u16", "s16", "u32", "s32", "u64", "s64"}) {
      const unsigned bits = static_cast<unsigned>(std::stoul(type.substr(1)));
      for (const conformance::Case& c : conformance::cases()) {
        if (c.name != prefix + type) continue;
        const auto in = conformance::inputs(c.inputs);
        std::string refusal;
        const auto out = conformance::run_on_vm(c, &refusal);
        ASSERT_FALSE(out.empty()) << refusal;
        for (std::size_t lane = 0; lane < conformance::kLanes; ++lane) {
          const auto operand = [&](std::size_t n) -> Wide {
            std::uint64_t v;
            std::memcpy(&v, &in[lane * conformance::kRecordBytes + 16 * n], 8);
            const std::uint64_t cut = v << (64 - bits);
            return type[0] == 's' ? static_cast<Wide>(static_cast<std::int64_t>(cut) >> (64 - bits))
                                  : static_cast<Wide>(cut >> (64 - bits));
          };
          std::uint64_t got = 0;
          std::memcpy(&got, &out[lane * conformance::kResultBytes], bits / 8);
          const auto want =
              static_cast<std::uint64_t>(exact(operand(0), operand(1), operand(2), bits))
                  << (64 - bits) >>
              (64 - bits);
          ASSERT_EQ(got, want) << c.name << " lane " << lane;
          ++compared;
        }
      }
    }
  }
  EXPECT_GT(compared, 40u * conformance::kLanes);
}

}  // namespace
}  // namespace kw::ptxvm
