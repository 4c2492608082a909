// Distances and angles between vectors, and the running logsumexp.

#include "functions.h"
#include "operator.h"

namespace kw::reference {
namespace {

/// Both operands of a shape, and their groups along one dimension.
struct Pair {
  Tensor a, b;
  Grouping along;
};
Result<Pair> pair_along(const Call& call, std::int64_t raw, bool keepdim) {
  KW_RETURN_IF_ERROR(need_inputs(call, 2));
  KW_ASSIGN(const Shape shape, broadcast_shape(call, call.in(0).shape, call.in(1).shape));
  if (shape.empty()) return fail(Errc::InvalidArgument, "a vector is needed");
  KW_ASSIGN(const std::size_t dim, wrap_dim(call, raw, shape.size()));
  std::vector<bool> mask(shape.size(), false);
  mask[dim] = true;
  return Pair{broadcast_to(call.in(0), shape), broadcast_to(call.in(1), shape),
              group(shape, mask, keepdim)};
}

/// (sum |a - b + eps|^p)^(1/p) along the last dimension.
Result<Outputs> pairwise_distance(const Call& call) {
  KW_ASSIGN(const double p, attr_number_or(call.node, "p", 2));
  KW_ASSIGN(const double eps, attr_number_or(call.node, "eps", 1e-6));
  KW_ASSIGN(const bool keepdim, attr_bool_or(call.node, "keepdim", false));
  KW_ASSIGN(const Pair pair, pair_along(call, -1, keepdim));
  Tensor out = make_tensor(pair.along.kept_shape);
  for (std::size_t o = 0; o < pair.along.outer; ++o) {
    const auto term = [&](std::size_t i) {
      const std::size_t at = pair.along.outer_at[o] + pair.along.inner_at[i];
      return power(abs(num_at(pair.a, at) - num_at(pair.b, at) + constant(eps)), constant(p));
    };
    const Num sum = sum_terms(call.options, pair.along.inner, term).sum;
    store(out, o, p == 1 ? sum : p == 2 ? sqrt(sum) : power(sum, constant(1 / p)));
  }
  return one(std::move(out));
}

/// a . b / (max(|a|, eps) * max(|b|, eps)).
Result<Outputs> cosine_similarity(const Call& call) {
  KW_ASSIGN(const std::int64_t dim, attr_int_or(call.node, "dim", 1));
  KW_ASSIGN(const double eps, attr_number_or(call.node, "eps", 1e-8));
  KW_ASSIGN(const Pair pair, pair_along(call, dim, false));
  Tensor out = make_tensor(pair.along.kept_shape);
  for (std::size_t o = 0; o < pair.along.outer; ++o) {
    const auto product = [&](const Tensor& x, const Tensor& y) {
      return sum_terms(call.options, pair.along.inner,
                       [&](std::size_t i) {
                         const std::size_t at = pair.along.outer_at[o] + pair.along.inner_at[i];
                         return num_at(x, at) * num_at(y, at);
                       })
          .sum;
    };
    const auto length = [&](const Tensor& x) {
      return maximum(sqrt(product(x, x)), constant(eps));
    };
    store(out, o, product(pair.a, pair.b) / (length(pair.a) * length(pair.b)));
  }
  return one(std::move(out));
}

/// The logarithm of the sum of exponentials so far, about the maximum so far.
Result<Outputs> logcumsumexp(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  const Tensor& x = call.in(0);
  KW_ASSIGN(const std::int64_t raw, attr_int(call.node, "dim"));
  KW_ASSIGN(const std::size_t dim, wrap_dim(call, raw, x.shape.size()));
  if (x.shape.empty()) return one(x);
  std::vector<bool> mask(x.shape.size(), false);
  mask[dim] = true;
  const Grouping g = group(x.shape, mask, false);
  Tensor out = make_tensor(x.shape);
  for (std::size_t o = 0; o < g.outer; ++o) {
    Num most{-kInf, 0}, sum{0, 0};
    for (std::size_t i = 0; i < g.inner; ++i) {
      const std::size_t at = g.outer_at[o] + g.inner_at[i];
      const Num next = num_at(x, at);
      const Num larger = i == 0 ? next : maximum(most, next);
      // An infinite term is as large as an infinite maximum, not NaN.
      const auto share = [&](const Num& term) {
        return std::isinf(term.v) && term.v == larger.v ? constant(1) : exp(term - larger);
      };
      sum = i == 0 ? constant(1) : sum * share(most) + share(next);
      most = larger;
      store(out, at, most + log(sum));
    }
  }
  return one(std::move(out));
}

}  // namespace

std::vector<OperatorEntry> distance_operators() {
  return {{"pairwise_distance", pairwise_distance},
          {"cosine_similarity", cosine_similarity},
          {"logcumsumexp", logcumsumexp}};
}

}  // namespace kw::reference
