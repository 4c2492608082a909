#pragma once
// One node on its way: attribute decoding and kernel launches.

#include <array>
#include <cmath>
#include <optional>

#include "evaluator.h"

namespace kw::verify::gpu {

/// An output that rounds nothing and never overflows.
OutputType exact_output();
OutputType output_type(DType type);

struct Grouped {
  std::uint64_t outer = 1, reduced = 1, inner = 1;
};

struct Evaluator::Step {
  Evaluator& self;
  const Graph* graph;
  const Node* node;
  std::vector<std::optional<DeviceTensor>> inputs;

  using Pair = std::array<std::optional<DeviceTensor>, 2>;
  struct Totals {
    std::shared_ptr<Block> v, c, e;
  };

  Result<DeviceTensor> evaluate();
  const Shape& out_shape() const { return graph->value(node->outputs[0]).shape; }
  OutputType out_type() const { return output_type(graph->value(node->outputs[0]).dtype); }
  double factor(double k) const;  // of a sum of k terms

  // map.cpp
  Result<DeviceTensor> pointwise(Function function);
  Status map(Function function, const std::array<double, 4>& p, const Pair& in,
             const OutputType& type, DeviceTensor& out,
             const std::array<double, 2>& scalars = {NAN, NAN});
  Result<DeviceTensor> view(std::string_view name);
  // reduce.cpp
  Result<Totals> totals(const DeviceTensor& x, const Grouped& g, TotalsMode mode,
                        const std::shared_ptr<Block>& centre);
  Result<DeviceTensor> finish(const Totals& t, Shape shape, int how, double terms,
                              const DeviceTensor* mean, double correction, const OutputType& type);
  Result<DeviceTensor> extremum(const DeviceTensor& x, const Grouped& g, bool largest,
                                const Shape& shape);
  /// Moves the reduced dimensions together: the tensor in memory order [outer, reduced, inner].
  Result<std::pair<DeviceTensor, Grouped>> grouped(const DeviceTensor& x,
                                                   const std::vector<bool>& reduced);
  Result<DeviceTensor> row_reduction(std::string_view name);
  Result<DeviceTensor> softmax(bool log);
  Result<DeviceTensor> normalize(std::string_view name);
  // product.cpp
  Result<DeviceTensor> matmul(const DeviceTensor& a, const DeviceTensor& b, DType type_a,
                              DType type_b, Shape shape, const OutputType& type);
  Result<DeviceTensor> contraction(std::string_view name);
  Result<DeviceTensor> add_term(const DeviceTensor& product, const DeviceTensor& term, double beta,
                                double alpha, double k);
};

}  // namespace kw::verify::gpu
