// Tensors with a part replaced: a choice by index between two tensors, nothing is written twice.

#include <algorithm>
#include <limits>

#include "import/formula.h"
#include "ir/region.h"

namespace kw::codegen {
namespace {

/// Input 0 with `part` at start, start + 1, ... of a dimension.
Status replaced(Importer& im, const Lazy& x, const Lazy& part, std::size_t dim,
                std::int64_t start) {
  if (part.shape[dim] == 0) return im.define(0, x);
  std::vector<Index> at = identity(x.shape);
  at[dim] = at[dim] - Index(start);
  Scalar inside;
  inside.op = Op::InRange;
  inside.type = DType::Bool;
  inside.at = {at[dim]};
  inside.high = part.shape[dim];
  const ScalarId value = im.scalars().cast(substitute(im.program(), part.expr, at, x.shape),
                                           im.scalars()[x.expr].type);
  return im.define(0, {im.scalars().select(im.scalars().add(inside), value, x.expr), x.shape});
}

Status slice_scatter(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(const Lazy part, im.input(1));
  KW_ASSIGN(std::int64_t dim, attr_int_or(im.node(), "dim", 0));
  KW_ASSIGN(dim, im.dim_in(dim, x.shape.size()));
  const auto d = static_cast<std::size_t>(dim);
  KW_ASSIGN(std::int64_t start, attr_int_or(im.node(), "start", 0));
  KW_ASSIGN(std::int64_t end,
            attr_int_or(im.node(), "end", std::numeric_limits<std::int64_t>::max()));
  KW_ASSIGN(const std::int64_t step, attr_int_or(im.node(), "step", 1));
  if (step != 1) return im.refuse("step {}", step);
  start = std::clamp<std::int64_t>(start < 0 ? start + x.shape[d] : start, 0, x.shape[d]);
  end = std::clamp<std::int64_t>(end < 0 ? end + x.shape[d] : end, start, x.shape[d]);
  Shape expected = x.shape;
  expected[d] = end - start;
  if (part.shape != expected) {
    return im.refuse("{} where {} is replaced", to_string(part.shape), to_string(expected));
  }
  return replaced(im, x, part, d, start);
}

Status select_scatter(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(const Lazy part, im.input(1));
  KW_ASSIGN(std::int64_t dim, attr_int(im.node(), "dim"));
  KW_ASSIGN(dim, im.dim_in(dim, x.shape.size()));
  const auto d = static_cast<std::size_t>(dim);
  KW_ASSIGN(std::int64_t index, attr_int(im.node(), "index"));
  if (index < 0) index += x.shape[d];
  Shape row = x.shape;
  row.erase(row.begin() + dim);
  if (index < 0 || index >= x.shape[d] || part.shape != row) {
    return im.refuse("{} at {} of dimension {} of {}", to_string(part.shape), index, dim,
                     to_string(x.shape));
  }
  row.insert(row.begin() + dim, 1);
  return replaced(im, x, reshaped(im, part, row), d, index);
}

}  // namespace

void add_scatters(BuilderTable& t) {
  t["aten.slice_scatter"] = slice_scatter;
  t["aten.select_scatter"] = select_scatter;
}

}  // namespace kw::codegen
