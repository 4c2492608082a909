// Reductions. A sum is a contraction with ones; what is built on sums composes their bounds.

#include <algorithm>

#include "operator.h"
#include "statistics.h"

namespace kw::reference {
namespace {

Result<Grouping> grouping_of(const Call& call, std::string_view name = "dim") {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  KW_ASSIGN(const std::vector<bool> mask, dim_mask(call, name, call.in(0).shape.size()));
  KW_ASSIGN(const bool keepdim, attr_bool_or(call.node, "keepdim", false));
  return group(call.in(0).shape, mask, keepdim);
}

/// One Num per group from reduce(element, n), element(i) being the i-th of the group.
template <typename F>
Tensor reduce_groups(const Call& call, const Grouping& g, F reduce) {
  const Tensor& x = call.in(0);
  Tensor out = make_tensor(g.kept_shape);
  out.bound.resize(out.size());
  const auto work = static_cast<double>(g.inner) * 5;
  parallel_for(call.options, g.outer, work, [&](std::size_t begin, std::size_t end) {
    for (std::size_t o = begin; o < end; ++o) {
      const Num n =
          reduce([&](std::size_t i) { return num_at(x, g.outer_at[o] + g.inner_at[i]); }, g.inner);
      out.value[o] = n.v;
      out.bound[o] = n.e;
    }
  });
  return out;
}
template <typename F>
Result<Outputs> reduction(const Call& call, F reduce, std::string_view dims = "dim") {
  KW_ASSIGN(const Grouping g, grouping_of(call, dims));
  return one(reduce_groups(call, g, reduce));
}

Result<Outputs> sum(const Call& call) {
  KW_ASSIGN(const Grouping g, grouping_of(call));
  const Tensor& x = call.in(0);
  Tensor out = make_tensor(g.kept_shape);
  out.bound.resize(out.size());
  out.magnitude.resize(out.size());
  const bool integer = !is_floating(call.output_dtype());
  parallel_for(call.options, g.outer, static_cast<double>(g.inner) * 3,
               [&](std::size_t begin, std::size_t end) {
                 for (std::size_t o = begin; o < end; ++o) {
                   const Sum s = sum_terms(call.options, g.inner, [&](std::size_t i) {
                     return num_at(x, g.outer_at[o] + g.inner_at[i]);
                   });
                   out.value[o] = s.sum.v;
                   out.bound[o] = integer ? 0 : s.sum.e;
                   out.magnitude[o] = s.c;
                 }
               });
  if (!x.bound.empty() || integer) out.magnitude.clear();  // then c is not the whole story
  return one(std::move(out));
}

Result<Outputs> mean(const Call& call) {
  return reduction(call, [&](auto element, std::size_t n) {
    return sum_terms(call.options, n, element).sum / constant(static_cast<double>(n));
  });
}

Result<Outputs> prod(const Call& call) {
  return reduction(call, [](auto element, std::size_t n) {
    double v = 1, high = 1;
    for (std::size_t i = 0; i < n; ++i) {
      const Num t = element(i);
      v *= t.v;
      high *= std::fabs(t.v) + t.e;
    }
    if (!std::isfinite(v)) return Num{v, 0};
    return settle(v, high - std::fabs(v), 0.5 * static_cast<double>(n > 1 ? n - 1 : 0));
  });
}

template <bool Max>
Num extremum(Num a, Num b) {
  return Max ? maximum(a, b) : minimum(a, b);
}
template <bool Max>
Result<Outputs> amax(const Call& call) {
  return reduction(call, [](auto element, std::size_t n) {
    Num best = n > 0 ? element(0) : Num{Max ? -kInf : kInf, 0};
    for (std::size_t i = 1; i < n; ++i) best = extremum<Max>(best, element(i));
    return best;
  });
}

template <bool Any>
Result<Outputs> any_all(const Call& call) {
  return reduction(call, [](auto element, std::size_t n) {
    bool result = !Any;
    for (std::size_t i = 0; i < n; ++i) {
      const bool truth = element(i).v != 0;
      result = Any ? result || truth : result && truth;
    }
    return Num{result ? 1.0 : 0.0, 0};
  });
}

/// `correction` (or unbiased) degrees of freedom are taken from n.
Result<double> correction_of(const Call& call) {
  KW_ASSIGN(const bool unbiased, attr_bool_or(call.node, "unbiased", true));
  return attr_number_or(call.node, "correction", unbiased ? 1 : 0);
}
Result<Outputs> var(const Call& call) {
  KW_ASSIGN(const double correction, correction_of(call));
  return reduction(call, [&](auto element, std::size_t n) {
    return moments(call.options, n, element, correction).variance;
  });
}
Result<Outputs> std_op(const Call& call) {
  KW_ASSIGN(const double correction, correction_of(call));
  return reduction(call, [&](auto element, std::size_t n) {
    return sqrt_nonnegative(moments(call.options, n, element, correction).variance);
  });
}
template <bool Root>
Result<Outputs> var_mean(const Call& call) {
  KW_ASSIGN(const double correction, correction_of(call));
  KW_ASSIGN(Outputs outputs, Root ? std_op(call) : var(call));
  KW_ASSIGN(Outputs means, mean(call));
  outputs.push_back(std::move(means[0]));
  (void)correction;
  return outputs;
}

Result<Outputs> logsumexp(const Call& call) {
  return reduction(call, [&](auto element, std::size_t n) {
    const Softmax s = softmax_terms(call.options, n, element);
    if (!std::isfinite(s.maximum.v)) return Num{s.maximum.v, 0};
    return s.maximum + log(s.sum);
  });
}

Result<Outputs> vector_norm(const Call& call) {
  const char* name = has_attr(call.node, "ord") ? "ord" : "p";
  KW_ASSIGN(const double p, attr_number_or(call.node, name, 2));
  return reduction(call, [&](auto element, std::size_t n) -> Num {
    if (p == kInf) {
      Num best{0, 0};
      for (std::size_t i = 0; i < n; ++i) best = maximum(best, abs(element(i)));
      return best;
    }
    if (p == 1) {
      return sum_terms(call.options, n, [&](std::size_t i) { return abs(element(i)); }).sum;
    }
    if (p == 2) {
      return sqrt_nonnegative(
          sum_terms(call.options, n, [&](std::size_t i) { return element(i) * element(i); }).sum);
    }
    const Num s = sum_terms(call.options, n, [&](std::size_t i) {
                    const Num x = abs(element(i));
                    return monotone(x, 8, [&](double v) { return std::pow(v, p); });
                  }).sum;
    return monotone(s, 8, [&](double v) { return std::pow(std::fmax(v, 0), 1 / p); });
  });
}

/// The rows that a scan runs along: its attribute `dim`. A scalar has none.
Result<Grouping> scanned(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  const Shape& shape = call.in(0).shape;
  KW_ASSIGN(const std::int64_t raw, attr_int(call.node, "dim"));
  KW_ASSIGN(const std::size_t dim, wrap_dim(call, raw, shape.size()));
  if (shape.empty()) return Grouping{};
  std::vector<bool> mask(shape.size(), false);
  mask[dim] = true;
  return group(shape, mask, false);
}

Result<Outputs> cumsum(const Call& call) {
  KW_ASSIGN(const Grouping g, scanned(call));
  const Tensor& x = call.in(0);
  if (x.shape.empty()) return one(x);
  Tensor out = make_tensor(x.shape);
  const bool integer = !is_floating(call.output_dtype());
  for (std::size_t o = 0; o < g.outer; ++o) {
    double v = 0, c = 0, e = 0;
    for (std::size_t i = 0; i < g.inner; ++i) {
      const std::size_t at = g.outer_at[o] + g.inner_at[i];
      const double k = static_cast<double>(i + 1);
      v += x.value[at];
      c += std::fabs(x.value[at]);
      e += x.bound_at(at);
      const double factor =
          contraction_factor(PolicyClass::Ieee, k, false, call.options.few_valued);
      const bool overflow = std::isfinite(c) && c > largest_finite(DType::F32) / 4;
      const double bound = overflow ? kInf : e + factor * c + 0x1p-22 * std::fabs(v) + k * kTiny;
      store(out, at, {v, integer || !std::isfinite(v) || i == 0 ? (i == 0 ? e : 0) : bound});
    }
  }
  return one(std::move(out));
}

/// Products of exact or rounded factors in any order: their relative errors add up.
Result<Outputs> cumprod(const Call& call) {
  KW_ASSIGN(const Grouping g, scanned(call));
  const Tensor& x = call.in(0);
  if (x.shape.empty()) return one(x);
  Tensor out = make_tensor(x.shape);
  for (std::size_t o = 0; o < g.outer; ++o) {
    Num product{1, 0};
    double highest = 1, lowest = 1;  // of |partial products|, over any run of factors
    for (std::size_t i = 0; i < g.inner; ++i) {
      const std::size_t at = g.outer_at[o] + g.inner_at[i];
      const Num factor = num_at(x, at);
      product = product * factor;
      const double a = std::fabs(factor.v);
      highest = std::fmax(a, highest * a);
      lowest = std::fmin(a, lowest * a);
      // A parallel scan multiplies runs of factors: one that leaves FP32's range loses everything.
      const bool leaves = highest > kLargestFloat / 4 || (lowest < kTinyNormal && product.v != 0);
      if (leaves && std::fabs(product.v) > kTinyNormal) product.e = kInf;
      if (std::fabs(product.v) <= kTinyNormal && product.e != kInf) product.e += kTinyNormal;
      store(out, at, product);
    }
  }
  return one(std::move(out));
}

/// Values and indices of running extrema.
template <bool Max>
Result<Outputs> running_extremum(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  const Tensor& x = call.in(0);
  KW_ASSIGN(const std::int64_t raw, attr_int(call.node, "dim"));
  KW_ASSIGN(const std::size_t dim, wrap_dim(call, raw, x.shape.size()));
  Outputs outputs{make_tensor(x.shape), make_tensor(x.shape)};
  std::vector<bool> mask(x.shape.size(), false);
  if (dim < mask.size()) mask[dim] = true;
  const Grouping g = group(x.shape, mask, false);
  for (std::size_t o = 0; o < g.outer; ++o) {
    Num best{};
    double place = 0, doubt = 0;
    for (std::size_t i = 0; i < g.inner; ++i) {
      const std::size_t at = g.outer_at[o] + g.inner_at[i];
      const Num n = num_at(x, at);
      if (i > 0 && n.e + best.e > 0 && std::fabs(n.v - best.v) <= n.e + best.e) doubt = kInf;
      // The last of equals, as PyTorch has it.
      if (i == 0 || is_nan(n.v) || (!is_nan(best.v) && (Max ? n.v >= best.v : n.v <= best.v))) {
        place = static_cast<double>(i);
      }
      best = i == 0 ? n : Max ? maximum(best, n) : minimum(best, n);
      store(outputs[0], at, best);
      store(outputs[1], at, {place, doubt});
    }
  }
  return outputs;
}

}  // namespace

std::vector<OperatorEntry> reduction_operators() {
  return {{"sum", sum},
          {"mean", mean},
          {"prod", prod},
          {"amax", amax<true>},
          {"amin", amax<false>},
          {"any", any_all<true>},
          {"all", any_all<false>},
          {"var", var},
          {"std", std_op},
          {"var_mean", var_mean<false>},
          {"std_mean", var_mean<true>},
          {"logsumexp", logsumexp},
          {"norm", vector_norm},
          {"linalg_vector_norm", vector_norm},
          {"frobenius_norm", vector_norm},
          {"cumsum", cumsum},
          {"cumprod", cumprod},
          {"cummax", running_extremum<true>},
          {"cummin", running_extremum<false>}};
}

}  // namespace kw::reference
