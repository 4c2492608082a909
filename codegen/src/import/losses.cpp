// Losses: a pointwise expression of prediction and target, then none, mean or sum.

#include <numeric>

#include "import/formula.h"

namespace kw::codegen {
namespace {

using Loss = std::function<Result<E>(Importer&, E prediction, E target)>;

Builder loss(Loss formula) {
  return [formula](Importer& im, std::string_view) -> Status {
    KW_ASSIGN(const Lazy prediction, im.input(0));
    KW_ASSIGN(const Lazy target, im.input(1));
    KW_ASSIGN(const std::int64_t reduction, attr_int_or(im.node(), "reduction", 1));
    KW_ASSIGN(const Shape shape, broadcast(im, {prediction.shape, target.shape}));
    const DType type = compute_type(im.output_value().dtype);
    const auto body = [&](const Importer::Point& p) -> Result<ScalarId> {
      KW_ASSIGN(const E value, formula(im, E{&im, im.at_broadcast(prediction, p)}.to(type),
                                       E{&im, im.at_broadcast(target, p)}.to(type)));
      return value.id;
    };
    if (reduction == 0) return im.map_output(0, body);
    if (reduction != 1 && reduction != 2) return im.refuse("reduction {}", reduction);
    std::vector<std::int64_t> dims(shape.size());
    std::iota(dims.begin(), dims.end(), 0);
    if (reduction == 2) {
      KW_ASSIGN(const auto sum, im.reduce(shape, dims, Combiner::Sum, body, {0}));
      return {};
    }
    KW_ASSIGN(const auto sum, im.reduce(shape, dims, Combiner::Sum, body));
    return im.map_output(0, [&](const Importer::Point&) -> Result<ScalarId> {
      const Importer::Point origin{std::vector<Index>(shape.size(), Index(0)), {}};
      return (E{&im, im.at(sum[0], origin)} / static_cast<double>(count_of(shape))).id;
    });
  };
}

Result<E> mse(Importer&, E p, E t) { return (p - t) * (p - t); }
Result<E> l1(Importer&, E p, E t) { return (p - t).apply(Op::Abs); }

Result<E> smooth_l1(Importer& im, E p, E t) {
  KW_ASSIGN(const double beta, attr_number_or(im.node(), "beta", 1));
  const E d = (p - t).apply(Op::Abs);
  if (beta == 0) return d;
  return choose(less(d, beta), d * d * 0.5 / beta, d - 0.5 * beta);
}

Result<E> huber(Importer& im, E p, E t) {
  KW_ASSIGN(const double delta, attr_number_or(im.node(), "delta", 1));
  const E d = (p - t).apply(Op::Abs);
  return choose(d.apply(Op::Le, d.number(delta)), d * d * 0.5, (d - 0.5 * delta) * delta);
}

/// max(x, 0) - x*t + log(1 + exp(-|x|)).
Result<E> bce_with_logits(Importer& im, E x, E t) {
  if (im.has_input(2) || im.has_input(3)) return im.refuse("weights");
  return choose(greater(x, 0), x, x * 0.0) - x * t +
         (-x.apply(Op::Abs)).apply(Op::Exp).apply(Op::Log1p);
}

/// Logarithms are bounded at -100, as PyTorch's are.
Result<E> bce(Importer& im, E p, E t) {
  if (im.has_input(2)) return im.refuse("weights");
  const E log_p = clamp_low(p.apply(Op::Log), -100);
  const E log_q = clamp_low((-p).apply(Op::Log1p), -100);
  return (t - 1.0) * log_q - t * log_p;
}

Result<E> kl_div(Importer& im, E p, E t) {
  KW_ASSIGN(const bool log_target, attr_bool_or(im.node(), "log_target", false));
  if (log_target) return t.apply(Op::Exp) * (t - p);
  return choose(greater(t, 0), t * (t.apply(Op::Log) - p), t * 0.0);
}

Result<E> soft_margin(Importer&, E p, E t) { return (-t * p).apply(Op::Exp).apply(Op::Log1p); }

Result<E> hinge_embedding(Importer& im, E x, E t) {
  KW_ASSIGN(const double margin, attr_number_or(im.node(), "margin", 1));
  const E zero = x.number(0);
  return choose(t.apply(Op::Eq, t.number(1)), x,
                choose(t.apply(Op::Eq, t.number(-1)), clamp_low(-x + margin, 0), zero));
}

}  // namespace

void add_losses(BuilderTable& t) {
  t["aten.mse_loss"] = loss(mse);
  t["aten.l1_loss"] = loss(l1);
  t["aten.smooth_l1_loss"] = loss(smooth_l1);
  t["aten.huber_loss"] = loss(huber);
  t["aten.binary_cross_entropy_with_logits"] = loss(bce_with_logits);
  t["aten.binary_cross_entropy"] = loss(bce);
  t["aten.kl_div"] = loss(kl_div);
  t["aten.soft_margin_loss"] = loss(soft_margin);
  t["aten.hinge_embedding_loss"] = loss(hinge_embedding);
}

}  // namespace kw::codegen
