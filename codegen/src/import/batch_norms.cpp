// Batch and instance normalisation: statistics of the batch and running ones, which are the task's
// state: what becomes of them is an output.

#include "import/window.h"
#include "ir/region.h"

namespace kw::codegen {
namespace {

struct Channels {
  Lazy x;
  std::optional<Lazy> weight, bias, mean, var;
  double eps = 1e-5, momentum = 0.1;
  DType type = DType::F32;

  double samples() const {
    return static_cast<double>(count_of(x.shape)) / static_cast<double>(x.shape[1]);
  }
};

/// The vector `lazy` ([C]) at a channel.
E at_channel(Importer& im, const Lazy& lazy, const Index& channel, const Shape& extents) {
  return {&im, im.at(lazy, {{lazy.shape[0] == 1 ? Index(0) : channel}, extents})};
}

Result<Channels> channels_of(Importer& im) {
  Channels c;
  KW_ASSIGN(c.x, im.input(0));
  if (c.x.shape.size() < 2) return im.refuse("rank {}", c.x.shape.size());
  std::optional<Lazy>* const optional[] = {&c.weight, &c.bias, &c.mean, &c.var};
  for (std::size_t i = 0; i < 4; ++i) {
    if (!im.has_input(i + 1)) continue;
    KW_ASSIGN(*optional[i], im.input(i + 1));
    if ((*optional[i])->shape != Shape{c.x.shape[1]}) {
      return im.refuse("argument {} is {}", i + 1, to_string((*optional[i])->shape));
    }
  }
  KW_ASSIGN(c.eps, attr_number_or(im.node(), "eps", 1e-5));
  KW_ASSIGN(c.momentum, attr_number_or(im.node(), "momentum", 0.1));
  c.type = compute_type(im.output_value().dtype);
  return c;
}

/// (x - mean) * inverse deviation * weight + bias into output 0.
Status affine(Importer& im, const Channels& c,
              const std::function<std::pair<E, E>(const Importer::Point&)>& mean_and_scale) {
  return im.map_output(0, [&](const Importer::Point& p) -> Result<ScalarId> {
    const auto [mean, scale] = mean_and_scale(p);
    E y = (E{&im, im.at(c.x, p)}.to(c.type) - mean) * scale;
    if (c.weight) y = y * at_channel(im, *c.weight, p.at[1], p.extents);
    if (c.bias) y = y + at_channel(im, *c.bias, p.at[1], p.extents);
    return y.id;
  });
}

/// Inference: a per-channel affine map of the running statistics, which stay.
Status by_running(Importer& im, const Channels& c, bool functional) {
  if (!c.mean || !c.var) return im.refuse("no running statistics to normalise with");
  KW_RETURN_IF_ERROR(affine(im, c, [&](const Importer::Point& p) {
    const E var = at_channel(im, *c.var, p.at[1], p.extents);
    return std::pair{at_channel(im, *c.mean, p.at[1], p.extents), (var + c.eps).apply(Op::Rsqrt)};
  }));
  if (!functional) return {};
  if (im.has_output(1) || im.has_output(2)) return im.refuse("statistics of no batch");
  if (im.node().outputs.size() < 4) return {};  // the form that cannot train
  for (const std::size_t i : {3u, 4u}) {
    const Lazy& same = i == 3 ? *c.mean : *c.var;
    KW_RETURN_IF_ERROR(im.map_output(
        i, [&](const Importer::Point& p) -> Result<ScalarId> { return im.at(same, p); }));
  }
  return {};
}

/// Training: mean and biased variance of every channel; the running variance is unbiased.
Status by_batch(Importer& im, const Channels& c, bool functional) {
  std::vector<std::int64_t> dims = {0};
  for (std::size_t d = 2; d < c.x.shape.size(); ++d) dims.push_back(static_cast<std::int64_t>(d));
  KW_ASSIGN(const auto stats, im.reduce(c.x.shape, dims, Combiner::Welford,
                                        [&](const Importer::Point& p) -> Result<ScalarId> {
                                          return im.scalars().cast(im.at(c.x, p), c.type);
                                        }));
  const double n = c.samples();
  const auto stat = [&](std::size_t which, const Index& channel, const Shape& extents) {
    Importer::Point at{std::vector<Index>(c.x.shape.size(), Index(0)), extents};
    at.at[1] = channel;
    return E{&im, im.at(stats[which], at)};
  };
  const auto scale = [&](const Index& channel, const Shape& extents) {
    return (stat(1, channel, extents) / n + c.eps).apply(Op::Rsqrt);
  };
  KW_RETURN_IF_ERROR(affine(im, c, [&](const Importer::Point& p) {
    return std::pair{stat(0, p.at[1], p.extents), scale(p.at[1], p.extents)};
  }));
  if (!functional) return {};
  const auto vector = [&](std::size_t output,
                          const std::function<E(const Index&, const Shape&)>& value) {
    return im.map_output(output, [&](const Importer::Point& p) -> Result<ScalarId> {
      return value(p.at[0], p.extents).id;
    });
  };
  KW_RETURN_IF_ERROR(vector(1, [&](const Index& i, const Shape& e) { return stat(0, i, e); }));
  KW_RETURN_IF_ERROR(vector(2, scale));
  const auto blend = [&](const Lazy& running, const E& fresh, const Index& i, const Shape& e) {
    return at_channel(im, running, i, e) * (1 - c.momentum) + fresh * c.momentum;
  };
  if (c.mean) {
    KW_RETURN_IF_ERROR(vector(
        3, [&](const Index& i, const Shape& e) { return blend(*c.mean, stat(0, i, e), i, e); }));
  }
  if (!c.var) return {};
  return vector(4, [&](const Index& i, const Shape& e) {
    return blend(*c.var, stat(1, i, e) / (n - 1), i, e);
  });
}

/// batch_norm has one result; the functional form has y, mean, 1/deviation, and the running
/// statistics that follow.
Builder batch_norm(bool functional) {
  return [functional](Importer& im, std::string_view) -> Status {
    KW_ASSIGN(const Channels c, channels_of(im));
    KW_ASSIGN(const bool training, attr_bool_or(im.node(), "training", false));
    if (!training && c.mean && c.var) return by_running(im, c, functional);
    if (!training) return im.refuse("inference without running statistics");
    if (!functional && (c.mean || c.var)) {
      return im.refuse("training updates running statistics in place; the functional form says so");
    }
    return by_batch(im, c, functional);
  };
}

}  // namespace

void add_batch_norms(BuilderTable& t) {
  t["aten.batch_norm"] = batch_norm(false);
  t["aten._native_batch_norm_legit_no_training"] = batch_norm(true);
  for (const char* name : {"aten._native_batch_norm_legit_functional",
                           "aten._native_batch_norm_legit", "aten.native_batch_norm"}) {
    t[name] = batch_norm(true);
  }
}

}  // namespace kw::codegen
