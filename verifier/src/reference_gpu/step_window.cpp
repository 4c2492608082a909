// Convolutions and pooling.

#include <algorithm>
#include <limits>

#include "evaluator_step.h"
#include "kw/reference/interpret.h"

namespace kw::verify::gpu {
namespace {

bool narrow(DType type) { return type == DType::F16 || type == DType::BF16; }

/// Attribute lists of one entry hold for every dimension; unused dimensions lead.
Status read_list(const Node& node, std::string_view name, std::size_t dims, int (&into)[3]) {
  if (!has_attr(node, name)) return {};
  KW_ASSIGN(const std::vector<std::int64_t> list, attr_ints(node, name));
  if (list.empty()) return {};
  if (list.size() != dims && list.size() != 1) {
    return fail(Errc::InvalidArgument, "{} has {} entries", name, list.size());
  }
  for (std::size_t d = 0; d < dims; ++d) {
    into[3 - dims + d] = static_cast<int>(list.size() == 1 ? list[0] : list[d]);
  }
  return {};
}

Window unit_window() {
  Window w{};
  for (int d = 0; d < 3; ++d) {
    w.in[d] = w.out[d] = w.kernel[d] = w.stride[d] = w.dilation[d] = 1;
  }
  return w;
}

Status read_extents(const Shape& in, const Shape& out, std::size_t dims, Window& w) {
  if (in.size() < dims + 1 || out.size() != in.size()) {
    return fail(Errc::Unsupported, "shape {}", to_string(in));
  }
  for (std::size_t i = 0; i < dims; ++i) {
    const std::int64_t extents[] = {in[in.size() - dims + i], out[out.size() - dims + i]};
    if (std::max(extents[0], extents[1]) > std::numeric_limits<int>::max() / 4) {
      return fail(Errc::Unsupported, "an extent of {}", std::max(extents[0], extents[1]));
    }
    w.in[3 - dims + i] = static_cast<int>(extents[0]);
    w.out[3 - dims + i] = static_cast<int>(extents[1]);
  }
  return {};
}

}  // namespace

Result<DeviceTensor> Evaluator::Step::convolution(bool transposed) {
  if (inputs.size() < 2 || !inputs[1]) return fail(Errc::InvalidArgument, "needs two tensors");
  KW_ASSIGN(const DeviceTensor x, self.materialise(*inputs[0]));
  KW_ASSIGN(const DeviceTensor w, self.materialise(*inputs[1]));
  if (x.shape.size() < 3 || x.shape.size() > 5 || w.shape.size() != x.shape.size()) {
    return fail(Errc::Unsupported, "input {}", to_string(x.shape));
  }
  const std::size_t dims = x.shape.size() - 2;
  ConvolutionArguments a{};
  a.window = unit_window();
  KW_RETURN_IF_ERROR(read_extents(x.shape, out_shape(), dims, a.window));
  for (std::size_t d = 0; d < dims; ++d) {
    a.window.kernel[3 - dims + d] = static_cast<int>(w.shape[2 + d]);
  }
  KW_RETURN_IF_ERROR(read_list(*node, "stride", dims, a.window.stride));
  KW_RETURN_IF_ERROR(read_list(*node, "padding", dims, a.window.padding));
  KW_RETURN_IF_ERROR(read_list(*node, "dilation", dims, a.window.dilation));
  KW_ASSIGN(const std::int64_t groups, attr_int_or(*node, "groups", 1));
  a.batch = static_cast<std::uint64_t>(x.shape[0]);
  a.in_channels = static_cast<std::uint64_t>(x.shape[1]);
  a.groups = static_cast<std::uint64_t>(std::max<std::int64_t>(groups, 1));
  a.out_channels = static_cast<std::uint64_t>(out_shape()[1]);
  const std::uint64_t per_group = a.in_channels / a.groups;
  double terms = static_cast<double>(per_group);
  for (const int extent : a.window.kernel) terms *= extent;
  if (terms > std::numeric_limits<int>::max()) return fail(Errc::Unsupported, "{} terms", terms);
  a.transposed = transposed ? 1 : 0;
  a.x = operand(x);
  a.w = operand(w);
  a.bias = absent_operand();
  std::optional<DeviceTensor> bias;
  if (inputs.size() > 2 && inputs[2]) {
    KW_ASSIGN(bias, self.materialise(*inputs[2]));
    a.bias = operand(*bias);
  }
  a.inexact = x.e || w.e ? 1 : 0;
  const auto type_of = [&](std::size_t i) { return graph->value(node->inputs[i]).dtype; };
  a.factor = reference::contraction_factor(self.options_.policy.convolution, terms,
                                           narrow(type_of(0)) && narrow(type_of(1)),
                                           self.options_.few_valued);
  a.bias_factor = factor(terms);
  a.type = out_type();
  KW_ASSIGN(DeviceTensor out, self.make(out_shape(), true));
  a.out_v = out.v->address(), a.out_e = out.e->address();
  if (a.inexact == 0 && !bias) {
    KW_ASSIGN(out.c, self.block(out.size()));
    a.out_c = out.c->address();
  }
  if (out.size() == 0) return out;
  const std::uint64_t rows = a.out_channels / a.groups;
  const std::uint64_t columns = out.size() / a.out_channels;
  if (rows < 8 || out.size() < 16384) {
    KW_RETURN_IF_ERROR(self.device_.launch("kw_convolution_narrow", grid_for(out.size()), 256, a));
    return out;
  }
  const std::uint64_t tiles = a.groups * ((rows + 63) / 64) * ((columns + 63) / 64);
  KW_RETURN_IF_ERROR(self.device_.launch(
      a.inexact != 0 ? "kw_convolution_inexact" : "kw_convolution",
      static_cast<std::uint32_t>(std::min<std::uint64_t>(tiles, 1u << 30)), 256, a));
  return out;
}

Result<DeviceTensor> Evaluator::Step::pool(std::string_view name) {
  KW_ASSIGN(const DeviceTensor x, self.materialise(*inputs[0]));
  const std::size_t at = name.find("pool");
  const auto dims = static_cast<std::size_t>(name[at + 4] - '0');
  PoolArguments a{};
  a.window = unit_window();
  a.adaptive = name.starts_with("adaptive") ? 1 : 0;
  a.average = name.find("avg") != std::string_view::npos ? 1 : 0;
  KW_RETURN_IF_ERROR(read_extents(x.shape, out_shape(), dims, a.window));
  if (a.adaptive == 0) {
    KW_RETURN_IF_ERROR(read_list(*node, "kernel_size", dims, a.window.kernel));
    std::copy(std::begin(a.window.kernel), std::end(a.window.kernel), a.window.stride);
    KW_RETURN_IF_ERROR(read_list(*node, "stride", dims, a.window.stride));
    KW_RETURN_IF_ERROR(read_list(*node, "padding", dims, a.window.padding));
    KW_RETURN_IF_ERROR(read_list(*node, "dilation", dims, a.window.dilation));
  }
  a.planes = 1;
  for (std::size_t d = 0; d + dims < x.shape.size(); ++d) {
    a.planes *= static_cast<std::uint64_t>(x.shape[d]);
  }
  KW_ASSIGN(const bool include, attr_bool_or(*node, "count_include_pad", true));
  KW_ASSIGN(const std::int64_t fixed, attr_int_or(*node, "divisor_override", 0));
  a.include_padding = include ? 1 : 0;
  a.divisor = static_cast<double>(fixed);
  a.few_valued = self.options_.few_valued ? 1 : 0;
  a.x = operand(x);
  a.type = out_type();
  KW_ASSIGN(DeviceTensor out, self.make(out_shape(), true));
  a.out_v = out.v->address(), a.out_e = out.e->address();
  if (out.size() > 0) {
    KW_RETURN_IF_ERROR(self.device_.launch("kw_pool", grid_for(out.size()), 256, a));
  }
  return out;
}

}  // namespace kw::verify::gpu
