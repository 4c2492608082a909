// More index maps: windows, rotations, mirrored and repeated borders, shuffles, enlargements.

#include <algorithm>
#include <numeric>

#include "import/window.h"
#include "ir/region.h"

namespace kw::codegen {
namespace {

using Numbers = std::vector<std::int64_t>;

/// Windows of `size` every `step` elements of a dimension; the window is the last dimension.
Status unfold(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(std::int64_t dim, attr_int(im.node(), "dimension"));
  KW_ASSIGN(const std::int64_t size, attr_int(im.node(), "size"));
  KW_ASSIGN(const std::int64_t step, attr_int(im.node(), "step"));
  KW_ASSIGN(dim, im.dim_in(dim, x.shape.size()));
  const auto d = static_cast<std::size_t>(dim);
  if (x.shape.empty() || size < 1 || size > x.shape[d] || step < 1) {
    return im.refuse("windows of {} every {} in {}", size, step, to_string(x.shape));
  }
  Shape shape = x.shape;
  shape[d] = (x.shape[d] - size) / step + 1;
  shape.push_back(size);
  std::vector<Index> at = identity(shape);
  at[d] = at[d] * step + at.back();
  at.pop_back();
  return im.define(0, viewed(im, x, shape, at));
}

Lazy rolled(Importer& im, const Lazy& x, std::size_t d, std::int64_t shift) {
  const std::int64_t extent = x.shape[d];
  shift = ((shift % extent) + extent) % extent;
  std::vector<Index> at = identity(x.shape);
  at[d] = modulo(at[d] + Index(extent - shift), extent, x.shape);
  return viewed(im, x, x.shape, at);
}

Status roll(Importer& im, std::string_view) {
  KW_ASSIGN(Lazy x, im.input(0));
  KW_ASSIGN(const Numbers shifts, attr_ints(im.node(), "shifts"));
  Numbers dims;
  if (has_attr(im.node(), "dims")) {
    KW_ASSIGN(dims, attr_ints(im.node(), "dims"));
  }
  if (dims.empty() && shifts.size() == 1) {
    const Shape shape = x.shape;
    return im.define(
        0, reshaped(im, rolled(im, reshaped(im, x, {count_of(shape)}), 0, shifts[0]), shape));
  }
  if (dims.size() != shifts.size()) return im.refuse("{} shifts", shifts.size());
  for (std::size_t i = 0; i < dims.size(); ++i) {
    KW_ASSIGN(const std::int64_t dim, im.dim_in(dims[i], x.shape.size()));
    x = rolled(im, x, static_cast<std::size_t>(dim), shifts[i]);
  }
  return im.define(0, x);
}

enum class Border { Reflect, Replicate, Circular };

/// x with `before` and `after` more elements of dimension d; each border is an accessor of its own.
Result<Lazy> bordered(Importer& im, const Lazy& x, std::size_t d, std::int64_t before,
                      std::int64_t after, Border border) {
  const std::int64_t extent = x.shape[d];
  const std::int64_t most = border == Border::Reflect ? extent - 1 : extent;
  if (before < 0 || after < 0 || (border != Border::Replicate && std::max(before, after) > most)) {
    return im.refuse("a border of {} and {} around {}", before, after, extent);
  }
  const auto piece = [&](std::int64_t length, const std::function<Index(const Index&)>& at_of) {
    Shape shape = x.shape;
    shape[d] = length;
    std::vector<Index> at = identity(shape);
    at[d] = at_of(at[d]);
    return viewed(im, x, shape, at);
  };
  std::vector<Lazy> pieces;
  if (before > 0) {
    pieces.push_back(piece(before, [&](const Index& v) {
      if (border == Border::Reflect) return Index(before) - v;
      return border == Border::Replicate ? Index(0) : v + Index(extent - before);
    }));
  }
  pieces.push_back(x);
  if (after > 0) {
    pieces.push_back(piece(after, [&](const Index& v) {
      if (border == Border::Reflect) return Index(extent - 2) - v;
      return border == Border::Replicate ? Index(extent - 1) : v;
    }));
  }
  Shape shape = x.shape;
  shape[d] += before + after;
  return joined(im, pieces, static_cast<std::int64_t>(d), shape);
}

Builder border_pad(std::string_view mode) {
  return [mode](Importer& im, std::string_view) { return pad_border(im, mode); };
}

/// Every element `repeats` times in a row along a dimension.
Status repeat_interleave(Importer& im, std::string_view overload) {
  if (overload == "Tensor" || im.node().inputs.size() > 1) {
    return im.refuse("repeats that are data");
  }
  KW_ASSIGN(Lazy x, im.input(0));
  KW_ASSIGN(const std::int64_t repeats, attr_int(im.node(), "repeats"));
  if (repeats < 1) return im.refuse("{} repeats", repeats);
  std::int64_t dim = 0;
  if (has_attr(im.node(), "dim")) {
    KW_ASSIGN(dim, attr_int(im.node(), "dim"));
    KW_ASSIGN(dim, im.dim_in(dim, x.shape.size()));
  } else {
    x = reshaped(im, x, {count_of(x.shape)});
  }
  const auto d = static_cast<std::size_t>(dim);
  Shape shape = x.shape;
  shape[d] *= repeats;
  std::vector<Index> at = identity(shape);
  at[d] = floor_div(at[d], repeats, shape);
  return im.define(0, viewed(im, x, shape, at));
}

/// [.., C*r*r, H, W] -> [.., C, H*r, W*r], and back.
Status pixel_shuffle(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(const std::int64_t r, attr_int(im.node(), "upscale_factor"));
  const std::size_t rank = x.shape.size();
  if (rank < 3 || r < 1 || x.shape[rank - 3] % (r * r) != 0) {
    return im.refuse("{} by {}", to_string(x.shape), r);
  }
  Shape shape = x.shape;
  shape[rank - 3] /= r * r;
  shape[rank - 2] *= r;
  shape[rank - 1] *= r;
  std::vector<Index> at = identity(shape);
  const Index h = at[rank - 2], w = at[rank - 1];
  at[rank - 3] = at[rank - 3] * (r * r) + modulo(h, r, shape) * r + modulo(w, r, shape);
  at[rank - 2] = floor_div(h, r, shape);
  at[rank - 1] = floor_div(w, r, shape);
  return im.define(0, viewed(im, x, shape, at));
}
Status pixel_unshuffle(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(const std::int64_t r, attr_int(im.node(), "downscale_factor"));
  const std::size_t rank = x.shape.size();
  if (rank < 3 || r < 1 || x.shape[rank - 2] % r != 0 || x.shape[rank - 1] % r != 0) {
    return im.refuse("{} by {}", to_string(x.shape), r);
  }
  Shape shape = x.shape;
  shape[rank - 3] *= r * r;
  shape[rank - 2] /= r;
  shape[rank - 1] /= r;
  std::vector<Index> at = identity(shape);
  const Index c = at[rank - 3];
  at[rank - 3] = floor_div(c, r * r, shape);
  at[rank - 2] = at[rank - 2] * r + modulo(floor_div(c, r, shape), r, shape);
  at[rank - 1] = at[rank - 1] * r + modulo(c, r, shape);
  return im.define(0, viewed(im, x, shape, at));
}

/// Channels seen as [groups, C/groups], transposed.
Status channel_shuffle(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(const std::int64_t groups, attr_int(im.node(), "groups"));
  if (x.shape.size() < 2 || groups < 1 || x.shape[1] % groups != 0) {
    return im.refuse("{} in {} groups", to_string(x.shape), groups);
  }
  std::vector<Index> at = identity(x.shape);
  const Index c = at[1];
  at[1] = modulo(c, groups, x.shape) * (x.shape[1] / groups) + floor_div(c, groups, x.shape);
  return im.define(0, viewed(im, x, x.shape, at));
}

/// Nearest: floor(o * in / out) of every spatial dimension, where the factor is the shapes' own.
Status upsample_nearest(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  const Shape& shape = im.output_value().shape;
  if (shape.size() != x.shape.size() || shape.size() < 3) {
    return im.refuse("{} to {}", to_string(x.shape), to_string(shape));
  }
  std::vector<Index> at = identity(shape);
  for (std::size_t d = 2; d < shape.size(); ++d) {
    if (shape[d] % x.shape[d] != 0) return im.refuse("{} to {}", x.shape[d], shape[d]);
    at[d] = floor_div(at[d], shape[d] / x.shape[d], shape);
  }
  return im.define(0, viewed(im, x, shape, at));
}

}  // namespace

Status pad_border(Importer& im, std::string_view mode) {
  KW_ASSIGN(Lazy x, im.input(0));
  KW_ASSIGN(const Numbers pads,
            attr_ints(im.node(), has_attr(im.node(), "pad") ? "pad" : "padding"));
  if (pads.size() % 2 != 0 || pads.size() / 2 > x.shape.size()) {
    return im.refuse("pad of {} numbers", pads.size());
  }
  const Border border = mode == "reflect"     ? Border::Reflect
                        : mode == "replicate" ? Border::Replicate
                                              : Border::Circular;
  if (border == Border::Circular && mode != "circular") return im.refuse("mode '{}'", mode);
  for (std::size_t i = 0; i < pads.size() / 2; ++i) {
    if (pads[2 * i] == 0 && pads[2 * i + 1] == 0) continue;
    KW_ASSIGN(x, bordered(im, x, x.shape.size() - 1 - i, pads[2 * i], pads[2 * i + 1], border));
  }
  return im.define(0, x);
}

void add_rearrangements(BuilderTable& t) {
  t["aten.unfold"] = unfold;
  t["aten.roll"] = roll;
  t["aten.repeat_interleave"] = repeat_interleave;
  t["aten.pixel_shuffle"] = pixel_shuffle;
  t["aten.pixel_unshuffle"] = pixel_unshuffle;
  t["aten.channel_shuffle"] = channel_shuffle;
  for (const int rank : {1, 2, 3}) {
    t[fmt::format("aten.reflection_pad{}d", rank)] = border_pad("reflect");
    t[fmt::format("aten.replication_pad{}d", rank)] = border_pad("replicate");
    t[fmt::format("aten.upsample_nearest{}d", rank)] = upsample_nearest;
  }
}

}  // namespace kw::codegen
