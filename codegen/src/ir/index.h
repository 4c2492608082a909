#pragma once
// Quasi-affine integer expressions over the iteration variables v0, v1, ... of a stage:
// constant + sum of coefficient * atom, where an atom is a variable, floor(e / c) or e mod c.
// Views, transposes, slices and reshapes of a graph are nothing but these.

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kw/core/value.h"

namespace kw::codegen {

struct IndexAtom;

/// A value in canonical form: terms sorted by atom, no zero coefficient, no duplicate atom. So
/// equality is structural.
struct Index {
  struct Term {
    std::int64_t coefficient = 0;
    std::shared_ptr<const IndexAtom> atom;
  };
  std::int64_t constant = 0;
  std::vector<Term> terms;

  Index() = default;
  Index(std::int64_t value) : constant(value) {}  // NOLINT(google-explicit-constructor)
  static Index variable(int which);

  bool is_constant() const { return terms.empty(); }
  /// The variable when this is exactly one variable with coefficient 1 and no constant.
  std::optional<int> as_variable() const;
  /// True when every atom is a variable.
  bool is_affine() const;
  /// Coefficient of a variable in an affine index (0 when it does not occur).
  std::int64_t coefficient_of(int variable) const;
  /// True when the variable occurs anywhere, under divisions too.
  bool depends_on(int variable) const;
};

struct IndexAtom {
  enum class Kind { Variable, Div, Mod } kind = Kind::Variable;
  int variable = 0;     // Variable
  Index of;             // Div, Mod
  std::int64_t by = 1;  // Div, Mod; positive
};

std::strong_ordering compare(const Index& a, const Index& b);
bool operator==(const Index& a, const Index& b);

Index operator+(const Index& a, const Index& b);
Index operator-(const Index& a, const Index& b);
Index operator*(const Index& a, std::int64_t factor);

struct IndexRange {
  std::int64_t low = 0, high = 0;  // inclusive
};
/// Bounds of an index when variable i runs over 0..extents[i]-1 (an empty extent counts as one).
IndexRange range_of(const Index& index, const Shape& extents);

/// floor(index / by) and index mod by, simplified with the ranges of the variables: multiples of
/// `by` leave the division, and what is known to lie in [0, by) vanishes.
Index floor_div(const Index& index, std::int64_t by, const Shape& extents);
Index modulo(const Index& index, std::int64_t by, const Shape& extents);

/// Replaces variable i by values[i]; `extents` are those of the new variables.
Index substitute(const Index& index, const std::vector<Index>& values, const Shape& extents);

/// Coordinates in `shape` of the element with this row-major number, and back.
std::vector<Index> delinearise(const Index& number, const Shape& shape, const Shape& extents);
Index linearise(const std::vector<Index>& at, const Shape& strides);

/// C++ text over the given variable names; operands of / and % are never negative in a valid
/// access.
/// `number` may give constants names of their own.
using NumberText = std::function<std::string(std::int64_t)>;
std::string to_code(const Index& index, const std::vector<std::string>& variables,
                    const NumberText& number = {});

}  // namespace kw::codegen
