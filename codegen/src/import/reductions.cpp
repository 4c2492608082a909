// Reductions over dimensions: sums, means, extrema, norms, softmax.

#include <cmath>
#include <limits>

#include "import/formula.h"

namespace kw::codegen {
namespace {

double elements_of(const Shape& shape, const std::vector<std::int64_t>& dims) {
  double count = 1;
  for (const std::int64_t d : dims)
    count *= static_cast<double>(shape[static_cast<std::size_t>(d)]);
  return count;
}

/// A reduced lazy (extents of 1 kept) at a point of the node's output, whose dimensions may be
/// dropped.
ScalarId at_reduced(Importer& im, const Lazy& kept, const std::vector<std::int64_t>& dims,
                    const Importer::Point& point) {
  if (kept.shape.size() == point.at.size()) return im.at_broadcast(kept, point);
  Importer::Point full;
  full.extents = point.extents;
  std::size_t next = 0;
  for (std::size_t d = 0; d < kept.shape.size(); ++d) {
    const bool reduced =
        std::find(dims.begin(), dims.end(), static_cast<std::int64_t>(d)) != dims.end();
    full.at.push_back(reduced ? Index(0) : point.at[next++]);
  }
  return im.at(kept, full);
}

using Pre = std::function<E(E)>;

/// One combiner over pre(x), and post(result, count) where the result is not itself the output.
struct Recipe {
  Combiner combiner = Combiner::Sum;
  Pre pre;
  std::function<E(E result, double count)> post;
};

Status reduce_with(Importer& im, const Recipe& recipe, std::string_view dim_name = "dim") {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(const std::vector<std::int64_t> dims, im.dims_or_all(x.shape.size(), dim_name));
  const DType type = compute_type(im.output_value().dtype);
  const auto body = [&](const Importer::Point& point) -> Result<ScalarId> {
    const E value = E{&im, im.at(x, point)}.to(type);
    return recipe.pre ? recipe.pre(value).id : value.id;
  };
  if (!recipe.post) {
    KW_ASSIGN(const auto results, im.reduce(x.shape, dims, recipe.combiner, body, {0}));
    return {};
  }
  KW_ASSIGN(const auto results, im.reduce(x.shape, dims, recipe.combiner, body));
  return im.map_output(0, [&](const Importer::Point& point) -> Result<ScalarId> {
    return recipe.post(E{&im, at_reduced(im, results[0], dims, point)}, elements_of(x.shape, dims))
        .id;
  });
}

Builder reduction(Combiner combiner) {
  return [combiner](Importer& im, std::string_view) -> Status {
    return reduce_with(im, {combiner, nullptr, nullptr});
  };
}

Status mean(Importer& im, std::string_view) {
  return reduce_with(im, {Combiner::Sum, nullptr, [](E sum, double n) { return sum / n; }});
}

/// any, all: the maximum or minimum of truth values.
Builder truth_reduction(Combiner combiner) {
  return [combiner](Importer& im, std::string_view) -> Status {
    return reduce_with(im, {combiner, [](E x) { return x; }, nullptr});
  };
}

/// max / min: of everything, over a dimension with indices, or of two tensors.
Builder extremum(Combiner value, Combiner with_index, Op binary) {
  return [=](Importer& im, std::string_view overload) -> Status {
    if (overload == "other" || im.node().inputs.size() == 2) {
      return pointwise(2, Promotion::ToOutput,
                       [binary](Importer& i, const std::vector<ScalarId>& x) -> Result<ScalarId> {
                         return i.scalars().binary(binary, x[0], x[1]);
                       })(im, overload);
    }
    KW_ASSIGN(const Lazy x, im.input(0));
    KW_ASSIGN(const std::vector<std::int64_t> dims, im.dims_or_all(x.shape.size()));
    const auto body = [&](const Importer::Point& p) -> Result<ScalarId> { return im.at(x, p); };
    if (!im.output_is_used(1)) {
      KW_ASSIGN(const auto results, im.reduce(x.shape, dims, value, body, {0}));
      return {};
    }
    if (dims.size() != 1) return im.refuse("indices over several dimensions");
    KW_ASSIGN(const auto results,
              im.reduce(x.shape, dims, with_index, body, {im.output_is_used(0) ? 0 : -1, 1}));
    return {};
  };
}

/// argmax, argmin: over one dimension, or over the flattened tensor.
Builder arg_extremum(Combiner combiner) {
  return [combiner](Importer& im, std::string_view) -> Status {
    KW_ASSIGN(const Lazy x, im.input(0));
    KW_ASSIGN(const std::vector<std::int64_t> dims, im.dims_or_all(x.shape.size()));
    if (dims.size() != 1 && dims.size() != x.shape.size()) return im.refuse("several dimensions");
    const auto body = [&](const Importer::Point& p) -> Result<ScalarId> { return im.at(x, p); };
    KW_ASSIGN(const auto results, im.reduce(x.shape, dims, combiner, body, {-1, 0}));
    return {};
  };
}

/// var and std by Welford; correction 1 unless told otherwise.
Result<double> correction_of(const Importer& im) {
  if (has_attr(im.node(), "correction")) return attr_number(im.node(), "correction");
  KW_ASSIGN(const bool unbiased, attr_bool_or(im.node(), "unbiased", true));
  return unbiased ? 1.0 : 0.0;
}

Builder variance(bool root, bool mean_too) {
  return [=](Importer& im, std::string_view) -> Status {
    KW_ASSIGN(const Lazy x, im.input(0));
    KW_ASSIGN(const std::vector<std::int64_t> dims, im.dims_or_all(x.shape.size()));
    KW_ASSIGN(const double correction, correction_of(im));
    const double count = elements_of(x.shape, dims) - correction;
    KW_ASSIGN(const auto results,
              im.reduce(x.shape, dims, Combiner::Welford,
                        [&](const Importer::Point& p) -> Result<ScalarId> { return im.at(x, p); }));
    KW_RETURN_IF_ERROR(im.map_output(0, [&](const Importer::Point& p) -> Result<ScalarId> {
      const E m2{&im, at_reduced(im, results[1], dims, p)};
      // torch gives NaN (0/0) where nothing is left of the count, Inf never.
      const E var = count > 0 ? m2 / count : m2.number(std::numeric_limits<double>::quiet_NaN());
      return root ? var.apply(Op::Sqrt).id : var.id;
    }));
    if (!mean_too) return {};
    return im.map_output(1, [&](const Importer::Point& p) -> Result<ScalarId> {
      return at_reduced(im, results[0], dims, p);
    });
  };
}

/// norm and linalg_vector_norm of any order.
Builder vector_norm(std::string_view order_name) {
  return [order_name](Importer& im, std::string_view) -> Status {
    double p = 2;
    if (has_attr(im.node(), order_name)) {
      KW_ASSIGN(p, attr_number(im.node(), order_name));
    }
    const Pre magnitude = [](E x) { return x.apply(Op::Abs); };
    if (p == 2) {
      return reduce_with(im, {Combiner::Sum, [](E x) { return x * x; },
                              [](E sum, double) { return sum.apply(Op::Sqrt); }});
    }
    if (p == 1) return reduce_with(im, {Combiner::Sum, magnitude, nullptr});
    if (std::isinf(p)) {
      return reduce_with(im, {p > 0 ? Combiner::Max : Combiner::Min, magnitude, nullptr});
    }
    if (p == 0) {
      return reduce_with(
          im,
          {Combiner::Sum, [](E x) { return x.apply(Op::Ne, x.number(0)).to(x.type()); }, nullptr});
    }
    return reduce_with(
        im, {Combiner::Sum, [p](E x) { return x.apply(Op::Abs).apply(Op::Pow, x.number(p)); },
             [p](E sum, double) { return sum.apply(Op::Pow, sum.number(1 / p)); }});
  };
}

Status logsumexp(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(const std::vector<std::int64_t> dims, im.dims_or_all(x.shape.size()));
  KW_ASSIGN(const auto results,
            im.reduce(x.shape, dims, Combiner::OnlineSoftmax,
                      [&](const Importer::Point& p) -> Result<ScalarId> { return im.at(x, p); }));
  return im.map_output(0, [&](const Importer::Point& p) -> Result<ScalarId> {
    const E max{&im, at_reduced(im, results[0], dims, p)};
    const E sum{&im, at_reduced(im, results[1], dims, p)};
    return (max + sum.apply(Op::Log)).id;
  });
}

/// softmax subtracts the maximum; a row whose maximum is infinite is NaN throughout, as in
/// exp(x - max) / sum. The combiner counts such maxima as exp(0), so the NaN is put back by
/// max - max.
Builder softmax(bool logarithm) {
  return [logarithm](Importer& im, std::string_view) -> Status {
    KW_ASSIGN(const Lazy x, im.input(0));
    KW_ASSIGN(std::int64_t dim, attr_int(im.node(), "dim"));
    KW_ASSIGN(dim, im.dim_in(dim, x.shape.size()));
    const DType type = compute_type(im.output_value().dtype);
    const auto value = [&](const Importer::Point& p) { return E{&im, im.at(x, p)}.to(type); };
    const std::vector<std::int64_t> dims =
        x.shape.empty() ? std::vector<std::int64_t>{} : std::vector<std::int64_t>{dim};
    KW_ASSIGN(const auto results,
              im.reduce(x.shape, dims, Combiner::OnlineSoftmax,
                        [&](const Importer::Point& p) -> Result<ScalarId> { return value(p).id; }));
    return im.map_output(0, [&](const Importer::Point& p) -> Result<ScalarId> {
      const E max{&im, im.at_broadcast(results[0], p)};
      const E sum = E{&im, im.at_broadcast(results[1], p)} + (max - max);
      const E shifted = value(p) - max;
      if (logarithm) return (shifted - sum.apply(Op::Log)).id;
      // One division a row instead of one an element; 1 <= sum, so the reciprocal is harmless.
      return (shifted.apply(Op::Exp) * sum.apply(Op::Reciprocal)).id;
    });
  };
}

}  // namespace

void add_reductions(BuilderTable& t) {
  t["aten.sum"] = reduction(Combiner::Sum);
  t["aten.prod"] = reduction(Combiner::Prod);
  t["aten.amax"] = reduction(Combiner::Max);
  t["aten.amin"] = reduction(Combiner::Min);
  t["aten.any"] = truth_reduction(Combiner::Max);
  t["aten.all"] = truth_reduction(Combiner::Min);
  t["aten.mean"] = mean;
  t["aten.max"] = extremum(Combiner::Max, Combiner::ArgMax, Op::Max);
  t["aten.min"] = extremum(Combiner::Min, Combiner::ArgMin, Op::Min);
  t["aten.argmax"] = arg_extremum(Combiner::ArgMax);
  t["aten.argmin"] = arg_extremum(Combiner::ArgMin);
  t["aten.var"] = variance(false, false);
  t["aten.std"] = variance(true, false);
  t["aten.var_mean"] = variance(false, true);
  t["aten.std_mean"] = variance(true, true);
  t["aten.norm"] = vector_norm("p");
  t["aten.linalg_vector_norm"] = vector_norm("ord");
  t["aten.frobenius_norm"] = vector_norm("ord");
  t["aten.logsumexp"] = logsumexp;
  t["aten.softmax"] = softmax(false);
  t["aten._softmax"] = softmax(false);
  t["aten.log_softmax"] = softmax(true);
  t["aten._log_softmax"] = softmax(true);
}

}  // namespace kw::codegen
