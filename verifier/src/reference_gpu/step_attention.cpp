// Scaled dot-product attention and einsum, as the CPU's attention.cpp.

#include <algorithm>
#include <string>

#include "evaluator_step.h"
#include "kw/reference/interpret.h"

namespace kw::verify::gpu {

Result<DeviceTensor> Evaluator::Step::attention() {
  if (inputs.size() < 3 || !inputs[1] || !inputs[2]) {
    return fail(Errc::InvalidArgument, "needs query, key and value");
  }
  KW_ASSIGN(const double p, attr_number_or(*node, "dropout_p", 0));
  KW_ASSIGN(const bool causal, attr_bool_or(*node, "is_causal", false));
  KW_ASSIGN(const bool grouped_heads, attr_bool_or(*node, "enable_gqa", false));
  if (p > 0 || grouped_heads) return fail(Errc::Unsupported, "dropout or grouped heads");
  const DeviceTensor& q = *inputs[0];
  const std::size_t rank = q.shape.size();
  if (rank < 2 || inputs[1]->shape.size() != rank) return fail(Errc::InvalidArgument, "ranks");
  KW_ASSIGN(const double scale,
            attr_number_or(*node, "scale", 1 / std::sqrt(static_cast<double>(q.shape.back()))));
  const auto type_of = [&](std::size_t i) { return graph->value(node->inputs[i]).dtype; };
  KW_ASSIGN(const DeviceTensor query, self.materialise(q));
  KW_ASSIGN(DeviceTensor key, self.materialise(*inputs[1]));
  KW_ASSIGN(const DeviceTensor value, self.materialise(*inputs[2]));
  std::swap(key.shape[rank - 1], key.shape[rank - 2]);
  std::swap(key.strides[rank - 1], key.strides[rank - 2]);
  Shape scores_shape = query.shape;
  scores_shape.back() = key.shape.back();
  KW_ASSIGN(DeviceTensor scores,
            matmul(query, key, type_of(0), type_of(1), scores_shape, exact_output()));
  {
    KW_ASSIGN(DeviceTensor scaled, self.make(scores_shape, true));
    KW_RETURN_IF_ERROR(
        map(kTimes, {}, {scores, std::nullopt}, exact_output(), scaled, {NAN, scale}));
    scores = std::move(scaled);
  }
  if (inputs.size() > 3 && inputs[3]) {
    KW_ASSIGN(DeviceTensor masked, self.make(scores_shape, true));
    if (type_of(3) == DType::Bool) {
      const Shape& own = inputs[3]->shape;
      KW_ASSIGN(DeviceTensor excluded, self.make(own, true));
      KW_RETURN_IF_ERROR(map(kNot, {}, {inputs[3], std::nullopt}, exact_output(), excluded));
      KW_RETURN_IF_ERROR(
          map(kChoose, {-HUGE_VAL, 0, 0, 0}, {scores, excluded}, exact_output(), masked));
    } else {
      KW_RETURN_IF_ERROR(
          map(kAddScaled, {1, 0, 0, 0}, {scores, inputs[3]}, exact_output(), masked));
    }
    scores = std::move(masked);
  }
  if (causal) {
    KW_ASSIGN(scores, triangle(scores, true, 0, -HUGE_VAL));
  }
  KW_ASSIGN(const DeviceTensor weights, softmax_of(scores, rank - 1, false, exact_output()));
  scores = {};
  return matmul(weights, value, DType::F32, DType::F32, out_shape(), out_type());
}

namespace {

struct Letters {
  std::vector<std::string> terms;
  std::string all;  // of the result first, then those that are summed
  std::size_t kept = 0;
};

Result<Letters> letters_of(const Node& node, std::size_t operands) {
  KW_ASSIGN(std::string equation, attr_string_or(node, "equation", ""));
  std::erase(equation, ' ');
  const std::size_t arrow = equation.find("->");
  if (arrow == std::string::npos || equation.find('.') != std::string::npos) {
    return fail(Errc::Unsupported, "equation '{}'", equation);
  }
  Letters l;
  l.all = equation.substr(arrow + 2);
  l.kept = l.all.size();
  std::string left = equation.substr(0, arrow);
  for (std::size_t comma; (comma = left.find(',')) != std::string::npos;) {
    l.terms.push_back(left.substr(0, comma));
    left.erase(0, comma + 1);
  }
  l.terms.push_back(left);
  for (const std::string& term : l.terms) {
    for (const char c : term) {
      if (l.all.find(c) == std::string::npos) l.all += c;
    }
  }
  if (l.terms.size() != operands || operands > kMaxTerms || l.all.size() > kMaxLetters) {
    return fail(Errc::Unsupported, "equation '{}' of {} tensors", equation, operands);
  }
  return l;
}

}  // namespace

Result<DeviceTensor> Evaluator::Step::einsum() {
  KW_ASSIGN(const Letters l, letters_of(*node, inputs.size()));
  EinsumArguments a{};
  a.operands = static_cast<int>(inputs.size());
  a.letters = static_cast<int>(l.all.size());
  a.kept = static_cast<int>(l.kept);
  for (std::size_t d = 0; d < l.all.size(); ++d) a.extent[d] = 1;
  bool inexact = false;
  for (std::size_t t = 0; t < inputs.size(); ++t) {
    const DeviceTensor& x = *inputs[t];
    if (x.shape.size() != l.terms[t].size()) return fail(Errc::InvalidArgument, "ranks");
    a.in[t] = operand(x);
    inexact = inexact || x.e;
    for (std::size_t d = 0; d < x.shape.size(); ++d) {
      const std::size_t at = l.all.find(l.terms[t][d]);
      a.extent[at] = std::max<long long>(a.extent[at], x.shape[d]);
      if (x.shape[d] != 1) a.stride[t][at] += x.strides[d];
    }
  }
  a.terms = 1;
  for (std::size_t d = l.kept; d < l.all.size(); ++d) {
    a.terms *= static_cast<std::uint64_t>(a.extent[d]);
  }
  // rows x sum, sum x columns: a matrix product
  const std::string& left = l.terms[0];
  const bool product =
      inputs.size() == 2 && !inexact && l.all.size() == l.kept + 1 && left.size() >= 2 &&
      l.terms[1].size() == 2 && left.back() == l.all.back() && l.terms[1][0] == l.all.back() &&
      l.all.substr(0, l.kept) == left.substr(0, left.size() - 1) + l.terms[1].substr(1);
  if (product) {
    KW_ASSIGN(DeviceTensor x, self.materialise(*inputs[0]));
    const std::int64_t k = x.shape.back();
    const std::int64_t rows = k == 0 ? 0 : static_cast<std::int64_t>(x.size()) / k;
    x.shape = {rows, k};
    x.strides = {k, 1};
    KW_ASSIGN(DeviceTensor out, matmul(x, *inputs[1], DType::F32, DType::F32,
                                       {rows, inputs[1]->shape[1]}, out_type()));
    out.shape = out_shape();
    out.strides = contiguous_strides(out.shape);
    out.c = nullptr;
    return out;
  }
  const double steps = static_cast<double>(std::max<std::size_t>(inputs.size() - 1, 1));
  a.factor = steps * reference::contraction_factor(self.options_.policy.contraction,
                                                   static_cast<double>(a.terms), false,
                                                   self.options_.few_valued);
  a.bound_terms = steps * static_cast<double>(a.terms);
  a.type = out_type();
  KW_ASSIGN(DeviceTensor out, self.make(out_shape(), true));
  a.n = out.size();
  a.out_v = out.v->address(), a.out_e = out.e->address();
  if (a.n > 0) KW_RETURN_IF_ERROR(self.device_.launch("kw_einsum", grid_for(a.n), 256, a));
  return out;
}

}  // namespace kw::verify::gpu
