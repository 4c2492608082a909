// Operators that place elements: concatenation, triangles, diagonals, constants, embedding rows.

#include <algorithm>

#include "operator.h"

namespace kw::reference {
namespace {

Result<Outputs> join(const Call& call, const std::vector<const Tensor*>& parts, std::size_t dim) {
  Shape shape = parts[0]->shape;
  shape[dim] = 0;
  for (const Tensor* part : parts) {
    if (part->shape.size() != shape.size()) return fail(Errc::InvalidArgument, "ranks differ");
    shape[dim] += part->shape[dim];
  }
  std::size_t outer = 1, inner = 1;
  for (std::size_t d = 0; d < dim; ++d) outer *= static_cast<std::size_t>(shape[d]);
  for (std::size_t d = dim + 1; d < shape.size(); ++d) inner *= static_cast<std::size_t>(shape[d]);
  Tensor out = make_tensor(shape);
  std::size_t at = 0;
  for (std::size_t o = 0; o < outer; ++o) {
    for (const Tensor* part : parts) {
      const std::size_t run = static_cast<std::size_t>(part->shape[dim]) * inner;
      if (part->size() != outer * run) return fail(Errc::InvalidArgument, "extents differ");
      for (std::size_t i = 0; i < run; ++i) store(out, at++, num_at(*part, o * run + i));
    }
  }
  (void)call;
  return one(std::move(out));
}

Result<Outputs> cat(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, call.count()));
  KW_ASSIGN(const std::int64_t raw, attr_int_or(call.node, "dim", 0));
  std::vector<const Tensor*> parts;
  for (const Tensor* part : call.inputs) {
    if (part->shape.size() == 1 && part->size() == 0) continue;  // torch's legacy empty tensor
    parts.push_back(part);
  }
  if (parts.empty()) return fail(Errc::InvalidArgument, "nothing to concatenate");
  const std::size_t rank = parts[0]->shape.size();
  KW_ASSIGN(const std::size_t dim, wrap_dim(call, raw, rank));
  if (dim >= rank) return fail(Errc::InvalidArgument, "concatenation of scalars");
  return join(call, parts, dim);
}

Result<Outputs> stack(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, std::max<std::size_t>(call.count(), 1)));
  KW_ASSIGN(const std::int64_t raw, attr_int_or(call.node, "dim", 0));
  KW_ASSIGN(const std::size_t dim, wrap_dim(call, raw, call.in(0).shape.size() + 1));
  std::vector<Tensor> owned;
  for (const Tensor* part : call.inputs) {
    owned.push_back(*part);
    owned.back().shape.insert(owned.back().shape.begin() + static_cast<std::ptrdiff_t>(dim), 1);
  }
  std::vector<const Tensor*> parts;
  for (const Tensor& part : owned) parts.push_back(&part);
  return join(call, parts, dim);
}

/// Keeps (row, column) where keep(column - row) holds; zero elsewhere.
template <typename Keep>
Result<Outputs> triangle(const Call& call, Keep keep) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  KW_ASSIGN(const std::int64_t diagonal, attr_int_or(call.node, "diagonal", 0));
  Tensor out = call.in(0);
  const std::size_t rank = out.shape.size();
  if (rank < 2) return fail(Errc::InvalidArgument, "needs a matrix");
  const std::int64_t rows = out.shape[rank - 2], columns = out.shape[rank - 1];
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto column = static_cast<std::int64_t>(i) % columns;
    const auto row = static_cast<std::int64_t>(i) / columns % rows;
    if (!keep(column - row, diagonal)) store(out, i, {0, 0});
  }
  return one(std::move(out));
}
Result<Outputs> triu(const Call& call) {
  return triangle(call, [](std::int64_t d, std::int64_t k) { return d >= k; });
}
Result<Outputs> tril(const Call& call) {
  return triangle(call, [](std::int64_t d, std::int64_t k) { return d <= k; });
}

/// A vector to a matrix with it as a diagonal, or a matrix to its diagonal.
Result<Outputs> diag(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  KW_ASSIGN(const std::int64_t k, attr_int_or(call.node, "diagonal", 0));
  const Tensor& x = call.in(0);
  const std::int64_t row = std::max<std::int64_t>(-k, 0), column = std::max<std::int64_t>(k, 0);
  if (x.shape.size() == 1) {
    const std::int64_t n = x.shape[0] + std::max(row, column);
    Tensor out = make_tensor({n, n});
    for (std::int64_t i = 0; i < x.shape[0]; ++i) {
      store(out, static_cast<std::size_t>((row + i) * n + column + i),
            num_at(x, static_cast<std::size_t>(i)));
    }
    return one(std::move(out));
  }
  if (x.shape.size() != 2) return fail(Errc::InvalidArgument, "needs a vector or a matrix");
  const std::int64_t n = std::max<std::int64_t>(0, std::min(x.shape[0] - row, x.shape[1] - column));
  return one(gather(x, {n}, {x.shape[1] + 1}, row * x.shape[1] + column));
}

Result<Outputs> filled(const Call& call, double value) {
  Tensor out = make_tensor(call.output_shape());
  for (std::size_t i = 0; i < out.size(); ++i) store(out, i, constant(value));
  return one(std::move(out));
}
Result<Outputs> zeros(const Call& call) { return filled(call, 0); }
Result<Outputs> ones(const Call& call) { return filled(call, 1); }
Result<Outputs> full(const Call& call) {
  KW_ASSIGN(const double value, attr_number(call.node, "fill_value"));
  return filled(call, value);
}
Result<Outputs> scalar(const Call& call) {
  KW_ASSIGN(const double value, attr_number(call.node, "s"));
  return filled(call, value);
}
Result<Outputs> eye(const Call& call) {
  Tensor out = make_tensor(call.output_shape());
  if (out.shape.size() != 2) return fail(Errc::InvalidArgument, "needs a matrix");
  for (std::int64_t i = 0; i < std::min(out.shape[0], out.shape[1]); ++i) {
    out.value[static_cast<std::size_t>(i * out.shape[1] + i)] = 1;
  }
  return one(std::move(out));
}
Result<Outputs> arange(const Call& call) {
  KW_ASSIGN(const double start, attr_number_or(call.node, "start", 0));
  KW_ASSIGN(const double step, attr_number_or(call.node, "step", 1));
  Tensor out = make_tensor(call.output_shape());
  for (std::size_t i = 0; i < out.size(); ++i) {
    store(out, i, constant(start + static_cast<double>(i) * step));
  }
  return one(std::move(out));
}

/// Inference dropout is the identity; a live mask cannot be judged (RNG contract).
Result<Outputs> dropout(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  KW_ASSIGN(const bool train, attr_bool_or(call.node, "train", false));
  KW_ASSIGN(const double p, attr_number_or(call.node, "p", 0.5));
  if (train && p > 0) return fail(Errc::Unsupported, "live dropout draws a random mask");
  return one(call.in(0));
}

/// The mask is an input: r >= p keeps x, scaled by 1 / (1 - p) (docs/formats/operators.md).
Result<Outputs> masked_dropout(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 2));
  KW_ASSIGN(const double p, attr_number(call.node, "p"));
  if (!(p >= 0 && p <= 1)) return fail(Errc::InvalidArgument, "probability {}", p);
  if (p == 1) return filled(call, 0);
  const double threshold = static_cast<double>(static_cast<float>(p));
  const Num scale = constant(1) / (constant(1) - constant(p));
  KW_ASSIGN(Tensor out, map2(call, call.in(0), call.in(1), [=](Num x, Num r) {
              if (in_doubt(r) && std::fabs(r.v - threshold) <= r.e) return Num{x.v, kInf};
              return r.v >= threshold ? x * scale : Num{0, 0};
            }));
  return one(std::move(out));
}

Result<Outputs> flip(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  const Tensor& x = call.in(0);
  KW_ASSIGN(const std::vector<bool> mask, dim_mask(call, "dims", x.shape.size()));
  Shape strides = contiguous_strides(x.shape);
  std::int64_t offset = 0;
  for (std::size_t d = 0; d < strides.size(); ++d) {
    if (!mask[d]) continue;
    offset += strides[d] * (x.shape[d] - 1);
    strides[d] = -strides[d];
  }
  if (x.size() == 0) return one(x);
  return one(gather(x, x.shape, strides, offset));
}

}  // namespace

std::vector<OperatorEntry> structure_operators() {
  return {{"cat", cat},         {"concat", cat},
          {"stack", stack},     {"triu", triu},
          {"tril", tril},       {"diag", diag},
          {"zeros", zeros},     {"zeros_like", zeros},
          {"ones", ones},       {"ones_like", ones},
          {"full", full},       {"full_like", full},
          {"arange", arange},   {"dropout", dropout},
          {"flip", flip},       {"kw.dropout", masked_dropout},
          {"new_zeros", zeros}, {"new_ones", ones},
          {"new_full", full},   {"scalar_tensor", scalar},
          {"eye", eye}};
}

}  // namespace kw::reference
