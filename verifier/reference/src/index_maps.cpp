// Operators that only say which element of the input, or which constant, each element of the result
// is: parts, windows, borders, repetitions, tables. Errors travel along.

#include <algorithm>
#include <functional>

#include "operator.h"

namespace kw::reference {
namespace {

constexpr std::int64_t kFill = -1;  // this element is the constant
using Coordinates = std::vector<std::int64_t>;

/// out[coordinates] = x[map(coordinates)], or `constant` where the map gives kFill.
template <typename F>
Tensor remap(const Tensor& x, const Shape& shape, F map, double constant = 0) {
  Tensor out = make_tensor(shape);
  if (!x.bound.empty()) out.bound.resize(out.size());
  Coordinates at(shape.size(), 0);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::int64_t from = map(at);
    if (from == kFill) {
      out.value[i] = constant;
    } else {
      store(out, i, num_at(x, static_cast<std::size_t>(from)));
    }
    for (std::size_t d = shape.size(); d-- > 0;) {
      if (++at[d] < shape[d]) break;
      at[d] = 0;
    }
  }
  return out;
}

struct Along {
  std::size_t dim = 0;
  std::int64_t extent = 1;
};
Result<Along> along(const Call& call, std::string_view name = "dim") {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  const Shape& shape = call.in(0).shape;
  KW_ASSIGN(const std::int64_t raw, attr_int_or(call.node, name, 0));
  KW_ASSIGN(const std::size_t dim, wrap_dim(call, raw, shape.size()));
  if (dim >= shape.size()) return fail(Errc::InvalidArgument, "needs a dimension");
  return Along{dim, shape[dim]};
}

/// `length` elements of a dimension from `start` on.
Tensor part(const Tensor& x, std::size_t dim, std::int64_t start, std::int64_t length) {
  const Shape strides = contiguous_strides(x.shape);
  Shape shape = x.shape;
  shape[dim] = length;
  if (x.size() == 0 || length == 0) return make_tensor(shape);
  return gather(x, shape, strides, start * strides[dim]);
}

Result<Outputs> narrow(const Call& call) {
  KW_ASSIGN(const Along a, along(call));
  KW_ASSIGN(std::int64_t start, attr_int(call.node, "start"));
  KW_ASSIGN(const std::int64_t length, attr_int(call.node, "length"));
  if (start < 0) start += a.extent;
  if (start < 0 || length < 0 || start + length > a.extent) {
    return fail(Errc::InvalidArgument, "{} elements from {} of {}", length, start, a.extent);
  }
  return one(part(call.in(0), a.dim, start, length));
}

/// split, chunk, tensor_split: parts of `dim` one after the other. A part that nothing reads is not
/// declared, so sizes come from the attributes where they are uniform, from the declarations else.
Result<Outputs> split(const Call& call) {
  KW_ASSIGN(const Along a, along(call));
  std::vector<std::int64_t> sizes;
  const std::size_t count = call.node.outputs.size();
  if (has_attr(call.node, "split_sizes")) {
    KW_ASSIGN(sizes, attr_ints(call.node, "split_sizes"));
  } else if (has_attr(call.node, "split_size")) {
    KW_ASSIGN(sizes, attr_ints(call.node, "split_size"));
    if (sizes.size() == 1) sizes.assign(count, sizes[0]);
  } else {
    KW_ASSIGN(const std::int64_t chunks, attr_int(call.node, "chunks"));
    if (chunks < 1) return fail(Errc::InvalidArgument, "{} chunks", chunks);
    sizes.assign(count, (a.extent + chunks - 1) / chunks);
  }
  if (sizes.size() < count) return fail(Errc::InvalidArgument, "fewer parts than results");
  Outputs outputs;
  std::int64_t start = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t length = std::min(sizes[i], a.extent - start);
    if (length < 0) return fail(Errc::InvalidArgument, "parts reach beyond {}", a.extent);
    outputs.push_back(part(call.in(0), a.dim, start, length));
    start += length;
  }
  return outputs;
}

Result<Outputs> unbind(const Call& call) {
  KW_ASSIGN(const Along a, along(call));
  Outputs outputs;
  for (std::int64_t i = 0; i < a.extent; ++i) {
    outputs.push_back(part(call.in(0), a.dim, i, 1));
    Shape& shape = outputs.back().shape;
    shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(a.dim));
  }
  return outputs;
}

/// Windows of `size` along a dimension, every `step`, become the last dimension.
Result<Outputs> unfold(const Call& call) {
  KW_ASSIGN(const Along a, along(call, "dimension"));
  KW_ASSIGN(const std::int64_t size, attr_int(call.node, "size"));
  KW_ASSIGN(const std::int64_t step, attr_int(call.node, "step"));
  if (size < 0 || size > a.extent || step < 1) {
    return fail(Errc::InvalidArgument, "windows of {} every {} over {}", size, step, a.extent);
  }
  Shape shape = call.in(0).shape;
  Shape strides = contiguous_strides(shape);
  shape[a.dim] = (a.extent - size) / step + 1;
  strides.push_back(strides[a.dim]);
  strides[a.dim] *= step;
  shape.push_back(size);
  return one(gather(call.in(0), shape, strides, 0));
}

Result<Outputs> roll(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  const Tensor& x = call.in(0);
  KW_ASSIGN(const std::vector<std::int64_t> shifts, attr_ints(call.node, "shifts"));
  std::vector<std::int64_t> dims;
  if (has_attr(call.node, "dims")) {
    KW_ASSIGN(dims, attr_ints(call.node, "dims"));
  }
  Tensor flat = x;
  if (dims.empty()) {
    flat.shape = {static_cast<std::int64_t>(x.size())};
    dims = {0};
  }
  if (dims.size() != shifts.size()) return fail(Errc::InvalidArgument, "one shift per dimension");
  const Shape strides = contiguous_strides(flat.shape);
  Coordinates shift(flat.shape.size(), 0);
  for (std::size_t i = 0; i < dims.size(); ++i) {
    KW_ASSIGN(const std::size_t d, wrap_dim(call, dims[i], flat.shape.size()));
    shift[d] += shifts[i];
  }
  Tensor out = remap(flat, flat.shape, [&](const Coordinates& at) {
    std::int64_t from = 0;
    for (std::size_t d = 0; d < at.size(); ++d) {
      const std::int64_t n = flat.shape[d];
      from += ((at[d] - shift[d]) % n + n) % n * strides[d];
    }
    return from;
  });
  out.shape = x.shape;
  return one(std::move(out));
}

/// Where a coordinate outside [0, n) comes from; kFill for the constant.
std::int64_t border(std::int64_t i, std::int64_t n, const std::string& mode) {
  if (i >= 0 && i < n) return i;
  if (mode == "reflect") return i < 0 ? -i : 2 * (n - 1) - i;
  if (mode == "replicate") return i < 0 ? 0 : n - 1;
  if (mode == "circular") return (i % n + n) % n;
  return kFill;
}

/// `pad` holds (before, after) from the last dimension on; negative amounts crop.
Result<Outputs> pad(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  const Tensor& x = call.in(0);
  const char* name = has_attr(call.node, "pad") ? "pad" : "padding";
  KW_ASSIGN(const std::vector<std::int64_t> amounts, attr_ints(call.node, name));
  const std::string_view op = call.node.op;
  const char* fallback = op.find("reflection") != op.npos    ? "reflect"
                         : op.find("replication") != op.npos ? "replicate"
                                                             : "constant";
  KW_ASSIGN(const std::string mode, attr_string_or(call.node, "mode", fallback));
  KW_ASSIGN(const double value, attr_number_or(call.node, "value", 0));
  const std::size_t rank = x.shape.size();
  if (amounts.size() % 2 != 0 || amounts.size() > 2 * rank) {
    return fail(Errc::InvalidArgument, "{} amounts for rank {}", amounts.size(), rank);
  }
  Shape shape = x.shape;
  Coordinates before(rank, 0);
  for (std::size_t i = 0; i < amounts.size() / 2; ++i) {
    const std::size_t d = rank - 1 - i;
    before[d] = amounts[2 * i];
    shape[d] += amounts[2 * i] + amounts[2 * i + 1];
    const std::int64_t most = std::max(amounts[2 * i], amounts[2 * i + 1]);
    if (shape[d] < 0 || (mode == "reflect" && most >= x.shape[d]) ||
        (mode != "constant" && x.shape[d] == 0)) {
      return fail(Errc::InvalidArgument, "padding {} by {} and {}", x.shape[d], amounts[2 * i],
                  amounts[2 * i + 1]);
    }
  }
  const Shape strides = contiguous_strides(x.shape);
  return one(remap(
      x, shape,
      [&](const Coordinates& at) {
        std::int64_t from = 0;
        for (std::size_t d = 0; d < rank; ++d) {
          const std::int64_t i = border(at[d] - before[d], x.shape[d], mode);
          if (i == kFill) return kFill;
          from += i * strides[d];
        }
        return from;
      },
      static_cast<double>(static_cast<float>(value))));
}

/// repeat, tile: the whole again and again along every dimension.
Result<Outputs> repeat(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  Tensor x = call.in(0);
  const Shape& shape = call.output_shape();
  if (shape.size() < x.shape.size()) return fail(Errc::InvalidArgument, "too few dimensions");
  x.shape.insert(x.shape.begin(), shape.size() - x.shape.size(), 1);
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] != 0 && (x.shape[d] == 0 || shape[d] % x.shape[d] != 0)) {
      return fail(Errc::InvalidArgument, "{} is no multiple of {}", shape[d], x.shape[d]);
    }
  }
  const Shape strides = contiguous_strides(x.shape);
  return one(remap(x, shape, [&](const Coordinates& at) {
    std::int64_t from = 0;
    for (std::size_t d = 0; d < at.size(); ++d) from += at[d] % x.shape[d] * strides[d];
    return from;
  }));
}

Result<Outputs> repeat_interleave(const Call& call) {
  KW_ASSIGN(const Along a, along(call));
  KW_ASSIGN(const std::int64_t repeats, attr_int(call.node, "repeats"));
  if (repeats < 1 || call.has(1)) return fail(Errc::Unsupported, "repeats that are no number");
  Shape shape = call.in(0).shape;
  const Shape strides = contiguous_strides(shape);
  shape[a.dim] *= repeats;
  return one(remap(call.in(0), shape, [&](const Coordinates& at) {
    std::int64_t from = 0;
    for (std::size_t d = 0; d < at.size(); ++d) {
      from += (d == a.dim ? at[d] / repeats : at[d]) * strides[d];
    }
    return from;
  }));
}

Result<std::int64_t> checked_index(double index, std::int64_t extent) {
  auto i = static_cast<std::int64_t>(index);
  if (i < 0) i += extent;
  if (i < 0 || i >= extent) {
    return fail(Errc::InvalidArgument, "index {} outside {} elements", index, extent);
  }
  return i;
}

Result<Outputs> index_select(const Call& call) {
  KW_ASSIGN(const Along a, along(call));
  KW_RETURN_IF_ERROR(need_inputs(call, 2));
  std::vector<std::int64_t> rows;
  for (const double index : call.in(1).value) {
    KW_ASSIGN(const std::int64_t row, checked_index(index, a.extent));
    rows.push_back(row);
  }
  Shape shape = call.in(0).shape;
  const Shape strides = contiguous_strides(shape);
  shape[a.dim] = static_cast<std::int64_t>(rows.size());
  return one(remap(call.in(0), shape, [&](const Coordinates& at) {
    std::int64_t from = 0;
    for (std::size_t d = 0; d < at.size(); ++d) {
      from += (d == a.dim ? rows[static_cast<std::size_t>(at[d])] : at[d]) * strides[d];
    }
    return from;
  }));
}

/// x[i0, i1, ...]: index tensors broadcast together. Their dimensions stand where the first of them
/// stood when they are neighbours, and come first otherwise, as in NumPy.
Result<Outputs> index(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  const Tensor& x = call.in(0);
  Shape common;
  std::vector<std::size_t> dims;
  for (std::size_t i = 1; i < call.count(); ++i) {
    if (!call.has(i)) continue;
    if (!is_floating(call.input_dtype(i)) && call.input_dtype(i) != DType::Bool) {
      KW_ASSIGN(common, broadcast_shape(call, common, call.in(i).shape));
      dims.push_back(i - 1);
    } else {
      return fail(Errc::Unsupported, "an index that is no integer tensor");
    }
  }
  if (dims.empty() || dims.back() >= x.shape.size()) {
    return fail(Errc::InvalidArgument, "{} indices of a rank {} tensor", dims.size(),
                x.shape.size());
  }
  std::vector<Tensor> indices;
  for (const std::size_t d : dims) {
    indices.push_back(broadcast_to(call.in(d + 1), common));
    for (double& i : indices.back().value) {
      KW_ASSIGN(const std::int64_t checked, checked_index(i, x.shape[d]));
      i = static_cast<double>(checked);
    }
  }
  const bool adjacent = dims.back() - dims.front() + 1 == dims.size();
  const std::size_t place = adjacent ? dims.front() : 0;
  Shape shape;
  std::vector<std::size_t> kept;
  for (std::size_t d = 0; d < x.shape.size(); ++d) {
    if (std::find(dims.begin(), dims.end(), d) == dims.end()) kept.push_back(d);
  }
  for (const std::size_t d : kept) shape.push_back(x.shape[d]);
  shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(place), common.begin(), common.end());
  const Shape strides = contiguous_strides(x.shape), own = contiguous_strides(common);
  return one(remap(x, shape, [&](const Coordinates& at) {
    std::int64_t picked = 0, from = 0;
    for (std::size_t c = 0; c < common.size(); ++c) picked += at[place + c] * own[c];
    for (std::size_t i = 0; i < dims.size(); ++i) {
      const double index = indices[i].value[static_cast<std::size_t>(picked)];
      from += static_cast<std::int64_t>(index) * strides[dims[i]];
    }
    for (std::size_t k = 0; k < kept.size(); ++k) {
      from += at[k < place ? k : k + common.size()] * strides[kept[k]];
    }
    return from;
  }));
}

/// Rearranges through a shape of more dimensions: view, permute, view.
Result<Outputs> rearrange(const Call& call, Shape inner, const std::vector<std::size_t>& order) {
  const Tensor& x = call.in(0);
  const Shape own = contiguous_strides(inner);
  Shape shape, strides;
  for (const std::size_t d : order) {
    shape.push_back(inner[d]);
    strides.push_back(own[d]);
  }
  Tensor out = gather(x, shape, strides, 0);
  out.shape = call.output_shape();
  return one(std::move(out));
}

/// [*, C r^2, H, W] to [*, C, H r, W r], or back.
Result<Outputs> pixel_shuffle(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  KW_ASSIGN(const std::int64_t r, attr_int(call.node, "upscale_factor"));
  const Shape& s = call.in(0).shape;
  const std::size_t n = s.size();
  if (n < 3 || r < 1 || s[n - 3] % (r * r) != 0) return fail(Errc::InvalidArgument, "factor {}", r);
  std::int64_t lead = 1;
  for (std::size_t d = 0; d + 3 < n; ++d) lead *= s[d];
  return rearrange(call, {lead, s[n - 3] / (r * r), r, r, s[n - 2], s[n - 1]}, {0, 1, 4, 2, 5, 3});
}
Result<Outputs> pixel_unshuffle(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  KW_ASSIGN(const std::int64_t r, attr_int(call.node, "downscale_factor"));
  const Shape& s = call.in(0).shape;
  const std::size_t n = s.size();
  if (n < 3 || r < 1 || s[n - 2] % r != 0 || s[n - 1] % r != 0) {
    return fail(Errc::InvalidArgument, "factor {}", r);
  }
  std::int64_t lead = 1;
  for (std::size_t d = 0; d + 2 < n; ++d) lead *= s[d];
  return rearrange(call, {lead, s[n - 2] / r, r, s[n - 1] / r, r}, {0, 2, 4, 1, 3});
}
Result<Outputs> channel_shuffle(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  KW_ASSIGN(const std::int64_t groups, attr_int(call.node, "groups"));
  const Tensor& x = call.in(0);
  if (x.shape.size() < 3 || groups < 1 || x.shape[1] % groups != 0) {
    return fail(Errc::InvalidArgument, "{} groups", groups);
  }
  std::int64_t rest = 1;
  for (std::size_t d = 2; d < x.shape.size(); ++d) rest *= x.shape[d];
  return rearrange(call, {x.shape[0], groups, x.shape[1] / groups, rest}, {0, 2, 1, 3});
}

}  // namespace

std::vector<OperatorEntry> index_map_operators() {
  return {{"narrow", narrow},
          {"split", split},
          {"split_with_sizes", split},
          {"chunk", split},
          {"unbind", unbind},
          {"unfold", unfold},
          {"roll", roll},
          {"pad", pad},
          {"constant_pad_nd", pad},
          {"reflection_pad1d", pad},
          {"reflection_pad2d", pad},
          {"reflection_pad3d", pad},
          {"replication_pad1d", pad},
          {"replication_pad2d", pad},
          {"replication_pad3d", pad},
          {"repeat", repeat},
          {"tile", repeat},
          {"repeat_interleave", repeat_interleave},
          {"index_select", index_select},
          {"index", index},
          {"pixel_shuffle", pixel_shuffle},
          {"pixel_unshuffle", pixel_unshuffle},
          {"channel_shuffle", channel_shuffle}};
}

}  // namespace kw::reference
