#pragma once
// Matrix products, and the bound of one contracted element.

#include <cmath>

#include "kw/reference/interpret.h"
#include "num.h"
#include "operator.h"

namespace kw::reference {

struct ContractionRule {
  PolicyClass policy = PolicyClass::Ieee;
  bool narrow_operands = false;
  bool few_valued = false;

  /// `c`: sum of magnitudes; `propagated`: what the operands' own errors add; k: terms. An element
  /// whose magnitudes approach FP32's range may overflow on the way, so it is not judged.
  double bound(double value, double c, double propagated, std::size_t k) const {
    const auto terms = static_cast<double>(k);
    return contraction_bound(value, c, propagated, terms,
                             contraction_factor(policy, terms, narrow_operands, few_valued));
  }
};

/// True where both operands are FP16 or BF16 in memory, so that their products are exact in FP32.
bool narrow_operands(const Call& call, std::size_t a, std::size_t b);

/// torch.matmul: vectors are matrices with a dimension to drop, leading dimensions broadcast.
Result<Tensor> matmul_tensors(const Call& call, const Tensor& a, const Tensor& b,
                              const ContractionRule& rule);
/// x w^T + bias; `bias` may be null.
Result<Tensor> linear_tensor(const Call& call, const Tensor& x, const Tensor& w, const Tensor* bias,
                             const ContractionRule& rule);

}  // namespace kw::reference
