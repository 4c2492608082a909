// Operators that compute each element from the elements at the same place: arithmetic, comparisons,
// logic, elementary functions.

#include <cmath>

#include "import/formula.h"

namespace kw::codegen {
namespace {

int rank_of(DType type) {
  switch (type) {
    case DType::Bool:
      return 0;
    case DType::I32:
      return 1;
    case DType::I64:
      return 2;
    case DType::F64:
      return 4;
    default:
      return 3;
  }
}

ScalarId truth(Importer& im, ScalarId x) {
  const DType type = im.scalars()[x].type;
  if (type == DType::Bool) return x;
  return im.scalars().binary(Op::Ne, x, im.scalars().constant(0, type));
}

Result<std::vector<ScalarId>> promote(Importer& im, std::vector<ScalarId> operands,
                                      Promotion promotion) {
  switch (promotion) {
    case Promotion::None:
      break;
    case Promotion::Predicate:
      for (ScalarId& x : operands) x = truth(im, x);
      break;
    case Promotion::ToOutput: {
      const DType type = compute_type(im.output_value().dtype);
      for (ScalarId& x : operands) x = im.scalars().cast(x, type);
      break;
    }
    case Promotion::Common: {
      DType type = DType::Bool;
      for (const ScalarId x : operands) {
        if (rank_of(im.scalars()[x].type) > rank_of(type)) type = im.scalars()[x].type;
      }
      for (ScalarId& x : operands) x = im.scalars().cast(x, type);
      break;
    }
  }
  return operands;
}

Formula unary(Op op) {
  return [op](Importer& im, const std::vector<ScalarId>& x) -> Result<ScalarId> {
    return im.scalars().unary(op, x[0]);
  };
}
Formula binary(Op op) {
  return [op](Importer& im, const std::vector<ScalarId>& x) -> Result<ScalarId> {
    return im.scalars().binary(op, x[0], x[1]);
  };
}

Formula add_scaled(double sign, bool reversed) {
  return [=](Importer& im, const std::vector<ScalarId>& x) -> Result<ScalarId> {
    KW_ASSIGN(const double alpha, attr_number_or(im.node(), "alpha", 1));
    const E a{&im, x[reversed ? 1 : 0]}, b{&im, x[reversed ? 0 : 1]};
    return sign > 0 ? (a + b * alpha).id : (a - b * alpha).id;
  };
}

Result<ScalarId> divide(Importer& im, const std::vector<ScalarId>& x) {
  const E a{&im, x[0]}, b{&im, x[1]};
  KW_ASSIGN(const std::string mode, attr_string_or(im.node(), "rounding_mode", ""));
  if (!is_floating(a.type())) {
    if (mode == "trunc") return (a / b).id;
    return im.refuse("an integer division with rounding_mode '{}'", mode);
  }
  if (mode.empty()) return (a / b).id;
  if (mode == "floor") return (a / b).apply(Op::Floor).id;
  if (mode == "trunc") return (a / b).apply(Op::Trunc).id;
  return im.refuse("rounding_mode '{}'", mode);
}

/// Exponents that PyTorch computes without pow().
std::optional<ScalarId> easy_power(E x, double exponent) {
  if (exponent == 1) return x.id;
  if (exponent == 2) return (x * x).id;
  if (exponent == 3) return (x * x * x).id;
  if (exponent == 0.5) return x.apply(Op::Sqrt).id;
  if (exponent == -0.5) return x.apply(Op::Rsqrt).id;
  if (exponent == -1) return x.apply(Op::Reciprocal).id;
  if (exponent == -2) return (x * x).apply(Op::Reciprocal).id;
  return std::nullopt;
}

Result<ScalarId> power(Importer& im, const std::vector<ScalarId>& x) {
  const E base{&im, x[0]}, exponent{&im, x[1]};
  const Scalar& e = im.scalars()[exponent.id];
  if (e.op == Op::Constant && is_floating(e.type)) {
    if (const auto easy = easy_power(base, e.number)) return *easy;
  }
  if (!is_floating(base.type())) return im.refuse("an integer power");
  return base.apply(Op::Pow, exponent).id;
}

Builder power_builder() {
  return [](Importer& im, std::string_view overload) -> Status {
    if (overload == "Scalar") {  // number ** tensor
      KW_ASSIGN(const double base, attr_number(im.node(), "self"));
      return pointwise(1, Promotion::ToOutput,
                       [base](Importer& i, const std::vector<ScalarId>& x) -> Result<ScalarId> {
                         const E exponent{&i, x[0]};
                         return exponent.number(base).apply(Op::Pow, exponent).id;
                       })(im, overload);
    }
    const char* name = has_attr(im.node(), "exponent") ? "exponent" : "other";
    return pointwise(2, Promotion::ToOutput, power, name)(im, overload);
  };
}

/// clamp with numbers, or with tensors as second and third operand.
Result<ScalarId> clamp(Importer& im, const std::vector<ScalarId>& x) {
  E value{&im, x[0]};
  for (const bool low : {true, false}) {
    const std::string_view name = low ? "min" : "max";
    const Attr* attr = nullptr;
    if (const auto it = im.node().attrs.find(name); it != im.node().attrs.end()) attr = &it->second;
    if (attr == nullptr || std::holds_alternative<std::monostate>(*attr)) continue;
    KW_ASSIGN(const double bound, attr_number(im.node(), name));
    value = low ? clamp_low(value, bound) : clamp_high(value, bound);
  }
  return value.id;
}

Result<ScalarId> clamp_tensors(Importer& im, const std::vector<ScalarId>& x) {
  E value{&im, x[0]};
  std::size_t next = 1;
  if (im.has_input(1)) value = value.apply(Op::Max, E{&im, x[next++]});
  if (im.has_input(2)) value = value.apply(Op::Min, E{&im, x[next]});
  return value.id;
}

Status clamp_builder(Importer& im, std::string_view overload) {
  if (overload == "Tensor" || im.node().inputs.size() > 1) {
    const std::size_t operands = 1u + (im.has_input(1) ? 1 : 0) + (im.has_input(2) ? 1 : 0);
    return pointwise(operands, Promotion::ToOutput, clamp_tensors)(im, overload);
  }
  return pointwise(1, Promotion::ToOutput, clamp)(im, overload);
}

Result<ScalarId> where(Importer& im, const std::vector<ScalarId>& x) {
  const DType type = compute_type(im.output_value().dtype);
  Scalars& s = im.scalars();
  return s.select(truth(im, x[0]), s.cast(x[1], type), s.cast(x[2], type));
}

/// masked_fill(x, mask, value): the value is a number or a scalar tensor.
Result<ScalarId> masked_fill(Importer& im, const std::vector<ScalarId>& x) {
  const DType type = compute_type(im.output_value().dtype);
  Scalars& s = im.scalars();
  if (x.size() > 2) return s.select(truth(im, x[1]), s.cast(x[2], type), s.cast(x[0], type));
  KW_ASSIGN(const double value, attr_number(im.node(), "value"));
  return s.select(truth(im, x[1]), s.constant(value, type), s.cast(x[0], type));
}

Formula fused(Op inner) {  // addcmul, addcdiv
  return [inner](Importer& im, const std::vector<ScalarId>& x) -> Result<ScalarId> {
    KW_ASSIGN(const double value, attr_number_or(im.node(), "value", 1));
    const E a{&im, x[0]}, b{&im, x[1]}, c{&im, x[2]};
    return (a + b.apply(inner, c) * value).id;
  };
}

/// The stable form of start + weight * (end - start) that PyTorch uses.
Result<ScalarId> lerp(Importer& im, const std::vector<ScalarId>& x) {
  const E start{&im, x[0]}, end{&im, x[1]};
  if (x.size() > 2) {
    const E weight{&im, x[2]};
    const E small = weight.apply(Op::Abs).apply(Op::Lt, weight.number(0.5));
    return choose(small, start + weight * (end - start),
                  end - (end - start) * (weight.number(1) - weight))
        .id;
  }
  KW_ASSIGN(const double weight, attr_number(im.node(), "weight"));
  return std::abs(weight) < 0.5 ? (start + (end - start) * weight).id
                                : (end - (end - start) * (1 - weight)).id;
}

Status cast_builder(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  const DType to = compute_type(im.output_value().dtype);
  if (im.scalars()[x.expr].type == to) {
    // Nothing is lost only when the stored type is wide enough; F16 and BF16 round.
    if (size_of(im.output_value().dtype) >= 4 || im.output_value().dtype == DType::Bool) {
      return im.define(0, x);
    }
  }
  return im.map_output(0, [&](const Importer::Point& p) -> Result<ScalarId> {
    const ScalarId value = im.at(x, p);
    return im.output_value().dtype == DType::Bool ? truth(im, value) : im.scalars().cast(value, to);
  });
}

}  // namespace

Result<Shape> broadcast(Importer& im, const std::vector<Shape>& shapes) {
  Shape out;
  for (const Shape& shape : shapes) out.resize(std::max(out.size(), shape.size()), 1);
  for (const Shape& shape : shapes) {
    const std::size_t skip = out.size() - shape.size();
    for (std::size_t d = 0; d < shape.size(); ++d) {
      std::int64_t& extent = out[skip + d];
      if (shape[d] == 1 || shape[d] == extent) continue;
      if (extent != 1) {
        return im.refuse("extents {} and {} of dimension {} do not broadcast", extent, shape[d],
                         skip + d);
      }
      extent = shape[d];
    }
  }
  return out;
}

Builder pointwise(std::size_t arity, Promotion promotion, Formula formula,
                  std::string scalar_name) {
  return [=](Importer& im, std::string_view) -> Status {
    std::vector<Lazy> operands;
    std::vector<Shape> shapes;
    for (std::size_t i = 0; i < im.node().inputs.size() && operands.size() < arity; ++i) {
      if (!im.has_input(i)) continue;
      KW_ASSIGN(Lazy operand, im.input(i));
      shapes.push_back(operand.shape);
      operands.push_back(std::move(operand));
    }
    std::optional<double> number;
    if (operands.size() + 1 == arity) {
      KW_ASSIGN(number, attr_number(im.node(), scalar_name));
    } else if (operands.size() != arity) {
      return im.refuse("{} tensor operands where {} are needed", operands.size(), arity);
    }
    KW_ASSIGN(const Shape shape, broadcast(im, shapes));
    if (shape != im.output_value().shape) {
      return im.refuse("output '{}' is declared {}, but its operands give {}",
                       im.output_value().name, to_string(im.output_value().shape),
                       to_string(shape));
    }
    return im.map_output(0, [&](const Importer::Point& point) -> Result<ScalarId> {
      std::vector<ScalarId> values;
      DType widest = DType::Bool;
      for (const Lazy& operand : operands) {
        values.push_back(im.at_broadcast(operand, point));
        const DType type = im.scalars()[values.back()].type;
        if (rank_of(type) > rank_of(widest)) widest = type;
      }
      if (number) {
        const DType type =
            promotion == Promotion::ToOutput
                ? compute_type(im.output_value().dtype)
                : (is_floating(widest) || *number == std::floor(*number) ? widest : DType::F32);
        values.push_back(im.scalars().constant(*number, type));
      }
      KW_ASSIGN(const std::vector<ScalarId> same, promote(im, values, promotion));
      KW_ASSIGN(const ScalarId value, formula(im, same));
      return im.scalars().cast(value, compute_type(im.output_value().dtype));
    });
  };
}

void add_pointwise(BuilderTable& t) {
  const auto function = [&](const char* name, Op op) {
    t[name] = pointwise(1, Promotion::ToOutput, unary(op));
  };
  const auto arithmetic = [&](const char* name, Formula f) {
    t[name] = pointwise(2, Promotion::ToOutput, std::move(f));
  };
  const auto comparison = [&](const char* name, Op op) {
    t[name] = pointwise(2, Promotion::Common, binary(op));
  };
  function("aten.abs", Op::Abs);
  function("aten.neg", Op::Neg);
  function("aten.exp", Op::Exp);
  function("aten.exp2", Op::Exp2);
  function("aten.expm1", Op::Expm1);
  function("aten.log", Op::Log);
  function("aten.log2", Op::Log2);
  function("aten.log10", Op::Log10);
  function("aten.log1p", Op::Log1p);
  function("aten.sqrt", Op::Sqrt);
  function("aten.rsqrt", Op::Rsqrt);
  function("aten.reciprocal", Op::Reciprocal);
  function("aten.sin", Op::Sin);
  function("aten.cos", Op::Cos);
  function("aten.tan", Op::Tan);
  function("aten.asin", Op::Asin);
  function("aten.acos", Op::Acos);
  function("aten.atan", Op::Atan);
  function("aten.asinh", Op::Asinh);
  function("aten.acosh", Op::Acosh);
  function("aten.atanh", Op::Atanh);
  function("aten.sinh", Op::Sinh);
  function("aten.cosh", Op::Cosh);
  function("aten.tanh", Op::Tanh);
  function("aten.sigmoid", Op::Sigmoid);
  function("aten.erf", Op::Erf);
  function("aten.erfc", Op::Erfc);
  function("aten.floor", Op::Floor);
  function("aten.ceil", Op::Ceil);
  function("aten.round", Op::Round);
  function("aten.trunc", Op::Trunc);
  function("aten.sign", Op::Sign);
  t["aten.square"] = pointwise(1, Promotion::ToOutput, [](Importer& im, const auto& x) {
    const E a{&im, x[0]};
    return Result<ScalarId>((a * a).id);
  });
  t["aten.isnan"] = pointwise(1, Promotion::None, unary(Op::IsNan));
  t["aten.isfinite"] = pointwise(1, Promotion::None, [](Importer& im, const auto& x) {
    const E a{&im, x[0]};
    const E special = a.apply(Op::IsNan).apply(Op::Or, a.apply(Op::IsInf));
    return Result<ScalarId>(special.apply(Op::Not).id);
  });
  t["aten.isinf"] = pointwise(1, Promotion::None, unary(Op::IsInf));

  arithmetic("aten.add", add_scaled(1, false));
  arithmetic("aten.sub", add_scaled(-1, false));
  arithmetic("aten.subtract", add_scaled(-1, false));
  arithmetic("aten.rsub", add_scaled(-1, true));
  arithmetic("aten.mul", binary(Op::Mul));
  arithmetic("aten.multiply", binary(Op::Mul));
  arithmetic("aten.div", divide);
  arithmetic("aten.true_divide", divide);
  arithmetic("aten.divide", divide);
  arithmetic("aten.maximum", binary(Op::Max));
  arithmetic("aten.minimum", binary(Op::Min));
  arithmetic("aten.fmod", binary(Op::Fmod));
  arithmetic("aten.remainder", binary(Op::Remainder));
  arithmetic("aten.atan2", binary(Op::Atan2));
  t["aten.pow"] = power_builder();
  t["aten.addcmul"] = pointwise(3, Promotion::ToOutput, fused(Op::Mul));
  t["aten.addcdiv"] = pointwise(3, Promotion::ToOutput, fused(Op::Div));
  t["aten.lerp"] = [](Importer& im, std::string_view overload) {
    return pointwise(im.node().inputs.size(), Promotion::ToOutput, lerp)(im, overload);
  };
  t["aten.clamp"] = clamp_builder;
  t["aten.clip"] = clamp_builder;
  t["aten.clamp_min"] = clamp_builder;
  t["aten.clamp_max"] = clamp_builder;

  comparison("aten.eq", Op::Eq);
  comparison("aten.ne", Op::Ne);
  comparison("aten.lt", Op::Lt);
  comparison("aten.le", Op::Le);
  comparison("aten.gt", Op::Gt);
  comparison("aten.ge", Op::Ge);
  t["aten.logical_and"] = pointwise(2, Promotion::Predicate, binary(Op::And));
  t["aten.logical_or"] = pointwise(2, Promotion::Predicate, binary(Op::Or));
  t["aten.logical_xor"] = pointwise(2, Promotion::Predicate, binary(Op::Xor));
  t["aten.logical_not"] = pointwise(1, Promotion::Predicate, unary(Op::Not));
  t["aten.bitwise_and"] = pointwise(2, Promotion::Common, binary(Op::And));
  t["aten.bitwise_or"] = pointwise(2, Promotion::Common, binary(Op::Or));
  t["aten.bitwise_xor"] = pointwise(2, Promotion::Common, binary(Op::Xor));
  t["aten.bitwise_not"] = pointwise(1, Promotion::None, unary(Op::Not));
  t["aten.where"] = pointwise(3, Promotion::None, where);  // the third may be a number
  t["aten.masked_fill"] = [](Importer& im, std::string_view overload) {
    return pointwise(im.node().inputs.size(), Promotion::None, masked_fill)(im, overload);
  };
  for (const char* name : {"aten.to", "aten._to_copy", "aten.type_as", "aten.float", "aten.double",
                           "aten.half", "aten.bfloat16", "prims.convert_element_type"}) {
    t[name] = cast_builder;
  }
}

}  // namespace kw::codegen
