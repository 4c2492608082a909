#pragma once
// The meaning of a graph, in double precision, with a running error analysis under the task's
// policy. Shares no decode or lowering code with the generator.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "kw/core/format.h"
#include "kw/core/graph.h"
#include "kw/core/policy.h"
#include "kw/reference/tensor.h"

namespace kw::reference {

using FormatTable = std::map<std::string, Format, std::less<>>;
FormatTable format_table(const std::vector<Format>& formats);

struct Options {
  Policy policy;
  /// Inputs are constant or take few values, where honest accumulation is biased: contractions and
  /// sums are bounded by the worst case K 2^-24 c as well.
  bool few_valued = false;
  unsigned threads = 0;  // 0: one per CPU
  /// Sees every value as it is produced, in order; what it leaves there is what later nodes read.
  std::function<Status(ValueId, Tensor&)> settle{};
};

using Tensors = std::map<ValueId, Tensor>;

/// Evaluates the graph. `inputs` holds every value that no node produces. Returns the graph's
/// outputs, in its order. Errors: Unsupported for an operator (or a variant of one) that is not
/// known, naming it and the node's index; InvalidArgument where shapes or attributes disagree.
Result<std::vector<Tensor>> interpret(const Graph& graph, const FormatTable& formats,
                                      const Tensors& inputs, const Options& options);

/// True when interpret() knows the operator by name; variants are checked when they run.
bool knows_operator(std::string_view op);

/// The factor g of the bound u_out |y| + g c of a contraction over k terms (verification.md
/// section 3). `narrow_operands`: both are FP16 or BF16 in memory, so their products are exact.
double contraction_factor(PolicyClass policy, double k, bool narrow_operands, bool few_valued);

/// Distance of a rounded result, relative: 2^-22 FP32, 2^-10 FP16, 2^-8 BF16, 0 otherwise.
double output_roundoff(DType type) noexcept;

/// Largest finite value of a floating type; infinity for integers.
double largest_finite(DType type) noexcept;

}  // namespace kw::reference
