// Which graphs ask for less than their operators say.

#include <algorithm>

#include "kw/verify/degeneracy.h"
#include "kw/verify/roofline.h"

namespace kw::verify {
namespace {

bool is_any(std::string_view op, std::initializer_list<std::string_view> names) {
  return std::any_of(names.begin(), names.end(), [&](std::string_view name) {
    const std::string full = "aten." + std::string(name);
    return op == full || op.starts_with(full + ".");
  });
}

bool contracts(std::string_view op) {
  return is_contraction(op) || op.find("conv") != std::string_view::npos;
}
/// f(a + b) = f(a) + f(b), or a shift of that: sums pass through.
bool is_linear_step(std::string_view op) {
  return is_any(op, {"add", "sub", "rsub", "neg", "view", "_unsafe_view", "reshape", "permute",
                     "transpose", "t", "squeeze", "unsqueeze", "flatten", "contiguous", "clone"});
}
/// Linear where the other factor is a number.
bool is_scaling(const Node& node) {
  return is_any(node.op, {"mul", "div"}) && node.inputs.size() == 1;
}
bool is_sum(std::string_view op) {
  return is_any(op, {"sum", "mean", "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d",
                     "adaptive_avg_pool2d", "adaptive_avg_pool3d"});
}
bool is_structured(std::string_view op) {
  return is_any(op, {"diag", "diag_embed", "tril", "triu"});
}

/// The only node that reads a value; -1 where there are more, or where it leaves the graph.
int only_reader(const Graph& graph, ValueId id) {
  int reader = -1;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const auto& in = graph.nodes[n].inputs;
    if (std::find(in.begin(), in.end(), id) == in.end()) continue;
    if (reader >= 0) return -1;
    reader = static_cast<int>(n);
  }
  const bool out = std::find(graph.outputs.begin(), graph.outputs.end(), id) != graph.outputs.end();
  return out ? -1 : reader;
}

}  // namespace

std::string algebraic(const Graph& graph) {
  for (const Node& node : graph.nodes) {
    if (!contracts(node.op)) continue;
    for (const ValueId id : node.inputs) {
      const int from = id == kNoValue ? -1 : graph.producer(id);
      if (from >= 0 && is_structured(graph.nodes[static_cast<std::size_t>(from)].op)) {
        return fmt::format("an operand of {} comes out of {}: most of its products are zero", node.op,
                           graph.nodes[static_cast<std::size_t>(from)].op);
      }
    }
    ValueId at = node.outputs.front();
    for (int reader = only_reader(graph, at); reader >= 0; reader = only_reader(graph, at)) {
      const Node& next = graph.nodes[static_cast<std::size_t>(reader)];
      if (is_sum(next.op)) {
        return fmt::format("{} is only summed, by {}: the sum moves to its operands", node.op,
                           next.op);
      }
      if (!is_linear_step(next.op) && !is_scaling(next)) break;
      at = next.outputs.front();
    }
  }
  return {};
}

}  // namespace kw::verify
