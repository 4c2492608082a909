// Short cuts give what the long way gives: handlers of the newest instruction set against plain
// x86-64, quick accesses against those that count, folded registers against a trace's code, which
// has none.

#include <algorithm>
#include <bit>

#include "harness.h"

namespace kw::ptxvm {
namespace {

using Record = std::array<std::byte, Snippet::kRecord>;

std::uint32_t word(const Record& r, std::size_t i) {
  std::uint32_t out;
  std::memcpy(&out, &r[4 * i], 4);
  return out;
}

/// The same lanes under every way of running; the words of the result are compared.
void expect_same_everywhere(Snippet& snippet, const std::vector<Record>& in, const char* what) {
  Options plain, avx2, counted, traced, unmarked;
  plain.isa = HostIsa::Baseline;
  avx2.isa = HostIsa::Avx2;
  counted.count_memory = true;
  traced.trace.max_records = 1;
  unmarked.check_uninitialised = false;
  const auto want = snippet.run_records(in, plain);
  const std::pair<const char*, Options> ways[] = {
      {"best", {}},       {"AVX2", avx2},         {"counted", counted},
      {"traced", traced}, {"no marks", unmarked}, {"all checks", with_all_checks()}};
  for (const auto& [name, options] : ways) {
    const auto got = snippet.run_records(in, options);
    for (std::size_t l = 0; l < in.size(); ++l) {
      for (std::size_t i = 0; i < 16; ++i)
        ASSERT_EQ(word(got[l], i), word(want[l], i))
            << what << ", " << name << ": lane " << l << " word " << i;
    }
  }
}

std::vector<Record> random_records(std::mt19937& engine, std::size_t count) {
  std::vector<Record> out(count);
  for (Record& r : out) {
    for (std::size_t i = 0; i < 16; ++i) {
      const auto bits = static_cast<std::uint32_t>(engine());
      std::memcpy(&r[4 * i], &bits, 4);
    }
  }
  return out;
}

// A 16-bit or 32-bit number whose exponent is up to `spread` from that of 1; zero now and then, and
// where `wild`, any code.
std::uint32_t draw(std::mt19937& engine, unsigned fraction_bits, unsigned bias, unsigned spread,
                   bool wild, unsigned bits) {
  const auto r = static_cast<std::uint32_t>(engine());
  const std::uint32_t mask = bits == 32 ? ~0u : (1u << bits) - 1;
  if (r % 16 == 0) return (r >> 4 & 1) << (bits - 1);
  if (wild && r % 16 == 1) return static_cast<std::uint32_t>(engine()) & mask;
  const std::uint32_t exponent = bias + r / 64 % (2 * spread + 1) - spread;
  const std::uint32_t fraction = static_cast<std::uint32_t>(engine()) & ((1u << fraction_bits) - 1);
  return (r >> 5 & 1) << (bits - 1) | exponent << fraction_bits | fraction;
}

struct Format {
  const char* name;
  const char* shape;
  unsigned fraction_bits, bias, a_registers, b_registers;
};

TEST(PtxVmPaths, MatrixProductsHaveTheSameBitsInEveryInstructionSet) {
  constexpr Format kFormats[] = {{"f16", "m16n8k16", 10, 15, 4, 2},
                                 {"bf16", "m16n8k16", 7, 127, 4, 2},
                                 {"f16", "m16n8k8", 10, 15, 2, 1},
                                 {"bf16", "m16n8k8", 7, 127, 2, 1}};
  std::mt19937 engine(5);
  for (const Format& f : kFormats) {
    const auto list = [](unsigned first, unsigned count) {
      std::string out = "{";
      for (unsigned i = 0; i < count; ++i)
        out += (i == 0 ? "%r" : ", %r") + std::to_string(first + i);
      return out + "}";
    };
    std::string body;
    for (unsigned i = 0; i < 10; ++i) {
      body +=
          "ld.global.b32 %r" + std::to_string(10 + i) + ", [%rd1+" + std::to_string(4 * i) + "];\n";
    }
    // Twice, so that D is the next C.
    const std::string sources =
        ", " + list(10, f.a_registers) + ", " + list(14, f.b_registers) + ", ";
    const std::string name = std::string("mma.sync.aligned.") + f.shape + ".row.col.f32." + f.name +
                             "." + f.name + ".f32 ";
    body += name + list(20, 4) + sources + list(16, 4) + ";\n";
    body += name + list(16, 4) + sources + list(20, 4) + ";\n";
    for (unsigned i = 0; i < 8; ++i) {
      body +=
          "st.global.b32 [%rd2+" + std::to_string(4 * i) + "], %r" + std::to_string(16 + i) + ";\n";
    }
    for (unsigned i = 8; i < 16; ++i)
      body += "st.global.b32 [%rd2+" + std::to_string(4 * i) + "], 0;\n";
    Snippet snippet(body);
    for (unsigned mood = 0; mood < 24; ++mood) {
      const unsigned spread = mood % 3 == 0 ? 0 : mood % 3 == 1 ? 5 : std::min(f.bias - 1, 40u);
      const bool wild = mood % 8 == 7;
      std::vector<Record> in(128);  // four warps
      for (Record& r : in) {
        for (std::size_t i = 0; i < 12; ++i) {
          const auto half =
              static_cast<std::uint16_t>(draw(engine, f.fraction_bits, f.bias, spread, wild, 16));
          const auto other =
              static_cast<std::uint16_t>(draw(engine, f.fraction_bits, f.bias, spread, wild, 16));
          // All as large as a significand gets: sums of sixteen leave 32 bits.
          const bool full = mood == 1;
          const std::uint32_t most = ((f.bias + 1) << f.fraction_bits) - 1;
          const std::uint32_t bits =
              full ? most | most << 16 : half | static_cast<std::uint32_t>(other) << 16;
          if (i < 6) std::memcpy(&r[4 * i], &bits, 4);
        }
        for (std::size_t i = 6; i < 10; ++i) {
          const unsigned reach = mood % 4 == 0 ? 0 : mood % 4 == 1 ? 20 : mood % 4 == 2 ? 70 : 120;
          const std::uint32_t bits = draw(engine, 23, 127, reach, wild, 32);
          std::memcpy(&r[4 * i], &bits, 4);
        }
      }
      expect_same_everywhere(snippet, in, f.name);
      if (HasFatalFailure()) return;
    }
  }
}

// Products one after another share decoded operands. Registers are drawn, so that results become
// operands, and D lies on C in another order.
TEST(PtxVmPaths, RunsOfMatrixProductsEqualProductsOneByOne) {
  std::mt19937 engine(11);
  for (unsigned program = 0; program < 30; ++program) {
    const bool deep = program % 3 != 0, bf16 = program % 2 != 0, tame = program % 5 < 3;
    const std::string type = bf16 ? "bf16" : "f16";
    std::vector<unsigned> registers(16);
    for (unsigned i = 0; i < 16; ++i) registers[i] = 16 + i;
    const auto list = [](const std::vector<unsigned>& from, std::size_t first, std::size_t count) {
      std::string out;
      for (std::size_t i = 0; i < count; ++i)
        out += (i == 0 ? "{%r" : ", %r") + std::to_string(from[first + i]);
      return out + "}";
    };
    std::string body;
    for (unsigned i = 0; i < 16; ++i)
      body +=
          "ld.global.b32 %r" + std::to_string(16 + i) + ", [%rd1+" + std::to_string(4 * i) + "];\n";
    for (unsigned i = 0; i < 14; ++i) {
      // Tame: sums stay in their eight registers. Else any register may become anything.
      const std::vector<unsigned> sums(registers.begin() + 8, registers.end());
      const std::size_t a = 4 * (engine() % (tame ? 2 : 4)), b = 2 * (engine() % (tame ? 4 : 8));
      std::vector<unsigned> to = tame ? sums : registers, from = to;
      std::shuffle(to.begin(), to.end(), engine);
      if (i % 2 == 0) from = to;
      if (i % 2 != 0) std::shuffle(from.begin(), from.end(), engine);
      body += "mma.sync.aligned.m16n8k" + std::string(deep ? "16" : "8") + ".row.col.f32." + type +
              "." + type + ".f32 " + list(to, 0, 4) + ", " + list(registers, a, deep ? 4 : 2) +
              ", ";
      body += list(registers, b, deep ? 2 : 1) + ", " + list(from, 0, 4) + ";\n";
    }
    for (unsigned i = 0; i < 16; ++i)
      body +=
          "st.global.b32 [%rd2+" + std::to_string(4 * i) + "], %r" + std::to_string(16 + i) + ";\n";
    Snippet snippet(body);
    std::vector<Record> in(64);
    for (Record& r : in) {
      for (std::size_t i = 0; i < 16; ++i) {
        const unsigned fraction = bf16 ? 7 : 10, bias = bf16 ? 127 : 15;
        const std::uint32_t bits = tame && i >= 8
                                       ? draw(engine, 23, 127, 10, false, 32)
                                       : draw(engine, fraction, bias, 6, false, 16) |
                                             draw(engine, fraction, bias, 6, false, 16) << 16;
        std::memcpy(&r[4 * i], &bits, 4);
      }
    }
    expect_same_everywhere(snippet, in, type.c_str());
    if (HasFatalFailure()) return;
  }
}

TEST(PtxVmPaths, LoadsAndStoresOfEveryPatternReadAndWriteTheSame) {
  // Lane l's address: side by side, all at one place, groups of eight or sixteen at one place, the
  // first half again, strides, backwards, scattered.
  const char* patterns[] = {
      "mov.u32 %r2, %r0;",     "mov.u32 %r2, 5;",
      "and.b32 %r2, %r0, 24;", "and.b32 %r2, %r0, 16;",
      "and.b32 %r2, %r0, 15;", "mul.lo.u32 %r2, %r0, 3;",
      "sub.u32 %r2, 31, %r0;", "mul.lo.u32 %r2, %r0, 21; and.b32 %r2, %r2, 31;"};
  const char* const declare = ".shared .align 16 .b8 tile[4096];\n";
  std::mt19937 engine(9);
  const auto in = random_records(engine, 32);
  for (const char* pattern : patterns) {
    for (const unsigned vector : {1u, 2u, 4u}) {
      const std::string bytes = std::to_string(4 * vector);
      const std::string suffix = vector == 1 ? "b32" : "v" + std::to_string(vector) + ".b32";
      const auto values = [&](unsigned first) {
        std::string out = vector == 1 ? "" : "{";
        for (unsigned i = 0; i < vector; ++i)
          out += (i == 0 ? "%r" : ", %r") + std::to_string(first + i);
        return out + (vector == 1 ? "" : "}");
      };
      std::string body = std::string(declare) + "mov.u64 %rd4, tile;\n";
      // The tile is filled, read by the pattern, written by it, and read again.
      for (unsigned i = 0; i < 16; ++i) {
        body += "ld.global.b32 %r20, [%rd1+" + std::to_string(4 * i) +
                "];\nmul.wide.u32 %rd5, %r0, 64;\nadd.s64 %rd5, %rd5, %rd4;\nst.shared.b32 [%rd5+" +
                std::to_string(4 * i) + "], %r20;\n";
      }
      body += std::string("bar.warp.sync 0xffffffff;\n") + pattern + "\nmul.wide.u32 %rd6, %r2, " +
              bytes + ";\nadd.s64 %rd6, %rd6, %rd4;\ncvt.u32.u64 %r3, %rd6;\n";
      for (unsigned i = 0; i < 8; ++i) body += "mov.u32 %r" + std::to_string(24 + i) + ", 0;\n";
      body += "ld.shared." + suffix + " " + values(24) + ", [%rd6+16];\n";
      body += "ld.shared." + suffix + " " + values(28) + ", [%r3];\nbar.warp.sync 0xffffffff;\n";
      body += "add.u32 %r24, %r24, %r3;\n";  // lanes at one place store what belongs to the place
      body += "st.shared." + suffix + " [%rd6], " + values(24) + ";\nbar.warp.sync 0xffffffff;\n";
      body += "ld.shared." + suffix + " " + values(36) + ", [%r3];\n";
      for (unsigned i = 0; i < 16; ++i) {
        const std::string r = i < 8            ? "%r" + std::to_string(24 + i)
                              : i < 8 + vector ? "%r" + std::to_string(28 + i)
                                               : "0";
        body += "st.global.b32 [%rd2+" + std::to_string(4 * i) + "], " + r + ";\n";
      }
      Snippet snippet(body);
      expect_same_everywhere(snippet, in, pattern);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(PtxVmPaths, ShufflesByConstantsEqualShufflesByRegisters) {
  std::mt19937 engine(3);
  const auto in = random_records(engine, 64);
  for (const std::string mode : {"up", "down", "bfly", "idx"}) {
    for (const unsigned by : {1u, 2u, 3u, 4u, 8u, 16u, 31u}) {
      const std::string bounds = mode == "up" ? "0" : "31", distance = std::to_string(by);
      std::string body = "ld.global.b32 %r10, [%rd1];\nld.global.b32 %r11, [%rd1+4];\n";
      // A distance that is not known before: by + (x & 0).
      body += "and.b32 %r12, %r11, 0;\nadd.u32 %r12, %r12, " + distance + ";\n";
      body += "mov.u32 %r15, " + distance + ";\nmov.u32 %r16, -1;\n";
      body += "shfl.sync." + mode + ".b32 %r13|%p1, %r10, %r15, " + bounds + ", %r16;\n";
      body += "shfl.sync." + mode + ".b32 %r14|%p2, %r10, %r12, " + bounds + ", -1;\n";
      body += "selp.u32 %r17, 1, 0, %p1;\nselp.u32 %r18, 1, 0, %p2;\n";
      body += "st.global.v4.b32 [%rd2], {%r13, %r14, %r17, %r18};\n";
      for (unsigned i = 4; i < 16; ++i)
        body += "st.global.b32 [%rd2+" + std::to_string(4 * i) + "], 0;\n";
      Snippet snippet(body);
      expect_same_everywhere(snippet, in, mode.c_str());
      if (HasFatalFailure()) return;
      for (const Record& r : snippet.run_records(in)) {
        EXPECT_EQ(word(r, 0), word(r, 1)) << mode << " " << by;
        EXPECT_EQ(word(r, 2), word(r, 3)) << mode << " " << by;
      }
    }
  }
}

TEST(PtxVmPaths, SignallingNansAreQuietInEveryInstructionSet) {
  std::string body = "ld.global.b64 %rd5, [%rd1];\nmov.b64 %fd1, %rd5;\n";
  unsigned at = 0;
  for (const std::string mode : {"rni", "rzi", "rmi", "rpi"}) {
    body += "cvt." + mode + ".f64.f64 %fd2, %fd1;\nst.global.f64 [%rd2+" +
            std::to_string(8 * at++) + "], %fd2;\n";
  }
  for (; at < 8; ++at) body += "st.global.b64 [%rd2+" + std::to_string(8 * at) + "], 0;\n";
  Snippet snippet(body);
  std::mt19937 engine(6);
  auto in = random_records(engine, 32);
  const std::uint64_t edges[] = {0x7ff0000000000001u, 0xfff4000000000000u, 0x7ff8000000000005u,
                                 0x7ff0000000000000u, 0x8000000000000000u, 0xbfe0000000000000u};
  for (std::size_t i = 0; i < std::size(edges); ++i) std::memcpy(&in[i], &edges[i], 8);
  expect_same_everywhere(snippet, in, "cvt");
}

// Copies that may be folded next to those that may not: of a loop's variables, of registers written
// under a predicate or on one of two paths.
TEST(PtxVmPaths, CopiesKeepTheValueOfTheirMoment) {
  const std::string body =
      "ld.global.b32 %r10, [%rd1];\nld.global.b32 %r11, [%rd1+4];\n"
      "mov.u32 %r12, %r10;\nmov.b32 %f1, %r12;\nmov.b32 %r13, %f1;\n"  // a chain of copies
      "mov.u32 %r20, 1;\nmov.u32 %r21, 2;\nmov.u32 %r22, 0;\nmov.u32 %r30, 7;\n"
      "LOOP:\nmov.u32 %r23, %r20;\nmov.u32 %r20, %r21;\nmov.u32 %r21, %r23;\n"  // swaps each time
      "add.u32 %r22, %r22, 1;\nsetp.lt.u32 %p1, %r22, %r30;\n@%p1 bra LOOP;\n"
      "and.b32 %r24, %r10, 1;\nsetp.ne.u32 %p2, %r24, 0;\nmov.u32 %r25, 5;\n@%p2 mov.u32 %r25, 6;\n"
      "mov.u32 %r26, %r25;\n"
      "@%p2 bra ELSE;\nmov.u32 %r27, %r10;\nbra END;\nELSE:\nmov.u32 %r27, %r11;\nEND:\n"
      "mov.u32 %r28, %ntid.x;\nmov.u32 %r29, %tid.x;\nmov.u32 %r31, %laneid;\nmov.u32 %r32, "
      "%ctaid.y;\n"
      "st.global.v4.b32 [%rd2], {%r13, %r20, %r21, %r26};\n"
      "st.global.v4.b32 [%rd2+16], {%r27, %r28, %r29, %r31};\n"
      "st.global.v4.b32 [%rd2+32], {%r32, %r12, %r23, %r25};\n"
      "st.global.v4.b32 [%rd2+48], {%r22, %r30, %r24, %r11};\n";
  Snippet snippet(body);
  std::mt19937 engine(4);
  const auto in = random_records(engine, 96);
  expect_same_everywhere(snippet, in, "copies");
  const auto out = snippet.run_records(in);
  for (std::uint32_t l = 0; l < in.size(); ++l) {
    const bool odd = (word(in[l], 0) & 1) != 0;
    const std::uint32_t want[] = {word(in[l], 0),
                                  2,
                                  1,
                                  odd ? 6u : 5u,
                                  word(in[l], odd ? 1 : 0),
                                  96,
                                  l,
                                  l % 32,
                                  0,
                                  word(in[l], 0),
                                  1,
                                  odd ? 6u : 5u,
                                  7,
                                  7,
                                  odd ? 1u : 0u,
                                  word(in[l], 1)};
    for (std::size_t i = 0; i < 16; ++i) EXPECT_EQ(word(out[l], i), want[i]) << l << " " << i;
  }
}

}  // namespace
}  // namespace kw::ptxvm
