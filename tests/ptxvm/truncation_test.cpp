// The bias that truncating accumulation gives a long chain of tensor-core steps. Single steps equal
// an H100's bit for bit (conformance_test); here they add up.

#include <gtest/gtest.h>

#include <cmath>

#include "ptxvm/harness.h"

namespace kw::ptxvm {
namespace {

// One warp multiplies a 16 x K by a K x 8 matrix in steps of 8 with TF32 operands; `promote` steps
// are summed by the tensor core before a rounding addition takes them over (0: all).
struct Chain {
  unsigned steps = 1024;  // K = 8192
  unsigned promote = 0;

  std::string ptx() const {
    const std::string every = std::to_string(promote == 0 ? steps : promote);
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
           "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f0,%f1,%f2,%f3}, "
           "{%r1,%r2,%r3,%r4}, {%r5,%r6}, {%f0,%f1,%f2,%f3};\n"
           "add.u32 %r9, %r9, 1;\nadd.u32 %r10, %r10, 1;\nsetp.lt.u32 %p1, %r10, " +
           every +
           ";\n@%p1 bra INNER;\nadd.rn.f32 %f4, %f4, %f0;\nadd.rn.f32 %f5, %f5, %f1;\n"
           "add.rn.f32 %f6, %f6, %f2;\nadd.rn.f32 %f7, %f7, %f3;\nsetp.lt.u32 %p1, %r9, " +
           std::to_string(steps) +
           ";\n@%p1 bra OUTER;\nst.global.v4.f32 [%rd2], {%f4,%f5,%f6,%f7};\nret;\n}\n";
  }

  // Mean of (result - exact) / exact over all elements and `repeats` draws of uniform operands.
  double bias(bool exact_accumulation = false) const {
    const auto program = load(ptx());
    if (!program) {
      ADD_FAILURE() << program.error().message;
      return 0;
    }
    constexpr unsigned kRepeats = 4;
    double sum = 0;
    std::mt19937 engine(17);
    for (unsigned repeat = 0; repeat < kRepeats; ++repeat) {
      // Per step and lane: four elements of A, two of B, two unused words.
      std::vector<float> in(std::size_t{steps} * 32 * 8);
      for (float& x : in) x = static_cast<float>(engine() >> 22) / 1024;  // ten bits: TF32 holds it
      Memory memory;
      const auto from = upload(memory, "in", in);
      const auto to = memory.allocate("out", 32 * 16).value();
      Options options;
      options.exact_tensor_accumulation = exact_accumulation;
      const Report report =
          run_kernel(**program, memory, "k", {1}, {32}, Arguments(from, to), options);
      EXPECT_TRUE(report.clean()) << first_message(report);
      const std::vector<float> out = download<float>(memory, to);
      for (unsigned lane = 0; lane < 32; ++lane) {
        for (unsigned i = 0; i < 4; ++i) {
          const unsigned row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
          double exact = 0;
          for (unsigned s = 0; s < steps; ++s) {
            const float* step = &in[std::size_t{s} * 256];
            for (unsigned k = 0; k < 8; ++k) {
              const float a = step[(4 * (row % 8) + k % 4) * 8 + row / 8 + 2 * (k / 4)];
              const float b = step[(4 * column + k % 4) * 8 + 4 + k / 4];
              exact += static_cast<double>(a) * static_cast<double>(b);
            }
          }
          sum += (static_cast<double>(out[lane * 4 + i]) - exact) / exact;
        }
      }
    }
    return sum / (128 * kRepeats);
  }
};

// Each step cuts half a unit in the last place of an accumulator that grows evenly: ln 2 / 2 times
// 2^-23 per step of the final sum, and what alignment cuts off comes to that.
TEST(PtxVmTruncation, ALongChainLosesHalfAUnitPerStep) {
  const double least = -std::log(2.0) / 2 * 1024 * 0x1p-23;
  const double bias = Chain{}.bias();
  EXPECT_LT(bias, least);
  EXPECT_GT(bias, 1.3 * least);
}

TEST(PtxVmTruncation, PromotionTakesTheBiasAway) {
  const Chain promoted{1024, 32};  // every 256 of K
  EXPECT_LT(std::fabs(promoted.bias()), 1.5e-6);
}

TEST(PtxVmTruncation, ExactAccumulationHasNone) { EXPECT_LT(std::fabs(Chain{}.bias(true)), 1e-6); }

}  // namespace
}  // namespace kw::ptxvm
