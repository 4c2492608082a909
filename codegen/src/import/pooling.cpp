// Pools: a combiner over a window of accesses; what lies outside the image is its neutral element.

#include <algorithm>

#include "import/window.h"
#include "ir/region.h"

namespace kw::codegen {
namespace {

using Numbers = std::vector<std::int64_t>;

/// One pooled dimension: output o covers input start(o) + tap*dilation for taps below its width.
struct Pooled {
  std::int64_t in = 1, out = 1, taps = 1;
  std::int64_t stride = 1, padding = 0, dilation = 1;
  bool adaptive = false;

  Index start(const Index& o, const Shape& extents) const {
    return adaptive ? floor_div(o * in, out, extents) : o * stride - Index(padding);
  }
  /// One past the last input of an adaptive cell.
  Index end(const Index& o, const Shape& extents) const {
    return floor_div(o * in + Index(in + out - 1), out, extents);
  }
  bool even() const { return !adaptive || in % out == 0; }
};

struct Pool {
  std::size_t leading = 0;  // dimensions before the pooled ones
  std::vector<Pooled> dims;
  Lazy x;
  DType type = DType::F32;

  /// Output dimensions, then one per window dimension.
  Shape space() const {
    Shape shape(x.shape.begin(), x.shape.begin() + static_cast<std::ptrdiff_t>(leading));
    for (const Pooled& d : dims) shape.push_back(d.out);
    for (const Pooled& d : dims) shape.push_back(d.taps);
    return shape;
  }
  std::vector<std::int64_t> window_dims() const {
    std::vector<std::int64_t> list;
    for (std::size_t d = 0; d < dims.size(); ++d) {
      list.push_back(static_cast<std::int64_t>(leading + dims.size() + d));
    }
    return list;
  }
  std::int64_t taps() const {
    std::int64_t count = 1;
    for (const Pooled& d : dims) count *= d.taps;
    return count;
  }
};

Result<Pool> pool_of(Importer& im, std::size_t rank) {
  Pool pool;
  KW_ASSIGN(pool.x, im.input(0));
  const Shape& out = im.output_value().shape;
  if (pool.x.shape.size() < rank || out.size() != pool.x.shape.size()) {
    return im.refuse("{} to {}", to_string(pool.x.shape), to_string(out));
  }
  pool.leading = pool.x.shape.size() - rank;
  pool.type = compute_type(im.output_value().dtype);
  pool.dims.resize(rank);
  for (std::size_t d = 0; d < rank; ++d) {
    pool.dims[d].in = pool.x.shape[pool.leading + d];
    pool.dims[d].out = out[pool.leading + d];
  }
  return pool;
}

/// Output extents are the graph's own, so ceil_mode needs no formula.
Result<Pool> sliding_pool(Importer& im, std::size_t rank) {
  KW_ASSIGN(Pool pool, pool_of(im, rank));
  KW_ASSIGN(const Numbers kernel, window_list(im, "kernel_size", rank, {}));
  if (kernel.empty()) return im.refuse("no kernel_size");
  KW_ASSIGN(const Numbers stride, window_list(im, "stride", rank, kernel));
  KW_ASSIGN(const Numbers padding, window_list(im, "padding", rank, Numbers(rank, 0)));
  KW_ASSIGN(const Numbers dilation, window_list(im, "dilation", rank, Numbers(rank, 1)));
  for (std::size_t d = 0; d < rank; ++d) {
    Pooled& p = pool.dims[d];
    p.taps = kernel[d];
    p.stride = stride[d];
    p.padding = padding[d];
    p.dilation = dilation[d];
    if (p.taps < 1 || p.stride < 1 || p.padding < 0 || p.dilation < 1) {
      return im.refuse("kernel {}, stride {}, padding {}, dilation {}", p.taps, p.stride, p.padding,
                       p.dilation);
    }
  }
  return pool;
}

/// Cell o covers [floor(o*in/out), ceil((o+1)*in/out)).
Result<Pool> adaptive_pool(Importer& im, std::size_t rank) {
  KW_ASSIGN(Pool pool, pool_of(im, rank));
  for (Pooled& p : pool.dims) {
    p.adaptive = true;
    for (std::int64_t o = 0; o < p.out; ++o) {
      const std::int64_t start = o * p.in / p.out, end = ((o + 1) * p.in + p.out - 1) / p.out;
      p.taps = std::max(p.taps, end - start);
    }
  }
  return pool;
}

/// The input at a point of the pool's space, `outside` beyond the image or the cell.
ScalarId value_at(Importer& im, const Pool& pool, const Importer::Point& p, double outside) {
  Importer::Point at;
  at.extents = p.extents;
  at.at.assign(p.at.begin(), p.at.begin() + static_cast<std::ptrdiff_t>(pool.leading));
  std::vector<ScalarId> conditions;
  for (std::size_t d = 0; d < pool.dims.size(); ++d) {
    const Pooled& dim = pool.dims[d];
    const Index& o = p.at[pool.leading + d];
    const Index& tap = p.at[pool.leading + pool.dims.size() + d];
    at.at.push_back(dim.start(o, p.extents) + tap * dim.dilation);
    if (dim.even()) continue;
    const Index left = dim.end(o, p.extents) - at.at.back();
    conditions.push_back(in_range(im, left, 1, dim.in + 1, p.extents));
  }
  ScalarId value = im.scalars().cast(at_or(im, pool.x, at, outside), pool.type);
  const ScalarId other = im.scalars().constant(outside, pool.type);
  for (const ScalarId condition : conditions) value = guarded(im, condition, value, other);
  return value;
}

/// A kept result of the reduction at a point of the output.
ScalarId at_output(Importer& im, const Pool& pool, const Lazy& kept, const Importer::Point& p) {
  if (kept.shape.size() == p.at.size()) return im.at(kept, p);
  Importer::Point at = p;
  at.at.resize(p.at.size() + pool.dims.size(), Index(0));
  return im.at(kept, at);
}

/// How many inputs a cell averages: `padded` counts the padding too, but not what ceil_mode adds.
E cells(Importer& im, const Pooled& d, const Index& o, const Shape& extents, bool padded) {
  if (d.adaptive) return coordinate(im, d.end(o, extents) - d.start(o, extents));
  const Index start = d.start(o, extents);
  const auto number = [&](std::int64_t v) { return coordinate(im, Index(v)); };
  const E last = coordinate(im, start + Index(d.taps));
  const std::int64_t limit = padded ? d.in + d.padding : d.in;
  const IndexRange range = range_of(start, extents);
  const E end = range.high + d.taps <= limit ? last : last.apply(Op::Min, number(limit));
  const E begin = coordinate(im, start);
  if (padded || range.low >= 0) {
    if (range.high + d.taps <= limit) return number(d.taps);
    return end - begin;
  }
  return end - begin.apply(Op::Max, number(0));
}

Status average(Importer& im, const Pool& pool) {
  KW_ASSIGN(const bool padded, attr_bool_or(im.node(), "count_include_pad", true));
  KW_ASSIGN(const std::int64_t fixed, attr_int_or(im.node(), "divisor_override", 0));
  KW_ASSIGN(const auto sums, im.reduce(pool.space(), pool.window_dims(), Combiner::Sum,
                                       [&](const Importer::Point& p) -> Result<ScalarId> {
                                         return value_at(im, pool, p, 0);
                                       }));
  return im.map_output(0, [&](const Importer::Point& p) -> Result<ScalarId> {
    const E sum{&im, at_output(im, pool, sums[0], p)};
    if (fixed != 0) return (sum / static_cast<double>(fixed)).id;
    E count = coordinate(im, Index(1));
    double constant = 1;
    bool varies = false;
    for (std::size_t d = 0; d < pool.dims.size(); ++d) {
      const E n = cells(im, pool.dims[d], p.at[pool.leading + d], p.extents, padded);
      if (im.scalars()[n.id].op == Op::Constant) {
        constant *= static_cast<double>(im.scalars()[n.id].integer);
      } else {
        count = varies ? count * n : n;
        varies = true;
      }
    }
    if (!varies) return (sum / constant).id;
    return (sum / (count.to(sum.type()) * constant)).id;
  });
}

/// Maximum, and where wanted its place in the flattened image: the first of equals, NaN first.
Status maximum(Importer& im, const Pool& pool) {
  const double lowest = -std::numeric_limits<double>::infinity();
  const auto body = [&](const Importer::Point& p) -> Result<ScalarId> {
    return value_at(im, pool, p, lowest);
  };
  if (!im.output_is_used(1)) {
    KW_ASSIGN(const auto best,
              im.reduce(pool.space(), pool.window_dims(), Combiner::Max, body, {0}));
    return {};
  }
  KW_ASSIGN(const auto best, im.reduce(pool.space(), pool.window_dims(), Combiner::ArgMax, body,
                                       {im.output_is_used(0) ? 0 : -1, -1}));
  return im.map_output(1, [&](const Importer::Point& p) -> Result<ScalarId> {
    // The tap's number apart into one per dimension, then the pixel that it met.
    E rest{&im, at_output(im, pool, best[1], p)};
    std::int64_t taps = pool.taps();
    E place = rest.number(0);
    for (std::size_t d = 0; d < pool.dims.size(); ++d) {
      const Pooled& dim = pool.dims[d];
      taps /= dim.taps;
      const E tap = rest / rest.number(static_cast<double>(taps));
      rest = rest - tap * rest.number(static_cast<double>(taps));
      const E start = coordinate(im, dim.start(p.at[pool.leading + d], p.extents)).to(rest.type());
      place = place * rest.number(static_cast<double>(dim.in)) + start +
              tap * rest.number(static_cast<double>(dim.dilation));
    }
    return place.id;
  });
}

template <bool Adaptive, bool Max>
Builder pool(std::size_t rank) {
  return [rank](Importer& im, std::string_view) -> Status {
    KW_ASSIGN(const Pool p, Adaptive ? adaptive_pool(im, rank) : sliding_pool(im, rank));
    return Max ? maximum(im, p) : average(im, p);
  };
}

}  // namespace

void add_pooling(BuilderTable& t) {
  for (const std::size_t rank : {1u, 2u, 3u}) {
    t[fmt::format("aten.max_pool{}d", rank)] = pool<false, true>(rank);
    t[fmt::format("aten.max_pool{}d_with_indices", rank)] = pool<false, true>(rank);
    t[fmt::format("aten.avg_pool{}d", rank)] = pool<false, false>(rank);
    t[fmt::format("aten.adaptive_avg_pool{}d", rank)] = pool<true, false>(rank);
    t[fmt::format("aten._adaptive_avg_pool{}d", rank)] = pool<true, false>(rank);
    t[fmt::format("aten.adaptive_max_pool{}d", rank)] = pool<true, true>(rank);
  }
}

}  // namespace kw::codegen
