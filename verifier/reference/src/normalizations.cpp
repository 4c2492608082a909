// Softmax and the normalisations.

#include <algorithm>

#include "functions.h"
#include "operator.h"
#include "statistics.h"

namespace kw::reference {
namespace {

template <bool Log>
Result<Outputs> softmax(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  const Tensor& x = call.in(0);
  KW_ASSIGN(const std::int64_t raw, attr_int(call.node, "dim"));
  KW_ASSIGN(const std::size_t dim, wrap_dim(call, raw, x.shape.size()));
  std::vector<bool> mask(x.shape.size(), false);
  if (dim < mask.size()) mask[dim] = true;
  const Grouping g = group(x.shape, mask, false);
  Tensor out = make_tensor(x.shape);
  out.bound.resize(out.size());
  parallel_for(call.options, g.outer, static_cast<double>(g.inner) * 60,
               [&](std::size_t begin, std::size_t end) {
                 for (std::size_t o = begin; o < end; ++o) {
                   const auto element = [&](std::size_t i) {
                     return num_at(x, g.outer_at[o] + g.inner_at[i]);
                   };
                   const Softmax s = softmax_terms(call.options, g.inner, element);
                   const bool nan = std::isnan(s.maximum.v) || std::isinf(s.maximum.v);
                   for (std::size_t i = 0; i < g.inner; ++i) {
                     const std::size_t at = g.outer_at[o] + g.inner_at[i];
                     Num n;
                     if (nan) {  // inf - inf, or NaN
                       n = {std::nan(""), s.maximum.e == kInf ? kInf : 0};
                     } else if (Log) {
                       n = log_softmax(element(i), s.maximum, s.sum);
                     } else {
                       n = s.exponentials[i] / s.sum;
                     }
                     out.value[at] = n.v;
                     out.bound[at] = n.e;
                   }
                 }
               });
  return one(std::move(out));
}

/// Optional weight and bias, one per element of the normalised index.
struct Affine {
  const Tensor* weight = nullptr;
  const Tensor* bias = nullptr;
  Num apply(Num x, std::size_t i) const {
    if (weight != nullptr) x = x * num_at(*weight, i);
    if (bias != nullptr) x = x + num_at(*bias, i);
    return x;
  }
};
Result<Affine> affine(const Call& call, std::size_t weight, std::size_t bias, std::size_t size) {
  Affine a;
  if (call.has(weight)) a.weight = &call.in(weight);
  if (call.has(bias)) a.bias = &call.in(bias);
  if ((a.weight != nullptr && a.weight->size() != size) ||
      (a.bias != nullptr && a.bias->size() != size)) {
    return fail(Errc::InvalidArgument, "weight or bias does not have {} elements", size);
  }
  return a;
}

/// Normalised dimensions are the last ones of `normalized_shape`.
Result<Grouping> trailing(const Call& call) {
  const Shape& shape = call.in(0).shape;
  KW_ASSIGN(const std::vector<std::int64_t> tail, attr_ints(call.node, "normalized_shape"));
  if (tail.size() > shape.size() || !std::equal(tail.rbegin(), tail.rend(), shape.rbegin())) {
    return fail(Errc::InvalidArgument, "normalized_shape does not end {}", to_string(shape));
  }
  std::vector<bool> mask(shape.size(), false);
  std::fill(mask.end() - static_cast<std::ptrdiff_t>(tail.size()), mask.end(), true);
  return group(shape, mask, false);
}

/// The native form also returns mean and 1/sqrt(var + eps), normalised dimensions kept as 1.
template <bool Native>
Result<Outputs> layer_norm(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  const Tensor& x = call.in(0);
  KW_ASSIGN(const Grouping g, trailing(call));
  KW_ASSIGN(const double eps, attr_number_or(call.node, "eps", 1e-5));
  KW_ASSIGN(const Affine affines, affine(call, 1, 2, g.inner));
  Outputs outputs = one(make_tensor(x.shape));
  Shape kept = x.shape;
  std::fill(kept.begin() + static_cast<std::ptrdiff_t>(g.kept_shape.size()), kept.end(), 1);
  if (Native) outputs.insert(outputs.end(), 2, make_tensor(kept));
  for (std::size_t o = 0; o < g.outer; ++o) {
    const auto element = [&](std::size_t i) { return num_at(x, g.outer_at[o] + g.inner_at[i]); };
    const Moments m = moments(call.options, g.inner, element, 0);
    const Num scale = inverse_root(m.variance, eps);
    if (Native) {
      store(outputs[1], o, m.mean);
      store(outputs[2], o, scale);
    }
    for (std::size_t i = 0; i < g.inner; ++i) {
      store(outputs[0], g.outer_at[o] + g.inner_at[i],
            affines.apply((element(i) - m.mean) * scale, i));
    }
  }
  return outputs;
}

Result<Outputs> rms_norm(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  const Tensor& x = call.in(0);
  KW_ASSIGN(const Grouping g, trailing(call));
  KW_ASSIGN(const double eps, attr_number_or(call.node, "eps", 0x1p-23));  // finfo(float32).eps
  KW_ASSIGN(const Affine affines, affine(call, 1, 99, g.inner));
  Tensor out = make_tensor(x.shape);
  for (std::size_t o = 0; o < g.outer; ++o) {
    const auto element = [&](std::size_t i) { return num_at(x, g.outer_at[o] + g.inner_at[i]); };
    const Num mean_square =
        sum_terms(call.options, g.inner, [&](std::size_t i) { return element(i) * element(i); })
            .sum /
        constant(static_cast<double>(g.inner));
    const Num scale = inverse_root(mean_square, eps);
    for (std::size_t i = 0; i < g.inner; ++i) {
      store(out, g.outer_at[o] + g.inner_at[i], affines.apply(element(i) * scale, i));
    }
  }
  return one(std::move(out));
}

/// Channels are dimension 1; a group is channels/num_groups of them with everything behind.
/// The native form also returns mean and 1/sqrt(var + eps) of every group.
template <bool Native>
Result<Outputs> group_norm(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  const Tensor& x = call.in(0);
  KW_ASSIGN(const std::int64_t groups, attr_int(call.node, Native ? "group" : "num_groups"));
  KW_ASSIGN(const double eps, attr_number_or(call.node, "eps", 1e-5));
  if (x.shape.size() < 2 || groups < 1 || x.shape[1] % groups != 0) {
    return fail(Errc::InvalidArgument, "{} groups of shape {}", groups, to_string(x.shape));
  }
  const auto channels = static_cast<std::size_t>(x.shape[1]);
  KW_ASSIGN(const Affine affines, affine(call, 1, 2, channels));
  const auto blocks = static_cast<std::size_t>(x.shape[0] * groups);
  Outputs outputs = one(make_tensor(x.shape));
  if (Native) outputs.insert(outputs.end(), 2, make_tensor({x.shape[0], groups}));
  if (x.size() == 0) return outputs;
  const std::size_t inner = x.size() / blocks;
  const std::size_t per_channel = x.size() / static_cast<std::size_t>(x.shape[0]) / channels;
  for (std::size_t b = 0; b < blocks; ++b) {
    const auto element = [&](std::size_t i) { return num_at(x, b * inner + i); };
    const Moments m = moments(call.options, inner, element, 0);
    const Num scale = inverse_root(m.variance, eps);
    if (Native) {
      store(outputs[1], b, m.mean);
      store(outputs[2], b, scale);
    }
    for (std::size_t i = 0; i < inner; ++i) {
      const std::size_t at = b * inner + i;
      store(outputs[0], at,
            affines.apply((element(i) - m.mean) * scale, at / per_channel % channels));
    }
  }
  return outputs;
}

/// Inputs: x, weight, bias, running_mean, running_var. Training uses the batch's own statistics;
/// `instance` uses each image's.
Result<Outputs> batch_or_instance(const Call& call, bool instance, bool own_statistics) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  const Tensor& x = call.in(0);
  KW_ASSIGN(const double eps, attr_number_or(call.node, "eps", 1e-5));
  if (x.shape.size() < 2) return fail(Errc::InvalidArgument, "needs channels in dimension 1");
  const auto channels = static_cast<std::size_t>(x.shape[1]);
  KW_ASSIGN(const Affine affines, affine(call, 1, 2, channels));
  std::vector<bool> mask(x.shape.size(), true);
  mask[0] = !instance;
  mask[1] = false;
  const Grouping g = group(x.shape, mask, false);
  Tensor out = make_tensor(x.shape);
  for (std::size_t o = 0; o < g.outer; ++o) {
    const std::size_t channel = o % channels;
    const auto element = [&](std::size_t i) { return num_at(x, g.outer_at[o] + g.inner_at[i]); };
    Moments m;
    if (own_statistics) {
      m = moments(call.options, g.inner, element, 0);
    } else {
      KW_RETURN_IF_ERROR(need_inputs(call, 5));
      m = {num_at(call.in(3), channel), num_at(call.in(4), channel)};
    }
    const Num scale = inverse_root(m.variance, eps);
    for (std::size_t i = 0; i < g.inner; ++i) {
      store(out, g.outer_at[o] + g.inner_at[i],
            affines.apply((element(i) - m.mean) * scale, channel));
    }
  }
  return one(std::move(out));
}
Result<Outputs> batch_norm(const Call& call) {
  const char* name = has_attr(call.node, "training") ? "training" : "train";
  KW_ASSIGN(const bool training, attr_bool_or(call.node, name, true));
  return batch_or_instance(call, false, training || !call.has(3));
}

/// running' = (1 - momentum) running + momentum statistic.
Num blend(Num running, Num statistic, double momentum) {
  return (constant(1) - constant(momentum)) * running + constant(momentum) * statistic;
}

/// y, mean, 1/sqrt(var + eps), and the running statistics after this batch: the mean's, and the
/// variance's with n - 1 degrees of freedom.
Result<Outputs> batch_norm_with_state(const Call& call) {
  KW_ASSIGN(Outputs outputs, batch_norm(call));
  const char* name = has_attr(call.node, "training") ? "training" : "train";
  KW_ASSIGN(const bool training, attr_bool_or(call.node, name, true));
  KW_ASSIGN(const double momentum, attr_number_or(call.node, "momentum", 0.1));
  KW_ASSIGN(const double eps, attr_number_or(call.node, "eps", 1e-5));
  if (!training) {
    if (call.node.outputs.size() < 4) return outputs;
    outputs.insert(outputs.end(), {make_tensor({0}), make_tensor({0}), call.in(3), call.in(4)});
    return outputs;
  }
  const Tensor& x = call.in(0);
  std::vector<bool> mask(x.shape.size(), true);
  mask[1] = false;
  const Grouping g = group(x.shape, mask, false);
  const Shape shape{x.shape[1]};
  for (int i = 0; i < 4; ++i) outputs.push_back(make_tensor(shape));
  const double n = static_cast<double>(g.inner);
  for (std::size_t c = 0; c < g.outer; ++c) {
    const auto element = [&](std::size_t i) { return num_at(x, g.outer_at[c] + g.inner_at[i]); };
    const Moments m = moments(call.options, g.inner, element, 0);
    store(outputs[1], c, m.mean);
    store(outputs[2], c, inverse_root(m.variance, eps));
    if (!call.has(4)) continue;
    const Num unbiased = m.variance * (constant(n) / constant(n - 1));
    store(outputs[3], c, blend(num_at(call.in(3), c), m.mean, momentum));
    store(outputs[4], c, blend(num_at(call.in(4), c), unbiased, momentum));
  }
  return outputs;
}

/// y; the statistics of no batch are empty.
Result<Outputs> batch_norm_by_running(const Call& call) {
  KW_ASSIGN(Outputs outputs, batch_or_instance(call, false, false));
  outputs.insert(outputs.end(), 2, make_tensor({0}));
  return outputs;
}

Result<Outputs> instance_norm(const Call& call) {
  KW_ASSIGN(const bool own, attr_bool_or(call.node, "use_input_stats", true));
  return batch_or_instance(call, true, own);
}

}  // namespace

std::vector<OperatorEntry> normalization_operators() {
  return {{"softmax", softmax<false>},
          {"_softmax", softmax<false>},
          {"log_softmax", softmax<true>},
          {"_log_softmax", softmax<true>},
          {"layer_norm", layer_norm<false>},
          {"native_layer_norm", layer_norm<true>},
          {"rms_norm", rms_norm},
          {"group_norm", group_norm<false>},
          {"native_group_norm", group_norm<true>},
          {"batch_norm", batch_norm},
          {"_native_batch_norm_legit_functional", batch_norm_with_state},
          {"_native_batch_norm_legit_no_training", batch_norm_by_running},
          {"instance_norm", instance_norm}};
}

}  // namespace kw::reference
