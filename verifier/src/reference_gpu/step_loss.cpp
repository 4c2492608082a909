// Losses that are more than a reduced pointwise function.

#include "evaluator_step.h"

namespace kw::verify::gpu {

/// Terms to their sum, mean or themselves, by attribute "reduction".
Result<DeviceTensor> Evaluator::Step::reduced_terms(DeviceTensor terms) {
  KW_ASSIGN(const std::int64_t reduction, attr_int_or(*node, "reduction", 1));
  if (reduction == 0) return terms;
  const Grouped all{1, terms.size(), 1};
  KW_ASSIGN(const Totals t, totals(terms, all, kPlain, nullptr));
  return finish(t, out_shape(), reduction == 1 ? 1 : 0, static_cast<double>(terms.size()), nullptr,
                0, out_type());
}

/// |a - b + eps| in the 2-norm along the last dimension.
Result<DeviceTensor> Evaluator::Step::distance(const DeviceTensor& a, const DeviceTensor& b,
                                               double eps) {
  KW_ASSIGN(DeviceTensor d, self.make(a.shape, true));
  KW_RETURN_IF_ERROR(map(kSubScaled, {1, 0, 0, 0}, {a, b}, exact_output(), d));
  KW_RETURN_IF_ERROR(
      map(kAddScaled, {1, 0, 0, 0}, {d, std::nullopt}, exact_output(), d, {NAN, eps}));
  KW_RETURN_IF_ERROR(map(kAbs, {}, {d, std::nullopt}, exact_output(), d));
  const auto n = static_cast<std::uint64_t>(a.shape.back());
  const Grouped rows{n == 0 ? 0 : d.size() / n, n, 1};
  KW_ASSIGN(const Totals t, totals(d, rows, kSquare, nullptr));
  const Shape shape(a.shape.begin(), a.shape.end() - 1);
  KW_ASSIGN(const DeviceTensor sum,
            finish(t, shape, 0, static_cast<double>(n), nullptr, 0, exact_output()));
  KW_ASSIGN(DeviceTensor root, self.make(shape, true));
  KW_RETURN_IF_ERROR(map(kRoot, {}, {sum, std::nullopt}, exact_output(), root));
  return root;
}

Result<DeviceTensor> Evaluator::Step::triplet_loss() {
  KW_ASSIGN(const double margin, attr_number_or(*node, "margin", 1));
  KW_ASSIGN(const double p, attr_number_or(*node, "p", 2));
  KW_ASSIGN(const double eps, attr_number_or(*node, "eps", 1e-6));
  KW_ASSIGN(const bool swap, attr_bool_or(*node, "swap", false));
  if (p != 2 || swap || inputs.size() != 3 || !inputs[1] || !inputs[2] ||
      inputs[0]->shape.empty() || inputs[1]->shape != inputs[0]->shape ||
      inputs[2]->shape != inputs[0]->shape) {
    return fail(Errc::Unsupported, "triplets by another distance or of different shapes");
  }
  KW_ASSIGN(const DeviceTensor near, distance(*inputs[0], *inputs[1], eps));
  KW_ASSIGN(const DeviceTensor far, distance(*inputs[0], *inputs[2], eps));
  KW_ASSIGN(DeviceTensor terms, self.make(near.shape, true));
  KW_RETURN_IF_ERROR(map(kSubScaled, {1, 0, 0, 0}, {near, far}, exact_output(), terms));
  KW_RETURN_IF_ERROR(
      map(kAddScaled, {1, 0, 0, 0}, {terms, std::nullopt}, exact_output(), terms, {NAN, margin}));
  KW_RETURN_IF_ERROR(map(kMaximum, {}, {terms, std::nullopt}, exact_output(), terms, {NAN, 0}));
  return reduced_terms(std::move(terms));
}

/// Classes along the last dimension of a matrix, no weights, no ignored targets.
Result<DeviceTensor> Evaluator::Step::cross_entropy() {
  KW_ASSIGN(const double smoothing, attr_number_or(*node, "label_smoothing", 0));
  KW_ASSIGN(const std::int64_t ignore, attr_int_or(*node, "ignore_index", -100));
  if (inputs.size() != 2 || !inputs[1] || smoothing != 0 || ignore >= 0 ||
      inputs[0]->shape.size() != 2 || is_floating(graph->value(node->inputs[1]).dtype)) {
    return fail(Errc::Unsupported, "class weights, smoothing, probabilities or an ignored class");
  }
  KW_ASSIGN(const DeviceTensor x, self.materialise(*inputs[0]));
  KW_ASSIGN(const DeviceTensor target, self.materialise(*inputs[1]));
  const Grouped g{static_cast<std::uint64_t>(x.shape[0]), static_cast<std::uint64_t>(x.shape[1]),
                  1};
  const Shape rows{x.shape[0]};
  KW_ASSIGN(const DeviceTensor top, extremum(x, g, true, rows));
  KW_ASSIGN(const Totals t, totals(x, g, kExponential, top.v));
  KW_ASSIGN(const DeviceTensor sum,
            finish(t, rows, 0, static_cast<double>(g.reduced), nullptr, 0, exact_output()));
  KW_ASSIGN(DeviceTensor picked, self.make(rows, true));
  TakeArguments a{};
  a.table = operand(x), a.index = operand(target);
  a.n = g.outer, a.rows = g.outer, a.width = g.reduced;
  a.out_v = picked.v->address(), a.out_e = picked.e->address();
  if (a.n > 0) KW_RETURN_IF_ERROR(self.device_.launch("kw_pick", grid_for(a.n), 256, a));
  KW_RETURN_IF_ERROR(map(kSubScaled, {1, 0, 0, 0}, {picked, top}, exact_output(), picked));
  KW_ASSIGN(DeviceTensor terms, self.make(rows, true));
  KW_RETURN_IF_ERROR(map(kLog, {}, {sum, std::nullopt}, exact_output(), terms));
  KW_RETURN_IF_ERROR(map(kSubScaled, {1, 0, 0, 0}, {terms, picked}, exact_output(), terms));
  return reduced_terms(std::move(terms));
}

}  // namespace kw::verify::gpu
