#pragma once
// One node on its way: attribute decoding and kernel launches.

#include <array>
#include <cmath>
#include <optional>

#include "evaluator.h"
#include "num.h"

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

  /// One per output of the node; none where nobody wants it.
  using Results = std::vector<std::optional<DeviceTensor>>;
  using Pair = std::array<std::optional<DeviceTensor>, 2>;
  struct Totals {
    std::shared_ptr<Block> v, c, e;
  };

  Result<Results> evaluate();
  Result<DeviceTensor> evaluate_one();
  const Shape& out_shape() const { return graph->value(node->outputs[0]).shape; }
  OutputType out_type() const { return output_type(graph->value(node->outputs[0]).dtype); }
  double factor(double k) const;  // of a sum of k terms

  // map.cpp
  Result<DeviceTensor> pointwise(Function function);
  Status map(Function function, const std::array<double, 4>& p, const Pair& in,
             const OutputType& type, DeviceTensor& out,
             const std::array<double, 2>& scalars = {NAN, NAN});
  Result<DeviceTensor> clamp_by_tensors();
  Result<DeviceTensor> masked(std::string_view name);
  Result<DeviceTensor> view(std::string_view name);
  // reduce.cpp
  Result<Totals> totals(const DeviceTensor& x, const Grouped& g, TotalsMode mode,
                        const std::shared_ptr<Block>& centre, std::uint64_t centres = 0);
  Result<DeviceTensor> finish(const Totals& t, Shape shape, int how, double terms,
                              const DeviceTensor* mean, double correction, const OutputType& type);
  Result<DeviceTensor> extremum(const DeviceTensor& x, const Grouped& g, bool largest,
                                const Shape& shape);
  /// Moves the reduced dimensions together: the tensor in memory order [outer, reduced, inner].
  Result<std::pair<DeviceTensor, Grouped>> grouped(const DeviceTensor& x,
                                                   const std::vector<bool>& reduced);
  Result<DeviceTensor> row_reduction(std::string_view name);
  Result<DeviceTensor> softmax(bool log);
  Result<DeviceTensor> softmax_of(const DeviceTensor& in, std::size_t dim, bool log,
                                  const OutputType& type);
  Result<DeviceTensor> normalize(std::string_view name);
  /// max and min: of everything, along a dimension (values), or of two tensors.
  Result<DeviceTensor> max_or_min(bool largest);
  Result<DeviceTensor> vector_norm();
  Result<DeviceTensor> root_of(const DeviceTensor& x);
  /// Which dimensions of the first input attribute "dim" names; all where there is none.
  Result<std::vector<bool>> reduced_dims() const;
  // batch_norm.cpp
  Result<std::vector<reference::Num>> fetch(const DeviceTensor& x);
  Result<DeviceTensor> send(const std::vector<reference::Num>& from, Shape shape,
                            const OutputType& type);
  Result<Totals> channel_totals(const DeviceTensor& x, TotalsMode mode,
                                const std::shared_ptr<Block>& centre);
  Result<Results> batch_norm();
  // index.cpp
  Result<std::optional<DeviceTensor>> index_view(std::string_view name);
  Result<Results> split();
  /// Copies x to out, its first element to `offset`, along out's strides.
  Status place(const DeviceTensor& x, DeviceTensor& out, std::int64_t offset);
  Result<DeviceTensor> filled(double value);
  Result<DeviceTensor> join(bool stack);
  Result<DeviceTensor> pad();
  Result<DeviceTensor> roll();
  Result<DeviceTensor> triangle(const DeviceTensor& from, bool lower, std::int64_t diagonal,
                                double fill);
  Result<DeviceTensor> take();
  Result<DeviceTensor> scan(bool product);
  Result<DeviceTensor> position(bool largest);
  // loss.cpp
  Result<DeviceTensor> reduced_terms(DeviceTensor terms);
  Result<DeviceTensor> distance(const DeviceTensor& a, const DeviceTensor& b, double eps);
  Result<DeviceTensor> triplet_loss();
  Result<DeviceTensor> cross_entropy();
  // attention.cpp
  Result<DeviceTensor> attention();
  Result<DeviceTensor> einsum();
  // recurrence.cpp
  Status project(const DeviceTensor& x, const DeviceTensor& w,
                 const std::optional<DeviceTensor>& bias, DeviceTensor& out);
  Result<Results> recurrence(std::string_view name);
  // window.cpp
  Result<DeviceTensor> convolution(bool transposed);
  Result<DeviceTensor> pool(std::string_view name);
  // product.cpp
  Result<DeviceTensor> matmul(const DeviceTensor& a, const DeviceTensor& b, DType type_a,
                              DType type_b, Shape shape, const OutputType& type);
  Result<DeviceTensor> expanded(const DeviceTensor& x, const Shape& batch);
  Result<DeviceTensor> contraction(std::string_view name);
  Result<DeviceTensor> add_term(const DeviceTensor& product, const DeviceTensor& term, double beta,
                                double alpha, double k);
};

}  // namespace kw::verify::gpu
