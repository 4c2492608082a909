#pragma once
// A long chain of tensor-core steps: what its truncating accumulation adds up to, in the virtual
// machine and on a GPU.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "ptxvm/driver.h"
#include "ptxvm/harness.h"

namespace kw::ptxvm {

enum class ChainOperands { Tf32, F16 };

// One warp multiplies a 16 x K by a K x 8 matrix, 8 (TF32) or 16 (FP16) of K a step; `promote`
// steps are summed by the tensor core before a rounding addition takes them over (0: all). Operands
// are uniform in [0, 1) with ten bits, which both formats hold exactly.
struct Chain {
  ChainOperands operands = ChainOperands::Tf32;
  unsigned k = 8192;
  unsigned promote = 0;
  static constexpr unsigned kRepeats = 4;

  unsigned step_k() const { return operands == ChainOperands::Tf32 ? 8 : 16; }
  unsigned steps() const { return k / step_k(); }

  std::string ptx() const {
    const std::string every = std::to_string(promote == 0 ? steps() : promote);
    const std::string shape = operands == ChainOperands::Tf32 ? "m16n8k8.row.col.f32.tf32.tf32.f32"
                                                              : "m16n8k16.row.col.f32.f16.f16.f32";
    return ".version 8.0\n.target sm_80\n.address_size 64\n"
           ".visible .entry k(.param .u64 in, .param .u64 out)\n{\n"
           ".reg .pred %p<4>; .reg .b32 %r<16>; .reg .b64 %rd<8>; .reg .f32 %f<16>;\n"
           "ld.param.u64 %rd1, [in];\nld.param.u64 %rd2, [out];\nmov.u32 %r0, %tid.x;\n"
           "mul.wide.u32 %rd3, %r0, 32;\nadd.s64 %rd1, %rd1, %rd3;\nmul.wide.u32 %rd3, %r0, 16;\n"
           "add.s64 %rd2, %rd2, %rd3;\nmov.u32 %r9, 0;\n"
           "mov.f32 %f4, 0f00000000;\nmov.f32 %f5, %f4;\nmov.f32 %f6, %f4;\nmov.f32 %f7, %f4;\n"
           "OUTER:\nmov.u32 %r10, 0;\n"
           "mov.f32 %f0, 0f00000000;\nmov.f32 %f1, %f0;\nmov.f32 %f2, %f0;\nmov.f32 %f3, %f0;\n"
           "INNER:\nld.global.v4.b32 {%r1,%r2,%r3,%r4}, [%rd1];\n"
           "ld.global.v2.b32 {%r5,%r6}, [%rd1+16];\nadd.s64 %rd1, %rd1, 1024;\n"
           "mma.sync.aligned." +
           shape +
           " {%f0,%f1,%f2,%f3}, "
           "{%r1,%r2,%r3,%r4}, {%r5,%r6}, {%f0,%f1,%f2,%f3};\n"
           "add.u32 %r9, %r9, 1;\nadd.u32 %r10, %r10, 1;\nsetp.lt.u32 %p1, %r10, " +
           every +
           ";\n@%p1 bra INNER;\nadd.rn.f32 %f4, %f4, %f0;\nadd.rn.f32 %f5, %f5, %f1;\n"
           "add.rn.f32 %f6, %f6, %f2;\nadd.rn.f32 %f7, %f7, %f3;\nsetp.lt.u32 %p1, %r9, " +
           std::to_string(steps()) +
           ";\n@%p1 bra OUTER;\nst.global.v4.f32 [%rd2], {%f4,%f5,%f6,%f7};\nret;\n}\n";
  }

  /// The operands of one draw as they lie in memory: per step and lane four words of A, two of B,
  /// two unused.
  std::vector<std::uint32_t> draw(unsigned repeat) const {
    std::mt19937 engine(17 + repeat);
    std::vector<std::uint32_t> words(std::size_t{steps()} * 32 * 8);
    for (std::uint32_t& word : words) {
      if (operands == ChainOperands::Tf32) {
        word = bits_of(static_cast<float>(engine() >> 22) / 1024);
      } else {
        const std::uint32_t low = half_of(static_cast<std::uint32_t>(engine() >> 22));
        word = low | half_of(static_cast<std::uint32_t>(engine() >> 22)) << 16;
      }
    }
    return words;
  }

  /// Mean of (result - exact) / exact over all elements; `out`: four sums a lane.
  double bias(const std::vector<std::uint32_t>& in, const std::vector<float>& out) const {
    double sum = 0;
    for (unsigned lane = 0; lane < 32; ++lane) {
      for (unsigned i = 0; i < 4; ++i) {
        const unsigned row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
        double exact = 0;
        for (unsigned s = 0; s < steps(); ++s) {
          for (unsigned kk = 0; kk < step_k(); ++kk)
            exact += a(in, s, row, kk) * b(in, s, column, kk);
        }
        sum += (static_cast<double>(out[lane * 4 + i]) - exact) / exact;
      }
    }
    return sum / 128;
  }

  std::vector<float> run_on_vm(const std::vector<std::uint32_t>& in,
                               bool exact_accumulation = false) const {
    const auto program = load(ptx());
    if (!program) {
      ADD_FAILURE() << program.error().message;
      return std::vector<float>(128);
    }
    Memory memory;
    const auto from = upload(memory, "in", in);
    const auto to = memory.allocate("out", 32 * 16).value();
    Options options;
    options.exact_tensor_accumulation = exact_accumulation;
    const Report report =
        run_kernel(**program, memory, "k", {1}, {32}, Arguments(from, to), options);
    EXPECT_TRUE(report.clean()) << first_message(report);
    return download<float>(memory, to);
  }

  double bias_on_vm(bool exact_accumulation = false) const {
    double sum = 0;
    for (unsigned repeat = 0; repeat < kRepeats; ++repeat) {
      const auto in = draw(repeat);
      sum += bias(in, run_on_vm(in, exact_accumulation));
    }
    return sum / kRepeats;
  }

 private:
  static std::uint32_t bits_of(float x) {
    std::uint32_t bits;
    std::memcpy(&bits, &x, 4);
    return bits;
  }
  // Of n / 1024, n below 1024: a number that FP16 holds.
  static std::uint32_t half_of(std::uint32_t n) {
    if (n == 0) return 0;
    unsigned top = 31;
    while ((n >> top) == 0) --top;
    return (15 - 10 + top) << 10 | ((n << (10 - top)) & 0x3ff);
  }
  static double value_of_half(std::uint32_t h) {
    if (h == 0) return 0;
    return std::ldexp(1024 + static_cast<double>(h & 0x3ff), static_cast<int>(h >> 10) - 25);
  }
  double element(const std::vector<std::uint32_t>& in, unsigned step, unsigned lane, unsigned word,
                 unsigned half) const {
    const std::uint32_t bits = in[(std::size_t{step} * 32 + lane) * 8 + word];
    if (operands == ChainOperands::F16)
      return value_of_half(half == 0 ? bits & 0xffff : bits >> 16);
    float x;
    std::memcpy(&x, &bits, 4);
    return static_cast<double>(x);
  }
  // The fragment layouts of the PTX ISA, "Warp-level matrix fragments".
  double a(const std::vector<std::uint32_t>& in, unsigned step, unsigned row, unsigned kk) const {
    if (operands == ChainOperands::Tf32) {
      return element(in, step, 4 * (row % 8) + kk % 4, row / 8 + 2 * (kk / 4), 0);
    }
    return element(in, step, 4 * (row % 8) + kk % 8 / 2, row / 8 + 2 * (kk / 8), kk % 2);
  }
  double b(const std::vector<std::uint32_t>& in, unsigned step, unsigned column,
           unsigned kk) const {
    if (operands == ChainOperands::Tf32)
      return element(in, step, 4 * column + kk % 4, 4 + kk / 4, 0);
    return element(in, step, 4 * column + kk % 8 / 2, 4 + kk / 8, kk % 2);
  }
};

}  // namespace kw::ptxvm
