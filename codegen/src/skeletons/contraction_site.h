#pragma once
// A region that is one matrix product with what can be fused into it: pointwise work on either
// operand, and a pointwise chain on the result.

#include <optional>

#include "ir/region.h"

namespace kw::codegen {

/// One operand as every contraction kernel reads it: an expression over v0 = batch, v1 = row (of A:
/// m, of B: n), v2 = k.
struct ContractionOperand {
  ScalarId value = -1;
  Shape space;           // extents of v0, v1, v2
  bool batched = false;  // depends on v0
};

struct ContractionSite {
  std::int64_t batch = 1, m = 1, n = 1, k = 1;
  ContractionOperand a, b;
  TensorId product = kNoTensor;  // what the Contract stage fills
  TensorId output = kNoTensor;   // of the region
  /// Over v0 = batch, v1 = m, v2 = n; loads of `product` stand for the sum itself.
  ScalarId epilogue = -1;
  Index out_offset;  // in elements of `output`, over the same variables
  /// Over the same variables: points at which one of these is not below its extent are not stored.
  /// A product may be longer than the output (transposed convolutions: whole phases).
  struct Limit {
    Index at;
    std::int64_t extent = 0;
  };
  std::vector<Limit> limits;

  Shape out_space() const { return {batch, m, n}; }
  double flops() const;
};

/// k in another order: all of one reduced variable, padded, for each combination of the others.
struct InnerK {
  int variable = -1;        // of the Contract stage
  std::int64_t padded = 0;  // extent that it is given; both operands are zero in the padding
};

/// Nothing when the region is anything else: no product or several, an output besides the last one,
/// a result that is read anywhere but at the point where the epilogue stores, sums that are not
/// FP32, extents past what the kernels count in (2^31 - 1; 65535 batches).
std::optional<ContractionSite> contraction_site(Program& program, const Region& region,
                                                const std::optional<InnerK>& inner = {});
/// The single Contract stage of a region whose other stages are all Maps, or -1.
int product_stage(const Program& program, const Region& region);
/// Sets values[v] for the variables of one list to the coordinates of `number` in their extents.
void spread(const Stage& stage, const std::vector<int>& variables, const Index& number,
            const Shape& space, std::vector<Index>& values);

}  // namespace kw::codegen
