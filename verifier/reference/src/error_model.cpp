// Bounds of contractions and roundoffs of outputs (verification.md section 3,
// formats_and_systems.md section 1).

#include <cmath>

#include "operator.h"

namespace kw::reference {

double contraction_factor(PolicyClass policy, double k, bool narrow_operands, bool few_valued) {
  const double accumulate = 0x1p-23 * std::sqrt(k);
  double g = 0;
  switch (policy) {
    case PolicyClass::Ieee:
      g = 0x1p-20 + accumulate;
      break;
    case PolicyClass::Tf32:
      // Two operands, each rounded to nearest: 2^-11 each. Nothing asks for promotion: tensor cores
      // truncate at each of k/8 steps, half of one unit of a sum that is half grown on average, and
      // as much for the terms that they align; twice that is allowed, as below.
      g = 0x1p-10 + 0x1p-20 + std::fmax(accumulate, 0x1p-23 * (k / 8 + 8));
      break;
    case PolicyClass::Half:
      // Unpromoted FP32 accumulation of tensor cores, k/16 steps; wider operands are rounded to BF16
      // first, 2^-8 each.
      g = 0x1p-23 * (k / 16 + 8) + (narrow_operands ? 0 : 0x1p-7 + 0x1p-16);
      break;
    case PolicyClass::Exact:
      return 0;
  }
  // Constant data rounds the same way at every step: the worst case of a serial FP32 sum.
  if (few_valued) g = std::fmax(g, (policy == PolicyClass::Tf32 ? 0x1p-10 : 0) + 0x1p-24 * k);
  return g;
}

double output_roundoff(DType type) noexcept {
  switch (type) {
    case DType::F32:
      return 0x1p-22;
    case DType::F16:
      return 0x1p-10;
    case DType::BF16:
      return 0x1p-8;
    case DType::F64:
    case DType::I64:
    case DType::I32:
    case DType::I16:
    case DType::I8:
    case DType::U8:
    case DType::Bool:
      return 0;
  }
  return 0;
}

double largest_finite(DType type) noexcept {
  switch (type) {
    case DType::F64:
      return std::numeric_limits<double>::max();
    case DType::F32:
      return static_cast<double>(std::numeric_limits<float>::max());
    case DType::F16:
      return 65504;
    case DType::BF16:
      return 0x1.FEp127;
    case DType::I64:
    case DType::I32:
    case DType::I16:
    case DType::I8:
    case DType::U8:
    case DType::Bool:
      return kInf;
  }
  return kInf;
}

}  // namespace kw::reference
