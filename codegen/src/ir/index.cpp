#include "ir/index.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <numeric>

namespace kw::codegen {
namespace {

std::int64_t floor_quotient(std::int64_t a, std::int64_t b) {
  const std::int64_t q = a / b;
  return q - ((a % b != 0) && ((a < 0) != (b < 0)) ? 1 : 0);
}
std::int64_t floor_remainder(std::int64_t a, std::int64_t b) {
  return a - b * floor_quotient(a, b);
}

std::strong_ordering compare_atoms(const IndexAtom& a, const IndexAtom& b) {
  if (const auto c = a.kind <=> b.kind; c != 0) return c;
  if (const auto c = a.variable <=> b.variable; c != 0) return c;
  if (const auto c = a.by <=> b.by; c != 0) return c;
  return compare(a.of, b.of);
}

Index from_atom(IndexAtom atom) {
  Index index;
  index.terms.push_back({1, std::make_shared<const IndexAtom>(std::move(atom))});
  return index;
}

/// The one atom of an index that is exactly that atom, or null.
const IndexAtom* only_atom(const Index& index) {
  const bool single =
      index.constant == 0 && index.terms.size() == 1 && index.terms.front().coefficient == 1;
  return single ? index.terms.front().atom.get() : nullptr;
}

/// What floor_div(x, by) is when nothing is known of ranges.
Index plain_div(const Index& x, std::int64_t by) {
  if (const IndexAtom* inner = only_atom(x); inner && inner->kind == IndexAtom::Kind::Div) {
    return from_atom({IndexAtom::Kind::Div, 0, inner->of, inner->by * by});
  }
  return from_atom({IndexAtom::Kind::Div, 0, x, by});
}

void sort_and_merge(Index& index) {
  auto& terms = index.terms;
  std::sort(terms.begin(), terms.end(), [](const Index::Term& a, const Index::Term& b) {
    return compare_atoms(*a.atom, *b.atom) < 0;
  });
  std::vector<Index::Term> merged;
  for (Index::Term& term : terms) {
    if (!merged.empty() && compare_atoms(*merged.back().atom, *term.atom) == 0) {
      merged.back().coefficient += term.coefficient;
    } else {
      merged.push_back(std::move(term));
    }
  }
  std::erase_if(merged, [](const Index::Term& term) { return term.coefficient == 0; });
  terms = std::move(merged);
}

/// What undoes delinearise after linearise:
///   c*b * floor(x/b) + c * (x mod b)           = c * x
///   c*b * (floor(x/b) mod m) + c * (x mod b)   = c * (x mod b*m)
bool rejoin_once(Index& index) {
  for (std::size_t i = 0; i < index.terms.size(); ++i) {
    const Index::Term mod = index.terms[i];
    if (mod.atom->kind != IndexAtom::Kind::Mod) continue;
    const Index quotient = plain_div(mod.atom->of, mod.atom->by);
    for (std::size_t j = 0; j < index.terms.size(); ++j) {
      const Index::Term& div = index.terms[j];
      if (div.coefficient != mod.coefficient * mod.atom->by) continue;
      const bool bounded = div.atom->kind == IndexAtom::Kind::Mod && div.atom->of == quotient;
      if (!bounded && compare_atoms(*div.atom, *quotient.terms.front().atom) != 0) continue;
      const Index joined =
          bounded ? from_atom({IndexAtom::Kind::Mod, 0, mod.atom->of, mod.atom->by * div.atom->by})
                  : mod.atom->of;
      const Index whole = joined * mod.coefficient;
      index.terms.erase(index.terms.begin() + static_cast<std::ptrdiff_t>(std::max(i, j)));
      index.terms.erase(index.terms.begin() + static_cast<std::ptrdiff_t>(std::min(i, j)));
      index.constant += whole.constant;
      index.terms.insert(index.terms.end(), whole.terms.begin(), whole.terms.end());
      sort_and_merge(index);
      return true;
    }
  }
  return false;
}

void canonicalise(Index& index) {
  sort_and_merge(index);
  while (rejoin_once(index)) {
  }
}

/// index = by * multiple + rest, where no coefficient of rest reaches `by`.
struct Split {
  Index multiple, rest;
};
Split split_by(const Index& index, std::int64_t by) {
  Split split;
  split.multiple.constant = floor_quotient(index.constant, by);
  split.rest.constant = floor_remainder(index.constant, by);
  for (const Index::Term& term : index.terms) {
    const bool divisible = term.coefficient % by == 0;
    const std::int64_t q = divisible || term.coefficient > by ? term.coefficient / by : 0;
    if (q != 0) split.multiple.terms.push_back({q, term.atom});
    if (const std::int64_t r = term.coefficient - q * by; r != 0) {
      split.rest.terms.push_back({r, term.atom});
    }
  }
  canonicalise(split.multiple);
  canonicalise(split.rest);
  return split;
}

/// rest = g * big + small with small in [0, g) and g > 1 a divisor of `by`; tried from the largest.
struct Factored {
  std::int64_t factor = 1;
  Index big, small;
};
std::optional<Factored> factor_out(const Index& rest, std::int64_t by, const Shape& extents) {
  std::vector<std::int64_t> factors;
  for (const Index::Term& term : rest.terms) factors.push_back(std::gcd(by, term.coefficient));
  std::sort(factors.begin(), factors.end(), std::greater<>());
  factors.erase(std::unique(factors.begin(), factors.end()), factors.end());
  for (const std::int64_t g : factors) {
    if (g <= 1) break;
    Factored out{g, Index(floor_quotient(rest.constant, g)),
                 Index(floor_remainder(rest.constant, g))};
    for (const Index::Term& term : rest.terms) {
      if (term.coefficient % g == 0) {
        out.big.terms.push_back({term.coefficient / g, term.atom});
      } else {
        out.small.terms.push_back(term);
      }
    }
    const IndexRange range = range_of(out.small, extents);
    if (range.low >= 0 && range.high < g) {
      canonicalise(out.big);
      canonicalise(out.small);
      return out;
    }
  }
  return std::nullopt;
}

}  // namespace

Index Index::variable(int which) { return from_atom({IndexAtom::Kind::Variable, which, {}, 1}); }

std::optional<int> Index::as_variable() const {
  const IndexAtom* atom = only_atom(*this);
  if (atom == nullptr || atom->kind != IndexAtom::Kind::Variable) return std::nullopt;
  return atom->variable;
}

bool Index::is_affine() const {
  return std::all_of(terms.begin(), terms.end(),
                     [](const Term& term) { return term.atom->kind == IndexAtom::Kind::Variable; });
}

std::int64_t Index::coefficient_of(int which) const {
  for (const Term& term : terms) {
    if (term.atom->kind == IndexAtom::Kind::Variable && term.atom->variable == which) {
      return term.coefficient;
    }
  }
  return 0;
}

bool Index::depends_on(int which) const {
  return std::any_of(terms.begin(), terms.end(), [which](const Term& term) {
    return term.atom->kind == IndexAtom::Kind::Variable ? term.atom->variable == which
                                                        : term.atom->of.depends_on(which);
  });
}

std::strong_ordering compare(const Index& a, const Index& b) {
  if (const auto c = a.constant <=> b.constant; c != 0) return c;
  if (const auto c = a.terms.size() <=> b.terms.size(); c != 0) return c;
  for (std::size_t i = 0; i < a.terms.size(); ++i) {
    if (const auto c = a.terms[i].coefficient <=> b.terms[i].coefficient; c != 0) return c;
    if (const auto c = compare_atoms(*a.terms[i].atom, *b.terms[i].atom); c != 0) return c;
  }
  return std::strong_ordering::equal;
}
bool operator==(const Index& a, const Index& b) { return compare(a, b) == 0; }

Index operator+(const Index& a, const Index& b) {
  Index sum = a;
  sum.constant += b.constant;
  sum.terms.insert(sum.terms.end(), b.terms.begin(), b.terms.end());
  canonicalise(sum);
  return sum;
}
Index operator-(const Index& a, const Index& b) { return a + b * -1; }
Index operator*(const Index& a, std::int64_t factor) {
  Index product = a;
  product.constant *= factor;
  for (Index::Term& term : product.terms) term.coefficient *= factor;
  if (factor == 0) product.terms.clear();
  return product;
}

IndexRange range_of(const Index& index, const Shape& extents) {
  IndexRange range{index.constant, index.constant};
  for (const Index::Term& term : index.terms) {
    IndexRange atom;
    if (term.atom->kind == IndexAtom::Kind::Variable) {
      const auto v = static_cast<std::size_t>(term.atom->variable);
      atom = {0, v < extents.size() ? std::max<std::int64_t>(extents[v], 1) - 1 : 0};
    } else {
      const IndexRange of = range_of(term.atom->of, extents);
      const std::int64_t by = term.atom->by;
      const std::int64_t low = floor_quotient(of.low, by), high = floor_quotient(of.high, by);
      if (term.atom->kind == IndexAtom::Kind::Div) {
        atom = {low, high};
      } else {
        atom =
            low == high ? IndexRange{of.low - low * by, of.high - low * by} : IndexRange{0, by - 1};
      }
    }
    const std::int64_t a = atom.low * term.coefficient, b = atom.high * term.coefficient;
    range.low += std::min(a, b);
    range.high += std::max(a, b);
  }
  return range;
}

namespace {

/// Multiples of `by` that, added, keep a value from being negative: C++ divides towards zero, and what is
/// divided is written as it stands (a rolled axis reads (i - 1) mod n).
std::int64_t lift_of(const IndexRange& range, std::int64_t by) {
  return range.low < 0 ? -floor_quotient(range.low, by) : 0;
}

}  // namespace

Index floor_div(const Index& index, std::int64_t by, const Shape& extents) {
  assert(by > 0);
  if (by == 1) return index;
  const Split split = split_by(index, by);
  const IndexRange range = range_of(split.rest, extents);
  if (floor_quotient(range.low, by) == floor_quotient(range.high, by)) {
    return split.multiple + Index(floor_quotient(range.low, by));
  }
  if (const auto factored = factor_out(split.rest, by, extents)) {
    return split.multiple + floor_div(factored->big, by / factored->factor, extents);
  }
  const std::int64_t lift = lift_of(range, by);
  return split.multiple + plain_div(split.rest + Index(lift * by), by) + Index(-lift);
}

Index modulo(const Index& index, std::int64_t by, const Shape& extents) {
  assert(by > 0);
  if (by == 1) return Index(0);
  Index rest = split_by(index, by).rest;
  const IndexRange range = range_of(rest, extents);
  if (const std::int64_t q = floor_quotient(range.low, by); q == floor_quotient(range.high, by)) {
    return rest + Index(-q * by);
  }
  if (const auto factored = factor_out(rest, by, extents)) {
    return modulo(factored->big, by / factored->factor, extents) * factored->factor +
           factored->small;
  }
  if (const IndexAtom* inner = only_atom(rest);
      inner && inner->kind == IndexAtom::Kind::Mod && inner->by % by == 0) {
    return modulo(inner->of, by, extents);
  }
  // The quotient that belongs to this remainder is lifted alike.
  return from_atom({IndexAtom::Kind::Mod, 0, rest + Index(lift_of(range, by) * by), by});
}

Index substitute(const Index& index, const std::vector<Index>& values, const Shape& extents) {
  Index out(index.constant);
  for (const Index::Term& term : index.terms) {
    const IndexAtom& atom = *term.atom;
    Index value;
    if (atom.kind == IndexAtom::Kind::Variable) {
      assert(static_cast<std::size_t>(atom.variable) < values.size());
      value = values[static_cast<std::size_t>(atom.variable)];
    } else {
      const Index of = substitute(atom.of, values, extents);
      value = atom.kind == IndexAtom::Kind::Div ? floor_div(of, atom.by, extents)
                                                : modulo(of, atom.by, extents);
    }
    out = out + value * term.coefficient;
  }
  return out;
}

std::vector<Index> delinearise(const Index& number, const Shape& shape, const Shape& extents) {
  std::vector<Index> at(shape.size());
  std::int64_t stride = 1;
  for (std::size_t d = shape.size(); d-- > 0;) {
    const Index quotient = floor_div(number, stride, extents);
    at[d] = d == 0 ? quotient : modulo(quotient, std::max<std::int64_t>(shape[d], 1), extents);
    stride *= std::max<std::int64_t>(shape[d], 1);
  }
  return at;
}

Index linearise(const std::vector<Index>& at, const Shape& strides) {
  assert(at.size() == strides.size());
  Index offset;
  for (std::size_t d = 0; d < at.size(); ++d) offset = offset + at[d] * strides[d];
  return offset;
}

std::string to_code(const Index& index, const std::vector<std::string>& variables,
                    const NumberText& number) {
  const auto text_of = [&](std::int64_t value) {
    return number ? number(value) : fmt::format("{}", value);
  };
  std::string text;
  for (const Index::Term& term : index.terms) {
    const IndexAtom& atom = *term.atom;
    std::string part;
    if (atom.kind == IndexAtom::Kind::Variable) {
      part = variables[static_cast<std::size_t>(atom.variable)];
    } else {
      part = fmt::format("({}) {} {}", to_code(atom.of, variables, number),
                         atom.kind == IndexAtom::Kind::Div ? "/" : "%", text_of(atom.by));
      if (term.coefficient != 1) part = "(" + part + ")";
    }
    if (term.coefficient == -1) {
      text += text.empty() ? "-" + part : " - " + part;
    } else {
      const std::int64_t magnitude = text.empty() ? term.coefficient : std::abs(term.coefficient);
      if (!text.empty()) text += term.coefficient < 0 ? " - " : " + ";
      text += magnitude == 1 ? part : fmt::format("{} * {}", part, text_of(magnitude));
    }
  }
  if (text.empty()) return text_of(index.constant);
  if (index.constant != 0) {
    text +=
        fmt::format(" {} {}", index.constant < 0 ? "-" : "+", text_of(std::abs(index.constant)));
  }
  return text;
}

}  // namespace kw::codegen
