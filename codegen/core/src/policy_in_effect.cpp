#include <algorithm>
#include <array>

#include "kw/core/task.h"

namespace kw {
namespace {

/// "conv2d" of "aten.conv2d.input"
std::string_view base_of(std::string_view op) {
  const std::size_t first = op.find('.');
  if (first != std::string_view::npos) op.remove_prefix(first + 1);
  return op.substr(0, op.find('.'));
}

bool convolves(std::string_view op) {
  const std::string_view base = base_of(op);
  return base.starts_with("conv1d") || base.starts_with("conv2d") || base.starts_with("conv3d") ||
         base.starts_with("conv_transpose") || base.ends_with("convolution");
}

bool recurs(std::string_view op) {
  constexpr std::array<std::string_view, 4> kNames{"lstm", "gru", "rnn_tanh", "rnn_relu"};
  std::string_view base = base_of(op);
  if (base.ends_with("_cell")) base.remove_suffix(5);
  return std::ranges::find(kNames, base) != kNames.end();
}

}  // namespace

Policy policy_in_effect(const Task& task) {
  const auto any = [&](bool (*is)(std::string_view)) {
    return std::ranges::any_of(task.graph.nodes, [&](const Node& node) { return is(node.op); });
  };
  Policy policy = task.policy;
  if (!any(convolves)) policy.convolution = PolicyClass::Ieee;
  if (!any(recurs)) policy.recurrence = PolicyClass::Ieee;
  return policy;
}

}  // namespace kw
