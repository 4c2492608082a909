#pragma once
// The arithmetic of kernels, on the CPU, rounding by rounding: FP32 chains in many orders, and
// tensor-core products through the virtual machine's model, which equals an H100 bit for bit
// (docs/results/ptxvm.md).

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace kw::calibration {

/// How products are formed. The first three are honest under `ieee`.
enum class Scheme {
  Ffma,              // fused multiply-adds in FP32
  Fp16x3,            // two FP16 terms an operand, three products, promoted every 64 terms
  Tf32x3,            // two TF32 terms an operand, three products, promoted every 64 terms
  Tf32,              // operands rounded to TF32, promoted every 64
  Fp16,              // operands scaled by a power of two and rounded to FP16, promoted every 64
  Bf16,              // operands rounded to BF16, promoted every 64
  Fp8,               // operands scaled and rounded to E4M3, promoted every 64
  Tf32Unpromoted,    // as `Tf32`, one tensor-core accumulator over all terms
  Bf16Unpromoted,    // as `Bf16`, one tensor-core accumulator over all terms
  Fp16x3Unpromoted,  // as `Fp16x3`, tensor-core accumulators over all terms
  Tf32x3Unpromoted,  // as `Tf32x3`, tensor-core accumulators over all terms
};
std::string_view to_string(Scheme scheme) noexcept;
/// Partial sums leave the tensor cores after every run.
bool promotes(Scheme scheme) noexcept;
/// What a value becomes where a scheme keeps it: itself, or rounded to its operand format.
float stored(Scheme scheme, float x) noexcept;

/// The order of an FP32 sum: `lanes` partial sums (interleaved, or one contiguous part each), every
/// one made of chains of `chain` terms that are added up, then a tree over the lanes.
struct Order {
  std::size_t lanes = 1;
  std::size_t chain = 0;  // 0: one chain
  bool interleaved = true;
};
/// No chain is longer than this: a longer one has errors of lower precision on data whose terms
/// share their low bits (docs/results/judge_calibration.md), and is measured as `OneChain`.
inline constexpr std::size_t kLongestChain = 2048;

/// Small fast generator for orders and for the last bits of functions.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(next() % bound); }

 private:
  std::uint64_t state_;
};
Order any_order(Dice& dice, std::size_t terms);

/// Row-major rows of k numbers.
struct Rows {
  std::size_t rows = 0, k = 0;
  std::vector<float> data;
  const float* row(std::size_t r) const { return data.data() + r * k; }
  float* row(std::size_t r) { return data.data() + r * k; }
};

/// out[a.rows][b.rows]: the inner products of all rows.
std::vector<float> products(Scheme scheme, Order order, const Rows& a, const Rows& b);
/// Sums of every row, as products with ones.
std::vector<float> sums(Scheme scheme, Order order, const Rows& terms);

/// A CUDA function of the documented error: correctly rounded, then up to `ulps` - 1 units away.
float function(Dice& dice, double exact, int ulps);

}  // namespace kw::calibration
