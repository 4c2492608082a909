// Normalisations: statistics by Welford (or a mean of squares), then one affine map.

#include "import/formula.h"
#include "ir/region.h"

namespace kw::codegen {
namespace {

/// (x - mean) / sqrt(m2 / count + eps) * weight + bias, weight and bias where present.
E normalised(E x, E mean, E m2, double count, double eps) {
  return (x - mean) * (m2 / count + eps).apply(Op::Rsqrt);
}

Result<std::optional<Lazy>> optional_input(Importer& im, std::size_t i) {
  if (!im.has_input(i)) return std::nullopt;
  KW_ASSIGN(Lazy lazy, im.input(i));
  return lazy;
}

Result<std::vector<std::int64_t>> trailing_dims(Importer& im, const Lazy& x) {
  KW_ASSIGN(const std::vector<std::int64_t> normalized, attr_ints(im.node(), "normalized_shape"));
  if (normalized.size() > x.shape.size())
    return im.refuse("normalized_shape is longer than the shape");
  const std::size_t first = x.shape.size() - normalized.size();
  std::vector<std::int64_t> dims;
  for (std::size_t d = 0; d < normalized.size(); ++d) {
    if (x.shape[first + d] != normalized[d]) {
      return im.refuse("normalized_shape does not end {}", to_string(x.shape));
    }
    dims.push_back(static_cast<std::int64_t>(first + d));
  }
  return dims;
}

double count_over(const Shape& shape, const std::vector<std::int64_t>& dims) {
  double count = 1;
  for (const std::int64_t d : dims)
    count *= static_cast<double>(shape[static_cast<std::size_t>(d)]);
  return count;
}

/// The mean and 1/sqrt(var + eps) that the native forms also return; `at` is a point of `stats`.
Status native_statistics(Importer& im, const std::vector<Lazy>& stats, double count, double eps,
                         const std::function<Importer::Point(const Importer::Point&)>& at) {
  KW_RETURN_IF_ERROR(im.map_output(
      1, [&](const Importer::Point& p) -> Result<ScalarId> { return im.at(stats[0], at(p)); }));
  return im.map_output(2, [&](const Importer::Point& p) -> Result<ScalarId> {
    return (E{&im, im.at(stats[1], at(p))} / count + eps).apply(Op::Rsqrt).id;
  });
}

/// native_layer_norm also returns statistics with the normalised dimensions kept.
Status layer_norm(Importer& im, bool native) {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(const std::vector<std::int64_t> dims, trailing_dims(im, x));
  KW_ASSIGN(const double eps, attr_number_or(im.node(), "eps", 1e-5));
  KW_ASSIGN(const std::optional<Lazy> weight, optional_input(im, 1));
  KW_ASSIGN(const std::optional<Lazy> bias, optional_input(im, 2));
  const DType type = compute_type(im.output_value().dtype);
  const auto value = [&](const Importer::Point& p) { return E{&im, im.at(x, p)}.to(type); };
  KW_ASSIGN(const auto stats,
            im.reduce(x.shape, dims, Combiner::Welford,
                      [&](const Importer::Point& p) -> Result<ScalarId> { return value(p).id; }));
  KW_RETURN_IF_ERROR(im.map_output(0, [&](const Importer::Point& p) -> Result<ScalarId> {
    E y = normalised(value(p), {&im, im.at_broadcast(stats[0], p)},
                     {&im, im.at_broadcast(stats[1], p)}, count_over(x.shape, dims), eps);
    if (weight) y = y * E{&im, im.at_broadcast(*weight, p)};
    if (bias) y = y + E{&im, im.at_broadcast(*bias, p)};
    return y.id;
  }));
  if (!native) return {};
  return native_statistics(im, stats, count_over(x.shape, dims), eps,
                           [](const Importer::Point& p) { return p; });
}

Status rms_norm(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(const std::vector<std::int64_t> dims, trailing_dims(im, x));
  KW_ASSIGN(const double eps, attr_number_or(im.node(), "eps", 1.1920928955078125e-07));
  KW_ASSIGN(const std::optional<Lazy> weight, optional_input(im, 1));
  const DType type = compute_type(im.output_value().dtype);
  const auto value = [&](const Importer::Point& p) { return E{&im, im.at(x, p)}.to(type); };
  KW_ASSIGN(const auto sums, im.reduce(x.shape, dims, Combiner::Sum,
                                       [&](const Importer::Point& p) -> Result<ScalarId> {
                                         return (value(p) * value(p)).id;
                                       }));
  return im.map_output(0, [&](const Importer::Point& p) -> Result<ScalarId> {
    const E mean = E{&im, im.at_broadcast(sums[0], p)} / count_over(x.shape, dims);
    E y = value(p) * (mean + eps).apply(Op::Rsqrt);
    if (weight) y = y * E{&im, im.at_broadcast(*weight, p)};
    return y.id;
  });
}

/// The per-channel vector `lazy` ([C]) at dimension 1 of a point.
E at_channel(Importer& im, const Lazy& lazy, const Importer::Point& p) {
  return {&im, im.at(lazy, Importer::Point{{lazy.shape[0] == 1 ? Index(0) : p.at[1]}, p.extents})};
}

/// group_norm and instance_norm: statistics over [C/G, spatial...] of x seen as [N, G, C/G, ...].
Status grouped_norm(Importer& im, const Lazy& x, std::int64_t groups,
                    const std::optional<Lazy>& weight, const std::optional<Lazy>& bias, double eps,
                    bool native = false) {
  if (x.shape.size() < 2 || groups <= 0 || x.shape[1] % groups != 0) {
    return im.refuse("{} groups of {}", groups, to_string(x.shape));
  }
  const std::int64_t per_group = x.shape[1] / groups;
  Shape split = {x.shape[0], groups, per_group};
  split.insert(split.end(), x.shape.begin() + 2, x.shape.end());
  std::vector<std::int64_t> dims;
  for (std::size_t d = 2; d < split.size(); ++d) dims.push_back(static_cast<std::int64_t>(d));
  const DType type = compute_type(im.output_value().dtype);
  KW_ASSIGN(
      const auto stats,
      im.reduce(split, dims, Combiner::Welford, [&](const Importer::Point& p) -> Result<ScalarId> {
        Importer::Point original{{p.at[0], p.at[1] * per_group + p.at[2]}, p.extents};
        original.at.insert(original.at.end(), p.at.begin() + 3, p.at.end());
        return im.scalars().cast(im.at(x, original), type);
      }));
  KW_RETURN_IF_ERROR(im.map_output(0, [&](const Importer::Point& p) -> Result<ScalarId> {
    Importer::Point group;
    group.extents = p.extents;
    group.at = {p.at[0], floor_div(p.at[1], per_group, p.extents)};
    group.at.resize(split.size(), Index(0));
    E y = normalised(E{&im, im.at(x, p)}.to(type), {&im, im.at(stats[0], group)},
                     {&im, im.at(stats[1], group)}, count_over(split, dims), eps);
    if (weight) y = y * at_channel(im, *weight, p);
    if (bias) y = y + at_channel(im, *bias, p);
    return y.id;
  }));
  if (!native) return {};
  return native_statistics(im, stats, count_over(split, dims), eps, [&](Importer::Point p) {
    p.at.resize(split.size(), Index(0));
    return p;
  });
}

/// native_group_norm(x, weight, bias, N, C, HxW, group, eps) also returns statistics [N, G].
Status group_norm(Importer& im, bool native) {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(const std::int64_t groups, attr_int(im.node(), native ? "group" : "num_groups"));
  KW_ASSIGN(const double eps, attr_number_or(im.node(), "eps", 1e-5));
  KW_ASSIGN(const std::optional<Lazy> weight, optional_input(im, 1));
  KW_ASSIGN(const std::optional<Lazy> bias, optional_input(im, 2));
  return grouped_norm(im, x, groups, weight, bias, eps, native);
}

Status instance_norm(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(const double eps, attr_number_or(im.node(), "eps", 1e-5));
  KW_ASSIGN(const bool use_input_stats, attr_bool_or(im.node(), "use_input_stats", true));
  KW_ASSIGN(const std::optional<Lazy> weight, optional_input(im, 1));
  KW_ASSIGN(const std::optional<Lazy> bias, optional_input(im, 2));
  if (!use_input_stats || im.has_input(3) || im.has_input(4)) {
    return im.refuse("running statistics");
  }
  if (x.shape.size() < 2) return im.refuse("rank {}", x.shape.size());
  return grouped_norm(im, x, x.shape[1], weight, bias, eps);
}

}  // namespace

void add_norms(BuilderTable& t) {
  for (const bool native : {false, true}) {
    const std::string prefix = native ? "aten.native_" : "aten.";
    t[prefix + "layer_norm"] = [=](Importer& im, std::string_view) {
      return layer_norm(im, native);
    };
    t[prefix + "group_norm"] = [=](Importer& im, std::string_view) {
      return group_norm(im, native);
    };
  }
  t["aten.rms_norm"] = rms_norm;
  t["aten.instance_norm"] = instance_norm;
}

}  // namespace kw::codegen
