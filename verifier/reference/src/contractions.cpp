// Matrix products. One core computes, for every element, the value, c = sum |a||b|, and the error
// that comes from the operands; the bound follows verification.md section 3.

#include <algorithm>

#include "contraction.h"
#include "operator.h"

namespace kw::reference {
namespace {

bool narrow(DType type) { return type == DType::F16 || type == DType::BF16; }

/// A matrix operand: element (r, c) of batch b is tensor[offset[b] + r * row + c * column].
struct Matrix {
  const Tensor* tensor = nullptr;
  std::int64_t row = 0, column = 0;
  std::int64_t offset = 0;
};

/// out[m, n] of one batch.
void multiply(const Call& call, const ContractionRule& rule, const Matrix& a, const Matrix& b,
              std::size_t m, std::size_t k, std::size_t n, Tensor& out, std::size_t out_at) {
  const bool inexact = !a.tensor->bound.empty() || !b.tensor->bound.empty();
  parallel_for(call.options, m, static_cast<double>(k * n) * 2,
               [&](std::size_t r0, std::size_t r1) {
                 std::vector<double> v(n), c(n), p(n), vb(n), eb(n);
                 std::vector<unsigned char> special(n);
                 for (std::size_t r = r0; r < r1; ++r) {
                   std::fill(v.begin(), v.end(), 0.0);
                   std::fill(c.begin(), c.end(), 0.0);
                   std::fill(p.begin(), p.end(), 0.0);
                   for (std::size_t i = 0; i < k; ++i) {
                     const auto at_a =
                         static_cast<std::size_t>(a.offset + static_cast<std::int64_t>(r) * a.row +
                                                  static_cast<std::int64_t>(i) * a.column);
                     const double x = a.tensor->value[at_a];
                     const double ex = a.tensor->bound_at(at_a);
                     const std::int64_t at_b = b.offset + static_cast<std::int64_t>(i) * b.row;
                     const double* y = b.tensor->value.data() + at_b;
                     const double ax = std::fabs(x);
                     if (b.column == 1) {
                       for (std::size_t j = 0; j < n; ++j) v[j] += x * y[j];
                       for (std::size_t j = 0; j < n; ++j) c[j] += ax * std::fabs(y[j]);
                     } else {
                       const auto step = static_cast<std::size_t>(b.column);
                       for (std::size_t j = 0; j < n; ++j) {
                         v[j] += x * y[j * step];
                         c[j] += ax * std::fabs(y[j * step]);
                       }
                     }
                     if (!inexact) continue;
                     for (std::size_t j = 0; j < n; ++j) {
                       const auto at =
                           static_cast<std::size_t>(at_b + static_cast<std::int64_t>(j) * b.column);
                       const double ey = b.tensor->bound_at(at);
                       p[j] += ax * ey + ex * (std::fabs(b.tensor->value[at]) + ey);
                     }
                   }
                   for (std::size_t j = 0; j < n; ++j) {
                     const std::size_t o = out_at + r * n + j;
                     out.value[o] = v[j];
                     out.bound[o] = rule.bound(v[j], c[j], p[j], k);
                     out.magnitude[o] = c[j];
                   }
                 }
               });
}

Tensor product_tensor(Shape shape) {
  Tensor out = make_tensor(std::move(shape));
  out.bound.resize(out.size());
  out.magnitude.resize(out.size());
  return out;
}

ContractionRule rule_of(const Call& call, std::size_t a, std::size_t b) {
  return {call.options.policy.contraction, narrow_operands(call, a, b), call.options.few_valued};
}

}  // namespace

bool narrow_operands(const Call& call, std::size_t a, std::size_t b) {
  return narrow(call.input_dtype(a)) && narrow(call.input_dtype(b));
}

Result<Tensor> matmul_tensors(const Call& call, const Tensor& a, const Tensor& b,
                              const ContractionRule& rule) {
  if (a.shape.empty() || b.shape.empty()) return fail(Errc::InvalidArgument, "operand is a scalar");
  Shape sa = a.shape, sb = b.shape;
  const bool vector_a = sa.size() == 1, vector_b = sb.size() == 1;
  if (vector_a) sa.insert(sa.begin(), 1);
  if (vector_b) sb.push_back(1);
  const std::int64_t m = sa[sa.size() - 2], k = sa.back(), n = sb.back();
  if (sb[sb.size() - 2] != k) {
    return fail(Errc::InvalidArgument, "{} times {}", to_string(a.shape), to_string(b.shape));
  }
  const Shape lead_a(sa.begin(), sa.end() - 2), lead_b(sb.begin(), sb.end() - 2);
  KW_ASSIGN(const Shape lead, broadcast_shape(call, lead_a, lead_b));
  Tensor batches_a, batches_b;  // index of the matrix of each batch
  const auto offsets = [&](const Shape& from, std::int64_t size) {
    Tensor index = make_tensor(from);
    for (std::size_t i = 0; i < index.size(); ++i)
      index.value[i] = static_cast<double>(i) * static_cast<double>(size);
    return broadcast_to(index, lead);
  };
  batches_a = offsets(lead_a, m * k);
  batches_b = offsets(lead_b, k * n);
  Shape shape = lead;
  if (!vector_a) shape.push_back(m);
  if (!vector_b) shape.push_back(n);
  Tensor out = product_tensor(shape);
  for (std::size_t batch = 0; batch < batches_a.size(); ++batch) {
    multiply(call, rule, {&a, k, 1, static_cast<std::int64_t>(batches_a.value[batch])},
             {&b, n, 1, static_cast<std::int64_t>(batches_b.value[batch])},
             static_cast<std::size_t>(m), static_cast<std::size_t>(k), static_cast<std::size_t>(n),
             out, batch * static_cast<std::size_t>(m * n));
  }
  if (!a.bound.empty() || !b.bound.empty()) out.magnitude.clear();
  return out;
}

namespace {

Result<Outputs> matmul(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 2));
  KW_ASSIGN(Tensor out, matmul_tensors(call, call.in(0), call.in(1), rule_of(call, 0, 1)));
  return one(std::move(out));
}

/// Adds a term. It may start the FP32 accumulator and then takes part in every rounding of the sum
/// over k terms, so it counts among the magnitudes that entered the element.
Result<Tensor> plus(const Call& call, const Tensor& product, const Tensor& term, double beta,
                    double alpha, std::int64_t k) {
  Tensor scaled = product;
  if (alpha != 1) {
    scaled = map1(call, product, [=](Num x) { return constant(alpha) * x; });
  }
  KW_ASSIGN(Tensor out, map2(call, scaled, term,
                             [=](Num x, Num y) { return beta == 0 ? x : x + constant(beta) * y; }));
  if (beta == 0) return out;
  const double g =
      contraction_factor(PolicyClass::Ieee, static_cast<double>(k), false, call.options.few_valued);
  const Tensor wide = broadcast_to(term, out.shape);
  const bool direct = alpha == 1 && beta == 1 && term.bound.empty() && !product.magnitude.empty();
  if (direct) out.magnitude = product.magnitude;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double added = std::fabs(beta * wide.value[i]);
    if (direct) out.magnitude[i] += added;
    if (std::isfinite(out.value[i])) out.bound[i] += g * added;
  }
  return out;
}

}  // namespace

Result<Tensor> linear_tensor(const Call& call, const Tensor& x, const Tensor& w, const Tensor* bias,
                             const ContractionRule& rule) {
  const bool vector = w.shape.size() == 1;
  if (!vector && w.shape.size() != 2) return fail(Errc::InvalidArgument, "weight is not a matrix");
  const Tensor transposed = vector ? w : gather(w, {w.shape[1], w.shape[0]}, {1, w.shape[1]}, 0);
  KW_ASSIGN(Tensor out, matmul_tensors(call, x, transposed, rule));
  if (bias != nullptr) {
    KW_ASSIGN(out, plus(call, out, *bias, 1, 1, w.shape.back()));
  }
  return out;
}

namespace {

Result<Outputs> linear(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 2));
  const Tensor* bias = call.has(2) ? &call.in(2) : nullptr;
  KW_ASSIGN(Tensor out, linear_tensor(call, call.in(0), call.in(1), bias, rule_of(call, 0, 1)));
  return one(std::move(out));
}

/// beta * input + alpha * a b.
Result<Outputs> addmm(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 3));
  KW_ASSIGN(const double beta, attr_number_or(call.node, "beta", 1));
  KW_ASSIGN(const double alpha, attr_number_or(call.node, "alpha", 1));
  KW_ASSIGN(const Tensor product,
            matmul_tensors(call, call.in(1), call.in(2), rule_of(call, 1, 2)));
  KW_ASSIGN(Tensor out, plus(call, product, call.in(0), beta, alpha, call.in(1).shape.back()));
  return one(std::move(out));
}

Result<Outputs> outer(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 2));
  Tensor a = call.in(0);
  a.shape.push_back(1);
  KW_ASSIGN(Tensor out, map2(call, a, call.in(1), [](Num x, Num y) { return x * y; }));
  return one(std::move(out));
}

}  // namespace

std::vector<OperatorEntry> contraction_operators() {
  return {{"mm", matmul},     {"matmul", matmul}, {"bmm", matmul},    {"mv", matmul},
          {"dot", matmul},    {"vdot", matmul},   {"linear", linear}, {"addmm", addmm},
          {"baddbmm", addmm}, {"addmv", addmm},   {"outer", outer}};
}

}  // namespace kw::reference
