#include "ir/scalar.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <bit>
#include <cmath>
#include <optional>
#include <set>

namespace kw::codegen {
namespace {

void append(std::string& key, const Index& index) {
  key += fmt::format("[{}", index.constant);
  for (const Index::Term& term : index.terms) {
    const IndexAtom& atom = *term.atom;
    key += fmt::format(";{}*{}", term.coefficient, "vdm"[static_cast<int>(atom.kind)]);
    if (atom.kind == IndexAtom::Kind::Variable) {
      key += fmt::format("{}", atom.variable);
    } else {
      key += fmt::format("{}", atom.by);
      append(key, atom.of);
    }
  }
  key += ']';
}

std::string key_of(const Scalar& s) {
  std::string key = fmt::format("{}.{}", static_cast<int>(s.op), static_cast<int>(s.type));
  for (const ScalarId arg : s.args) key += fmt::format(",{}", arg);
  switch (s.op) {
    case Op::Constant:
      key += fmt::format("#{:x}#{}", std::bit_cast<std::uint64_t>(s.number), s.integer);
      break;
    case Op::Load:
      key += fmt::format("@{}", s.tensor);
      break;
    case Op::Gather:
      key += fmt::format("@{}g{}", s.tensor, fmt::join(s.gathered, ","));
      break;
    case Op::InRange:
      key += fmt::format("{}:{}", s.low, s.high);
      break;
    case Op::Decode:
      key += fmt::format("{}:{}:{}:{}:{}:{}", s.encoded.format.name, s.encoded.k, s.encoded.codes,
                         s.encoded.scales, s.encoded.zeros, s.encoded.tensor_scale);
      break;
    default:
      break;
  }
  for (const Index& index : s.at) append(key, index);
  return key;
}

bool is_comparison(Op op) { return op >= Op::Eq && op <= Op::Ge; }

/// What a condition that is known decides. A side that is never taken must be gone: where nothing
/// guards it, its memory would be read.
std::optional<ScalarId> decided(const std::deque<Scalar>& nodes, const Scalar& s) {
  if (s.type == DType::Bool && (s.op == Op::And || s.op == Op::Or)) {
    for (const std::size_t side : {0u, 1u}) {
      const Scalar& known = nodes[static_cast<std::size_t>(s.args[side])];
      if (known.op != Op::Constant || known.type != DType::Bool) continue;
      const bool other = (known.integer != 0) == (s.op == Op::And);
      return s.args[other ? 1 - side : side];
    }
  }
  if (s.op != Op::Select) return std::nullopt;
  const Scalar& condition = nodes[static_cast<std::size_t>(s.args[0])];
  if (condition.op != Op::Constant || condition.type != DType::Bool) return std::nullopt;
  return s.args[condition.integer != 0 ? 1 : 2];
}

}  // namespace

ScalarId Scalars::add(Scalar scalar) {
  if (const auto known = decided(nodes_, scalar)) return *known;
  const auto [it, fresh] =
      by_key_.try_emplace(key_of(scalar), static_cast<ScalarId>(nodes_.size()));
  if (fresh) nodes_.push_back(std::move(scalar));
  return it->second;
}

ScalarId Scalars::constant(double value, DType type) {
  Scalar s;
  s.op = Op::Constant;
  s.type = type;
  if (is_floating(type)) {
    s.number = type == DType::F64 ? value : static_cast<double>(static_cast<float>(value));
  } else {
    s.integer = type == DType::Bool ? (value != 0 ? 1 : 0) : static_cast<std::int64_t>(value);
  }
  return add(std::move(s));
}

ScalarId Scalars::load(TensorId tensor, DType stored, std::vector<Index> at) {
  Scalar s;
  s.op = Op::Load;
  s.type = compute_type(stored);
  s.tensor = tensor;
  s.at = std::move(at);
  return add(std::move(s));
}

ScalarId Scalars::unary(Op op, ScalarId a) {
  Scalar s;
  s.op = op;
  s.type = (*this)[a].type;
  if (op == Op::IsNan || op == Op::IsInf || op == Op::Not) s.type = DType::Bool;
  s.args = {a};
  return add(std::move(s));
}

ScalarId Scalars::binary(Op op, ScalarId a, ScalarId b) {
  Scalar s;
  s.op = op;
  s.type = is_comparison(op) ? DType::Bool : (*this)[a].type;
  s.args = {a, b};
  return add(std::move(s));
}

ScalarId Scalars::select(ScalarId condition, ScalarId yes, ScalarId no) {
  if (yes == no) return yes;
  Scalar s;
  s.op = Op::Select;
  s.type = (*this)[yes].type;
  s.args = {condition, yes, no};
  return add(std::move(s));
}

ScalarId Scalars::cast(ScalarId a, DType type) {
  const Scalar& from = (*this)[a];
  if (from.type == type) return a;
  if (from.op == Op::Constant) {
    return constant(is_floating(from.type) ? from.number : static_cast<double>(from.integer), type);
  }
  Scalar s;
  s.op = Op::Cast;
  s.type = type;
  s.args = {a};
  return add(std::move(s));
}

ScalarId Scalars::gather(TensorId tensor, DType stored, std::vector<Index> at,
                         std::vector<int> gathered, std::vector<ScalarId> coordinates) {
  Scalar s;
  s.op = Op::Gather;
  s.type = compute_type(stored);
  s.tensor = tensor;
  s.at = std::move(at);
  s.gathered = std::move(gathered);
  s.args = std::move(coordinates);
  return add(std::move(s));
}

DType compute_type(DType stored) noexcept {
  switch (stored) {
    case DType::F64:
      return DType::F64;
    case DType::F32:
    case DType::F16:
    case DType::BF16:
      return DType::F32;
    case DType::I64:
      return DType::I64;
    case DType::I32:
    case DType::I16:
    case DType::I8:
    case DType::U8:
      return DType::I32;
    case DType::Bool:
      return DType::Bool;
  }
  return DType::F32;
}

namespace {
template <typename Visit>
void walk(const Scalars& scalars, ScalarId id, std::set<ScalarId>& seen, const Visit& visit) {
  if (!seen.insert(id).second) return;
  for (const ScalarId arg : scalars[id].args) walk(scalars, arg, seen, visit);
  visit(id);
}
}  // namespace

std::vector<ScalarId> leaves_of(const Scalars& scalars, ScalarId root) {
  std::vector<ScalarId> leaves;
  std::set<ScalarId> seen;
  walk(scalars, root, seen, [&](ScalarId id) {
    const Op op = scalars[id].op;
    if (op == Op::Load || op == Op::Gather || op == Op::Decode || op == Op::Coordinate ||
        op == Op::InRange) {
      leaves.push_back(id);
    }
  });
  return leaves;
}

double operations_of(const Scalars& scalars, const std::vector<ScalarId>& roots) {
  std::set<ScalarId> seen;
  double sum = 0;
  for (const ScalarId root : roots) {
    walk(scalars, root, seen, [&](ScalarId id) {
      switch (scalars[id].op) {
        case Op::Constant:
          break;
        case Op::Div:
        case Op::Sqrt:
        case Op::Rsqrt:
        case Op::Reciprocal:
        case Op::Exp:
        case Op::Exp2:
        case Op::Log:
        case Op::Log2:
          sum += 10;
          break;
        case Op::Sigmoid:
        case Op::Tanh:
        case Op::Erf:
        case Op::Erfc:
        case Op::Expm1:
        case Op::Log1p:
        case Op::Log10:
          sum += 22;
          break;
        case Op::Pow:
        case Op::Sin:
        case Op::Cos:
        case Op::Tan:
        case Op::Asin:
        case Op::Acos:
        case Op::Asinh:
        case Op::Acosh:
        case Op::Atanh:
        case Op::Atan:
        case Op::Atan2:
        case Op::Sinh:
        case Op::Cosh:
        case Op::Fmod:
        case Op::Remainder:
          sum += 50;
          break;
        case Op::Decode:
          sum += 6;
          break;
        default:
          sum += 1;
          break;
      }
    });
  }
  return sum;
}

}  // namespace kw::codegen
