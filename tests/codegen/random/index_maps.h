#pragma once
// What moves elements and computes nothing: views, slices, joins, pads, gathers, replacements.

#include "random/pointwise.h"

namespace kw::codegen::testing_random {

inline ValueId view(Sketch& s, ValueId x) {
  const Shape shape = s.shape(x);
  if (shape.empty()) return x;
  const std::size_t d = s.dim_of(x);
  if (s.once_in(3) && shape.size() > 1) {
    Shape turned = shape;
    std::swap(turned.front(), turned.back());
    const Attrs ends = {{"dim0", std::int64_t{0}},
                        {"dim1", static_cast<std::int64_t>(shape.size()) - 1}};
    return s.node("aten.transpose.int", {x}, ends, turned);
  }
  if (s.once_in(2)) {
    const std::int64_t all = count(shape);
    return s.node("aten.reshape", {x}, {{"shape", Ints{all}}}, {all});
  }
  Shape cut = shape;
  const std::int64_t start = cut[d] > 4 ? 1 : 0;
  const std::int64_t step = cut[d] > 8 ? s.number(1, 2) : 1;
  cut[d] = (cut[d] - start + step - 1) / step;
  return s.node(
      "aten.slice", {x},
      {{"dim", static_cast<std::int64_t>(d)}, {"start", start}, {"end", shape[d]}, {"step", step}},
      cut);
}

/// With itself and fresh tensors along a dimension, in few or in many pieces.
inline ValueId joined(Sketch& s, ValueId x) {
  const Shape shape = s.shape(x);
  if (shape.empty() || count(shape) > kMostElements / 4) return unary(s, x);
  const std::size_t d = s.dim_of(x);
  if (s.once_in(4)) {
    Shape stacked = shape;
    stacked.insert(stacked.begin() + static_cast<std::ptrdiff_t>(d), 2);
    if (stacked.size() > 5) return unary(s, x);
    return s.node("aten.stack", {x, s.input(shape)}, {{"dim", static_cast<std::int64_t>(d)}},
                  stacked);
  }
  std::vector<ValueId> pieces = {x};
  Shape result = shape;
  for (int more = 1 + s.below(6); more > 0 && count(result) < kMostElements / 2; --more) {
    Shape piece = shape;
    piece[d] = s.number(1, 3);
    result[d] += piece[d];
    pieces.push_back(s.input(piece));
  }
  return s.node("aten.cat", pieces, {{"dim", static_cast<std::int64_t>(d)}}, result);
}

/// flip, pad, permute, roll, repeat, triangle.
inline ValueId moved(Sketch& s, ValueId x) {
  const Shape shape = s.shape(x);
  if (shape.empty()) return unary(s, x);
  const std::size_t d = s.dim_of(x);
  const auto dim = static_cast<std::int64_t>(d);
  switch (s.below(6)) {
    case 0:
      return s.node("aten.flip", {x}, {{"dims", Ints{dim}}}, shape);
    case 1: {
      Shape wide = shape;
      wide.back() += 3;
      return s.node("aten.constant_pad_nd", {x}, {{"pad", Ints{1, 2}}, {"value", 0.5}}, wide);
    }
    case 2: {
      Ints dims;
      Shape turned;
      for (std::size_t i = 0; i < shape.size(); ++i) {
        dims.push_back(static_cast<std::int64_t>((i + d) % shape.size()));
        turned.push_back(shape[static_cast<std::size_t>(dims.back())]);
      }
      return s.node("aten.permute", {x}, {{"dims", dims}}, turned);
    }
    case 3:
      return s.node("aten.roll", {x}, {{"shifts", Ints{s.number(-3, 3)}}, {"dims", Ints{dim}}},
                    shape);
    case 4: {
      if (count(shape) > kMostElements / 2) return unary(s, x);
      Ints repeats(shape.size(), 1);
      repeats[d] = 2;
      Shape wide = shape;
      wide[d] *= 2;
      return s.node("aten.repeat", {x}, {{"repeats", repeats}}, wide);
    }
    default:
      if (shape.size() < 2) return unary(s, x);
      return s.node(s.once_in(2) ? "aten.tril" : "aten.triu", {x}, {{"diagonal", s.number(-1, 1)}},
                    shape);
  }
}

/// Rows by number, a part replaced, halves, pixels between channels and space.
inline ValueId gathered(Sketch& s, ValueId x) {
  const Shape shape = s.shape(x);
  if (shape.empty()) return unary(s, x);
  const std::size_t d = s.dim_of(x);
  const auto dim = static_cast<std::int64_t>(d);
  Shape other = shape;
  switch (s.below(6)) {
    case 0: {
      if (count(shape) / shape[d] * 7 > kMostElements) return unary(s, x);
      other[d] = s.number(1, 7);
      return s.node("aten.index_select", {x, s.indices({other[d]}, shape[d])}, {{"dim", dim}},
                    other);
    }
    case 1: {
      if (shape[d] < 3) return unary(s, x);
      other[d] = shape[d] - 2;
      return s.node("aten.slice_scatter", {x, s.input(other)},
                    {{"dim", dim}, {"start", std::int64_t{1}}, {"end", shape[d] - 1}}, shape);
    }
    case 2:
      other.erase(other.begin() + dim);
      return s.node("aten.select_scatter", {x, s.input(other)},
                    {{"dim", dim}, {"index", shape[d] / 2}}, shape);
    case 3:
      if (shape[d] % 2 != 0) return unary(s, x);
      other[d] /= 2;
      if (s.once_in(2)) return s.node("aten.glu", {x}, {{"dim", dim}}, other);
      return s.several("aten.split.Tensor", {x}, {{"split_size", other[d]}, {"dim", dim}},
                       {other, other})[1];
    case 4:
      if (shape.size() != 4 || count(shape) * 4 > kMostElements) return unary(s, x);
      other = {shape[0], shape[1], 2 * shape[2], 2 * shape[3]};
      return s.node("aten.upsample_nearest2d.vec", {x}, {{"output_size", Ints{other[2], other[3]}}},
                    other);
    default:
      if (shape.size() != 4 || shape[2] % 2 != 0 || shape[3] % 2 != 0) return unary(s, x);
      other = {shape[0], 4 * shape[1], shape[2] / 2, shape[3] / 2};
      return s.node("aten.pixel_unshuffle", {x}, {{"downscale_factor", std::int64_t{2}}}, other);
  }
}

}  // namespace kw::codegen::testing_random
