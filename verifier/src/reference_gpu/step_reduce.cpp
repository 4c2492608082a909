// Reductions, softmax and normalisations.

#include <algorithm>

#include "evaluator_step.h"
#include "kw/reference/interpret.h"
#include "op_names.h"

namespace kw::verify::gpu {

double Evaluator::Step::factor(double k) const {
  return reference::contraction_factor(PolicyClass::Ieee, k, false, self.options_.few_valued);
}

Result<Evaluator::Step::Totals> Evaluator::Step::totals(const DeviceTensor& x, const Grouped& g,
                                                        TotalsMode mode,
                                                        const std::shared_ptr<Block>& centre,
                                                        std::uint64_t centres) {
  // Enough pieces to keep a large device busy when there are few groups.
  const std::uint64_t groups = g.outer * (g.inner == 1 ? 1 : (g.inner + 255) / 256);
  const std::uint64_t pieces = std::clamp<std::uint64_t>(
      2048 / std::max<std::uint64_t>(groups, 1), 1, std::max<std::uint64_t>(g.reduced / 1024, 1));
  TotalsArguments t{};
  t.x = operand(x);
  t.outer = g.outer, t.reduced = g.reduced, t.inner = g.inner, t.split = pieces;
  t.centre = centre ? centre->address() : 0;
  t.centres = centres > 0 ? centres : std::max<std::uint64_t>(g.outer, 1);
  t.mode = mode;
  Totals part;
  const std::size_t n = g.outer * g.inner;
  KW_ASSIGN(part.v, self.block(n * pieces));
  KW_ASSIGN(part.c, self.block(n * pieces));
  KW_ASSIGN(part.e, self.block(n * pieces));
  t.v = part.v->address(), t.c = part.c->address(), t.e = part.e->address();
  const std::uint32_t grid =
      g.inner == 1 ? static_cast<std::uint32_t>(std::min<std::uint64_t>(g.outer * pieces, 1u << 30))
                   : grid_for(n * pieces);
  if (n == 0) return part;
  KW_RETURN_IF_ERROR(self.device_.launch("kw_totals", grid, 256, t));
  if (pieces == 1) return part;
  Totals whole;
  KW_ASSIGN(whole.v, self.block(n));
  KW_ASSIGN(whole.c, self.block(n));
  KW_ASSIGN(whole.e, self.block(n));
  const JoinArguments j{g.outer,
                        pieces,
                        g.inner,
                        part.v->address(),
                        part.c->address(),
                        part.e->address(),
                        whole.v->address(),
                        whole.c->address(),
                        whole.e->address()};
  KW_RETURN_IF_ERROR(self.device_.launch("kw_join", grid_for(n), 256, j));
  return whole;
}

Result<DeviceTensor> Evaluator::Step::finish(const Totals& t, Shape shape, int how, double terms,
                                             const DeviceTensor* mean, double correction,
                                             const OutputType& type) {
  KW_ASSIGN(DeviceTensor out, self.make(std::move(shape), true));
  FinishArguments f{};
  f.n = out.size();
  f.v = t.v->address(), f.c = t.c->address(), f.e = t.e->address();
  f.mean_v = mean != nullptr ? mean->v->address() : 0;
  f.mean_e = mean != nullptr ? mean->e->address() : 0;
  f.out_v = out.v->address(), f.out_e = out.e->address();
  f.terms = terms;
  f.factor = factor(terms);
  f.correction = correction;
  f.type = type;
  f.finish = how;
  if (f.n > 0) KW_RETURN_IF_ERROR(self.device_.launch("kw_finish", grid_for(f.n), 256, f));
  return out;
}

Result<DeviceTensor> Evaluator::Step::extremum(const DeviceTensor& x, const Grouped& g,
                                               bool largest, const Shape& shape) {
  KW_ASSIGN(DeviceTensor out, self.make(shape, true));
  ExtremumArguments a{};
  a.x = operand(x);
  a.outer = g.outer, a.reduced = g.reduced, a.inner = g.inner;
  a.out_v = out.v->address(), a.out_e = out.e->address();
  a.largest = largest ? 1 : 0;
  const std::uint32_t grid =
      g.inner == 1 ? static_cast<std::uint32_t>(std::clamp<std::uint64_t>(g.outer, 1, 1u << 30))
                   : grid_for(g.outer * g.inner);
  if (out.size() > 0) KW_RETURN_IF_ERROR(self.device_.launch("kw_extremum", grid, 256, a));
  return out;
}

Result<std::pair<DeviceTensor, Grouped>> Evaluator::Step::grouped(
    const DeviceTensor& x, const std::vector<bool>& reduced) {
  const std::size_t rank = x.shape.size();
  Grouped g;
  std::size_t first = rank, last = 0;
  for (std::size_t d = 0; d < rank; ++d) {
    if (!reduced[d]) continue;
    first = std::min(first, d);
    last = d;
    g.reduced *= static_cast<std::uint64_t>(x.shape[d]);
  }
  bool together = true;
  for (std::size_t d = first; d < last; ++d) together = together && (reduced[d] || x.shape[d] == 1);
  if (together) {
    for (std::size_t d = 0; d < first; ++d) g.outer *= static_cast<std::uint64_t>(x.shape[d]);
    for (std::size_t d = last + 1; d < rank; ++d) g.inner *= static_cast<std::uint64_t>(x.shape[d]);
    KW_ASSIGN(DeviceTensor whole, self.materialise(x));
    return std::pair{std::move(whole), g};
  }
  DeviceTensor moved = x;  // kept dimensions first
  moved.shape.clear();
  moved.strides.clear();
  for (const bool want : {false, true}) {
    for (std::size_t d = 0; d < rank; ++d) {
      if (reduced[d] != want) continue;
      moved.shape.push_back(x.shape[d]);
      moved.strides.push_back(x.strides[d]);
      if (!want) g.outer *= static_cast<std::uint64_t>(x.shape[d]);
    }
  }
  KW_ASSIGN(DeviceTensor whole, self.materialise(moved));
  return std::pair{std::move(whole), g};
}

Result<DeviceTensor> Evaluator::Step::row_reduction(std::string_view name) {
  const DeviceTensor& in = *inputs[0];
  KW_ASSIGN(const std::vector<bool> mask, reduced_dims());
  KW_ASSIGN(const auto moved, grouped(in, mask));
  const auto& [x, g] = moved;
  const auto terms = static_cast<double>(g.reduced);
  if (name == "amax" || name == "amin") return extremum(x, g, name == "amax", out_shape());
  if (name == "sum" || name == "mean") {
    KW_ASSIGN(const Totals t, totals(x, g, kPlain, nullptr));
    KW_ASSIGN(DeviceTensor out,
              finish(t, out_shape(), name == "mean" ? 1 : 0, terms, nullptr, 0, out_type()));
    if (name == "sum" && !x.e) out.c = t.c;
    return out;
  }
  if (name == "logsumexp") {
    const Shape groups{static_cast<std::int64_t>(g.outer * g.inner)};
    KW_ASSIGN(const DeviceTensor top, extremum(x, g, true, groups));
    KW_ASSIGN(const Totals t, totals(x, g, kExponential, top.v));
    KW_ASSIGN(const DeviceTensor sum, finish(t, groups, 0, terms, nullptr, 0, exact_output()));
    KW_ASSIGN(DeviceTensor out, self.make(groups, true));
    KW_RETURN_IF_ERROR(map(kLogSumExp, {}, {top, sum}, out_type(), out));
    out.shape = out_shape();
    out.strides = contiguous_strides(out.shape);
    return out;
  }
  KW_ASSIGN(const bool unbiased, attr_bool_or(*node, "unbiased", true));
  KW_ASSIGN(const double correction, attr_number_or(*node, "correction", unbiased ? 1 : 0));
  KW_ASSIGN(const Totals t, totals(x, g, kPlain, nullptr));
  KW_ASSIGN(const DeviceTensor mean, finish(t, out_shape(), 1, terms, nullptr, 0, exact_output()));
  KW_ASSIGN(const Totals squares, totals(x, g, kDeviation, mean.v));
  const bool root = name == "std";
  KW_ASSIGN(const DeviceTensor variance, finish(squares, out_shape(), 2, terms, &mean, correction,
                                                root ? exact_output() : out_type()));
  return root ? root_of(variance) : Result<DeviceTensor>(variance);
}

Result<DeviceTensor> Evaluator::Step::root_of(const DeviceTensor& x) {
  KW_ASSIGN(DeviceTensor out, self.make(x.shape, true));
  KW_RETURN_IF_ERROR(map(kRoot, {}, {x, std::nullopt}, out_type(), out));
  return out;
}

Result<std::vector<bool>> Evaluator::Step::reduced_dims() const {
  const std::size_t rank = inputs[0]->shape.size();
  std::vector<std::int64_t> dims;
  if (has_attr(*node, "dim")) {
    KW_ASSIGN(dims, attr_ints(*node, "dim"));
  }
  std::vector<bool> mask(rank, dims.empty());
  for (const std::int64_t dim : dims) {
    const std::int64_t d = dim < 0 ? dim + static_cast<std::int64_t>(rank) : dim;
    if (d < 0 || d >= static_cast<std::int64_t>(rank)) {
      return fail(Errc::InvalidArgument, "dim {}", dim);
    }
    mask[static_cast<std::size_t>(d)] = true;
  }
  return mask;
}

Result<DeviceTensor> Evaluator::Step::max_or_min(bool largest) {
  if (inputs.size() > 1) return pointwise(largest ? kMaximum : kMinimum);
  KW_ASSIGN(const std::vector<bool> mask, reduced_dims());
  KW_ASSIGN(const auto moved, grouped(*inputs[0], mask));
  return extremum(moved.first, moved.second, largest, out_shape());
}

Result<DeviceTensor> Evaluator::Step::vector_norm() {
  KW_ASSIGN(const double p, attr_number_or(*node, has_attr(*node, "ord") ? "ord" : "p", 2));
  if (p != 1 && p != 2) return fail(Errc::Unsupported, "a norm of order {}", p);
  KW_ASSIGN(const std::vector<bool> mask, reduced_dims());
  KW_ASSIGN(const auto moved, grouped(*inputs[0], mask));
  const auto& [x, g] = moved;
  KW_ASSIGN(const Totals t, totals(x, g, p == 1 ? kAbsolute : kSquare, nullptr));
  KW_ASSIGN(const DeviceTensor sum, finish(t, out_shape(), 0, static_cast<double>(g.reduced),
                                           nullptr, 0, p == 1 ? out_type() : exact_output()));
  return p == 1 ? Result<DeviceTensor>(sum) : root_of(sum);
}

Result<DeviceTensor> Evaluator::Step::softmax(bool log) {
  const DeviceTensor& in = *inputs[0];
  KW_ASSIGN(const std::int64_t raw, attr_int(*node, "dim"));
  const auto rank = static_cast<std::int64_t>(in.shape.size());
  const std::int64_t dim = raw < 0 ? raw + rank : raw;
  if (dim < 0 || dim >= rank) return fail(Errc::InvalidArgument, "dim {}", raw);
  return softmax_of(in, static_cast<std::size_t>(dim), log, out_type());
}

Result<DeviceTensor> Evaluator::Step::softmax_of(const DeviceTensor& in, std::size_t dim, bool log,
                                                 const OutputType& type) {
  std::vector<bool> mask(in.shape.size(), false);
  mask[dim] = true;
  KW_ASSIGN(const auto moved, grouped(in, mask));
  const auto& [x, g] = moved;
  const Shape groups{static_cast<std::int64_t>(g.outer * g.inner)};
  KW_ASSIGN(const DeviceTensor top, extremum(x, g, true, groups));
  KW_ASSIGN(const Totals t, totals(x, g, kExponential, top.v));
  KW_ASSIGN(const DeviceTensor sum,
            finish(t, groups, 0, static_cast<double>(g.reduced), nullptr, 0, exact_output()));
  KW_ASSIGN(DeviceTensor out, self.make(in.shape, true));
  SoftmaxArguments s{};
  s.x = operand(x);
  s.n = out.size();
  s.reduced = g.reduced, s.inner = g.inner;
  s.maximum_v = top.v->address(), s.maximum_e = top.e->address();
  s.sum_v = sum.v->address(), s.sum_e = sum.e->address();
  s.out_v = out.v->address(), s.out_e = out.e->address();
  s.type = type;
  s.log = log ? 1 : 0;
  if (s.n > 0) KW_RETURN_IF_ERROR(self.device_.launch("kw_softmax", grid_for(s.n), 256, s));
  return out;
}

Result<DeviceTensor> Evaluator::Step::normalize(std::string_view name) {
  KW_ASSIGN(const DeviceTensor x, self.materialise(*inputs[0]));
  const std::uint64_t n = x.size();
  NormalizeArguments a{};
  a.n = n;
  double eps_default = 1e-5;
  Grouped g;
  bool centred = true;
  if (name == "layer_norm" || name == "rms_norm") {
    KW_ASSIGN(const std::vector<std::int64_t> tail, attr_ints(*node, "normalized_shape"));
    for (const std::int64_t extent : tail) g.reduced *= static_cast<std::uint64_t>(extent);
    g.outer = g.reduced == 0 ? 0 : n / g.reduced;
    a.weight_divisor = 1;
    a.weights = g.reduced;
    centred = name == "layer_norm";
    if (!centred) eps_default = 0x1p-23;
  } else if (name == "group_norm" || name == "instance_norm") {
    if (x.shape.size() < 2) return fail(Errc::InvalidArgument, "needs channels");
    const auto channels = static_cast<std::uint64_t>(x.shape[1]);
    std::int64_t groups = x.shape[1];
    if (name == "group_norm") {
      KW_ASSIGN(groups, attr_int(*node, "num_groups"));
    }
    g.outer = static_cast<std::uint64_t>(x.shape[0] * groups);
    g.reduced = g.outer == 0 ? 0 : n / g.outer;
    a.weights = channels;
    a.weight_divisor = n / static_cast<std::uint64_t>(x.shape[0]) / channels;
  } else {
    return fail(Errc::Unsupported, "no kernel for this operator");
  }
  a.group_divisor = g.reduced;
  a.groups = g.outer;
  const Shape groups{static_cast<std::int64_t>(g.outer)};
  const auto terms = static_cast<double>(g.reduced);
  DeviceTensor mean, variance;
  if (centred) {
    KW_ASSIGN(const Totals t, totals(x, g, kPlain, nullptr));
    KW_ASSIGN(mean, finish(t, groups, 1, terms, nullptr, 0, exact_output()));
    KW_ASSIGN(const Totals squares, totals(x, g, kDeviation, mean.v));
    KW_ASSIGN(variance, finish(squares, groups, 2, terms, &mean, 0, exact_output()));
    a.mean_v = mean.v->address(), a.mean_e = mean.e->address();
  } else {
    KW_ASSIGN(const Totals squares, totals(x, g, kSquare, nullptr));
    KW_ASSIGN(variance, finish(squares, groups, 1, terms, nullptr, 0, exact_output()));
  }
  a.variance_v = variance.v->address(), a.variance_e = variance.e->address();
  a.x = operand(x);
  std::array<std::optional<DeviceTensor>, 2> affine;
  for (std::size_t i = 0; i < 2; ++i) {
    if (i + 1 >= inputs.size() || !inputs[i + 1]) continue;
    KW_ASSIGN(affine[i], self.materialise(*inputs[i + 1]));
    if (affine[i]->size() != a.weights) return fail(Errc::InvalidArgument, "weight shape");
  }
  a.weight = affine[0] ? operand(*affine[0]) : absent_operand();
  a.bias = affine[1] ? operand(*affine[1]) : absent_operand();
  KW_ASSIGN(a.eps, attr_number_or(*node, "eps", eps_default));
  a.type = out_type();
  KW_ASSIGN(DeviceTensor out, self.make(out_shape(), true));
  a.out_v = out.v->address(), a.out_e = out.e->address();
  if (n > 0) KW_RETURN_IF_ERROR(self.device_.launch("kw_normalize", grid_for(n), 256, a));
  return out;
}

}  // namespace kw::verify::gpu
