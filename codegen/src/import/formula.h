#pragma once
// Shorthand for scalar formulas while a node is imported.

#include "import/importer.h"

namespace kw::codegen {

/// An expression that knows its arena, so that formulas read as they are written on paper.
struct E {
  Importer* importer;
  ScalarId id;

  Scalars& arena() const { return importer->scalars(); }
  DType type() const { return arena()[id].type; }
  E number(double value) const { return {importer, arena().constant(value, type())}; }
  E apply(Op op) const { return {importer, arena().unary(op, id)}; }
  E apply(Op op, E other) const { return {importer, arena().binary(op, id, other.id)}; }
  E to(DType wanted) const { return {importer, arena().cast(id, wanted)}; }
};

inline E operator+(E a, E b) { return a.apply(Op::Add, b); }
inline E operator-(E a, E b) { return a.apply(Op::Sub, b); }
inline E operator*(E a, E b) { return a.apply(Op::Mul, b); }
inline E operator/(E a, E b) { return a.apply(Op::Div, b); }
inline E operator-(E a) { return a.apply(Op::Neg); }
inline E operator+(E a, double b) { return a + a.number(b); }
inline E operator-(E a, double b) { return a - a.number(b); }
inline E operator*(E a, double b) { return b == 1 ? a : a * a.number(b); }
inline E operator/(E a, double b) { return b == 1 ? a : a / a.number(b); }
inline E less(E a, double b) { return a.apply(Op::Lt, a.number(b)); }
inline E greater(E a, double b) { return a.apply(Op::Gt, a.number(b)); }
inline E choose(E condition, E yes, E no) {
  return {yes.importer, yes.arena().select(condition.id, yes.id, no.id)};
}
/// Keeps NaN, as PyTorch's clamp does.
inline E clamp_low(E x, double low) { return choose(less(x, low), x.number(low), x); }
inline E clamp_high(E x, double high) { return choose(greater(x, high), x.number(high), x); }

/// How the operands of a pointwise operator are brought to one type.
enum class Promotion {
  ToOutput,   // arithmetic: the type of the result
  Common,     // comparisons: the widest operand
  Predicate,  // logic: as truth values
  None,
};

/// A table entry: `arity` operands; a missing last one is the number in attribute "other" (or
/// `scalar_name`).
Builder pointwise(std::size_t arity, Promotion promotion, Formula formula,
                  std::string scalar_name = "other");

/// The lazy whose element at output coordinates v is `in` at `coordinates(v)`.
Lazy viewed(Importer& importer, const Lazy& in, Shape shape, const std::vector<Index>& coordinates);
/// The coordinates of a shape themselves.
std::vector<Index> identity(const Shape& shape);
/// Same elements in the same order under another shape.
Lazy reshaped(Importer& importer, const Lazy& x, const Shape& shape);

/// Pieces side by side along `dim`, which together have this shape.
Lazy joined(Importer& importer, const std::vector<Lazy>& pieces, std::int64_t dim, Shape shape);

/// Output 0 is input 0 with the borders of attribute "pad", by mode: reflect, replicate, circular.
Status pad_border(Importer& importer, std::string_view mode);

/// Shape of operands broadcast together, aligned at the right.
Result<Shape> broadcast(Importer& importer, const std::vector<Shape>& shapes);

}  // namespace kw::codegen
