// Pointwise functions of two and three tensors. Either operand of a binary operator may be a
// number, in attribute "other" (or "self", where the left one is).

#include "functions.h"
#include "operator.h"

namespace kw::reference {
namespace {

/// A number among the arguments, as a tensor of rank 0.
Tensor scalar(double value) {
  Tensor t = make_tensor({});
  store(t, 0, constant(value));
  return t;
}

struct Operands {
  Tensor left, right;
};
Result<Operands> operands(const Call& call, std::string_view right_name = "other") {
  Operands o;
  std::size_t next = 0;
  if (has_attr(call.node, "self")) {
    KW_ASSIGN(const double v, attr_number(call.node, "self"));
    o.left = scalar(v);
  } else {
    KW_RETURN_IF_ERROR(need_inputs(call, 1));
    o.left = call.in(next++);
  }
  if (call.has(next)) {
    o.right = call.in(next);
  } else {
    KW_ASSIGN(const double v, attr_number(call.node, right_name));
    o.right = scalar(v);
  }
  return o;
}
Result<Num> alpha_of(const Call& call) {
  KW_ASSIGN(const double alpha, attr_number_or(call.node, "alpha", 1));
  return constant(alpha);
}

template <Num (*F)(Num, Num)>
Result<Outputs> binary(const Call& call) {
  KW_ASSIGN(const Operands o, operands(call));
  KW_ASSIGN(Tensor out, map2(call, o.left, o.right, F));
  return one(std::move(out));
}

Result<Outputs> add(const Call& call) {
  KW_ASSIGN(const Operands o, operands(call));
  KW_ASSIGN(const Num alpha, alpha_of(call));
  KW_ASSIGN(Tensor out,
            map2(call, o.left, o.right, [=](Num a, Num b) { return plus_scaled(a, b, alpha); }));
  return one(std::move(out));
}
Result<Outputs> sub(const Call& call) {
  KW_ASSIGN(const Operands o, operands(call));
  KW_ASSIGN(const Num alpha, alpha_of(call));
  KW_ASSIGN(Tensor out,
            map2(call, o.left, o.right, [=](Num a, Num b) { return minus_scaled(a, b, alpha); }));
  return one(std::move(out));
}
Result<Outputs> rsub(const Call& call) {
  KW_ASSIGN(const Operands o, operands(call));
  KW_ASSIGN(const Num alpha, alpha_of(call));
  KW_ASSIGN(Tensor out,
            map2(call, o.left, o.right, [=](Num a, Num b) { return minus_scaled(b, a, alpha); }));
  return one(std::move(out));
}

Result<Outputs> div(const Call& call) {
  KW_ASSIGN(const Operands o, operands(call));
  KW_ASSIGN(const std::string mode, attr_string_or(call.node, "rounding_mode", ""));
  if (!mode.empty() && mode != "floor" && mode != "trunc") {
    return fail(Errc::Unsupported, "rounding_mode='{}'", mode);
  }
  KW_ASSIGN(Tensor out, map2(call, o.left, o.right, [&](Num a, Num b) {
              const Num q = a / b;
              if (mode.empty()) return q;
              const auto round = [&](double v) {
                return mode == "floor" ? std::floor(v) : std::trunc(v);
              };
              const bool step = q.e > 0 && round(q.v - q.e) != round(q.v + q.e);
              return Num{round(q.v), step ? kInf : 0};
            }));
  return one(std::move(out));
}

Result<Outputs> pow_op(const Call& call) {
  KW_ASSIGN(const Operands o, operands(call, "exponent"));
  KW_ASSIGN(Tensor out, map2(call, o.left, o.right, power));
  return one(std::move(out));
}

Num remainder_of(Num a, Num b) {
  double r = std::fmod(a.v, b.v);
  if (r != 0 && (r < 0) != (b.v < 0)) r += b.v;
  return a.e > 0 || b.e > 0 ? Num{r, kInf} : settle(r, 0, 1);
}
Num atan2_of(Num a, Num b) {
  return settle(std::atan2(a.v, b.v), a.e > 0 || b.e > 0 ? (a.e + b.e) / std::hypot(a.v, b.v) : 0,
                3);
}

/// A comparison whose operands are closer than their errors is not judged.
template <bool (*F)(double, double)>
Num compare(Num a, Num b) {
  const double v = F(a.v, b.v) ? 1 : 0;
  const double e = a.e + b.e;
  if (e == 0 || std::isnan(a.v) || std::isnan(b.v)) return {v, 0};
  return {v, std::fabs(a.v - b.v) > e ? 0 : kInf};
}
bool eq(double a, double b) { return a == b; }
bool ne(double a, double b) { return a != b; }
bool lt(double a, double b) { return a < b; }
bool le(double a, double b) { return a <= b; }
bool gt(double a, double b) { return a > b; }
bool ge(double a, double b) { return a >= b; }
bool both(double a, double b) { return a != 0 && b != 0; }
bool either(double a, double b) { return a != 0 || b != 0; }
bool differ(double a, double b) { return (a != 0) != (b != 0); }
template <bool (*F)(double, double)>
Num logical(Num a, Num b) {
  return {F(a.v, b.v) ? 1.0 : 0.0, a.e > 0 || b.e > 0 ? kInf : 0};
}

/// Both branches count where the condition is in doubt.
Num choose(Num condition, Num yes, Num no) {
  const Num chosen = condition.v != 0 ? yes : no;
  if (condition.e == 0) return chosen;
  return {chosen.v, std::fmax(yes.e, no.e) + std::fabs(yes.v - no.v)};
}
Result<Tensor> select(const Call& call, const Tensor& condition, const Tensor& yes,
                      const Tensor& no) {
  KW_ASSIGN(Shape shape, broadcast_shape(call, condition.shape, yes.shape));
  KW_ASSIGN(shape, broadcast_shape(call, shape, no.shape));
  const Tensor c = broadcast_to(condition, shape);
  const Tensor y = broadcast_to(yes, shape);
  const Tensor n = broadcast_to(no, shape);
  Tensor out = make_tensor(shape);
  for (std::size_t i = 0; i < out.size(); ++i) {
    store(out, i, choose(num_at(c, i), num_at(y, i), num_at(n, i)));
  }
  return out;
}
Result<Outputs> where(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  std::size_t next = 1;
  Tensor yes, no;
  if (has_attr(call.node, "self")) {
    KW_ASSIGN(const double v, attr_number(call.node, "self"));
    yes = scalar(v);
  } else {
    KW_RETURN_IF_ERROR(need_inputs(call, 2));
    yes = call.in(next++);
  }
  if (call.has(next)) {
    no = call.in(next);
  } else {
    KW_ASSIGN(const double v, attr_number(call.node, "other"));
    no = scalar(v);
  }
  KW_ASSIGN(Tensor out, select(call, call.in(0), yes, no));
  return one(std::move(out));
}
Result<Outputs> masked_fill(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 2));
  Tensor fill;
  if (call.has(2)) {
    fill = call.in(2);
  } else {
    KW_ASSIGN(const double v, attr_number(call.node, "value"));
    fill = scalar(v);
  }
  KW_ASSIGN(Tensor out, select(call, call.in(1), fill, call.in(0)));
  return one(std::move(out));
}

/// self + value * a * b, and self + value * a / b.
template <bool Divide>
Result<Outputs> addc(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 3));
  KW_ASSIGN(const double value, attr_number_or(call.node, "value", 1));
  KW_ASSIGN(const Tensor part, map2(call, call.in(1), call.in(2), [=](Num a, Num b) {
              return constant(value) * (Divide ? a / b : a * b);
            }));
  KW_ASSIGN(Tensor out, map2(call, call.in(0), part, [](Num a, Num b) { return a + b; }));
  return one(std::move(out));
}
Result<Outputs> lerp(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 2));
  KW_ASSIGN(const double weight, attr_number(call.node, "weight"));
  KW_ASSIGN(Tensor out, map2(call, call.in(0), call.in(1),
                             [=](Num a, Num b) { return a + constant(weight) * (b - a); }));
  return one(std::move(out));
}

}  // namespace

std::vector<OperatorEntry> binary_operators() {
  return {{"add", add},
          {"sub", sub},
          {"subtract", sub},
          {"rsub", rsub},
          {"mul", binary<times>},
          {"multiply", binary<times>},
          {"div", div},
          {"divide", div},
          {"true_divide", div},
          {"pow", pow_op},
          {"maximum", binary<maximum>},
          {"minimum", binary<minimum>},
          {"remainder", binary<remainder_of>},
          {"atan2", binary<atan2_of>},
          {"eq", binary<compare<eq>>},
          {"ne", binary<compare<ne>>},
          {"lt", binary<compare<lt>>},
          {"le", binary<compare<le>>},
          {"gt", binary<compare<gt>>},
          {"ge", binary<compare<ge>>},
          {"logical_and", binary<logical<both>>},
          {"logical_or", binary<logical<either>>},
          {"logical_xor", binary<logical<differ>>},
          {"where", where},
          {"masked_fill", masked_fill},
          {"addcmul", addc<false>},
          {"addcdiv", addc<true>},
          {"lerp", lerp}};
}

}  // namespace kw::reference
