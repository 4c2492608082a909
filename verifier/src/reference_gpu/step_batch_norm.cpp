// Batch normalisation with its state: statistics over images and cells, one pair per channel.

#include <algorithm>

#include "evaluator_step.h"
#include "kw/reference/interpret.h"
#include "num.h"

namespace kw::verify::gpu {
namespace {

using reference::constant;
using reference::Num;

/// running' = (1 - momentum) running + momentum statistic.
Num blend(Num running, Num statistic, double momentum) {
  return (constant(1) - constant(momentum)) * running + constant(momentum) * statistic;
}

}  // namespace

/// A tensor of at most a few thousand elements, on the host.
Result<std::vector<reference::Num>> Evaluator::Step::fetch(const DeviceTensor& x) {
  DeviceTensor flat;
  KW_ASSIGN(flat, self.make(x.shape, true));  // raw types become doubles
  KW_RETURN_IF_ERROR(map(kCopy, {}, {x, std::nullopt}, exact_output(), flat));
  std::vector<double> v(x.size()), e(x.size());
  KW_RETURN_IF_ERROR(self.device_.to_host(std::as_writable_bytes(std::span(v)), flat.v->address()));
  KW_RETURN_IF_ERROR(self.device_.to_host(std::as_writable_bytes(std::span(e)), flat.e->address()));
  std::vector<Num> out(x.size());
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = {v[i], e[i]};
  return out;
}

Result<DeviceTensor> Evaluator::Step::send(const std::vector<reference::Num>& from, Shape shape,
                                           const OutputType& type) {
  KW_ASSIGN(DeviceTensor out, self.make(std::move(shape), true));
  std::vector<double> v, e;
  for (const Num& n : from) {
    const Num settled = reference::settle_output(n, type.limit, type.roundoff, type.quantum);
    v.push_back(settled.v);
    e.push_back(settled.e);
  }
  KW_RETURN_IF_ERROR(self.device_.to_device(out.v->address(), std::as_bytes(std::span(v))));
  KW_RETURN_IF_ERROR(self.device_.to_device(out.e->address(), std::as_bytes(std::span(e))));
  return out;
}

/// Totals of each channel of x [images, channels, cells...]: of every image's channel, then joined.
Result<Evaluator::Step::Totals> Evaluator::Step::channel_totals(
    const DeviceTensor& x, TotalsMode mode, const std::shared_ptr<Block>& centre) {
  const auto images = static_cast<std::uint64_t>(x.shape[0]);
  const auto channels = static_cast<std::uint64_t>(x.shape[1]);
  const Grouped rows{images * channels, x.size() / std::max<std::uint64_t>(images * channels, 1),
                     1};
  KW_ASSIGN(const Totals part, totals(x, rows, mode, centre, channels));
  Totals whole;
  KW_ASSIGN(whole.v, self.block(channels));
  KW_ASSIGN(whole.c, self.block(channels));
  KW_ASSIGN(whole.e, self.block(channels));
  const JoinArguments j{1,
                        images,
                        channels,
                        part.v->address(),
                        part.c->address(),
                        part.e->address(),
                        whole.v->address(),
                        whole.c->address(),
                        whole.e->address()};
  KW_RETURN_IF_ERROR(self.device_.launch("kw_join", grid_for(channels), 256, j));
  return whole;
}

Result<Evaluator::Step::Results> Evaluator::Step::batch_norm() {
  const char* flag = has_attr(*node, "training") ? "training" : "train";
  KW_ASSIGN(const bool training, attr_bool_or(*node, flag, true));
  KW_ASSIGN(const double momentum, attr_number_or(*node, "momentum", 0.1));
  KW_ASSIGN(const double eps, attr_number_or(*node, "eps", 1e-5));
  KW_ASSIGN(const DeviceTensor x, self.materialise(*inputs[0]));
  if (x.shape.size() < 2 || x.size() == 0) return fail(Errc::Unsupported, "no channels");
  const auto has = [&](std::size_t i) { return i < inputs.size() && inputs[i].has_value(); };
  if (!training && !(has(3) && has(4))) return fail(Errc::InvalidArgument, "no running statistics");
  const std::int64_t channels = x.shape[1];
  const double terms = static_cast<double>(x.size()) / static_cast<double>(channels);
  DeviceTensor mean, variance;
  if (training) {
    KW_ASSIGN(const Totals t, channel_totals(x, kPlain, nullptr));
    KW_ASSIGN(mean, finish(t, {channels}, 1, terms, nullptr, 0, exact_output()));
    KW_ASSIGN(const Totals squares, channel_totals(x, kDeviation, mean.v));
    KW_ASSIGN(variance, finish(squares, {channels}, 2, terms, &mean, 0, exact_output()));
  } else {
    KW_ASSIGN(mean, self.make({channels}, true));
    KW_RETURN_IF_ERROR(map(kCopy, {}, {inputs[3], std::nullopt}, exact_output(), mean));
    KW_ASSIGN(variance, self.make({channels}, true));
    KW_RETURN_IF_ERROR(map(kCopy, {}, {inputs[4], std::nullopt}, exact_output(), variance));
  }
  NormalizeArguments a{};
  a.x = operand(x);
  a.n = x.size();
  a.group_divisor = a.weight_divisor = x.size() / static_cast<std::uint64_t>(x.shape[0] * channels);
  a.groups = a.weights = static_cast<std::uint64_t>(channels);
  std::array<std::optional<DeviceTensor>, 2> affine;
  for (std::size_t i = 0; i < 2; ++i) {
    if (!has(i + 1)) continue;
    KW_ASSIGN(affine[i], self.materialise(*inputs[i + 1]));
    if (affine[i]->size() != a.weights) return fail(Errc::InvalidArgument, "weight shape");
  }
  a.weight = affine[0] ? operand(*affine[0]) : absent_operand();
  a.bias = affine[1] ? operand(*affine[1]) : absent_operand();
  a.mean_v = mean.v->address(), a.mean_e = mean.e->address();
  a.variance_v = variance.v->address(), a.variance_e = variance.e->address();
  a.eps = eps;
  a.type = out_type();
  Results out(node->outputs.size());
  KW_ASSIGN(out[0], self.make(out_shape(), true));
  a.out_v = out[0]->v->address(), a.out_e = out[0]->e->address();
  KW_RETURN_IF_ERROR(self.device_.launch("kw_normalize", grid_for(a.n), 256, a));
  const auto wanted = [&](std::size_t i) { return i < out.size() && node->outputs[i] != kNoValue; };
  const auto type_of = [&](std::size_t i) {
    return output_type(graph->value(node->outputs[i]).dtype);
  };
  if (!wanted(1) && !wanted(2) && !wanted(3) && !wanted(4)) return out;
  if (!training) {
    if (wanted(1) || wanted(2)) return fail(Errc::Unsupported, "statistics outside training");
    for (std::size_t i = 3; i < 5; ++i) {
      if (wanted(i)) out[i] = inputs[i];
    }
    return out;
  }
  KW_ASSIGN(const std::vector<Num> means, fetch(mean));
  KW_ASSIGN(const std::vector<Num> variances, fetch(variance));
  for (std::size_t i = 1; i < 5; ++i) {
    if (!wanted(i)) continue;
    std::vector<Num> running;
    if (i >= 3) {
      if (!has(i)) return fail(Errc::InvalidArgument, "no running statistics");
      KW_ASSIGN(running, fetch(*inputs[i]));
    }
    std::vector<Num> result(means.size());
    for (std::size_t c = 0; c < result.size(); ++c) {
      const Num unbiased = variances[c] * (constant(terms) / constant(terms - 1));
      result[c] = i == 1   ? means[c]
                  : i == 2 ? reference::inverse_root(variances[c], eps)
                  : i == 3 ? blend(running[c], means[c], momentum)
                           : blend(running[c], unbiased, momentum);
    }
    KW_ASSIGN(out[i], send(result, {channels}, type_of(i)));
  }
  return out;
}

}  // namespace kw::verify::gpu
