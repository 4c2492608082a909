// cross_entropy_loss and nll_loss: the log-probability of a class that an index tensor names.

#include <numeric>

#include "import/window.h"
#include "ir/region.h"

namespace kw::codegen {
namespace {

struct Classes {
  Lazy x;                      // [C] or [B, C, ...]
  Lazy target;                 // indices of x's shape without C, or probabilities of x's shape
  std::optional<Lazy> weight;  // [C]
  std::size_t dim = 1;         // of the classes
  std::int64_t ignore = -100, reduction = 1;
  double smoothing = 0;
  DType type = DType::F32;

  double count() const { return static_cast<double>(x.shape[dim]); }
  /// A point of the indices at class 0.
  Importer::Point with_class(const Importer::Point& p, const Index& which) const {
    Importer::Point at = p;
    at.at.insert(at.at.begin() + static_cast<std::ptrdiff_t>(dim), which);
    return at;
  }
};

Result<Classes> classes_of(Importer& im) {
  Classes c;
  KW_ASSIGN(c.x, im.input(0));
  KW_ASSIGN(c.target, im.input(1));
  if (im.has_input(2)) {
    KW_ASSIGN(c.weight, im.input(2));
  }
  if (c.x.shape.empty()) return im.refuse("a scalar");
  c.dim = c.x.shape.size() == 1 ? 0 : 1;
  KW_ASSIGN(c.ignore, attr_int_or(im.node(), "ignore_index", -100));
  KW_ASSIGN(c.reduction, attr_int_or(im.node(), "reduction", 1));
  KW_ASSIGN(c.smoothing, attr_number_or(im.node(), "label_smoothing", 0));
  if (c.reduction < 0 || c.reduction > 2) return im.refuse("reduction {}", c.reduction);
  c.type = compute_type(im.output_value().dtype);
  return c;
}

/// `value` at every point of `shape`, reduced as the node asks; a mean divides by the sum of
/// `mass`, or by `divisor` where there is none.
Status finish(Importer& im, const Classes& c, const Shape& shape, const Importer::Body& value,
              const Importer::Body& mass, double divisor) {
  if (c.reduction == 0) return im.map_output(0, value);
  std::vector<std::int64_t> dims(shape.size());
  std::iota(dims.begin(), dims.end(), 0);
  if (c.reduction == 2) {
    KW_ASSIGN(const auto sum, im.reduce(shape, dims, Combiner::Sum, value, {0}));
    return {};
  }
  KW_ASSIGN(const auto sum, im.reduce(shape, dims, Combiner::Sum, value));
  std::vector<Lazy> masses;
  if (mass) {
    KW_ASSIGN(masses, im.reduce(shape, dims, Combiner::Sum, mass));
  }
  return im.map_output(0, [&](const Importer::Point&) -> Result<ScalarId> {
    const Importer::Point origin{std::vector<Index>(shape.size(), Index(0)), {}};
    const E total{&im, im.at(sum[0], origin)};
    if (masses.empty()) return (total / divisor).id;
    return (total / E{&im, im.at(masses[0], origin)}).id;
  });
}

/// log_p(point with a class index) and log_p of the class that `index` names.
struct LogProbability {
  std::function<E(const Importer::Point&)> at;
  std::function<Result<E>(const Importer::Point&, ScalarId index)> of;
};

Status indexed_loss(Importer& im, const Classes& c, const LogProbability& log_p) {
  if (c.target.shape.size() + 1 != c.x.shape.size()) {
    return im.refuse("targets {} for {}", to_string(c.target.shape), to_string(c.x.shape));
  }
  TensorId weights = kNoTensor;
  if (c.weight) {
    KW_ASSIGN(weights, im.plain(*c.weight, c.type));
  }
  const auto ignored = [&](E index) {
    return index.apply(Op::Eq, index.number(static_cast<double>(c.ignore)));
  };
  const auto weight_of = [&](E index) {
    const DType stored = im.program().tensor(weights).dtype;
    return E{&im, im.scalars().gather(weights, stored, {Index(0)}, {0}, {index.id})}.to(c.type);
  };
  std::vector<Lazy> spread;  // sum over classes of w_c log p_c
  if (c.smoothing != 0) {
    KW_ASSIGN(spread,
              im.reduce(c.x.shape, {static_cast<std::int64_t>(c.dim)}, Combiner::Sum,
                        [&](const Importer::Point& p) -> Result<ScalarId> {
                          const E value = log_p.at(p);
                          if (!c.weight) return value.id;
                          return (value * E{&im, im.at(*c.weight, {{p.at[c.dim]}, p.extents})}).id;
                        }));
  }
  const auto value = [&](const Importer::Point& p) -> Result<ScalarId> {
    const E index{&im, im.at(c.target, p)};
    KW_ASSIGN(const E log, log_p.of(p, index.id));
    E loss = -log;
    if (c.weight) loss = loss * weight_of(index);
    if (!spread.empty()) {
      const E uniform{&im, im.at(spread[0], c.with_class(p, Index(0)))};
      loss = loss * (1 - c.smoothing) - uniform * (c.smoothing / c.count());
    }
    return choose(ignored(index), loss.number(0), loss).id;
  };
  const auto mass = [&](const Importer::Point& p) -> Result<ScalarId> {
    const E index{&im, im.at(c.target, p)};
    const E one{&im, im.scalars().constant(1, c.type)};
    return choose(ignored(index), one.number(0), c.weight ? weight_of(index) : one).id;
  };
  return finish(im, c, c.target.shape, value, mass, 1);
}

/// Targets are probabilities: - sum over classes of w_c t_c log p_c, averaged over the batch.
Status dense_loss(Importer& im, const Classes& c, const LogProbability& log_p) {
  KW_ASSIGN(const auto sums,
            im.reduce(c.x.shape, {static_cast<std::int64_t>(c.dim)}, Combiner::Sum,
                      [&](const Importer::Point& p) -> Result<ScalarId> {
                        E target = E{&im, im.at(c.target, p)}.to(c.type);
                        if (c.smoothing != 0) {
                          target = target * (1 - c.smoothing) + c.smoothing / c.count();
                        }
                        E term = target * log_p.at(p);
                        if (c.weight) {
                          term = term * E{&im, im.at(*c.weight, {{p.at[c.dim]}, p.extents})};
                        }
                        return (-term).id;
                      }));
  Shape shape = c.x.shape;
  shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(c.dim));
  return finish(
      im, c, shape,
      [&](const Importer::Point& p) -> Result<ScalarId> {
        return im.at(sums[0], c.with_class(p, Index(0)));
      },
      nullptr, static_cast<double>(count_of(shape)));
}

Status cross_entropy(Importer& im, std::string_view) {
  KW_ASSIGN(const Classes c, classes_of(im));
  KW_ASSIGN(const TensorId x, im.plain(c.x, c.type));
  const auto value = [&](const Importer::Point& p) { return E{&im, im.at(c.x, p)}.to(c.type); };
  KW_ASSIGN(const auto stats,
            im.reduce(c.x.shape, {static_cast<std::int64_t>(c.dim)}, Combiner::OnlineSoftmax,
                      [&](const Importer::Point& p) -> Result<ScalarId> { return value(p).id; }));
  const auto log_sum = [&](const Importer::Point& p) {
    return E{&im, im.at_broadcast(stats[0], p)} +
           E{&im, im.at_broadcast(stats[1], p)}.apply(Op::Log);
  };
  LogProbability log_p;
  log_p.at = [&](const Importer::Point& p) { return value(p) - log_sum(p); };
  log_p.of = [&](const Importer::Point& p, ScalarId index) -> Result<E> {
    const Importer::Point at = c.with_class(p, Index(0));
    const E picked = E{&im, im.scalars().gather(x, im.program().tensor(x).dtype, at.at,
                                                {static_cast<int>(c.dim)}, {index})}
                         .to(c.type);
    return picked - log_sum(at);
  };
  const bool dense = is_floating(im.scalars()[c.target.expr].type);
  if (dense && c.target.shape != c.x.shape) {
    return im.refuse("targets {} for {}", to_string(c.target.shape), to_string(c.x.shape));
  }
  return dense ? dense_loss(im, c, log_p) : indexed_loss(im, c, log_p);
}

Status nll(Importer& im, std::string_view) {
  KW_ASSIGN(const Classes c, classes_of(im));
  KW_ASSIGN(const TensorId x, im.plain(c.x, c.type));
  LogProbability log_p;
  log_p.at = [&](const Importer::Point& p) { return E{&im, im.at(c.x, p)}.to(c.type); };
  log_p.of = [&](const Importer::Point& p, ScalarId index) -> Result<E> {
    return E{&im, im.scalars().gather(x, im.program().tensor(x).dtype, c.with_class(p, Index(0)).at,
                                      {static_cast<int>(c.dim)}, {index})}
        .to(c.type);
  };
  return indexed_loss(im, c, log_p);
}

}  // namespace

void add_class_losses(BuilderTable& t) {
  t["aten.cross_entropy_loss"] = cross_entropy;
  for (const char* name : {"aten.nll_loss", "aten.nll_loss_nd", "aten.nll_loss2d"}) t[name] = nll;
}

}  // namespace kw::codegen
