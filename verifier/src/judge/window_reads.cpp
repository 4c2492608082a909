#include "window_reads.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

namespace kw::verify {
namespace {

/// One spatial dimension: position o of the output meets o * stride - padding + tap * dilation of
/// the input, or, transposed, the two change places.
struct Dimension {
  std::int64_t input, output, kernel, stride, padding, dilation;
  bool transposed;
};

constexpr std::int64_t kMostSteps = 1 << 24;

struct Met {
  double share;
  bool every_tap;
};

std::optional<Met> meet(const Dimension& d) {
  const bool sane = d.input > 0 && d.output > 0 && d.kernel > 0 && d.stride > 0 && d.dilation > 0 &&
                    d.input <= kMostSteps && d.output <= kMostSteps / d.kernel;
  if (!sane || d.input > kMostSteps / d.kernel) return std::nullopt;
  std::vector<bool> read(static_cast<std::size_t>(d.input)),
      used(static_cast<std::size_t>(d.kernel));
  // `far` runs over the side that the stride multiplies, `near` is where a tap lands on the other.
  const std::int64_t far_extent = d.transposed ? d.input : d.output;
  const std::int64_t near_extent = d.transposed ? d.output : d.input;
  for (std::int64_t far = 0; far < far_extent; ++far) {
    for (std::int64_t tap = 0; tap < d.kernel; ++tap) {
      const std::int64_t near = far * d.stride - d.padding + tap * d.dilation;
      if (near < 0 || near >= near_extent) continue;
      read[static_cast<std::size_t>(d.transposed ? far : near)] = true;
      used[static_cast<std::size_t>(tap)] = true;
    }
  }
  return Met{static_cast<double>(std::ranges::count(read, true)) / static_cast<double>(d.input),
             std::ranges::count(used, true) == d.kernel};
}

/// An attribute with one number for each spatial dimension, or one for all.
std::optional<std::vector<std::int64_t>> per_dimension(const Node& node, const char* name,
                                                       std::size_t dimensions,
                                                       std::int64_t otherwise) {
  if (!has_attr(node, name)) return std::vector<std::int64_t>(dimensions, otherwise);
  auto values = attr_ints(node, name);
  if (!values) return std::nullopt;  // "same", say
  if (values->empty()) return std::vector<std::int64_t>(dimensions, otherwise);
  if (values->size() == 1) values->resize(dimensions, values->front());
  if (values->size() != dimensions) return std::nullopt;
  return *values;
}

}  // namespace

std::optional<WindowReads> window_reads(const Graph& graph, const Node& node) {
  const std::string_view op = node.op;
  const bool transposed = op.starts_with("aten.conv_transpose");
  const bool convolution = transposed || op.starts_with("aten.conv1d") ||
                           op.starts_with("aten.conv2d") || op.starts_with("aten.conv3d");
  const bool adaptive = op.starts_with("aten.adaptive_");
  const bool pool = op.find("_pool") != op.npos;
  if ((!convolution && !pool) || node.inputs.empty() || node.outputs.empty() ||
      node.outputs[0] == kNoValue) {
    return std::nullopt;
  }
  if (adaptive) return WindowReads{};  // its windows cover the input
  const Shape& in = graph.value(node.inputs[0]).shape;
  const Shape& out = graph.value(node.outputs[0]).shape;
  if (in.size() != out.size() || in.size() < 3) return std::nullopt;
  const std::size_t dimensions = in.size() - 2;
  std::optional<std::vector<std::int64_t>> kernel;
  if (convolution) {
    if (node.inputs.size() < 2) return std::nullopt;
    const Shape& weight = graph.value(node.inputs[1]).shape;
    if (weight.size() != in.size()) return std::nullopt;
    kernel = std::vector<std::int64_t>(weight.begin() + 2, weight.end());
  } else {
    kernel = per_dimension(node, "kernel_size", dimensions, 0);
  }
  const auto padding = per_dimension(node, "padding", dimensions, 0);
  const auto dilation = per_dimension(node, "dilation", dimensions, 1);
  if (!kernel || !padding || !dilation) return std::nullopt;
  auto stride = per_dimension(node, "stride", dimensions, convolution ? 1 : 0);
  if (!stride) return std::nullopt;
  if (stride->front() == 0) stride = kernel;  // a pooling's default
  WindowReads reads{1, convolution};
  for (std::size_t i = 0; i < dimensions; ++i) {
    const auto met = meet({in[i + 2], out[i + 2], (*kernel)[i], (*stride)[i], (*padding)[i],
                           (*dilation)[i], transposed});
    if (!met) return std::nullopt;
    reads.input_share *= met->share;
    reads.whole_weight = reads.whole_weight && met->every_tap;
  }
  return reads;
}

}  // namespace kw::verify
