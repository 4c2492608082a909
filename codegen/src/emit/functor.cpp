#include "emit/functor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "emit/format_code.h"

namespace kw::codegen {
namespace {

std::string call(std::string_view name, DType type, const std::vector<std::string>& args) {
  return fmt::format("{}{}({})", name, type == DType::F32 ? "f" : "", fmt::join(args, ", "));
}

std::string_view function_name(Op op) {
  switch (op) {
    case Op::Exp:
      return "exp";
    case Op::Exp2:
      return "exp2";
    case Op::Expm1:
      return "expm1";
    case Op::Log:
      return "log";
    case Op::Log2:
      return "log2";
    case Op::Log10:
      return "log10";
    case Op::Log1p:
      return "log1p";
    case Op::Sqrt:
      return "sqrt";
    case Op::Rsqrt:
      return "rsqrt";
    case Op::Sin:
      return "sin";
    case Op::Cos:
      return "cos";
    case Op::Tan:
      return "tan";
    case Op::Asin:
      return "asin";
    case Op::Acos:
      return "acos";
    case Op::Asinh:
      return "asinh";
    case Op::Acosh:
      return "acosh";
    case Op::Atanh:
      return "atanh";
    case Op::Atan:
      return "atan";
    case Op::Sinh:
      return "sinh";
    case Op::Cosh:
      return "cosh";
    case Op::Tanh:
      return "tanh";
    case Op::Erf:
      return "erf";
    case Op::Erfc:
      return "erfc";
    case Op::Floor:
      return "floor";
    case Op::Ceil:
      return "ceil";
    case Op::Round:
      return "rint";
    case Op::Trunc:
      return "trunc";
    case Op::Pow:
      return "pow";
    case Op::Fmod:
      return "fmod";
    case Op::Atan2:
      return "atan2";
    default:
      return "";
  }
}

std::string_view infix(Op op, DType operands) {
  switch (op) {
    case Op::Add:
      return "+";
    case Op::Sub:
      return "-";
    case Op::Mul:
      return "*";
    case Op::Div:
      return "/";
    case Op::Eq:
      return "==";
    case Op::Ne:
      return "!=";
    case Op::Lt:
      return "<";
    case Op::Le:
      return "<=";
    case Op::Gt:
      return ">";
    case Op::Ge:
      return ">=";
    case Op::And:
      return operands == DType::Bool ? "&&" : "&";
    case Op::Or:
      return operands == DType::Bool ? "||" : "|";
    case Op::Xor:
      return operands == DType::Bool ? "!=" : "^";
    default:
      return "";
  }
}

/// Writes the statements of one body. Scopes hold what is already computed: the chosen side of a
/// Select that reads memory is evaluated inside an `if`, so that a guarded access is never made.
class BodyWriter {
 public:
  BodyWriter(const Program& program, const Binding& binding)
      : program_(program), binding_(binding), indent_(binding.indent) {
    scopes_.emplace_back();
  }

  std::string value(ScalarId id) {
    for (const auto& scope : scopes_) {
      if (const auto it = scope.find(id); it != scope.end()) return it->second;
    }
    const Scalar& s = program_.scalars[id];
    if (s.op == Op::Constant) {
      return is_floating(s.type) ? literal(s.number, s.type)
                                 : literal(static_cast<double>(s.integer), s.type);
    }
    std::string text = s.op == Op::Select && reads_memory(s) ? branch(s) : expression(id, s);
    const bool atomic = text.find_first_of(" (") == std::string::npos;
    if (!atomic) {
      const std::string name = fresh();
      line(fmt::format("const {} {} = {};", compute_name(s.type), name, text));
      text = name;
    }
    scopes_.back().emplace(id, text);
    return text;
  }

  std::string take() { return std::move(out_); }

 private:
  std::string fresh() { return fmt::format("{}{}", binding_.prefix, counter_++); }
  void line(const std::string& text) { out_ += indent_ + text + "\n"; }

  bool known(ScalarId id) const {
    return std::any_of(scopes_.begin(), scopes_.end(),
                       [id](const auto& scope) { return scope.contains(id); });
  }

  bool reads_memory(const Scalar& select) const {
    for (const std::size_t side : {1u, 2u}) {
      for (const ScalarId leaf : leaves_of(program_.scalars, select.args[side])) {
        const Op op = program_.scalars[leaf].op;
        if (op != Op::Load && op != Op::Gather && op != Op::Decode) continue;
        const bool bound = binding_.leaf && !binding_.leaf(leaf).empty();
        if (!bound && !known(leaf)) return true;
      }
    }
    return false;
  }

  /// if (condition) result = a; else result = b; returns the name of the result.
  std::string branch(const Scalar& s) {
    const std::string condition = value(s.args[0]);
    const std::string name = fresh();
    line(fmt::format("{} {};", compute_name(s.type), name));
    for (const std::size_t side : {1u, 2u}) {
      line(side == 1 ? fmt::format("if ({}) {{", condition) : "} else {");
      scopes_.emplace_back();
      indent_ += "  ";
      const std::string chosen = value(s.args[side]);
      line(fmt::format("{} = {};", name, chosen));
      indent_.resize(indent_.size() - 2);
      scopes_.pop_back();
    }
    line("}");
    return name;
  }

  std::string index(const Index& at) const {
    return to_code(at, binding_.variables, binding_.number);
  }
  std::string number(std::int64_t value) const {
    return binding_.number ? binding_.number(value) : fmt::format("{}", value);
  }

  /// A stored element, converted to the type it is computed in.
  std::string element(TensorId t, const std::string& offset) const {
    const std::string element = fmt::format("{}[{}]", binding_.pointer(t), offset);
    switch (program_.tensor(t).dtype) {
      case DType::F16:
        return fmt::format("__half2float({})", element);
      case DType::BF16:
        return fmt::format("__bfloat162float({})", element);
      case DType::Bool:
        return fmt::format("({} != 0)", element);
      default:
        return element;
    }
  }

  std::string load(const Scalar& s) const {
    return element(s.tensor, index(offset_of(program_, s)));
  }

  /// The element, read only where every coordinate lies inside.
  std::string gather(const Scalar& s, const std::vector<std::string>& coordinates) const {
    const Tensor& tensor = program_.tensor(s.tensor);
    std::string offset = index(offset_of(program_, s)), inside;
    for (std::size_t i = 0; i < coordinates.size(); ++i) {
      const auto d = static_cast<std::size_t>(s.gathered[i]);
      offset += fmt::format(" + static_cast<long long>({}) * {}", coordinates[i],
                            number(tensor.strides[d]));
      inside += fmt::format("{0}{1} >= 0 && {1} < {2}", i == 0 ? "" : " && ", coordinates[i],
                            number(tensor.shape[d]));
    }
    const std::string outside = is_floating(s.type) ? "KW_NAN" : literal(0, s.type);
    return fmt::format("({} ? {} : {})", inside, element(s.tensor, offset), outside);
  }

  std::string decode(const Scalar& s) const {
    std::string args;
    for (const TensorId t : tensors_of(s.encoded)) args += binding_.pointer(t) + ", ";
    return fmt::format("{}::element({}{}, {})", format_struct(s.encoded), args, index(s.at[0]),
                       index(s.at[1]));
  }

  std::string cast(const Scalar& s, const std::string& a) const {
    const DType from = program_.scalars[s.args[0]].type;
    if (s.type == DType::Bool) return fmt::format("({} != 0)", a);
    if (s.type == DType::F16) return fmt::format("__half2float(__float2half_rn({}))", a);
    if (s.type == DType::BF16) return fmt::format("__bfloat162float(__float2bfloat16_rn({}))", a);
    if (compute_name(from) == compute_name(s.type)) return a;
    return fmt::format("static_cast<{}>({})", compute_name(s.type), a);
  }

  std::string expression(ScalarId id, const Scalar& s) {
    if (binding_.leaf && s.args.empty()) {
      if (std::string bound = binding_.leaf(id); !bound.empty()) return bound;
    }
    std::vector<std::string> a;
    for (const ScalarId arg : s.args) a.push_back(value(arg));
    const DType operand = s.args.empty() ? s.type : program_.scalars[s.args[0]].type;
    switch (s.op) {
      case Op::Load:
        return load(s);
      case Op::Gather:
        return gather(s, a);
      case Op::Decode:
        return decode(s);
      case Op::Coordinate:
        return fmt::format("static_cast<{}>({})", compute_name(s.type), index(s.at[0]));
      case Op::InRange: {
        const std::string at = index(s.at[0]);
        return fmt::format("(({0}) >= {1} && ({0}) < {2})", at, number(s.low), number(s.high));
      }
      case Op::Cast:
        return cast(s, a[0]);
      case Op::Neg:
        return fmt::format("-({})", a[0]);
      case Op::Abs:
        return is_floating(s.type) ? call("fabs", s.type, a) : call("abs", DType::I32, a);
      case Op::Not:
        return fmt::format("{}{}", operand == DType::Bool ? "!" : "~", a[0]);
      case Op::Reciprocal:
        return fmt::format("{} / {}", literal(1, s.type), a[0]);
      case Op::Sigmoid:
        return fmt::format("{0} / ({0} + {1})", literal(1, s.type),
                           call("exp", s.type, {"-" + a[0]}));
      case Op::Sign:
        return fmt::format("kw_sign({})", a[0]);
      case Op::IsNan:
        return is_floating(operand) ? fmt::format("({0} != {0})", a[0]) : "false";
      case Op::IsInf:
        return is_floating(operand) ? fmt::format("({} == KW_INF)", call("fabs", operand, {a[0]}))
                                    : "false";
      case Op::Max:
        return fmt::format("kw_max({}, {})", a[0], a[1]);
      case Op::Min:
        return fmt::format("kw_min({}, {})", a[0], a[1]);
      case Op::Remainder:
        return fmt::format("kw_remainder({}, {})", a[0], a[1]);
      case Op::Fmod:
        return is_floating(s.type) ? call("fmod", s.type, a) : fmt::format("{} % {}", a[0], a[1]);
      case Op::Select:
        return fmt::format("({} ? {} : {})", a[0], a[1], a[2]);
      default:
        break;
    }
    if (const std::string_view sign = infix(s.op, operand); !sign.empty()) {
      return fmt::format("({} {} {})", a[0], sign, a[1]);
    }
    return call(function_name(s.op), s.type, a);
  }

  const Program& program_;
  const Binding& binding_;
  std::string indent_, out_;
  std::vector<std::map<ScalarId, std::string>> scopes_;
  int counter_ = 0;
};

}  // namespace

Body emit_body(const Program& program, const std::vector<ScalarId>& roots, const Binding& binding) {
  BodyWriter writer(program, binding);
  Body body;
  for (const ScalarId root : roots) body.values.push_back(writer.value(root));
  body.statements = writer.take();
  return body;
}

Functor emit_functor(const Program& program, ScalarId root, std::string name, int variables,
                     const std::string& index, TensorId result) {
  Functor functor;
  functor.name = std::move(name);
  functor.pointers = tensors_under(program, {root});
  std::erase(functor.pointers, result);
  std::string members, params;
  Binding binding;
  for (std::size_t i = 0; i < functor.pointers.size(); ++i) {
    const Tensor& tensor = program.tensor(functor.pointers[i]);
    members += fmt::format("  const {}* __restrict__ p{};  // {}\n", storage_name(tensor.dtype), i,
                           tensor.name);
  }
  for (int v = 0; v < variables; ++v) {
    binding.variables.push_back(fmt::format("v{}", v));
    params += fmt::format("{}[[maybe_unused]] {} v{}", v > 0 ? ", " : "", index, v);
  }
  if (result != kNoTensor) {
    params += fmt::format("{}{} acc", variables > 0 ? ", " : "",
                          compute_name(compute_type(program.tensor(result).dtype)));
  }
  binding.indent = "    ";
  binding.pointer = [&](TensorId t) {
    const auto it = std::find(functor.pointers.begin(), functor.pointers.end(), t);
    return fmt::format("p{}", it - functor.pointers.begin());
  };
  binding.leaf = [&](ScalarId leaf) {
    const Scalar& s = program.scalars[leaf];
    return s.op == Op::Load && s.tensor == result ? std::string("acc") : std::string();
  };
  const Body body = emit_body(program, {root}, binding);
  functor.text = fmt::format(
      "struct {} {{\n{}  __device__ __forceinline__ {} operator()({}) const {{\n{}    return "
      "{};\n  }}\n}};\n",
      functor.name, members, compute_name(program.scalars[root].type), params, body.statements,
      body.values.front());
  return functor;
}

}  // namespace kw::codegen
