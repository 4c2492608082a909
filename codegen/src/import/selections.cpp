// Tensors put together by their coordinates: concatenation, padding, triangles, diagonals,
// constants.

#include <algorithm>
#include <limits>

#include "import/formula.h"
#include "ir/region.h"

namespace kw::codegen {
// A chain of selections on the coordinate.
Lazy joined(Importer& im, const std::vector<Lazy>& pieces, std::int64_t dim, Shape shape) {
  const auto d = static_cast<std::size_t>(dim);
  ScalarId value = -1;
  std::int64_t end = shape[d];
  for (std::size_t i = pieces.size(); i-- > 0;) {
    const std::int64_t start = end - pieces[i].shape[d];
    std::vector<Index> at = identity(shape);
    at[d] = at[d] - Index(start);
    const ScalarId piece = substitute(im.program(), pieces[i].expr, at, shape);
    if (value < 0) {
      value = piece;
    } else {
      Scalar here;
      here.op = Op::InRange;
      here.type = DType::Bool;
      here.at = {identity(shape)[d]};
      here.low = start;
      here.high = end;
      value = im.scalars().select(im.scalars().add(here), piece, value);
    }
    end = start;
  }
  return {value, std::move(shape)};
}

namespace {

constexpr std::size_t kMostChained = 4;

/// Output 0 as a tensor that the pieces are copied into.
Status materialise(Importer& im, const std::vector<Lazy>& pieces, std::int64_t dim,
                   const Shape& shape) {
  std::int64_t inner = 1;
  for (std::size_t d = static_cast<std::size_t>(dim) + 1; d < shape.size(); ++d) inner *= shape[d];
  Stage stage;
  stage.kind = Stage::Kind::Join;
  for (const Lazy& piece : pieces) {
    KW_ASSIGN(const TensorId tensor, im.plain(piece, im.output_value().dtype));
    stage.operands.push_back(tensor);
    stage.widths.push_back(piece.shape[static_cast<std::size_t>(dim)] * inner);
  }
  stage.results = {im.make_output(0)};
  im.add_stage(std::move(stage));
  im.bind(0, im.program().stages.back().results.front());
  return {};
}

Status join(Importer& im, bool new_dimension) {
  std::vector<Lazy> pieces;
  const Shape& shape = im.output_value().shape;
  KW_ASSIGN(std::int64_t dim, attr_int_or(im.node(), "dim", 0));
  KW_ASSIGN(dim, im.dim_in(dim, shape.size()));
  const DType type = compute_type(im.output_value().dtype);
  std::int64_t total = 0;
  for (std::size_t i = 0; i < im.node().inputs.size(); ++i) {
    KW_ASSIGN(Lazy piece, im.input(i));
    if (new_dimension) {
      Shape taller = piece.shape;
      taller.insert(taller.begin() + dim, 1);
      piece = reshaped(im, piece, taller);
    }
    if (piece.shape.size() != shape.size()) return im.refuse("pieces of different rank");
    piece.expr = im.scalars().cast(piece.expr, type);
    total += piece.shape[static_cast<std::size_t>(dim)];
    pieces.push_back(std::move(piece));
  }
  if (pieces.empty() || total != shape[static_cast<std::size_t>(dim)]) {
    return im.refuse("the pieces do not fill {}", to_string(shape));
  }
  // A chain of selections is copied into every reader's text; long ones are a tensor of their own.
  if (pieces.size() > kMostChained) return materialise(im, pieces, dim, shape);
  return im.define(0, joined(im, pieces, dim, shape));
}

/// constant_pad_nd: pairs (before, after) from the last dimension inwards.
Status pad(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(const std::vector<std::int64_t> pads, attr_ints(im.node(), "pad"));
  KW_ASSIGN(const std::string mode, attr_string_or(im.node(), "mode", "constant"));
  KW_ASSIGN(const double fill, attr_number_or(im.node(), "value", 0));
  if (mode != "constant") return pad_border(im, mode);
  if (pads.size() % 2 != 0 || pads.size() / 2 > x.shape.size())
    return im.refuse("pad of {} numbers", pads.size());
  Shape shape = x.shape;
  std::vector<std::int64_t> before(shape.size(), 0);
  for (std::size_t i = 0; i < pads.size() / 2; ++i) {
    const std::size_t d = shape.size() - 1 - i;
    before[d] = pads[2 * i];
    shape[d] += pads[2 * i] + pads[2 * i + 1];
    if (shape[d] <= 0) return im.refuse("nothing is left of dimension {}", d);
  }
  std::vector<Index> at = identity(shape);
  for (std::size_t d = 0; d < shape.size(); ++d) at[d] = at[d] - Index(before[d]);
  ScalarId value = substitute(im.program(), x.expr, at, shape);
  const ScalarId outside = im.scalars().constant(fill, im.scalars()[value].type);
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (before[d] == 0 && shape[d] == x.shape[d]) continue;
    Scalar inside;
    inside.op = Op::InRange;
    inside.type = DType::Bool;
    inside.at = {at[d]};
    inside.high = x.shape[d];
    value = im.scalars().select(im.scalars().add(inside), value, outside);
  }
  return im.define(0, {value, shape});
}

/// tril keeps column - row <= diagonal, triu keeps column - row >= diagonal.
Status triangle(Importer& im, bool lower) {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(const std::int64_t diagonal, attr_int_or(im.node(), "diagonal", 0));
  if (x.shape.size() < 2) return im.refuse("a matrix is needed");
  const std::vector<Index> at = identity(x.shape);
  Scalar keep;
  keep.op = Op::InRange;
  keep.type = DType::Bool;
  keep.at = {at[at.size() - 1] - at[at.size() - 2] - Index(diagonal)};
  keep.low = lower ? std::numeric_limits<std::int32_t>::min() : 0;
  keep.high = lower ? 1 : std::numeric_limits<std::int32_t>::max();
  const ScalarId zero = im.scalars().constant(0, im.scalars()[x.expr].type);
  return im.define(0, {im.scalars().select(im.scalars().add(keep), x.expr, zero), x.shape});
}

/// diag of a matrix is a view; diag of a vector is a matrix with zeros beside it.
Status diag(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(const std::int64_t diagonal, attr_int_or(im.node(), "diagonal", 0));
  const Shape& shape = im.output_value().shape;
  const std::int64_t down = std::max<std::int64_t>(-diagonal, 0);
  const std::int64_t right = std::max<std::int64_t>(diagonal, 0);
  if (x.shape.size() == 2) {
    const Index v = shape[0] == 1 ? Index(0) : Index::variable(0);
    return im.define(0, viewed(im, x, shape, {v + Index(down), v + Index(right)}));
  }
  if (x.shape.size() != 1 || shape.size() != 2) return im.refuse("a vector or a matrix is needed");
  const std::vector<Index> at = identity(shape);
  Scalar on;
  on.op = Op::InRange;
  on.type = DType::Bool;
  on.at = {at[1] - at[0] - Index(diagonal)};
  on.high = 1;
  const ScalarId value = substitute(im.program(), x.expr, {at[0] - Index(down)}, shape);
  const ScalarId zero = im.scalars().constant(0, im.scalars()[value].type);
  return im.define(0, {im.scalars().select(im.scalars().add(on), value, zero), shape});
}

}  // namespace

void add_creation(BuilderTable& t) {
  t["aten.cat"] = [](Importer& im, std::string_view) { return join(im, false); };
  t["aten.concat"] = t["aten.cat"];
  t["aten.stack"] = [](Importer& im, std::string_view) { return join(im, true); };
  t["aten.pad"] = pad;
  t["aten.constant_pad_nd"] = pad;
  t["aten.tril"] = [](Importer& im, std::string_view) { return triangle(im, true); };
  t["aten.triu"] = [](Importer& im, std::string_view) { return triangle(im, false); };
  t["aten.diag"] = diag;
  const auto filled = [](std::optional<double> value) -> Builder {
    return [value](Importer& im, std::string_view) -> Status {
      double number = value.value_or(0);
      if (!value) {
        KW_ASSIGN(number, attr_number(im.node(), "fill_value"));
      }
      const Value& out = im.output_value();
      return im.define(0, {im.scalars().constant(number, compute_type(out.dtype)), out.shape});
    };
  };
  for (const char* name : {"aten.zeros", "aten.zeros_like", "aten.new_zeros"})
    t[name] = filled(0.0);
  for (const char* name : {"aten.ones", "aten.ones_like", "aten.new_ones"}) t[name] = filled(1.0);
  for (const char* name : {"aten.full", "aten.full_like", "aten.new_full"}) {
    t[name] = filled(std::nullopt);
  }
  t["aten.scalar_tensor"] = [](Importer& im, std::string_view) -> Status {
    KW_ASSIGN(const double number, attr_number(im.node(), "s"));
    const Value& out = im.output_value();
    return im.define(0, {im.scalars().constant(number, compute_type(out.dtype)), out.shape});
  };
  t["aten.eye"] = [](Importer& im, std::string_view) -> Status {
    const Value& out = im.output_value();
    if (out.shape.size() != 2) return im.refuse("a matrix is needed");
    const std::vector<Index> at = identity(out.shape);
    Scalar on;
    on.op = Op::InRange;
    on.type = DType::Bool;
    on.at = {at[1] - at[0]};
    on.high = 1;
    const DType type = compute_type(out.dtype);
    const ScalarId one = im.scalars().constant(1, type), zero = im.scalars().constant(0, type);
    return im.define(0, {im.scalars().select(im.scalars().add(on), one, zero), out.shape});
  };
  t["aten.arange"] = [](Importer& im, std::string_view) -> Status {
    KW_ASSIGN(const double start, attr_number_or(im.node(), "start", 0));
    KW_ASSIGN(const double step, attr_number_or(im.node(), "step", 1));
    const Value& out = im.output_value();
    Scalar coordinate;
    coordinate.op = Op::Coordinate;
    coordinate.type = compute_type(out.dtype);
    coordinate.at = identity(out.shape);
    if (coordinate.at.size() != 1) return im.refuse("a shape of rank 1 is needed");
    const E v{&im, im.scalars().add(coordinate)};
    return im.define(0, {(v * step + start).id, out.shape});
  };
}

}  // namespace kw::codegen
