// Distances and similarities along a dimension, and the losses made of them.

#include <cmath>
#include <numeric>

#include "import/window.h"
#include "ir/region.h"

namespace kw::codegen {
namespace {

/// sum over `dim` of body; the dimension is kept as an extent of 1.
Result<Lazy> sum_over(Importer& im, const Shape& shape, std::int64_t dim,
                      const std::function<E(const Importer::Point&)>& body) {
  KW_ASSIGN(const auto sums,
            im.reduce(shape, {dim}, Combiner::Sum,
                      [&](const Importer::Point& p) -> Result<ScalarId> { return body(p).id; }));
  return sums[0];
}

/// |d|^p; its root is `root`.
E power(E d, double p) {
  if (p == 2) return d * d;
  const E magnitude = d.apply(Op::Abs);
  return p == 1 ? magnitude : magnitude.apply(Op::Pow, d.number(p));
}
E root(E sum, double p) {
  if (p == 2) return sum.apply(Op::Sqrt);
  return p == 1 ? sum : sum.apply(Op::Pow, sum.number(1 / p));
}

/// A kept lazy at a point where its dimension `dim` is gone (or still there).
E at_kept(Importer& im, const Lazy& kept, std::size_t dim, Importer::Point p) {
  if (p.at.size() < kept.shape.size()) {
    p.at.insert(p.at.begin() + static_cast<std::ptrdiff_t>(dim), Index(0));
  } else {
    p.at[dim] = Index(0);
  }
  return {&im, im.at(kept, p)};
}

Result<Lazy> distance_sums(Importer& im, const Lazy& a, const Lazy& b, double p, double eps) {
  KW_ASSIGN(const Shape shape, broadcast(im, {a.shape, b.shape}));
  if (shape.empty()) return im.refuse("scalars have no distance");
  return sum_over(
      im, shape, static_cast<std::int64_t>(shape.size()) - 1, [&](const Importer::Point& at) {
        return power(E{&im, im.at_broadcast(a, at)} - E{&im, im.at_broadcast(b, at)} + eps, p);
      });
}

/// none, mean or sum of `value` over a shape.
Status reduced(Importer& im, const Shape& shape,
               const std::function<E(const Importer::Point&)>& value) {
  KW_ASSIGN(const std::int64_t reduction, attr_int_or(im.node(), "reduction", 1));
  const auto body = [&](const Importer::Point& p) -> Result<ScalarId> { return value(p).id; };
  if (reduction == 0) return im.map_output(0, body);
  if (reduction != 1 && reduction != 2) return im.refuse("reduction {}", reduction);
  std::vector<std::int64_t> dims(shape.size());
  std::iota(dims.begin(), dims.end(), 0);
  KW_ASSIGN(const auto sum, im.reduce(shape, dims, Combiner::Sum, body));
  return im.map_output(0, [&](const Importer::Point&) -> Result<ScalarId> {
    const Importer::Point origin{std::vector<Index>(shape.size(), Index(0)), {}};
    const E total{&im, im.at(sum[0], origin)};
    return (reduction == 2 ? total : total / static_cast<double>(count_of(shape))).id;
  });
}

Status pairwise_distance(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy a, im.input(0));
  KW_ASSIGN(const Lazy b, im.input(1));
  KW_ASSIGN(const double p, attr_number_or(im.node(), "p", 2));
  KW_ASSIGN(const double eps, attr_number_or(im.node(), "eps", 1e-6));
  if (p <= 0 || !std::isfinite(p)) return im.refuse("p = {}", p);
  KW_ASSIGN(const Lazy sums, distance_sums(im, a, b, p, eps));
  return im.map_output(0, [&](const Importer::Point& at) -> Result<ScalarId> {
    return root(at_kept(im, sums, sums.shape.size() - 1, at), p).id;
  });
}

Status triplet_margin_loss(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy anchor, im.input(0));
  KW_ASSIGN(const Lazy positive, im.input(1));
  KW_ASSIGN(const Lazy negative, im.input(2));
  KW_ASSIGN(const double margin, attr_number_or(im.node(), "margin", 1));
  KW_ASSIGN(const double p, attr_number_or(im.node(), "p", 2));
  KW_ASSIGN(const double eps, attr_number_or(im.node(), "eps", 1e-6));
  KW_ASSIGN(const bool swap, attr_bool_or(im.node(), "swap", false));
  if (p <= 0 || !std::isfinite(p)) return im.refuse("p = {}", p);
  KW_ASSIGN(const Lazy near, distance_sums(im, anchor, positive, p, eps));
  KW_ASSIGN(const Lazy far, distance_sums(im, anchor, negative, p, eps));
  std::optional<Lazy> across;
  if (swap) {
    KW_ASSIGN(across, distance_sums(im, positive, negative, p, eps));
  }
  Shape shape = near.shape;
  shape.pop_back();
  const std::size_t last = shape.size();
  return reduced(im, shape, [&](const Importer::Point& at) {
    E other = root(at_kept(im, far, last, at), p);
    if (across) other = other.apply(Op::Min, root(at_kept(im, *across, last, at), p));
    return clamp_low(root(at_kept(im, near, last, at), p) - other + margin, 0);
  });
}

struct Cosine {
  Lazy dot, a, b;
  std::size_t dim = 0;
};

Result<Cosine> cosine_parts(Importer& im, const Lazy& a, const Lazy& b, std::int64_t dim) {
  KW_ASSIGN(const Shape shape, broadcast(im, {a.shape, b.shape}));
  KW_ASSIGN(dim, im.dim_in(dim, shape.size()));
  const auto value = [&](const Lazy& x, const Importer::Point& p) {
    return E{&im, im.at_broadcast(x, p)};
  };
  Cosine c;
  c.dim = static_cast<std::size_t>(dim);
  KW_ASSIGN(c.dot, sum_over(im, shape, dim,
                            [&](const Importer::Point& p) { return value(a, p) * value(b, p); }));
  KW_ASSIGN(c.a, sum_over(im, shape, dim,
                          [&](const Importer::Point& p) { return value(a, p) * value(a, p); }));
  KW_ASSIGN(c.b, sum_over(im, shape, dim,
                          [&](const Importer::Point& p) { return value(b, p) * value(b, p); }));
  return c;
}

/// dot / (max(|a|, eps) * max(|b|, eps)).
Status cosine_similarity(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy a, im.input(0));
  KW_ASSIGN(const Lazy b, im.input(1));
  KW_ASSIGN(const std::int64_t dim, attr_int_or(im.node(), "dim", 1));
  KW_ASSIGN(const double eps, attr_number_or(im.node(), "eps", 1e-8));
  KW_ASSIGN(const Cosine c, cosine_parts(im, a, b, dim));
  return im.map_output(0, [&](const Importer::Point& p) -> Result<ScalarId> {
    const auto length = [&](const Lazy& x) {
      return clamp_low(at_kept(im, x, c.dim, p).apply(Op::Sqrt), eps);
    };
    return (at_kept(im, c.dot, c.dim, p) / (length(c.a) * length(c.b))).id;
  });
}

/// Target 1: 1 - cos; target -1: max(0, cos - margin). PyTorch adds 1e-12 to each squared length.
Status cosine_embedding_loss(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy a, im.input(0));
  KW_ASSIGN(const Lazy b, im.input(1));
  KW_ASSIGN(const Lazy target, im.input(2));
  KW_ASSIGN(const double margin, attr_number_or(im.node(), "margin", 0));
  KW_ASSIGN(const Cosine c, cosine_parts(im, a, b, static_cast<std::int64_t>(target.shape.size())));
  return reduced(im, target.shape, [&](const Importer::Point& p) {
    const E lengths = (at_kept(im, c.a, c.dim, p) + 1e-12) * (at_kept(im, c.b, c.dim, p) + 1e-12);
    const E cosine = at_kept(im, c.dot, c.dim, p) / lengths.apply(Op::Sqrt);
    const E t{&im, im.at(target, p)};
    return choose(
        t.apply(Op::Eq, t.number(1)), -cosine + 1.0,
        choose(t.apply(Op::Eq, t.number(-1)), clamp_low(cosine - margin, 0), cosine.number(0)));
  });
}

/// max(0, -t * (a - b) + margin).
Status margin_ranking_loss(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy a, im.input(0));
  KW_ASSIGN(const Lazy b, im.input(1));
  KW_ASSIGN(const Lazy target, im.input(2));
  KW_ASSIGN(const double margin, attr_number_or(im.node(), "margin", 0));
  KW_ASSIGN(const Shape shape, broadcast(im, {a.shape, b.shape, target.shape}));
  return reduced(im, shape, [&](const Importer::Point& p) {
    const E x{&im, im.at_broadcast(a, p)}, y{&im, im.at_broadcast(b, p)};
    const E t = E{&im, im.at_broadcast(target, p)}.to(x.type());
    return clamp_low(-t * (x - y) + margin, 0);
  });
}

}  // namespace

void add_distances(BuilderTable& t) {
  t["aten.pairwise_distance"] = pairwise_distance;
  t["aten.triplet_margin_loss"] = triplet_margin_loss;
  t["aten.cosine_similarity"] = cosine_similarity;
  t["aten.cosine_embedding_loss"] = cosine_embedding_loss;
  t["aten.margin_ranking_loss"] = margin_ranking_loss;
}

}  // namespace kw::codegen
