// Operators that move no data: what they return is an accessor over what they got.

#include <algorithm>
#include <limits>

#include "import/formula.h"
#include "ir/region.h"

namespace kw::codegen {

Lazy viewed(Importer& im, const Lazy& in, Shape shape, const std::vector<Index>& coordinates) {
  return {substitute(im.program(), in.expr, coordinates, shape), std::move(shape)};
}

std::vector<Index> identity(const Shape& shape) {
  std::vector<Index> at;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    at.push_back(shape[d] == 1 ? Index(0) : Index::variable(static_cast<int>(d)));
  }
  return at;
}

Lazy reshaped(Importer& im, const Lazy& x, const Shape& shape) {
  const Index number = linearise(identity(shape), contiguous_strides(shape));
  return viewed(im, x, shape, delinearise(number, x.shape, shape));
}

namespace {

Status alias(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  return im.define(0, x);
}

Status reshape(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  const Shape& shape = im.output_value().shape;
  if (count_of(shape) != count_of(x.shape)) {
    return im.refuse("{} cannot be seen as {}", to_string(x.shape), to_string(shape));
  }
  return im.define(0, reshaped(im, x, shape));
}

Status permuted(Importer& im, const Lazy& x, const std::vector<std::int64_t>& order) {
  Shape shape(order.size());
  std::vector<Index> at(order.size());
  for (std::size_t d = 0; d < order.size(); ++d) {
    const auto from = static_cast<std::size_t>(order[d]);
    shape[d] = x.shape[from];
    at[from] = shape[d] == 1 ? Index(0) : Index::variable(static_cast<int>(d));
  }
  return im.define(0, viewed(im, x, shape, at));
}

Status permute(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(std::vector<std::int64_t> order, attr_ints(im.node(), "dims"));
  std::vector<bool> seen(x.shape.size(), false);
  if (order.size() != x.shape.size())
    return im.refuse("{} dims for a rank {}", order.size(), x.shape.size());
  for (std::int64_t& d : order) {
    KW_ASSIGN(d, im.dim_in(d, x.shape.size()));
    if (seen[static_cast<std::size_t>(d)]) return im.refuse("dims is no permutation");
    seen[static_cast<std::size_t>(d)] = true;
  }
  return permuted(im, x, order);
}

Status transpose(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  const std::size_t rank = x.shape.size();
  KW_ASSIGN(std::int64_t a, attr_int_or(im.node(), "dim0", 0));
  KW_ASSIGN(std::int64_t b, attr_int_or(im.node(), "dim1", rank > 1 ? 1 : 0));
  KW_ASSIGN(a, im.dim_in(a, rank));
  KW_ASSIGN(b, im.dim_in(b, rank));
  std::vector<std::int64_t> order(rank);
  for (std::size_t d = 0; d < rank; ++d) order[d] = static_cast<std::int64_t>(d);
  if (rank > 0) std::swap(order[static_cast<std::size_t>(a)], order[static_cast<std::size_t>(b)]);
  return permuted(im, x, order);
}

/// numpy_T, mT, t: all dimensions reversed, or the last two exchanged.
Status reverse_dims(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  std::vector<std::int64_t> order;
  for (std::size_t d = x.shape.size(); d-- > 0;) order.push_back(static_cast<std::int64_t>(d));
  return permuted(im, x, order);
}
Status matrix_transpose(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  if (x.shape.size() < 2) return im.refuse("a matrix is needed");
  std::vector<std::int64_t> order;
  for (std::size_t d = 0; d < x.shape.size(); ++d) order.push_back(static_cast<std::int64_t>(d));
  std::swap(order[order.size() - 1], order[order.size() - 2]);
  return permuted(im, x, order);
}

Status expand(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  const Shape& shape = im.output_value().shape;
  if (shape.size() < x.shape.size()) return im.refuse("fewer dimensions than its argument");
  const std::size_t skip = shape.size() - x.shape.size();
  std::vector<Index> at;
  for (std::size_t d = 0; d < x.shape.size(); ++d) {
    if (x.shape[d] != 1 && x.shape[d] != shape[skip + d]) {
      return im.refuse("{} does not expand to {}", to_string(x.shape), to_string(shape));
    }
    at.push_back(x.shape[d] == 1 ? Index(0) : Index::variable(static_cast<int>(skip + d)));
  }
  return im.define(0, viewed(im, x, shape, at));
}

Status repeat(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  const Shape& shape = im.output_value().shape;
  const std::size_t skip = shape.size() - x.shape.size();
  std::vector<Index> at;
  for (std::size_t d = 0; d < x.shape.size(); ++d) {
    at.push_back(modulo(Index::variable(static_cast<int>(skip + d)), x.shape[d], shape));
  }
  return im.define(0, viewed(im, x, shape, at));
}

/// Dimension `dim` of the result is x at start + step * v (step may be negative: flip).
Lazy strided(Importer& im, const Lazy& x, std::int64_t dim, std::int64_t start, std::int64_t step,
             std::int64_t extent) {
  Shape shape = x.shape;
  const auto d = static_cast<std::size_t>(dim);
  shape[d] = extent;
  std::vector<Index> at = identity(shape);
  at[d] = at[d] * step + Index(start);
  return viewed(im, x, shape, at);
}

std::int64_t clamp_index(std::int64_t i, std::int64_t extent) {
  return std::clamp<std::int64_t>(i < 0 ? i + extent : i, 0, extent);
}

Status slice(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(std::int64_t dim, attr_int_or(im.node(), "dim", 0));
  KW_ASSIGN(dim, im.dim_in(dim, x.shape.size()));
  const std::int64_t extent = x.shape[static_cast<std::size_t>(dim)];
  KW_ASSIGN(std::int64_t start, attr_int_or(im.node(), "start", 0));
  KW_ASSIGN(std::int64_t end,
            attr_int_or(im.node(), "end", std::numeric_limits<std::int64_t>::max()));
  KW_ASSIGN(const std::int64_t step, attr_int_or(im.node(), "step", 1));
  if (step <= 0) return im.refuse("step {}", step);
  start = clamp_index(start, extent);
  end = clamp_index(end, extent);
  const std::int64_t length = std::max<std::int64_t>(end - start, 0);
  return im.define(0, strided(im, x, dim, start, step, (length + step - 1) / step));
}

Status narrow(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(std::int64_t dim, attr_int(im.node(), "dim"));
  KW_ASSIGN(dim, im.dim_in(dim, x.shape.size()));
  KW_ASSIGN(std::int64_t start, attr_int(im.node(), "start"));
  KW_ASSIGN(const std::int64_t length, attr_int(im.node(), "length"));
  const std::int64_t extent = x.shape[static_cast<std::size_t>(dim)];
  if (start < 0) start += extent;
  if (start < 0 || length < 0 || start + length > extent) {
    return im.refuse("{} elements from {} of {}", length, start, extent);
  }
  return im.define(0, strided(im, x, dim, start, 1, length));
}

Status flip(Importer& im, std::string_view) {
  KW_ASSIGN(Lazy x, im.input(0));
  KW_ASSIGN(const std::vector<std::int64_t> dims, attr_ints(im.node(), "dims"));
  for (const std::int64_t d : dims) {
    KW_ASSIGN(const std::int64_t dim, im.dim_in(d, x.shape.size()));
    const std::int64_t extent = x.shape[static_cast<std::size_t>(dim)];
    x = strided(im, x, dim, extent - 1, -1, extent);
  }
  return im.define(0, x);
}

/// x with dimension `dim` fixed at `index` and gone.
Lazy selected(Importer& im, const Lazy& x, std::int64_t dim, std::int64_t index) {
  Shape shape = x.shape;
  shape.erase(shape.begin() + dim);
  std::vector<Index> at = identity(shape);
  at.insert(at.begin() + dim, Index(index));
  return viewed(im, x, shape, at);
}

Status select(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(std::int64_t dim, attr_int(im.node(), "dim"));
  KW_ASSIGN(std::int64_t index, attr_int(im.node(), "index"));
  KW_ASSIGN(dim, im.dim_in(dim, x.shape.size()));
  const std::int64_t extent = x.shape[static_cast<std::size_t>(dim)];
  if (index < 0) index += extent;
  if (index < 0 || index >= extent) return im.refuse("index {} of {}", index, extent);
  return im.define(0, selected(im, x, dim, index));
}

Status unbind(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(std::int64_t dim, attr_int_or(im.node(), "dim", 0));
  KW_ASSIGN(dim, im.dim_in(dim, x.shape.size()));
  for (std::size_t i = 0; i < im.node().outputs.size(); ++i) {
    KW_RETURN_IF_ERROR(im.define(i, selected(im, x, dim, static_cast<std::int64_t>(i))));
  }
  return {};
}

/// Length of piece i of a split that has no value.
Result<std::int64_t> unread_length(const Importer& im, std::size_t i, std::int64_t left) {
  for (const char* name : {"split_sizes", "split_size"}) {
    if (!has_attr(im.node(), name)) continue;
    if (const auto size = attr_int(im.node(), name)) return std::min(*size, left);
    KW_ASSIGN(const std::vector<std::int64_t> sizes, attr_ints(im.node(), name));
    if (i < sizes.size()) return sizes[i];
  }
  // chunk: pieces are as long as their neighbours, the last one may be shorter.
  for (std::size_t o = 0; o + 1 < im.node().outputs.size(); ++o) {
    if (!im.has_output(o)) continue;
    KW_ASSIGN(std::int64_t dim, attr_int_or(im.node(), "dim", 0));
    const Shape& shape = im.output_value(o).shape;
    KW_ASSIGN(dim, im.dim_in(dim, shape.size()));
    return std::min(shape[static_cast<std::size_t>(dim)], left);
  }
  const auto pieces = static_cast<std::int64_t>(im.node().outputs.size());
  const auto ahead = pieces - static_cast<std::int64_t>(i);
  return (left + ahead - 1) / ahead;
}

/// split, split_with_sizes, chunk: the outputs' own extents say where the cuts are.
Status split(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(std::int64_t dim, attr_int_or(im.node(), "dim", 0));
  KW_ASSIGN(dim, im.dim_in(dim, x.shape.size()));
  std::int64_t start = 0;
  for (std::size_t i = 0; i < im.node().outputs.size(); ++i) {
    const std::int64_t left = x.shape[static_cast<std::size_t>(dim)] - start;
    std::int64_t length = 0;
    if (im.has_output(i)) {
      const Shape& shape = im.output_value(i).shape;
      if (shape.size() != x.shape.size()) return im.refuse("an output of another rank");
      length = shape[static_cast<std::size_t>(dim)];
    } else {  // nothing reads it, so no value says how long it is
      KW_ASSIGN(length, unread_length(im, i, left));
    }
    if (start + length > x.shape[static_cast<std::size_t>(dim)]) {
      return im.refuse("the pieces are longer than the whole");
    }
    KW_RETURN_IF_ERROR(im.define(i, strided(im, x, dim, start, 1, length)));
    start += length;
  }
  return {};
}

/// The last dimension runs along the diagonal of dim1 and dim2.
Status diagonal(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(const std::int64_t offset, attr_int_or(im.node(), "offset", 0));
  KW_ASSIGN(std::int64_t row, attr_int_or(im.node(), "dim1", 0));
  KW_ASSIGN(std::int64_t column, attr_int_or(im.node(), "dim2", 1));
  KW_ASSIGN(row, im.dim_in(row, x.shape.size()));
  KW_ASSIGN(column, im.dim_in(column, x.shape.size()));
  const Shape& shape = im.output_value().shape;
  if (row == column || shape.size() + 1 != x.shape.size())
    return im.refuse("two dimensions are needed");
  const std::vector<Index> out = identity(shape);
  std::vector<Index> at;
  std::size_t next = 0;
  for (std::size_t d = 0; d < x.shape.size(); ++d) {
    const auto dim = static_cast<std::int64_t>(d);
    if (dim == row) {
      at.push_back(out.back() + Index(std::max<std::int64_t>(-offset, 0)));
    } else if (dim == column) {
      at.push_back(out.back() + Index(std::max<std::int64_t>(offset, 0)));
    } else {
      at.push_back(out[next++]);
    }
  }
  return im.define(0, viewed(im, x, shape, at));
}

Status dropout(Importer& im, std::string_view overload) {
  KW_ASSIGN(const double p, attr_number_or(im.node(), "p", 0.5));
  KW_ASSIGN(const bool train, attr_bool_or(im.node(), "train", false));
  if (train && p != 0) return im.refuse("a live dropout draws random numbers");
  return alias(im, overload);
}

/// copy: the second tensor in the first one's shape and type.
Status copy(Importer& im, std::string_view) {
  KW_ASSIGN(Lazy x, im.input(im.has_input(1) ? 1 : 0));
  const Value& out = im.output_value();
  x.expr = im.scalars().cast(x.expr, compute_type(out.dtype));
  if (x.shape == out.shape) return im.define(0, x);
  const Importer::Point p{identity(out.shape), out.shape};
  return im.define(0, {im.at_broadcast(x, p), out.shape});
}

}  // namespace

void add_views(BuilderTable& t) {
  for (const char* name : {"aten.alias", "aten.detach", "aten.contiguous", "aten.clone",
                           "aten.lift_fresh_copy", "aten.positive"}) {
    t[name] = alias;
  }
  for (const char* name :
       {"aten.view", "aten.reshape", "aten._unsafe_view", "aten.flatten", "aten.unsqueeze",
        "aten.squeeze", "aten.unflatten", "aten.view_as", "aten.reshape_as", "aten.ravel"}) {
    t[name] = reshape;
  }
  for (const char* name : {"aten.expand", "aten.expand_as", "aten.broadcast_to"}) t[name] = expand;
  t["aten.copy"] = copy;
  t["aten.permute"] = permute;
  t["aten.transpose"] = transpose;
  t["aten.swapaxes"] = transpose;
  t["aten.t"] = reverse_dims;
  t["aten.numpy_T"] = reverse_dims;
  t["aten.mT"] = matrix_transpose;
  t["aten.adjoint"] = matrix_transpose;
  t["aten.repeat"] = repeat;
  t["aten.tile"] = repeat;
  t["aten.slice"] = slice;
  t["aten.narrow"] = narrow;
  t["aten.flip"] = flip;
  t["aten.select"] = select;
  t["aten.unbind"] = unbind;
  for (const char* name :
       {"aten.split", "aten.split_with_sizes", "aten.chunk", "aten.tensor_split"})
    t[name] = split;
  t["aten.diagonal"] = diagonal;
  t["aten.dropout"] = dropout;
  t["aten.feature_dropout"] = dropout;
}

}  // namespace kw::codegen
