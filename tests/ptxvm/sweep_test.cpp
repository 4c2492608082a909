// What NVRTC makes of sources nobody wrote for the machine - headers of narrow formats, 128-bit
// integers, the device C++ library, virtual functions - for every architecture and way of compiling
// it knows, run against answers computed here. KW_SWEEP_FULL: all of them, not a sample.

#include <bit>
#include <cmath>
#include <cstdio>
#include <functional>

#include "kw/compile/toolkit.h"
#include "nvrtc.h"
#include "ptxvm/exact_float.h"
#include "ptxvm/harness.h"

namespace kw::ptxvm {
namespace {

using u32 = std::uint32_t;
using u64 = std::uint64_t;
constexpr u32 kThreads = 64, kInWords = 4, kOutWords = 8;
using Words = std::vector<u32>;
using Answer = std::array<u32, kOutWords>;
// (thread, its words of input, all input): the thread's words of output.
using Expected = std::function<Answer(u32 t, const u32* in, const Words& all)>;

constexpr u32 kAny = 0xffffffffu;  // where the toolkit lacks a header

struct Source {
  std::string file;
  Expected expected;
  double tolerance = 0;  // relative and absolute, of f32 results; 0: bits
  std::string first_arch = "sm_75";
};

Answer integers(u32 t, const u32* in, const Words&) {
  (void)t;
  const u32 a = in[0], b = in[1], c = in[2] | 1;
  const u64 x = u64{a} << 32 | b, y = u64{b} << 32 | c;
  __extension__ using Wide = unsigned __int128;
  const Wide p = static_cast<Wide>(x) * y + a;
  const auto low = [](auto v) { return static_cast<u32>(v); };
  const auto sint = [](u32 v) { return static_cast<std::int32_t>(v); };
  const auto byte = [](u32 v, u32 i) { return v >> (8 * i) & 0xff; };
  const auto sbyte = [&](u32 v, u32 i) { return static_cast<std::int8_t>(byte(v, i)); };
  u32 reversed = 0, permuted = 0, dot4 = c, sum2 = 0, most4 = 0;
  for (u32 i = 0; i < 32; ++i) reversed |= (a >> i & 1) << (31 - i);
  for (u32 i = 0; i < 4; ++i) {
    const u32 pick = c >> (4 * i) & 7;
    permuted |= byte(pick < 4 ? a : b, pick % 4) << (8 * i);
    dot4 += byte(a, i) * byte(b, i);
    most4 |= static_cast<u32>(static_cast<std::uint8_t>(std::max(sbyte(a, i), sbyte(b, i))))
             << (8 * i);
  }
  for (u32 i = 0; i < 2; ++i) sum2 |= (((a >> (16 * i)) + (b >> (16 * i))) & 0xffff) << (16 * i);
  const auto shalf = [](u32 v, u32 i) {
    return std::int32_t{static_cast<std::int16_t>(v >> (16 * i))};
  };
  const u32 dot2 = c + low(shalf(a, 0) * sbyte(b, 0)) + low(shalf(a, 1) * sbyte(b, 1));
  const u32 shift = c & 31, funnel = shift == 0 ? b : b << shift | a >> (32 - shift);
  const std::int64_t quotient = static_cast<std::int64_t>(x) / sint(c),
                     remainder = static_cast<std::int64_t>(x) % sint(c);
  const std::int64_t distance = std::int64_t{sint(a)} - sint(b);
  return {low(p >> 64) ^ low(p >> 96),
          low(p / c) ^ low(p % y),
          low(quotient) + low(remainder),
          low(std::popcount(a)) + 100 * low(std::countl_zero(b)) +
              10000 * (low(std::countr_zero(c)) + 1) + (reversed & 0xff),
          permuted + funnel,
          dot4 + dot2,
          low(u64{a} * b >> 32) + low((std::int64_t{sint(a)} * sint(b)) >> 32) +
              (a & 0xffffff) * (b & 0xffffff) + low(distance < 0 ? -distance : distance) + c,
          low((static_cast<Wide>(x) * y >> 64) >> 7) + low((std::int64_t{sint(a)} + sint(b)) >> 1) +
              sum2 + most4};
}

using exact::Number;
using exact::Rounding;
const exact::Format &kHalf = *exact::format("f16"), &kBrain = *exact::format("bf16"),
                    &kSingle = *exact::format("f32");
u32 encode(const exact::Format& f, const Number& x, Rounding mode = Rounding::Nearest) {
  return static_cast<u32>(exact::encode(f, x, mode));
}
Number rounded(const exact::Format& f, const Number& x, Rounding mode = Rounding::Nearest) {
  return exact::decode(f, exact::encode(f, x, mode));
}
Number sum(const Number& a, const Number& b) { return exact::add(a, b, Rounding::Nearest); }
Number fused(const Number& a, const Number& b, const Number& c) {
  return sum(exact::multiply(a, b), c);
}

Answer halves(u32, const u32* in, const Words&) {
  const Number a = exact::decode(kSingle, in[0]), b = exact::decode(kSingle, in[1]),
               c = exact::decode(kSingle, in[2]);
  const Number ha = rounded(kHalf, a), hb = rounded(kHalf, b, Rounding::Zero),
               hc = rounded(kHalf, c, Rounding::Up);
  const Number ba = rounded(kBrain, a), bb = rounded(kBrain, b, Rounding::Zero),
               bc = rounded(kBrain, c, Rounding::Down);
  const auto h = [](const Number& x) { return encode(kHalf, x); };
  const auto r = [](const Number& x) { return encode(kBrain, x); };
  return {h(ha) | h(hb) << 16,
          h(sum(ha, hb)) | h(exact::multiply(ha, hb)) << 16,
          h(fused(ha, hb, hc)) | h(sum(ha, exact::negate(hc))) << 16,
          r(ba) | r(bb) << 16,
          r(sum(ba, bb)) | r(exact::multiply(ba, bb)) << 16,
          r(fused(ba, bb, bc)) | h(hc) << 16,
          h(fused(ha, hb, hc)) | h(fused(hb, hc, ha)) << 16,
          encode(kSingle, sum(ha, bc))};
}

// Nearest code of a format without infinities and NaN, ties to the even one.
u32 nearest(float x, int exponent, int fraction) {
  const int bias = (1 << (exponent - 1)) - 1, codes = 1 << (exponent + fraction);
  u32 best = 0;
  double least = HUGE_VAL;
  for (int code = 0; code < codes; ++code) {
    const int e = code >> fraction, f = code & ((1 << fraction) - 1);
    const double value = e == 0 ? std::ldexp(f, 1 - bias - fraction)
                                : std::ldexp(f + (1 << fraction), e - bias - fraction);
    const double off = std::fabs(std::fabs(static_cast<double>(x)) - value);
    if (off < least || (off == least && code % 2 == 0)) {
      best = static_cast<u32>(code);
      least = off;
    }
  }
  return best | (std::signbit(x) ? static_cast<u32>(codes) : 0);
}

Answer narrow(u32, const u32* in, const Words&) {
  const Number a = exact::decode(kSingle, in[0]), b = exact::decode(kSingle, in[1]);
  const exact::Format &e4 = *exact::format("e4m3"), &e5 = *exact::format("e5m2");
  const auto fp8 = [](const exact::Format& f, const Number& x) {
    return static_cast<u32>(exact::encode(f, x, Rounding::Nearest, true));
  };
  const float fa = std::bit_cast<float>(in[0]), fb = std::bit_cast<float>(in[1]);
  return {fp8(e4, a) | fp8(e5, b) << 8,
          fp8(e4, a) | fp8(e4, b) << 8,
          encode(kHalf, exact::decode(e4, in[2] & 0xff)),
          encode(kHalf, exact::decode(e5, in[2] & 0xff)),
          nearest(fa, 2, 1),
          nearest(fa, 2, 3),
          nearest(fb, 3, 2),
          0};
}

Answer functions(u32 t, const u32* in, const Words&) {
  const u32 a = in[0], b = in[1];
  const u32 square = a * a, bar = 3 * b;
  const u32 of_three[] = {a + b, a - b, a * b}, of_two[] = {a * b, a - b};
  return {t % 2 == 1 ? 2 * (square + t) : (bar + t) ^ 1,
          of_three[t % 3],
          of_two[t % 2],
          t % 2 == 1 ? square + b : bar + b,
          0,
          0,
          0,
          0};
}

Answer library(u32 t, const u32* in, const Words& all) {
  const u32 a = in[0];
  u32 total = 0, most = 0;
  for (u32 i = 0; i < kThreads; ++i) {
    total += all[kInWords * i];
    most = std::max(most, all[kInWords * i] & 0xffff);
  }
  return {all[kInWords * (63 - t)],
          total,
          most,
          (a & 0xff) + (a >> 8 & 0xff) + (a >> 16 & 0xff) + (a >> 24),
          static_cast<u32>(std::popcount(a) + 100 * std::countl_zero(a)),
          t * t,
          t % 2 == 1 ? t : 99,
          t + a};
}

Answer mathematics(u32, const u32* in, const Words&) {
  const float x = static_cast<float>(static_cast<std::int32_t>(in[0])) * 1e-7f, big = x * 1e6f;
  const double d = static_cast<double>(x), ad = std::fabs(d), bd = static_cast<double>(big);
  const double results[] = {
      std::sin(bd),
      std::exp(static_cast<double>(x * 0.1f)),
      std::log1p(ad),
      std::pow(static_cast<double>(std::fabs(x) + 0.5f), static_cast<double>(1.7f)),
      std::erf(d),
      std::tanh(d) + 1 / std::sqrt(ad + 1) + std::cbrt(d),
      std::sqrt(ad) / (1 + std::exp(d * 0.05)),
      std::fmod(bd, 3.0) + std::rint(d) + std::lgamma(static_cast<double>(std::fabs(x) + 1.0f))};
  Answer out{};
  for (std::size_t i = 0; i < kOutWords; ++i)
    out[i] = std::bit_cast<u32>(static_cast<float>(results[i]));
  return out;
}

std::vector<Source> sources() {
  return {{"integers.cu", integers}, {"halves.cu", halves, 0, "sm_80"},
          {"narrow.cu", narrow},     {"functions.cu", functions},
          {"library.cu", library},   {"mathematics.cu", mathematics, 1e-5}};
}

Words inputs(bool floats) {
  std::mt19937 engine(5);
  const auto draw = [&] { return static_cast<u32>(engine()); };
  Words words(kThreads * kInWords);
  for (std::size_t i = 0; i < words.size(); ++i) {
    words[i] = draw();
    // Floats in and about the ranges of narrow formats, some of them ties.
    if (floats && i % kInWords < 3)
      words[i] = (words[i] & 0x80000000u) | (112 + draw() % 30) << 23 |
                 (draw() % 2 == 0 ? draw() & 0x7fffff : draw() & 0x780000);
  }
  return words;
}

std::string trouble(const std::string& ptx, const Source& source) {
  const auto program = load(ptx);
  if (!program) return program.error().message;
  const KernelInfo* kernel = (*program)->find_kernel("k");
  if (kernel == nullptr) return "no kernel k";
  if (kernel->refusal) return kernel->refusal->message;
  const Words in = inputs(source.file == "halves.cu" || source.file == "narrow.cu");
  Memory memory;
  const u64 from = upload(memory, "in", in);
  const u64 to = memory.allocate("out", kThreads * kOutWords * 4).value();
  const auto report = run(**program, memory, {"k", {1}, {kThreads}, 0, Arguments(from, to).bytes},
                          with_all_checks());
  if (!report) return report.error().message;
  if (!report->clean()) return first_message(*report);
  const auto out = download<u32>(memory, to);
  for (u32 t = 0; t < kThreads; ++t) {
    const Answer want = source.expected(t, &in[kInWords * t], in);
    for (u32 i = 0; i < kOutWords; ++i) {
      const u32 got = out[kOutWords * t + i];
      if (got == want[i] || (source.file == "narrow.cu" && got == kAny)) continue;
      const double w = static_cast<double>(std::bit_cast<float>(want[i])),
                   g = static_cast<double>(std::bit_cast<float>(got));
      if (source.tolerance > 0 && std::fabs(g - w) <= source.tolerance * (1 + std::fabs(w)))
        continue;
      char text[120];
      std::snprintf(text, sizeof text, "thread %u word %u: %08x (%g), wanted %08x (%g)", t, i, got,
                    g, want[i], w);
      return text;
    }
  }
  return "";
}

TEST(PtxVmSweep, WhatNvrtcMakesOfRealSourcesRuns) {
  const compile::Toolkit toolkit = compile::find_toolkit();
  const auto nvrtc = compile::Nvrtc::load(toolkit.nvrtc);
  if (!nvrtc) GTEST_SKIP() << "no NVRTC here: " << nvrtc.error().message;
  bool library = false;
  std::vector<std::string> include;
  for (const auto& root : toolkit.include_roots) {
    for (const auto& folder : {root, root / "cccl"}) {
      include.push_back("-I" + folder.string());
      library |= std::filesystem::exists(folder / "cuda" / "barrier");
    }
  }
#ifdef KW_SWEEP_FULL
  const std::vector<std::string> archs{"sm_75", "sm_80", "sm_86", "sm_89", "sm_90"},
      modes{"-lineinfo", "", "--device-debug"};
#else
  const std::vector<std::string> archs{"sm_80"}, modes{"-lineinfo"};
#endif
  std::size_t ran = 0;
  for (const Source& source : sources()) {
    if (!library && (source.file == "library.cu" || toolkit.include_roots.empty())) {
      std::printf("%s: the toolkit has no such headers\n", source.file.c_str());
      continue;
    }
    const std::string text = read_file(KW_SOURCE_DIR "/tests/ptxvm/sweep/" + source.file);
    for (const std::string& arch : archs) {
      if (arch < source.first_arch) continue;  // the headers have no such overloads
      for (const std::string& mode : modes) {
        compile::NvrtcInput input{
            text, {"--gpu-architecture=" + arch, "-std=c++17", "--device-int128"}, {}};
        input.options.insert(input.options.end(), include.begin(), include.end());
        if (!mode.empty()) input.options.push_back(mode);
        const auto output = nvrtc->compile(input);
        ASSERT_TRUE(output) << output.error().message;
        if (!output->ok && output->log.find("gpu-architecture") != std::string::npos) {
          std::printf("%s: this NVRTC does not know it\n", arch.c_str());
          continue;
        }
        if (!output->ok) {
          ADD_FAILURE() << source.file << " for " << arch << " " << mode << ": "
                        << output->log.substr(0, 1000);
          continue;
        }
        EXPECT_EQ(trouble(output->ptx, source), "")
            << source.file << " for " << arch << " " << mode;
        ++ran;
      }
    }
  }
  EXPECT_GT(ran, 0u);
}

}  // namespace
}  // namespace kw::ptxvm
