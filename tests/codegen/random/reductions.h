#pragma once
// Reductions, normalisations, scans and losses.

#include <set>

#include "random/pointwise.h"

namespace kw::codegen::testing_random {

inline ValueId reduction(Sketch& s, ValueId x) {
  static const std::vector<std::string> kOps = {"aten.sum.dim_IntList",
                                                "aten.mean.dim",
                                                "aten.amax",
                                                "aten.amin",
                                                "aten.logsumexp",
                                                "aten.var.correction",
                                                "aten.std.correction",
                                                "aten.linalg_vector_norm"};
  const Shape shape = s.shape(x);
  if (shape.empty()) return x;
  const bool keep = s.once_in(2);
  std::set<std::int64_t> dims = {static_cast<std::int64_t>(s.dim_of(x))};
  if (s.once_in(3)) dims.insert(static_cast<std::int64_t>(s.dim_of(x)));
  Shape out;
  std::int64_t reduced = 1;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    const bool gone = dims.contains(static_cast<std::int64_t>(d));
    if (gone) reduced *= shape[d];
    if (!gone || keep) out.push_back(gone ? 1 : shape[d]);
  }
  std::string op = s.pick(kOps);
  // A deviation of few elements is ill-conditioned.
  if (op.ends_with("correction") && reduced < 16) op = "aten.mean.dim";
  Attrs attrs = {{"dim", Ints(dims.begin(), dims.end())}, {"keepdim", keep}};
  if (op.ends_with("correction")) attrs["correction"] = s.number(0, 1);
  if (op.ends_with("norm")) attrs["ord"] = static_cast<double>(s.number(1, 2));
  return s.node(op, {x}, attrs, out);
}

/// The larger or smaller half of max.dim and min.dim, or a running one.
inline ValueId extremum(Sketch& s, ValueId x) {
  const Shape shape = s.shape(x);
  if (shape.empty()) return unary(s, x);
  const std::size_t d = s.dim_of(x);
  const Attrs along = {{"dim", static_cast<std::int64_t>(d)}, {"keepdim", true}};
  Shape out = shape;
  out[d] = 1;
  return s.node(s.once_in(2) ? "aten.max.dim" : "aten.min.dim", {x}, along, out);
}

inline ValueId scan(Sketch& s, ValueId x) {
  const Shape shape = s.shape(x);
  if (shape.empty()) return unary(s, x);
  return s.node(s.once_in(4) ? "aten.logcumsumexp" : "aten.cumsum", {x},
                {{"dim", static_cast<std::int64_t>(s.dim_of(x))}}, shape);
}

inline ValueId normalisation(Sketch& s, ValueId x) {
  const Shape shape = s.shape(x);
  if (shape.empty()) return x;
  if (s.once_in(2)) {
    return s.node(s.once_in(2) ? "aten.softmax.int" : "aten.log_softmax.int", {x},
                  {{"dim", static_cast<std::int64_t>(s.dim_of(x))}}, shape);
  }
  const Shape last = {shape.back()};
  if (last[0] < 8) return unary(s, x);
  Attrs attrs = {{"normalized_shape", last}, {"eps", 1e-5}};
  switch (s.below(3)) {
    case 0:
      return s.node("aten.rms_norm", {x, s.input(last)}, attrs, shape);
    case 1: {
      Shape kept = shape;
      kept.back() = 1;
      return s.several("aten.native_layer_norm", {x, s.input(last), s.input(last)}, attrs,
                       {shape, kept, kept})[0];
    }
    default:
      return s.node("aten.layer_norm", {x, s.input(last), s.input(last)}, attrs, shape);
  }
}

/// By group, image or batch, where enough elements share a statistic.
inline ValueId channel_norm(Sketch& s, ValueId x) {
  const Shape shape = s.shape(x);
  if (shape.size() < 3) return normalisation(s, x);
  const Shape channels = {shape[1]};
  const std::int64_t per_image = count(shape) / (shape[0] * shape[1]);
  const std::int64_t groups = shape[1] % 2 == 0 ? 2 : 1;
  switch (s.below(3)) {
    case 0:
      if (per_image < 32) return unary(s, x);
      return s.node("aten.instance_norm", {x, s.input(channels), s.input(channels)},
                    {{"use_input_stats", true}, {"momentum", 0.1}, {"eps", 1e-5}}, shape);
    case 1:
      if (per_image * shape[0] < 32) return unary(s, x);
      return s.node("aten.batch_norm",
                    {x, s.input(channels), s.input(channels), kNoValue, kNoValue},
                    {{"training", true}, {"momentum", 0.1}, {"eps", 1e-5}}, shape);
    default:
      if (per_image * shape[1] / groups < 32) return unary(s, x);
      return s.node("aten.group_norm", {x, s.input(channels), s.input(channels)},
                    {{"num_groups", groups}, {"eps", 1e-5}}, shape);
  }
}

/// A scalar, or an angle between rows.
inline ValueId loss(Sketch& s, ValueId x) {
  static const std::vector<std::string> kOps = {"aten.mse_loss", "aten.l1_loss",
                                                "aten.smooth_l1_loss", "aten.huber_loss"};
  const Shape shape = s.shape(x);
  if (shape.size() > 1 && shape.back() >= 8 && s.once_in(2)) {
    Shape out = shape;
    out.pop_back();
    const Attrs along = {{"dim", static_cast<std::int64_t>(shape.size()) - 1}, {"eps", 1e-8}};
    return s.node("aten.cosine_similarity", {x, s.input(shape)}, along, out);
  }
  return s.node(s.pick(kOps), {x, s.input(shape)}, {{"reduction", s.number(1, 2)}}, {});
}

}  // namespace kw::codegen::testing_random
