// Scaled dot-product attention and einsum: contractions with more than one step.

#include <algorithm>

#include "contraction.h"
#include "operator.h"
#include "statistics.h"

namespace kw::reference {
namespace {

// ---- scaled_dot_product_attention

/// What the mask (and is_causal) does to a score. Excluded keys get -inf.
struct Mask {
  const Tensor* tensor = nullptr;  // broadcast to the scores
  bool boolean = false;
  bool causal = false;

  Num apply(Num score, std::size_t at, std::int64_t query, std::int64_t key) const {
    if (causal && key > query) return {-kInf, 0};
    if (tensor == nullptr) return score;
    if (!boolean) return score + num_at(*tensor, at);
    return tensor->value[at] != 0 ? score : Num{-kInf, 0};
  }
};

/// Keys and values of fewer heads stand for as many queries' heads each.
Tensor repeat_heads(const Tensor& x, std::int64_t heads) {
  const std::size_t d = x.shape.size() - 3;
  const std::int64_t times = heads / x.shape[d];
  Shape shape = x.shape, strides = contiguous_strides(x.shape);
  shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(d) + 1, times);
  strides.insert(strides.begin() + static_cast<std::ptrdiff_t>(d) + 1, 0);
  Tensor out = gather(x, shape, strides, 0);
  out.shape = x.shape;
  out.shape[d] = heads;
  return out;
}

Result<Outputs> attention(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 3));
  KW_ASSIGN(const double p, attr_number_or(call.node, "dropout_p", 0));
  if (p > 0) return fail(Errc::Unsupported, "live dropout inside attention");
  KW_ASSIGN(const bool causal, attr_bool_or(call.node, "is_causal", false));
  KW_ASSIGN(const bool grouped, attr_bool_or(call.node, "enable_gqa", false));
  const Tensor& q = call.in(0);
  Tensor k = call.in(1), v = call.in(2);
  if (q.shape.size() < 2 || k.shape.size() != q.shape.size() || v.shape.size() != q.shape.size()) {
    return fail(Errc::InvalidArgument, "query, key and value of one rank");
  }
  if (grouped && q.shape.size() > 2) {
    const std::int64_t heads = q.shape[q.shape.size() - 3];
    k = repeat_heads(k, heads);
    v = repeat_heads(v, heads);
  }
  KW_ASSIGN(const double scale,
            attr_number_or(call.node, "scale", 1 / std::sqrt(static_cast<double>(q.shape.back()))));
  const ContractionRule rule{call.options.policy.contraction, narrow_operands(call, 0, 1),
                             call.options.few_valued};
  Shape shape = k.shape, strides = contiguous_strides(k.shape);
  std::swap(shape[shape.size() - 1], shape[shape.size() - 2]);
  std::swap(strides[strides.size() - 1], strides[strides.size() - 2]);
  KW_ASSIGN(const Tensor products, matmul_tensors(call, q, gather(k, shape, strides, 0), rule));
  Tensor weights = map1(call, products, [=](Num x) { return x * constant(scale); });
  const std::int64_t keys = weights.shape.back();
  const std::int64_t queries = weights.shape[weights.shape.size() - 2];
  Mask mask;
  mask.causal = causal;
  Tensor wide;
  if (call.has(3)) {
    wide = broadcast_to(call.in(3), weights.shape);
    mask.tensor = &wide;
    mask.boolean = call.input_dtype(3) == DType::Bool;
  }
  const auto width = static_cast<std::size_t>(keys);
  parallel_for(call.options, weights.size() / std::max<std::size_t>(width, 1),
               static_cast<double>(keys) * 60, [&](std::size_t begin, std::size_t end) {
                 for (std::size_t row = begin; row < end; ++row) {
                   const auto query = static_cast<std::int64_t>(row) % queries;
                   const auto element = [&](std::size_t i) {
                     const std::size_t at = row * width + i;
                     return mask.apply(num_at(weights, at), at, query,
                                       static_cast<std::int64_t>(i));
                   };
                   const Softmax s = softmax_terms(call.options, width, element);
                   const bool none = s.maximum.v == -kInf && s.maximum.e == 0;
                   for (std::size_t i = 0; i < width; ++i) {
                     const Num w = none ? Num{0, 0} : s.exponentials[i] / s.sum;
                     weights.value[row * width + i] = w.v;
                     weights.bound[row * width + i] = w.e;
                   }
                 }
               });
  KW_ASSIGN(Tensor out, matmul_tensors(call, weights, v, rule));
  return one(std::move(out));
}

// ---- einsum

struct Letters {
  std::vector<std::string> terms;
  std::string result;
  std::string all;  // of the result first, then those that are summed
};
Result<Letters> letters_of(const Call& call) {
  KW_ASSIGN(std::string equation, attr_string_or(call.node, "equation", ""));
  std::erase(equation, ' ');
  const std::size_t arrow = equation.find("->");
  if (arrow == std::string::npos || equation.find('.') != std::string::npos) {
    return fail(Errc::Unsupported, "equation '{}': the result must be spelled out in letters",
                equation);
  }
  Letters l;
  l.result = equation.substr(arrow + 2);
  std::string left = equation.substr(0, arrow);
  for (std::size_t comma; (comma = left.find(',')) != std::string::npos;) {
    l.terms.push_back(left.substr(0, comma));
    left.erase(0, comma + 1);
  }
  l.terms.push_back(left);
  l.all = l.result;
  for (const std::string& term : l.terms) {
    for (const char c : term) {
      if (l.all.find(c) == std::string::npos) l.all += c;
    }
  }
  return l;
}

/// One operand read along the letters of the whole equation.
struct Operand {
  const Tensor* tensor;
  Shape strides;
};

/// The value of sum over products, c, and what the operands' own errors add. Honest kernels
/// contract pairwise in any order; each step adds its factor to a part of c that no order exceeds.
Result<Outputs> einsum(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  KW_ASSIGN(const Letters l, letters_of(call));
  if (l.terms.size() != call.count()) return fail(Errc::InvalidArgument, "one term per operand");
  Shape extents(l.all.size(), -1);
  std::vector<Operand> operands;
  for (std::size_t t = 0; t < l.terms.size(); ++t) {
    const Tensor& x = call.in(t);
    if (x.shape.size() != l.terms[t].size()) {
      return fail(Errc::InvalidArgument, "term '{}' for {}", l.terms[t], to_string(x.shape));
    }
    Operand operand{&x, Shape(l.all.size(), 0)};
    const Shape own = contiguous_strides(x.shape);
    for (std::size_t d = 0; d < own.size(); ++d) {
      const std::size_t at = l.all.find(l.terms[t][d]);
      if (extents[at] >= 0 && extents[at] != x.shape[d] && x.shape[d] != 1 && extents[at] != 1) {
        return fail(Errc::InvalidArgument, "letter '{}' has two extents", l.terms[t][d]);
      }
      extents[at] = std::max(extents[at], x.shape[d]);
      if (x.shape[d] != 1) operand.strides[at] += own[d];
    }
    operands.push_back(std::move(operand));
  }
  if (std::find(extents.begin(), extents.end(), -1) != extents.end()) {
    return fail(Errc::InvalidArgument, "a letter of the result is in no term");
  }
  const std::size_t kept = l.result.size();
  const Shape shape(extents.begin(), extents.begin() + static_cast<std::ptrdiff_t>(kept));
  const Shape inner(extents.begin() + static_cast<std::ptrdiff_t>(kept), extents.end());
  const Shape outer_strides = contiguous_strides(shape);
  std::size_t terms = 1;
  for (const std::int64_t n : inner) terms *= static_cast<std::size_t>(n);
  Tensor out = make_tensor(shape);
  out.bound.resize(out.size());
  const auto steps = static_cast<double>(std::max<std::size_t>(operands.size() - 1, 1));
  const double g =
      steps * contraction_factor(call.options.policy.contraction, static_cast<double>(terms), false,
                                 call.options.few_valued);
  parallel_for(call.options, out.size(), static_cast<double>(terms) * 8,
               [&](std::size_t begin, std::size_t end) {
                 std::vector<std::int64_t> base(operands.size()), at(operands.size());
                 std::vector<std::int64_t> index(inner.size());
                 for (std::size_t o = begin; o < end; ++o) {
                   std::fill(base.begin(), base.end(), 0);
                   for (std::size_t d = 0; d < kept; ++d) {
                     const std::int64_t i =
                         static_cast<std::int64_t>(o) / outer_strides[d] % shape[d];
                     for (std::size_t t = 0; t < operands.size(); ++t)
                       base[t] += i * operands[t].strides[d];
                   }
                   at = base;
                   std::fill(index.begin(), index.end(), 0);
                   double v = 0, c = 0, e = 0;
                   for (std::size_t i = 0; i < terms; ++i) {
                     double product = 1, most = 1;
                     bool exact = true;
                     for (std::size_t t = 0; t < operands.size(); ++t) {
                       const auto from = static_cast<std::size_t>(at[t]);
                       const double x = operands[t].tensor->value[from];
                       product *= x;
                       const double bound = operands[t].tensor->bound_at(from);
                       most *= std::fabs(x) + bound;
                       exact = exact && bound == 0;
                     }
                     v += product;
                     c += std::fabs(product);
                     if (!exact) e += most - std::fabs(product);
                     for (std::size_t d = inner.size(); d-- > 0;) {
                       const bool wrap = ++index[d] == inner[d];
                       const std::int64_t step = wrap ? 1 - inner[d] : 1;
                       for (std::size_t t = 0; t < operands.size(); ++t) {
                         at[t] += step * operands[t].strides[kept + d];
                       }
                       if (!wrap) break;
                       index[d] = 0;
                     }
                   }
                   out.value[o] = v;
                   out.bound[o] = contraction_bound(v, c, e, steps * static_cast<double>(terms), g);
                 }
               });
  return one(std::move(out));
}

}  // namespace

std::vector<OperatorEntry> attention_operators() {
  return {{"scaled_dot_product_attention", attention}, {"einsum", einsum}};
}

}  // namespace kw::reference
