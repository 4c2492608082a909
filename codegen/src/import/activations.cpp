// Activations and other pointwise functions with parameters, each by its published formula.

#include <cmath>
#include <numbers>

#include "import/formula.h"

namespace kw::codegen {
namespace {

using Values = std::vector<ScalarId>;

Result<ScalarId> relu(Importer& im, const Values& v) {
  const E x{&im, v[0]};
  return clamp_low(x, 0).id;
}

Result<ScalarId> relu6(Importer& im, const Values& v) {
  return clamp_high(clamp_low(E{&im, v[0]}, 0), 6).id;
}

Result<ScalarId> hardtanh(Importer& im, const Values& v) {
  KW_ASSIGN(const double low, attr_number_or(im.node(), "min_val", -1));
  KW_ASSIGN(const double high, attr_number_or(im.node(), "max_val", 1));
  return clamp_high(clamp_low(E{&im, v[0]}, low), high).id;
}

Result<ScalarId> leaky_relu(Importer& im, const Values& v) {
  KW_ASSIGN(const double slope, attr_number_or(im.node(), "negative_slope", 0.01));
  const E x{&im, v[0]};
  return choose(greater(x, 0), x, x * slope).id;
}

Result<ScalarId> prelu(Importer& im, const Values& v) {
  const E x{&im, v[0]};
  return choose(greater(x, 0), x, x * E{&im, v[1]}).id;
}

Result<ScalarId> elu_of(E x, double alpha, double scale, double input_scale) {
  const E negative = (x * input_scale).apply(Op::Expm1) * (alpha * scale);
  return choose(greater(x, 0), x * scale, negative).id;
}

Result<ScalarId> elu(Importer& im, const Values& v) {
  KW_ASSIGN(const double alpha, attr_number_or(im.node(), "alpha", 1));
  KW_ASSIGN(const double scale, attr_number_or(im.node(), "scale", 1));
  KW_ASSIGN(const double input_scale, attr_number_or(im.node(), "input_scale", 1));
  return elu_of({&im, v[0]}, alpha, scale, input_scale);
}

Result<ScalarId> selu(Importer& im, const Values& v) {  // Klambauer et al., 2017
  return elu_of({&im, v[0]}, 1.6732632423543772848170429916717, 1.0507009873554804934193349852946,
                1);
}

Result<ScalarId> celu(Importer& im, const Values& v) {
  KW_ASSIGN(const double alpha, attr_number_or(im.node(), "alpha", 1));
  return elu_of({&im, v[0]}, alpha, 1, 1 / alpha);
}

E hardsigmoid_of(E x) { return clamp_high(clamp_low(x + 3.0, 0), 6) / 6.0; }
Result<ScalarId> hardsigmoid(Importer& im, const Values& v) {
  return hardsigmoid_of({&im, v[0]}).id;
}
Result<ScalarId> hardswish(Importer& im, const Values& v) {
  const E x{&im, v[0]};
  return (x * clamp_high(clamp_low(x + 3.0, 0), 6) / 6.0).id;
}

Result<ScalarId> silu(Importer& im, const Values& v) {
  const E x{&im, v[0]};
  return (x / ((-x).apply(Op::Exp) + 1.0)).id;
}

Result<ScalarId> gelu(Importer& im, const Values& v) {
  KW_ASSIGN(const std::string approximate, attr_string_or(im.node(), "approximate", "none"));
  const E x{&im, v[0]};
  if (approximate == "tanh") {
    const E inner = (x + x * x * x * 0.044715) * (std::numbers::sqrt2 * std::numbers::inv_sqrtpi);
    return (x * 0.5 * (inner.apply(Op::Tanh) + 1.0)).id;
  }
  if (approximate != "none") return im.refuse("approximate '{}'", approximate);
  return (x * 0.5 * ((x * (1 / std::numbers::sqrt2)).apply(Op::Erf) + 1.0)).id;
}

/// log(1 + exp(x)), exact where exp(x) would overflow.
E softplus_of(E x, double beta, double threshold) {
  const E scaled = x * beta;
  return choose(greater(scaled, threshold), x, scaled.apply(Op::Exp).apply(Op::Log1p) / beta);
}
Result<ScalarId> softplus(Importer& im, const Values& v) {
  KW_ASSIGN(const double beta, attr_number_or(im.node(), "beta", 1));
  KW_ASSIGN(const double threshold, attr_number_or(im.node(), "threshold", 20));
  return softplus_of({&im, v[0]}, beta, threshold).id;
}

Result<ScalarId> softsign(Importer& im, const Values& v) {
  const E x{&im, v[0]};
  return (x / (x.apply(Op::Abs) + 1.0)).id;
}

Result<ScalarId> mish(Importer& im, const Values& v) {
  const E x{&im, v[0]};
  return (x * softplus_of(x, 1, 20).apply(Op::Tanh)).id;
}

Result<ScalarId> log_sigmoid(Importer& im, const Values& v) {
  const E x{&im, v[0]};
  const E low = choose(greater(x, 0), x.number(0), x);
  return (low - (-x.apply(Op::Abs)).apply(Op::Exp).apply(Op::Log1p)).id;
}

Result<ScalarId> tanhshrink(Importer& im, const Values& v) {
  const E x{&im, v[0]};
  return (x - x.apply(Op::Tanh)).id;
}

Result<ScalarId> softshrink(Importer& im, const Values& v) {
  KW_ASSIGN(const double lambda, attr_number_or(im.node(), "lambd", 0.5));
  const E x{&im, v[0]};
  return choose(greater(x, lambda), x - lambda, choose(less(x, -lambda), x + lambda, x * 0.0)).id;
}

Result<ScalarId> hardshrink(Importer& im, const Values& v) {
  KW_ASSIGN(const double lambda, attr_number_or(im.node(), "lambd", 0.5));
  const E x{&im, v[0]};
  const E inside = x.apply(Op::Abs).apply(Op::Le, x.number(lambda));
  return choose(inside, x.number(0), x).id;
}

Result<ScalarId> threshold(Importer& im, const Values& v) {
  KW_ASSIGN(const double limit, attr_number(im.node(), "threshold"));
  KW_ASSIGN(const double value, attr_number(im.node(), "value"));
  const E x{&im, v[0]};
  return choose(x.apply(Op::Le, x.number(limit)), x.number(value), x).id;
}

/// a * sigmoid(b) of the halves a, b of a dimension.
Status glu(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(std::int64_t dim, attr_int_or(im.node(), "dim", -1));
  KW_ASSIGN(dim, im.dim_in(dim, x.shape.size()));
  const auto d = static_cast<std::size_t>(dim);
  if (x.shape.empty() || x.shape[d] % 2 != 0) return im.refuse("an odd extent");
  const std::int64_t half = x.shape[d] / 2;
  return im.map_output(0, [&](const Importer::Point& p) -> Result<ScalarId> {
    Importer::Point gate = p;
    gate.at[d] = gate.at[d] + Index(half);
    return (E{&im, im.at(x, p)} * E{&im, im.at(x, gate)}.apply(Op::Sigmoid)).id;
  });
}

/// One slope, or one per channel of dimension 1.
Status prelu_by_channel(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(const Lazy slope, im.input(1));
  const std::int64_t slopes = count_of(slope.shape);
  const std::size_t channel = x.shape.size() > 1 ? 1 : 0;
  if (slope.shape.size() > 1 || (slopes != 1 && x.shape[channel] != slopes)) {
    return im.refuse("slopes {} for {}", to_string(slope.shape), to_string(x.shape));
  }
  return im.map_output(0, [&](const Importer::Point& p) -> Result<ScalarId> {
    Importer::Point at{{}, p.extents};
    if (!slope.shape.empty()) at.at = {slopes == 1 ? Index(0) : p.at[channel]};
    const E value{&im, im.at(x, p)};
    return choose(greater(value, 0), value, value * E{&im, im.at(slope, at)}.to(value.type())).id;
  });
}

/// kw.dropout: x and random numbers r of its shape; r >= p keeps x / (1 - p).
Result<ScalarId> drawn_dropout(Importer& im, const std::vector<ScalarId>& x) {
  KW_ASSIGN(const double p, attr_number(im.node(), "p"));
  const E value{&im, x[0]}, r{&im, x[1]};
  const E kept = p >= 1 ? value.number(0) : value * (1 / (1 - p));
  return choose(r.apply(Op::Ge, r.number(p)), kept, value.number(0)).id;
}

}  // namespace

void add_activations(BuilderTable& t) {
  const auto add = [&](const char* name, Formula f) {
    t[name] = pointwise(1, Promotion::ToOutput, std::move(f));
  };
  add("aten.relu", relu);
  add("aten.relu6", relu6);
  add("aten.hardtanh", hardtanh);
  add("aten.leaky_relu", leaky_relu);
  add("aten.elu", elu);
  add("aten.selu", selu);
  add("aten.celu", celu);
  add("aten.hardsigmoid", hardsigmoid);
  add("aten.hardswish", hardswish);
  add("aten.silu", silu);
  add("aten.gelu", gelu);
  add("aten.softplus", softplus);
  add("aten.softsign", softsign);
  add("aten.mish", mish);
  add("aten.log_sigmoid", log_sigmoid);
  add("aten.tanhshrink", tanhshrink);
  add("aten.softshrink", softshrink);
  add("aten.hardshrink", hardshrink);
  add("aten.threshold", threshold);
  t["aten.glu"] = glu;
  t["aten.prelu"] = prelu_by_channel;
  t["kw.dropout"] = pointwise(2, Promotion::None, drawn_dropout);
  t["aten._prelu_kernel"] = pointwise(2, Promotion::ToOutput, prelu);
}

}  // namespace kw::codegen
