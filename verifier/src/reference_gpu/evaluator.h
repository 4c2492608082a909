#pragma once
// The interpreter of small graphs, on a device: one naive kernel per operator, everything in double
// with its running error.

#include <map>
#include <memory>
#include <vector>

#include "accelerator.h"
#include "arguments.h"
#include "kw/core/graph.h"
#include "kw/core/policy.h"

namespace kw::verify::gpu {

/// A view of device memory. Elements of `type` kF64 are computed values with their errors in `e`;
/// other types are raw inputs, which are exact.
struct DeviceTensor {
  Shape shape;
  Shape strides;  // elements
  std::int64_t offset = 0;
  int type = kF64;
  std::shared_ptr<Block> v, e, c;  // c: magnitudes of a contraction
  std::size_t size() const;
  bool contiguous() const;
};
using DeviceTensors = std::map<ValueId, DeviceTensor>;

struct EvaluatorOptions {
  Policy policy;
  bool few_valued = false;
};

class Evaluator {
 public:
  /// `device` outlives the evaluator and every tensor; its module holds reference_source().
  Evaluator(Accelerator& device, EvaluatorOptions options) : device_(device), options_(options) {}

  /// Evaluates the graph's nodes; returns its outputs. Errors: Unsupported for an operator that has
  /// no kernel here, named with its node.
  Result<std::vector<DeviceTensor>> run(const Graph& graph, const DeviceTensors& inputs);

  /// Totals over all elements, joined on the host.
  struct AllTotals {
    double v = 0, c = 0, e = 0;
  };
  Result<AllTotals> totals(const DeviceTensor& x);

 private:
  struct Step;  // one node being evaluated
  friend struct Step;
  Result<DeviceTensor> make(Shape shape, bool with_error);
  Result<DeviceTensor> materialise(const DeviceTensor& x);
  Result<std::shared_ptr<Block>> block(std::size_t elements);

  Accelerator& device_;
  EvaluatorOptions options_;
};

/// Launch shape for n independent elements.
std::uint32_t grid_for(std::uint64_t n, std::uint32_t block = 256);
Operand operand(const DeviceTensor& x);
Operand scalar_operand(double value);
Operand absent_operand();

}  // namespace kw::verify::gpu
