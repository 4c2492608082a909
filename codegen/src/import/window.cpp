#include "import/window.h"

namespace kw::codegen {

Result<std::vector<std::int64_t>> window_list(const Importer& im, std::string_view name,
                                              std::size_t dims,
                                              std::vector<std::int64_t> otherwise) {
  if (!has_attr(im.node(), name)) return otherwise;
  std::vector<std::int64_t> list;
  if (auto number = attr_int(im.node(), name)) {
    list = {*number};
  } else {
    KW_ASSIGN(list, attr_ints(im.node(), name));
  }
  if (list.empty()) return otherwise;
  if (list.size() == 1) list.resize(dims, list.front());
  if (list.size() != dims) return im.refuse("'{}' has {} numbers for {}", name, list.size(), dims);
  return list;
}

ScalarId in_range(Importer& im, const Index& index, std::int64_t low, std::int64_t high,
                  const Shape& extents) {
  const IndexRange range = range_of(index, extents);
  if (range.low >= low && range.high < high) return im.scalars().constant(1, DType::Bool);
  if (range.high < low || range.low >= high) return im.scalars().constant(0, DType::Bool);
  Scalar inside;
  inside.op = Op::InRange;
  inside.type = DType::Bool;
  inside.at = {index};
  inside.low = low;
  inside.high = high;
  return im.scalars().add(std::move(inside));
}

ScalarId guarded(Importer& im, ScalarId condition, ScalarId value, ScalarId outside) {
  const Scalar& c = im.scalars()[condition];
  if (c.op == Op::Constant) return c.integer != 0 ? value : outside;
  return im.scalars().select(condition, value, outside);
}

ScalarId at_or(Importer& im, const Lazy& x, const Importer::Point& point, double outside) {
  ScalarId value = im.at(x, point);
  const ScalarId other = im.scalars().constant(outside, im.scalars()[value].type);
  for (std::size_t d = 0; d < x.shape.size(); ++d) {
    const ScalarId inside = in_range(im, point.at[d], 0, x.shape[d], point.extents);
    value = guarded(im, inside, value, other);
  }
  return value;
}

E coordinate(Importer& im, const Index& index) {
  Scalar number;
  number.op = index.is_constant() ? Op::Constant : Op::Coordinate;
  number.type = DType::I32;
  if (index.is_constant()) {
    number.integer = index.constant;
  } else {
    number.at = {index};
  }
  return {&im, im.scalars().add(std::move(number))};
}

}  // namespace kw::codegen
