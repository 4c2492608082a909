// Max and average pooling in one to three dimensions, by windows and adaptive.

#include <algorithm>
#include <array>

#include "operator.h"

namespace kw::reference {
namespace {

using Triple = std::array<std::int64_t, 3>;

Status read(const Call& call, std::string_view name, std::size_t dims, Triple& into) {
  if (!has_attr(call.node, name)) return {};
  KW_ASSIGN(const std::vector<std::int64_t> list, attr_ints(call.node, name));
  if (list.empty()) return {};
  if (list.size() != dims && list.size() != 1) {
    return fail(Errc::InvalidArgument, "{} has {} entries", name, list.size());
  }
  for (std::size_t d = 0; d < dims; ++d) into[3 - dims + d] = list.size() == 1 ? list[0] : list[d];
  return {};
}

struct Window {
  Triple in{1, 1, 1}, out{1, 1, 1}, kernel{1, 1, 1}, stride{1, 1, 1}, padding{0, 0, 0},
      dilation{1, 1, 1};
  std::size_t planes = 1;
};

/// `dims` spatial dimensions at the end; output extents come from the graph, so ceil_mode needs no
/// formula here.
Result<Window> window(const Call& call, std::size_t dims) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  const Shape& x = call.in(0).shape;
  const Shape& y = call.output_shape();
  if (x.size() < dims + 1 || y.size() != x.size()) {
    return fail(Errc::InvalidArgument, "shape {}", to_string(x));
  }
  Window w;
  KW_RETURN_IF_ERROR(read(call, "kernel_size", dims, w.kernel));
  w.stride = w.kernel;
  KW_RETURN_IF_ERROR(read(call, "stride", dims, w.stride));
  KW_RETURN_IF_ERROR(read(call, "padding", dims, w.padding));
  KW_RETURN_IF_ERROR(read(call, "dilation", dims, w.dilation));
  for (std::size_t d = 0; d + dims < x.size(); ++d) w.planes *= static_cast<std::size_t>(x[d]);
  for (std::size_t i = 0; i < dims; ++i) {
    w.in[3 - dims + i] = x[x.size() - dims + i];
    w.out[3 - dims + i] = y[y.size() - dims + i];
  }
  return w;
}

/// Calls reduce(indices of the input elements of the cell) for cells that cover [floor(o in / out),
/// ceil((o + 1) in / out)) of each dimension.
template <typename F>
Tensor adaptive(const Call& call, const Window& w, F reduce) {
  const Tensor& x = call.in(0);
  Tensor out = make_tensor(call.output_shape());
  out.bound.resize(out.size());
  const std::int64_t cells = w.out[0] * w.out[1] * w.out[2];
  const std::int64_t plane = w.in[0] * w.in[1] * w.in[2];
  std::vector<std::size_t> at;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto cell = static_cast<std::int64_t>(i) % cells;
    const std::int64_t base = static_cast<std::int64_t>(i) / cells * plane;
    const Triple o{cell / (w.out[1] * w.out[2]), cell / w.out[2] % w.out[1], cell % w.out[2]};
    Triple low{}, high{};
    for (std::size_t d = 0; d < 3; ++d) {
      low[d] = o[d] * w.in[d] / w.out[d];
      high[d] = ((o[d] + 1) * w.in[d] + w.out[d] - 1) / w.out[d];
    }
    at.clear();
    for (std::int64_t a = low[0]; a < high[0]; ++a) {
      for (std::int64_t b = low[1]; b < high[1]; ++b) {
        for (std::int64_t c = low[2]; c < high[2]; ++c) {
          at.push_back(static_cast<std::size_t>(base + (a * w.in[1] + b) * w.in[2] + c));
        }
      }
    }
    const Num n = reduce(x, at);
    out.value[i] = n.v;
    out.bound[i] = n.e;
  }
  return out;
}

/// Calls reduce(indices of the input elements of the window, cells of the padded window).
template <typename F>
Tensor pool(const Call& call, const Window& w, F reduce) {
  const Tensor& x = call.in(0);
  Tensor out = make_tensor(call.output_shape());
  out.bound.resize(out.size());
  const std::int64_t cells = w.out[0] * w.out[1] * w.out[2];
  const std::int64_t plane = w.in[0] * w.in[1] * w.in[2];
  std::vector<std::size_t> at;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto cell = static_cast<std::int64_t>(i) % cells;
    const std::int64_t base = static_cast<std::int64_t>(i) / cells * plane;
    const Triple o{cell / (w.out[1] * w.out[2]), cell / w.out[2] % w.out[1], cell % w.out[2]};
    Triple low{}, padded{};
    for (std::size_t d = 0; d < 3; ++d) {
      low[d] = o[d] * w.stride[d] - w.padding[d];
      padded[d] = std::min(low[d] + w.kernel[d], w.in[d] + w.padding[d]) - low[d];
    }
    at.clear();
    for (std::int64_t a = 0; a < w.kernel[0]; ++a) {
      for (std::int64_t b = 0; b < w.kernel[1]; ++b) {
        for (std::int64_t c = 0; c < w.kernel[2]; ++c) {
          const Triple p{low[0] + a * w.dilation[0], low[1] + b * w.dilation[1],
                         low[2] + c * w.dilation[2]};
          bool inside = true;
          for (std::size_t d = 0; d < 3; ++d) inside = inside && p[d] >= 0 && p[d] < w.in[d];
          if (inside) {
            at.push_back(static_cast<std::size_t>(base + (p[0] * w.in[1] + p[1]) * w.in[2] + p[2]));
          }
        }
      }
    }
    const Num n = reduce(x, at, padded[0] * padded[1] * padded[2]);
    out.value[i] = n.v;
    out.bound[i] = n.e;
  }
  return out;
}

Num largest(const Tensor& x, const std::vector<std::size_t>& at) {
  Num best{-kInf, 0};
  for (std::size_t i = 0; i < at.size(); ++i) {
    best = i == 0 ? num_at(x, at[0]) : maximum(best, num_at(x, at[i]));
  }
  return best;
}

template <std::size_t Dims>
Result<Outputs> max_pool(const Call& call) {
  KW_ASSIGN(const Window w, window(call, Dims));
  if (call.node.outputs.size() > 1 && call.node.outputs[1] != kNoValue) {
    return fail(Errc::Unsupported, "indices");
  }
  Outputs outputs =
      one(pool(call, w, [](const Tensor& x, const std::vector<std::size_t>& at, std::int64_t) {
        return largest(x, at);
      }));
  outputs.resize(call.node.outputs.size());
  return outputs;
}

template <std::size_t Dims>
Result<Outputs> avg_pool(const Call& call) {
  KW_ASSIGN(const Window w, window(call, Dims));
  KW_ASSIGN(const bool include, attr_bool_or(call.node, "count_include_pad", true));
  KW_ASSIGN(const std::int64_t fixed, attr_int_or(call.node, "divisor_override", 0));
  return one(
      pool(call, w, [&](const Tensor& x, const std::vector<std::size_t>& at, std::int64_t padded) {
        const std::int64_t divisor = fixed != 0 ? fixed
                                     : include  ? padded
                                                : static_cast<std::int64_t>(at.size());
        const Num s =
            sum_terms(call.options, at.size(), [&](std::size_t i) { return num_at(x, at[i]); }).sum;
        return s / constant(static_cast<double>(divisor));
      }));
}

template <std::size_t Dims>
Result<Outputs> adaptive_avg_pool(const Call& call) {
  KW_ASSIGN(const Window w, window(call, Dims));
  return one(adaptive(call, w, [&](const Tensor& x, const std::vector<std::size_t>& at) {
    const Num s =
        sum_terms(call.options, at.size(), [&](std::size_t i) { return num_at(x, at[i]); }).sum;
    return s / constant(static_cast<double>(at.size()));
  }));
}

template <std::size_t Dims>
Result<Outputs> adaptive_max_pool(const Call& call) {
  KW_ASSIGN(const Window w, window(call, Dims));
  if (call.node.outputs.size() > 1 && call.node.outputs[1] != kNoValue) {
    return fail(Errc::Unsupported, "indices");
  }
  Outputs outputs = one(adaptive(call, w, largest));
  outputs.resize(call.node.outputs.size());
  return outputs;
}

}  // namespace

std::vector<OperatorEntry> pooling_operators() {
  return {{"max_pool1d", max_pool<1>},
          {"max_pool2d", max_pool<2>},
          {"max_pool3d", max_pool<3>},
          {"max_pool1d_with_indices", max_pool<1>},
          {"max_pool2d_with_indices", max_pool<2>},
          {"max_pool3d_with_indices", max_pool<3>},
          {"adaptive_max_pool1d", adaptive_max_pool<1>},
          {"adaptive_max_pool2d", adaptive_max_pool<2>},
          {"adaptive_max_pool3d", adaptive_max_pool<3>},
          {"avg_pool1d", avg_pool<1>},
          {"avg_pool2d", avg_pool<2>},
          {"avg_pool3d", avg_pool<3>},
          {"adaptive_avg_pool1d", adaptive_avg_pool<1>},
          {"adaptive_avg_pool2d", adaptive_avg_pool<2>},
          {"adaptive_avg_pool3d", adaptive_avg_pool<3>}};
}

}  // namespace kw::reference
