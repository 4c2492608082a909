// Arg-max and friends: the index is judged only where it does not hang on the operands' errors.

#include <algorithm>

#include "operator.h"

namespace kw::reference {
namespace {

struct Pick {
  Num value, index;
};
/// First of the largest (or smallest); NaN wins, the first one.
template <bool Max, typename F>
Pick pick(std::size_t n, F element) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < n; ++i) {
    const double a = element(best).v, b = element(i).v;
    if (std::isnan(a)) break;
    if (std::isnan(b) || (Max ? b > a : b < a)) best = i;
  }
  const Num top = element(best);
  bool doubt = false;
  for (std::size_t i = 0; i < n && !std::isnan(top.v); ++i) {
    const Num x = element(i);
    const double e = x.e + top.e;
    doubt = doubt || (i != best && e > 0 && std::fabs(x.v - top.v) <= e);
  }
  return {{top.v, top.e}, {static_cast<double>(best), doubt ? kInf : 0}};
}

template <bool Max, bool WithValue>
Result<Outputs> arg(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  const Tensor& x = call.in(0);
  KW_ASSIGN(const std::vector<bool> mask, dim_mask(call, "dim", x.shape.size()));
  KW_ASSIGN(const bool keepdim, attr_bool_or(call.node, "keepdim", false));
  const Grouping g = group(x.shape, mask, keepdim);
  if (g.inner == 0) return fail(Errc::InvalidArgument, "an empty dimension has no extremum");
  Tensor values = make_tensor(g.kept_shape);
  Tensor indices = make_tensor(g.kept_shape);
  for (std::size_t o = 0; o < g.outer; ++o) {
    const Pick p =
        pick<Max>(g.inner, [&](std::size_t i) { return num_at(x, g.outer_at[o] + g.inner_at[i]); });
    store(values, o, p.value);
    store(indices, o, p.index);
  }
  if (!WithValue) return one(std::move(indices));
  Outputs outputs = one(std::move(values));
  outputs.push_back(std::move(indices));
  return outputs;
}

/// aten.max: of all elements, along a dimension (two outputs), or of two tensors.
template <bool Max>
Result<Outputs> max_op(const Call& call) {
  if (call.has(1)) {
    KW_ASSIGN(Tensor out, map2(call, call.in(0), call.in(1),
                               [](Num a, Num b) { return Max ? maximum(a, b) : minimum(a, b); }));
    return one(std::move(out));
  }
  return arg<Max, true>(call);
}

/// Rows of a table by integer indices.
Result<Outputs> embedding(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 2));
  const Tensor& table = call.in(0);
  const Tensor& index = call.in(1);
  if (table.shape.size() != 2) return fail(Errc::InvalidArgument, "the table is not a matrix");
  const auto width = static_cast<std::size_t>(table.shape[1]);
  Shape shape = index.shape;
  shape.push_back(table.shape[1]);
  Tensor out = make_tensor(shape);
  for (std::size_t i = 0; i < index.size(); ++i) {
    const double row = index.value[i];
    if (row < 0 || row >= static_cast<double>(table.shape[0])) {
      return fail(Errc::InvalidArgument, "index {} outside the table", row);
    }
    for (std::size_t j = 0; j < width; ++j) {
      store(out, i * width + j, num_at(table, static_cast<std::size_t>(row) * width + j));
    }
  }
  return one(std::move(out));
}

Result<Outputs> gather_op(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 2));
  const Tensor& x = call.in(0);
  const Tensor& index = call.in(1);
  KW_ASSIGN(const std::int64_t raw, attr_int(call.node, "dim"));
  KW_ASSIGN(const std::size_t dim, wrap_dim(call, raw, x.shape.size()));
  if (index.shape.size() != x.shape.size()) return fail(Errc::InvalidArgument, "ranks differ");
  const Shape from = contiguous_strides(x.shape);
  const Shape own = contiguous_strides(index.shape);
  Tensor out = make_tensor(index.shape);
  for (std::size_t i = 0; i < index.size(); ++i) {
    std::int64_t at = 0;
    auto rest = static_cast<std::int64_t>(i);
    for (std::size_t d = 0; d < own.size(); ++d) {
      const std::int64_t coordinate = rest / own[d];
      rest %= own[d];
      at += from[d] * (d == dim ? static_cast<std::int64_t>(index.value[i]) : coordinate);
    }
    if (index.value[i] < 0 || index.value[i] >= static_cast<double>(x.shape[dim])) {
      return fail(Errc::InvalidArgument, "index {} outside dim {}", index.value[i], dim);
    }
    store(out, i, num_at(x, static_cast<std::size_t>(at)));
  }
  return one(std::move(out));
}

}  // namespace

std::vector<OperatorEntry> selection_operators() {
  return {{"argmax", arg<true, false>}, {"argmin", arg<false, false>}, {"max", max_op<true>},
          {"min", max_op<false>},       {"embedding", embedding},      {"gather", gather_op}};
}

}  // namespace kw::reference
