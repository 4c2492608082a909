// Losses: pointwise terms, then none, mean or sum.

#include <algorithm>

#include "functions.h"
#include "operator.h"
#include "statistics.h"

namespace kw::reference {
namespace {

/// at::Reduction: 0 none, 1 mean, 2 sum.
Result<Outputs> finish(const Call& call, Tensor terms) {
  KW_ASSIGN(const std::int64_t reduction, attr_int_or(call.node, "reduction", 1));
  if (reduction == 0) return one(std::move(terms));
  Num total =
      sum_terms(call.options, terms.size(), [&](std::size_t i) { return num_at(terms, i); }).sum;
  if (reduction == 1) total = total / constant(static_cast<double>(terms.size()));
  Tensor out = make_tensor({});
  store(out, 0, total);
  return one(std::move(out));
}

template <typename F>
Result<Outputs> pairwise(const Call& call, F term) {
  KW_RETURN_IF_ERROR(need_inputs(call, 2));
  KW_ASSIGN(Tensor terms, map2(call, call.in(0), call.in(1), term));
  return finish(call, std::move(terms));
}

Result<Outputs> mse(const Call& call) { return pairwise(call, squared_difference); }
Result<Outputs> l1(const Call& call) { return pairwise(call, absolute_difference); }

Result<Outputs> smooth_l1(const Call& call) {
  KW_ASSIGN(const double beta, attr_number_or(call.node, "beta", 1));
  return pairwise(call, [=](Num x, Num y) { return smooth_l1_term(x, y, beta); });
}
Result<Outputs> huber(const Call& call) {
  KW_ASSIGN(const double delta, attr_number_or(call.node, "delta", 1));
  return pairwise(call, [=](Num x, Num y) { return huber_term(x, y, delta); });
}

/// target * (log target - input), 0 where the target is 0. at::Reduction has no batchmean: the
/// graph divides a sum.
Result<Outputs> kl_div(const Call& call) {
  KW_ASSIGN(const bool log_target, attr_bool_or(call.node, "log_target", false));
  return pairwise(call,
                  [=](Num x, Num t) { return log_target ? exp(t) * (t - x) : kl_term(x, t); });
}

Result<Outputs> bce(const Call& call) {
  if (call.has(2)) return fail(Errc::Unsupported, "weights");
  return pairwise(call, [](Num x, Num t) {
    const Num low = constant(-100);
    const Num yes = maximum(log(x), low);
    const Num no = maximum(log1p(-x), low);
    return (t - constant(1)) * no - t * yes;
  });
}

Result<Outputs> bce_with_logits(const Call& call) {
  if (call.has(2) || call.has(3)) return fail(Errc::Unsupported, "weights");
  return pairwise(call, [](Num x, Num t) { return (constant(1) - t) * x + softplus(-x); });
}

/// The p-norm of x - y + eps over the last dimension.
Tensor distance(const Call& call, const Tensor& x, const Tensor& y, double p, double eps) {
  const auto n = static_cast<std::size_t>(x.shape.back());
  Tensor out = make_tensor(Shape(x.shape.begin(), x.shape.end() - 1));
  for (std::size_t row = 0; row < out.size(); ++row) {
    const Num sum = sum_terms(call.options, n, [&](std::size_t i) {
                      const std::size_t at = row * n + i;
                      const Num d = abs(num_at(x, at) - num_at(y, at) + constant(eps));
                      return p == 2 ? d * d : p == 1 ? d : power(d, constant(p));
                    }).sum;
    store(out, row, p == 2 ? sqrt_nonnegative(sum) : p == 1 ? sum : power(sum, constant(1 / p)));
  }
  return out;
}

/// max(d(a, p) - d(a, n) + margin, 0); with `swap` the nearer of a and p to n counts.
Result<Outputs> triplet(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 3));
  KW_ASSIGN(const double margin, attr_number_or(call.node, "margin", 1));
  KW_ASSIGN(const double p, attr_number_or(call.node, "p", 2));
  KW_ASSIGN(const double eps, attr_number_or(call.node, "eps", 1e-6));
  KW_ASSIGN(const bool swap, attr_bool_or(call.node, "swap", false));
  for (std::size_t i = 0; i < 3; ++i) {
    if (call.in(i).shape.empty() || call.in(i).shape != call.in(0).shape) {
      return fail(Errc::Unsupported, "triplets of different shapes");
    }
  }
  const Tensor near = distance(call, call.in(0), call.in(1), p, eps);
  const Tensor far = distance(call, call.in(0), call.in(2), p, eps);
  const Tensor other = swap ? distance(call, call.in(1), call.in(2), p, eps) : Tensor{};
  Tensor terms = make_tensor(near.shape);
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const Num d = swap ? minimum(num_at(far, i), num_at(other, i)) : num_at(far, i);
    store(terms, i, maximum(num_at(near, i) - d + constant(margin), {0, 0}));
  }
  return finish(call, std::move(terms));
}

/// Class indices along dimension 1 (0 for a vector), no class weights.
Result<Outputs> cross_entropy(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 2));
  KW_ASSIGN(const std::int64_t ignore, attr_int_or(call.node, "ignore_index", -100));
  KW_ASSIGN(const double smoothing, attr_number_or(call.node, "label_smoothing", 0));
  KW_ASSIGN(const std::int64_t reduction, attr_int_or(call.node, "reduction", 1));
  if (call.has(2) || smoothing != 0) {
    return fail(Errc::Unsupported, "class weights and label smoothing");
  }
  const Tensor& x = call.in(0);
  const Tensor& target = call.in(1);
  if (is_floating(call.input_dtype(1))) return fail(Errc::Unsupported, "class probabilities");
  if (x.shape.empty()) return fail(Errc::InvalidArgument, "needs classes");
  std::vector<bool> mask(x.shape.size(), false);
  mask[x.shape.size() == 1 ? 0 : 1] = true;
  const Grouping g = group(x.shape, mask, false);
  if (target.size() != g.outer) return fail(Errc::InvalidArgument, "one target per element");
  Tensor terms = make_tensor(target.shape);
  std::size_t counted = 0;
  for (std::size_t o = 0; o < g.outer; ++o) {
    const double label = target.value[o];
    if (label == static_cast<double>(ignore)) continue;
    if (label < 0 || label >= static_cast<double>(g.inner)) {
      return fail(Errc::InvalidArgument, "target {} outside {} classes", label, g.inner);
    }
    ++counted;
    const auto element = [&](std::size_t i) { return num_at(x, g.outer_at[o] + g.inner_at[i]); };
    const Softmax s = softmax_terms(call.options, g.inner, element);
    const Num picked = element(static_cast<std::size_t>(label));
    const Num loss = std::isfinite(s.maximum.v) ? -log_softmax(picked, s.maximum, s.sum)
                                                : Num{std::nan(""), s.maximum.e};
    store(terms, o, loss);
  }
  if (reduction == 0) return one(std::move(terms));
  Num total =
      sum_terms(call.options, terms.size(), [&](std::size_t i) { return num_at(terms, i); }).sum;
  if (reduction == 1) total = total / constant(static_cast<double>(counted));
  Tensor out = make_tensor({});
  store(out, 0, total);
  return one(std::move(out));
}

}  // namespace

std::vector<OperatorEntry> loss_operators() {
  return {{"mse_loss", mse},
          {"l1_loss", l1},
          {"smooth_l1_loss", smooth_l1},
          {"huber_loss", huber},
          {"kl_div", kl_div},
          {"binary_cross_entropy", bce},
          {"binary_cross_entropy_with_logits", bce_with_logits},
          {"triplet_margin_loss", triplet},
          {"cross_entropy_loss", cross_entropy}};
}

}  // namespace kw::reference
