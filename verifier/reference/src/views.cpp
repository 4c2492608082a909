// Views: the same elements in another order or shape. Errors and magnitudes travel along.

#include <algorithm>

#include "operator.h"

namespace kw::reference {
namespace {

/// The graph's own output shape decides: sizes in attributes may hold -1 or symbols.
Result<Outputs> reshape(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  Tensor out = call.in(0);
  KW_ASSIGN(const std::int64_t count, element_count(call.output_shape()));
  if (static_cast<std::size_t>(count) != out.size()) {
    return fail(Errc::InvalidArgument, "{} elements do not fill {}", out.size(),
                to_string(call.output_shape()));
  }
  out.shape = call.output_shape();
  return one(std::move(out));
}

Outputs permuted(const Tensor& x, const std::vector<std::size_t>& order) {
  const Shape strides = contiguous_strides(x.shape);
  Shape shape, step;
  for (const std::size_t d : order) {
    shape.push_back(x.shape[d]);
    step.push_back(strides[d]);
  }
  return one(gather(x, shape, step, 0));
}

Result<Outputs> permute(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  KW_ASSIGN(const std::vector<std::int64_t> dims, attr_ints(call.node, "dims"));
  const std::size_t rank = call.in(0).shape.size();
  std::vector<std::size_t> order;
  for (const std::int64_t dim : dims) {
    KW_ASSIGN(const std::size_t d, wrap_dim(call, dim, rank));
    if (std::find(order.begin(), order.end(), d) != order.end() || d >= rank) {
      return fail(Errc::InvalidArgument, "dims are not a permutation");
    }
    order.push_back(d);
  }
  if (order.size() != rank) return fail(Errc::InvalidArgument, "dims are not a permutation");
  return permuted(call.in(0), order);
}

Result<Outputs> swap_dims(const Call& call, std::int64_t first, std::int64_t second) {
  const std::size_t rank = call.in(0).shape.size();
  if (rank < 2) return one(call.in(0));
  KW_ASSIGN(const std::size_t a, wrap_dim(call, first, rank));
  KW_ASSIGN(const std::size_t b, wrap_dim(call, second, rank));
  std::vector<std::size_t> order(rank);
  for (std::size_t d = 0; d < rank; ++d) order[d] = d;
  std::swap(order[a], order[b]);
  return permuted(call.in(0), order);
}
Result<Outputs> transpose(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  KW_ASSIGN(const std::int64_t a, attr_int(call.node, "dim0"));
  KW_ASSIGN(const std::int64_t b, attr_int(call.node, "dim1"));
  return swap_dims(call, a, b);
}
Result<Outputs> transpose_last(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  return swap_dims(call, -2, -1);
}
Result<Outputs> reverse_dims(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  std::vector<std::size_t> order(call.in(0).shape.size());
  for (std::size_t d = 0; d < order.size(); ++d) order[d] = order.size() - 1 - d;
  return permuted(call.in(0), order);
}

Result<Outputs> expand(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  const Shape& to = call.output_shape();
  KW_ASSIGN(const Shape both, broadcast_shape(call, call.in(0).shape, to));
  if (both != to) {
    return fail(Errc::InvalidArgument, "{} does not expand to {}", to_string(call.in(0).shape),
                to_string(to));
  }
  return one(broadcast_to(call.in(0), to));
}

/// copy(self, source): the second tensor in the shape of the first.
Result<Outputs> copy(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 2));
  const Shape& to = call.output_shape();
  KW_ASSIGN(const Shape both, broadcast_shape(call, call.in(1).shape, to));
  if (both != to) {
    return fail(Errc::InvalidArgument, "{} does not expand to {}", to_string(call.in(1).shape),
                to_string(to));
  }
  return one(broadcast_to(call.in(1), to));
}

Result<Outputs> slice(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  const Tensor& x = call.in(0);
  KW_ASSIGN(const std::int64_t raw, attr_int_or(call.node, "dim", 0));
  KW_ASSIGN(const std::size_t dim, wrap_dim(call, raw, x.shape.size()));
  if (dim >= x.shape.size()) return fail(Errc::InvalidArgument, "slice of a scalar");
  const std::int64_t extent = x.shape[dim];
  KW_ASSIGN(std::int64_t start, attr_int_or(call.node, "start", 0));
  KW_ASSIGN(std::int64_t end, attr_int_or(call.node, "end", extent));
  KW_ASSIGN(const std::int64_t step, attr_int_or(call.node, "step", 1));
  if (step <= 0) return fail(Errc::InvalidArgument, "step {}", step);
  start = std::clamp(start < 0 ? start + extent : start, std::int64_t{0}, extent);
  end = std::clamp(end < 0 ? end + extent : end, start, extent);
  Shape shape = x.shape;
  Shape strides = contiguous_strides(x.shape);
  shape[dim] = (end - start + step - 1) / step;
  const std::int64_t offset = start * strides[dim];
  strides[dim] *= step;
  return one(gather(x, shape, strides, offset));
}

Result<Outputs> select(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  const Tensor& x = call.in(0);
  KW_ASSIGN(const std::int64_t raw, attr_int_or(call.node, "dim", 0));
  KW_ASSIGN(std::int64_t index, attr_int(call.node, "index"));
  KW_ASSIGN(const std::size_t dim, wrap_dim(call, raw, x.shape.size()));
  if (dim >= x.shape.size()) return fail(Errc::InvalidArgument, "select from a scalar");
  if (index < 0) index += x.shape[dim];
  if (index < 0 || index >= x.shape[dim]) return fail(Errc::InvalidArgument, "index out of range");
  Shape shape = x.shape;
  Shape strides = contiguous_strides(x.shape);
  const std::int64_t offset = index * strides[dim];
  const auto at = static_cast<std::ptrdiff_t>(dim);
  shape.erase(shape.begin() + at);
  strides.erase(strides.begin() + at);
  return one(gather(x, shape, strides, offset));
}

Result<Outputs> diagonal(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  const Tensor& x = call.in(0);
  KW_ASSIGN(const std::int64_t offset, attr_int_or(call.node, "offset", 0));
  KW_ASSIGN(const std::int64_t raw1, attr_int_or(call.node, "dim1", 0));
  KW_ASSIGN(const std::int64_t raw2, attr_int_or(call.node, "dim2", 1));
  const std::size_t rank = x.shape.size();
  KW_ASSIGN(const std::size_t d1, wrap_dim(call, raw1, rank));
  KW_ASSIGN(const std::size_t d2, wrap_dim(call, raw2, rank));
  if (rank < 2 || d1 == d2) return fail(Errc::InvalidArgument, "needs two dimensions");
  const Shape own = contiguous_strides(x.shape);
  const std::int64_t row = std::max<std::int64_t>(-offset, 0);
  const std::int64_t column = std::max<std::int64_t>(offset, 0);
  Shape shape, strides;
  for (std::size_t d = 0; d < rank; ++d) {
    if (d == d1 || d == d2) continue;
    shape.push_back(x.shape[d]);
    strides.push_back(own[d]);
  }
  shape.push_back(std::max<std::int64_t>(0, std::min(x.shape[d1] - row, x.shape[d2] - column)));
  strides.push_back(own[d1] + own[d2]);
  return one(gather(x, shape, strides, row * own[d1] + column * own[d2]));
}

}  // namespace

std::vector<OperatorEntry> view_operators() {
  return {{"view", reshape},         {"reshape", reshape},   {"_unsafe_view", reshape},
          {"flatten", reshape},      {"unflatten", reshape}, {"unsqueeze", reshape},
          {"squeeze", reshape},      {"permute", permute},   {"transpose", transpose},
          {"swapaxes", transpose},   {"t", transpose_last},  {"mT", transpose_last},
          {"numpy_T", reverse_dims}, {"expand", expand},     {"expand_as", expand},
          {"broadcast_to", expand},  {"slice", slice},       {"select", select},
          {"diagonal", diagonal},    {"copy", copy}};
}

}  // namespace kw::reference
