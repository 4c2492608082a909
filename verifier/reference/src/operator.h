#pragma once
// What an operator of the interpreter sees, and the table of all of them.

#include <functional>
#include <string_view>
#include <vector>

#include "kw/reference/interpret.h"
#include "num.h"

namespace kw::reference {

/// One node about to be evaluated.
struct Call {
  const Graph& graph;
  const Node& node;
  const FormatTable& formats;
  const Options& options;
  std::vector<const Tensor*> inputs;  // nullptr where an optional tensor is absent

  std::size_t count() const { return inputs.size(); }
  bool has(std::size_t i) const { return i < inputs.size() && inputs[i] != nullptr; }
  const Tensor& in(std::size_t i) const { return *inputs[i]; }
  DType input_dtype(std::size_t i) const { return graph.value(node.inputs[i]).dtype; }
  DType output_dtype() const { return graph.value(node.outputs[0]).dtype; }
  const Shape& output_shape(std::size_t i = 0) const { return graph.value(node.outputs[i]).shape; }
};

using Outputs = std::vector<Tensor>;
using Operator = Result<Outputs> (*)(const Call&);
struct OperatorEntry {
  std::string_view name;  // without "aten." and without the overload
  Operator run;
};

/// Tables of the files beside this one.
std::vector<OperatorEntry> pointwise_operators();
std::vector<OperatorEntry> further_pointwise_operators();
std::vector<OperatorEntry> binary_operators();
std::vector<OperatorEntry> view_operators();
std::vector<OperatorEntry> structure_operators();
std::vector<OperatorEntry> index_map_operators();
std::vector<OperatorEntry> reduction_operators();
std::vector<OperatorEntry> selection_operators();
std::vector<OperatorEntry> normalization_operators();
std::vector<OperatorEntry> contraction_operators();
std::vector<OperatorEntry> attention_operators();
std::vector<OperatorEntry> recurrence_operators();
std::vector<OperatorEntry> convolution_operators();
std::vector<OperatorEntry> pooling_operators();
std::vector<OperatorEntry> loss_operators();
std::vector<OperatorEntry> replacement_operators();
std::vector<OperatorEntry> distance_operators();
std::vector<OperatorEntry> format_operators();

// ---- shared pieces

inline Num num_at(const Tensor& t, std::size_t i) { return {t.value[i], t.bound_at(i)}; }
/// Stores a Num; the bound array is made when the first inexact element arrives.
void store(Tensor& t, std::size_t i, Num n);

Outputs one(Tensor tensor);
Status need_inputs(const Call& call, std::size_t least);
/// dim in [-rank, rank) to [0, rank); rank 0 counts as 1.
Result<std::size_t> wrap_dim(const Call& call, std::int64_t dim, std::size_t rank);
/// The attribute "dim" (int or list) as a mask over `rank` dimensions; absent or empty: all.
Result<std::vector<bool>> dim_mask(const Call& call, std::string_view name, std::size_t rank);

/// Shape of a broadcast; InvalidArgument when extents disagree.
Result<Shape> broadcast_shape(const Call& call, const Shape& a, const Shape& b);
/// Strides that read `from` as if it had shape `to` (0 where broadcast).
Shape broadcast_strides(const Shape& from, const Shape& to);
/// A strided view of `in`, materialised.
Tensor gather(const Tensor& in, const Shape& shape, const Shape& strides, std::int64_t offset);
Tensor broadcast_to(const Tensor& in, const Shape& shape);

/// Calls body(begin, end) over [0, n) on several threads when n * work is large.
void parallel_for(const Options& options, std::size_t n, double work,
                  const std::function<void(std::size_t, std::size_t)>& body);

/// Pointwise over one, two or three broadcast operands.
template <typename F>
Tensor map1(const Call& call, const Tensor& a, F f) {
  Tensor out = make_tensor(a.shape);
  out.bound.resize(out.size());
  parallel_for(call.options, out.size(), 50, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const Num n = f(num_at(a, i));
      out.value[i] = n.v;
      out.bound[i] = n.e;
    }
  });
  return out;
}
template <typename F>
Result<Tensor> map2(const Call& call, const Tensor& a, const Tensor& b, F f) {
  KW_ASSIGN(const Shape shape, broadcast_shape(call, a.shape, b.shape));
  const Tensor wide_a = a.shape == shape ? Tensor{} : broadcast_to(a, shape);
  const Tensor wide_b = b.shape == shape ? Tensor{} : broadcast_to(b, shape);
  const Tensor& x = a.shape == shape ? a : wide_a;
  const Tensor& y = b.shape == shape ? b : wide_b;
  Tensor out = make_tensor(shape);
  out.bound.resize(out.size());
  parallel_for(call.options, out.size(), 50, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const Num n = f(num_at(x, i), num_at(y, i));
      out.value[i] = n.v;
      out.bound[i] = n.e;
    }
  });
  return out;
}

// ---- reductions, used by several files

/// The elements of a tensor as `outer` groups of `inner` elements that are reduced together.
struct Grouping {
  Shape kept_shape;  // of the result, with keepdim applied
  std::size_t outer = 1, inner = 1;
  std::vector<std::size_t> outer_at;  // offset of each group
  std::vector<std::size_t> inner_at;  // offset of each element within a group
};
Grouping group(const Shape& shape, const std::vector<bool>& reduced, bool keepdim);

/// A sum as a contraction with ones under the policy of `other` (a worst case where inputs take few
/// values), with its c.
struct Sum {
  Num sum;
  double c = 0;
};
/// terms(i) gives the i-th of n terms.
template <typename F>
Sum sum_terms(const Options& options, std::size_t n, F terms) {
  Totals t;
  for (std::size_t i = 0; i < n; ++i) t = t + totals_of(terms(i));
  const double k = static_cast<double>(n);
  return {finish_sum(t, k, contraction_factor(PolicyClass::Ieee, k, false, options.few_valued)),
          t.c};
}

}  // namespace kw::reference
