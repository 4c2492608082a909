// Reads at coordinates that are data: gather, index_select, embedding, index.

#include <algorithm>

#include "import/window.h"
#include "ir/region.h"

namespace kw::codegen {
namespace {

/// What a lazy is stored as when it has to be.
DType type_of(Importer& im, const Lazy& x) {
  const Scalar& s = im.scalars()[x.expr];
  return s.op == Op::Load ? im.program().tensor(s.tensor).dtype : s.type;
}

/// x at `at`, with the coordinates of `dims` replaced by numbers; negative ones count from the end
/// where `wrap`.
ScalarId gathered(Importer& im, TensorId x, std::vector<Index> at, const std::vector<int>& dims,
                  const std::vector<ScalarId>& numbers, bool wrap) {
  const Tensor tensor = im.program().tensor(x);
  std::vector<ScalarId> coordinates;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    const auto d = static_cast<std::size_t>(dims[i]);
    at[d] = Index(0);
    E number{&im, numbers[i]};
    if (wrap) {
      number = choose(less(number, 0), number + static_cast<double>(tensor.shape[d]), number);
    }
    coordinates.push_back(number.id);
  }
  return im.scalars().gather(x, tensor.dtype, std::move(at), dims, coordinates);
}

Status gather(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(const Lazy index, im.input(1));
  KW_ASSIGN(std::int64_t dim, attr_int(im.node(), "dim"));
  KW_ASSIGN(dim, im.dim_in(dim, x.shape.size()));
  if (index.shape.size() != x.shape.size() || index.shape != im.output_value().shape) {
    return im.refuse("indices {} into {}", to_string(index.shape), to_string(x.shape));
  }
  KW_ASSIGN(const TensorId from, im.plain(x, type_of(im, x)));
  return im.map_output(0, [&](const Importer::Point& p) -> Result<ScalarId> {
    return gathered(im, from, p.at, {static_cast<int>(dim)}, {im.at(index, p)}, false);
  });
}

Status index_select(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(const Lazy index, im.input(1));
  KW_ASSIGN(std::int64_t dim, attr_int(im.node(), "dim"));
  KW_ASSIGN(dim, im.dim_in(dim, x.shape.size()));
  if (index.shape.size() != 1 || x.shape.empty()) return im.refuse("one list of indices is needed");
  KW_ASSIGN(const TensorId from, im.plain(x, type_of(im, x)));
  return im.map_output(0, [&](const Importer::Point& p) -> Result<ScalarId> {
    const ScalarId number = im.at(index, {{p.at[static_cast<std::size_t>(dim)]}, p.extents});
    return gathered(im, from, p.at, {static_cast<int>(dim)}, {number}, false);
  });
}

/// Rows of a weight.
Status embedding(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy weight, im.input(0));
  KW_ASSIGN(const Lazy index, im.input(1));
  if (weight.shape.size() != 2) return im.refuse("a weight {}", to_string(weight.shape));
  KW_ASSIGN(const TensorId from, im.plain(weight, type_of(im, weight)));
  return im.map_output(0, [&](const Importer::Point& p) -> Result<ScalarId> {
    Importer::Point at = p;
    at.at.pop_back();
    return gathered(im, from, {Index(0), p.at.back()}, {0}, {im.at(index, at)}, false);
  });
}

/// x[i0, :, i2, ...]: index tensors broadcast together. Their dimensions stand where the first one
/// stood when they are neighbours, else in front.
Status index(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  std::vector<int> dims;
  std::vector<Lazy> indices;
  std::vector<Shape> shapes;
  for (std::size_t i = 1; i < im.node().inputs.size(); ++i) {
    if (!im.has_input(i)) continue;
    KW_ASSIGN(Lazy lazy, im.input(i));
    if (im.scalars()[lazy.expr].type == DType::Bool) {
      return im.refuse("a mask as index: how many elements it picks is data");
    }
    dims.push_back(static_cast<int>(i) - 1);
    shapes.push_back(lazy.shape);
    indices.push_back(std::move(lazy));
  }
  if (indices.empty() || dims.back() >= static_cast<int>(x.shape.size())) {
    return im.refuse("{} indices into {}", indices.size(), to_string(x.shape));
  }
  KW_ASSIGN(const Shape common, broadcast(im, shapes));
  const bool together = dims.back() - dims.front() + 1 == static_cast<int>(dims.size());
  const std::size_t first = together ? static_cast<std::size_t>(dims.front()) : 0;
  KW_ASSIGN(const TensorId from, im.plain(x, type_of(im, x)));
  return im.map_output(0, [&](const Importer::Point& p) -> Result<ScalarId> {
    if (p.at.size() + dims.size() != x.shape.size() + common.size()) {
      return im.refuse("output '{}' is declared {}", im.output_value().name,
                       to_string(im.output_value().shape));
    }
    Importer::Point place;
    place.extents = p.extents;
    place.at.assign(p.at.begin() + static_cast<std::ptrdiff_t>(first),
                    p.at.begin() + static_cast<std::ptrdiff_t>(first + common.size()));
    std::vector<ScalarId> numbers;
    for (const Lazy& lazy : indices) numbers.push_back(im.at_broadcast(lazy, place));
    std::vector<Index> at;
    std::size_t next = 0;
    for (std::size_t d = 0; d < x.shape.size(); ++d) {
      const bool picked = std::find(dims.begin(), dims.end(), static_cast<int>(d)) != dims.end();
      if (next == first) next += common.size();
      at.push_back(picked ? Index(0) : p.at[next]);
      if (!picked) ++next;
    }
    return gathered(im, from, at, dims, numbers, true);
  });
}

}  // namespace

void add_gathers(BuilderTable& t) {
  t["aten.gather"] = gather;
  t["aten.index_select"] = index_select;
  t["aten.embedding"] = embedding;
  t["aten.index"] = index;
}

}  // namespace kw::codegen
