// Shapes, strided copies, threads: what every operator file uses.

#include <algorithm>
#include <atomic>
#include <thread>

#include "operator.h"

namespace kw::reference {

Tensor make_tensor(Shape shape) {
  std::size_t count = 1;
  for (const std::int64_t extent : shape) count *= static_cast<std::size_t>(extent);
  Tensor tensor;
  tensor.shape = std::move(shape);
  tensor.value.resize(count);
  return tensor;
}

void store(Tensor& t, std::size_t i, Num n) {
  t.value[i] = n.v;
  if (n.e == 0 && t.bound.empty()) return;
  if (t.bound.empty()) t.bound.resize(t.value.size());
  t.bound[i] = n.e;
}

Outputs one(Tensor tensor) {
  Outputs outputs;
  outputs.push_back(std::move(tensor));
  return outputs;
}

Status need_inputs(const Call& call, std::size_t least) {
  for (std::size_t i = 0; i < least; ++i) {
    if (!call.has(i)) {
      return fail(Errc::InvalidArgument, "needs {} tensor arguments, argument {} is absent", least,
                  i);
    }
  }
  return {};
}

Result<std::size_t> wrap_dim(const Call&, std::int64_t dim, std::size_t rank) {
  const auto n = static_cast<std::int64_t>(std::max<std::size_t>(rank, 1));
  if (dim < -n || dim >= n)
    return fail(Errc::InvalidArgument, "dim {} of a rank {} tensor", dim, rank);
  return static_cast<std::size_t>(dim < 0 ? dim + n : dim);
}

Result<std::vector<bool>> dim_mask(const Call& call, std::string_view name, std::size_t rank) {
  std::vector<std::int64_t> dims;
  if (has_attr(call.node, name)) {
    KW_ASSIGN(dims, attr_ints(call.node, name));
  }
  std::vector<bool> mask(rank, dims.empty());
  for (const std::int64_t dim : dims) {
    KW_ASSIGN(const std::size_t d, wrap_dim(call, dim, rank));
    if (d < rank) mask[d] = true;
  }
  return mask;
}

Result<Shape> broadcast_shape(const Call&, const Shape& a, const Shape& b) {
  Shape shape(std::max(a.size(), b.size()));
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const std::int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1;
    const std::int64_t y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1) {
      return fail(Errc::InvalidArgument, "shapes {} and {} do not broadcast", to_string(a),
                  to_string(b));
    }
    shape[shape.size() - 1 - i] = x == 1 ? y : x;
  }
  return shape;
}

Shape broadcast_strides(const Shape& from, const Shape& to) {
  const Shape own = contiguous_strides(from);
  Shape strides(to.size(), 0);
  const std::size_t lead = to.size() - from.size();
  for (std::size_t i = 0; i < from.size(); ++i) strides[lead + i] = from[i] == 1 ? 0 : own[i];
  return strides;
}

Tensor gather(const Tensor& in, const Shape& shape, const Shape& strides, std::int64_t offset) {
  Tensor out = make_tensor(shape);
  if (!in.bound.empty()) out.bound.resize(out.size());
  if (!in.magnitude.empty()) out.magnitude.resize(out.size());
  std::vector<std::int64_t> index(shape.size(), 0);
  std::int64_t at = offset;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto from = static_cast<std::size_t>(at);
    out.value[i] = in.value[from];
    if (!in.bound.empty()) out.bound[i] = in.bound[from];
    if (!in.magnitude.empty()) out.magnitude[i] = in.magnitude[from];
    for (std::size_t d = shape.size(); d-- > 0;) {
      at += strides[d];
      if (++index[d] < shape[d]) break;
      at -= strides[d] * shape[d];
      index[d] = 0;
    }
  }
  return out;
}

Tensor broadcast_to(const Tensor& in, const Shape& shape) {
  return gather(in, shape, broadcast_strides(in.shape, shape), 0);
}

void parallel_for(const Options& options, std::size_t n, double work,
                  const std::function<void(std::size_t, std::size_t)>& body) {
  const unsigned cpus = std::max(1u, std::thread::hardware_concurrency());
  const std::size_t threads =
      std::min<std::size_t>(options.threads == 0 ? cpus : options.threads, n);
  if (threads < 2 || static_cast<double>(n) * work < 2e6) {
    body(0, n);
    return;
  }
  std::vector<std::jthread> pool;
  for (std::size_t t = 0; t < threads; ++t) {
    pool.emplace_back([&body, n, t, threads] { body(n * t / threads, n * (t + 1) / threads); });
  }
}

Grouping group(const Shape& shape, const std::vector<bool>& reduced, bool keepdim) {
  Grouping g;
  const Shape strides = contiguous_strides(shape);
  g.outer_at = {0};
  g.inner_at = {0};
  for (std::size_t d = 0; d < shape.size(); ++d) {
    std::vector<std::size_t>& at = reduced[d] ? g.inner_at : g.outer_at;
    std::vector<std::size_t> next;
    next.reserve(at.size() * static_cast<std::size_t>(shape[d]));
    for (const std::size_t base : at) {
      for (std::int64_t i = 0; i < shape[d]; ++i) {
        next.push_back(base + static_cast<std::size_t>(i * strides[d]));
      }
    }
    at = std::move(next);
    if (!reduced[d]) g.kept_shape.push_back(shape[d]);
    if (reduced[d] && keepdim) g.kept_shape.push_back(1);
  }
  g.outer = g.outer_at.size();
  g.inner = g.inner_at.size();
  return g;
}

}  // namespace kw::reference
