// Tensors with a part replaced, and images by their nearest pixels.

#include <algorithm>

#include "operator.h"

namespace kw::reference {
namespace {

/// Input 0 with input 1 (of this shape) at start, start + step, ... of a dimension.
Result<Outputs> replaced(const Call& call, const Shape& part, std::size_t dim, std::int64_t start,
                         std::int64_t step) {
  const Tensor& x = call.in(0);
  const Tensor& y = call.in(1);
  if (y.size() != make_tensor(part).size()) {
    return fail(Errc::InvalidArgument, "{} where {} is replaced", to_string(y.shape),
                to_string(part));
  }
  Tensor out = x;
  const Shape strides = contiguous_strides(x.shape);
  const auto inner = static_cast<std::size_t>(strides[dim]);
  const auto rows = static_cast<std::size_t>(part[dim]);
  const auto extent = static_cast<std::size_t>(x.shape[dim]);
  for (std::size_t i = 0; i < y.size(); ++i) {
    const std::size_t outer = i / (inner * rows), row = i / inner % rows;
    const auto at = static_cast<std::size_t>(start) + row * static_cast<std::size_t>(step);
    store(out, (outer * extent + at) * inner + i % inner, num_at(y, i));
  }
  return one(std::move(out));
}

Result<Outputs> slice_scatter(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 2));
  const Tensor& x = call.in(0);
  KW_ASSIGN(const std::int64_t raw, attr_int_or(call.node, "dim", 0));
  KW_ASSIGN(const std::size_t dim, wrap_dim(call, raw, x.shape.size()));
  if (x.shape.empty()) return fail(Errc::InvalidArgument, "a slice of a scalar");
  const std::int64_t extent = x.shape[dim];
  KW_ASSIGN(std::int64_t start, attr_int_or(call.node, "start", 0));
  KW_ASSIGN(std::int64_t end, attr_int_or(call.node, "end", extent));
  KW_ASSIGN(const std::int64_t step, attr_int_or(call.node, "step", 1));
  if (step <= 0) return fail(Errc::InvalidArgument, "step {}", step);
  start = std::clamp(start < 0 ? start + extent : start, std::int64_t{0}, extent);
  end = std::clamp(end < 0 ? end + extent : end, start, extent);
  Shape part = x.shape;
  part[dim] = (end - start + step - 1) / step;
  if (call.in(1).shape != part) {
    return fail(Errc::InvalidArgument, "{} where {} is replaced", to_string(call.in(1).shape),
                to_string(part));
  }
  return replaced(call, part, dim, start, step);
}

Result<Outputs> select_scatter(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 2));
  const Tensor& x = call.in(0);
  KW_ASSIGN(const std::int64_t raw, attr_int(call.node, "dim"));
  KW_ASSIGN(const std::size_t dim, wrap_dim(call, raw, x.shape.size()));
  KW_ASSIGN(std::int64_t index, attr_int(call.node, "index"));
  if (x.shape.empty()) return fail(Errc::InvalidArgument, "a row of a scalar");
  if (index < 0) index += x.shape[dim];
  if (index < 0 || index >= x.shape[dim]) return fail(Errc::InvalidArgument, "index out of range");
  Shape part = x.shape;
  part[dim] = 1;
  return replaced(call, part, dim, index, 1);
}

/// floor(o * in / out) of every dimension behind the channels.
Result<Outputs> upsample_nearest(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  const Tensor& x = call.in(0);
  const Shape& shape = call.output_shape();
  if (shape.size() != x.shape.size() || shape.size() < 3) {
    return fail(Errc::InvalidArgument, "{} to {}", to_string(x.shape), to_string(shape));
  }
  const Shape from = contiguous_strides(x.shape), to = contiguous_strides(shape);
  Tensor out = make_tensor(shape);
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::int64_t source = 0;
    for (std::size_t d = 0; d < shape.size(); ++d) {
      const std::int64_t o = static_cast<std::int64_t>(i) / to[d] % shape[d];
      source += o * x.shape[d] / shape[d] * from[d];
    }
    store(out, i, num_at(x, static_cast<std::size_t>(source)));
  }
  return one(std::move(out));
}

}  // namespace

std::vector<OperatorEntry> replacement_operators() {
  return {{"slice_scatter", slice_scatter},
          {"select_scatter", select_scatter},
          {"upsample_nearest1d", upsample_nearest},
          {"upsample_nearest2d", upsample_nearest},
          {"upsample_nearest3d", upsample_nearest}};
}

}  // namespace kw::reference
