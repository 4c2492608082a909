// Walks the graph in order, gives each node to its operator, and rounds what comes back the way the
// declared dtype demands.

#include "kw/reference/interpret.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "operator.h"

namespace kw::reference {
namespace {

using Table = std::unordered_map<std::string_view, Operator>;

const Table& operators() {
  static const Table table = [] {
    Table t;
    for (const auto& part :
         {pointwise_operators(), further_pointwise_operators(), replacement_operators(),
          distance_operators(), binary_operators(), view_operators(), structure_operators(),
          index_map_operators(), reduction_operators(), selection_operators(),
          normalization_operators(), contraction_operators(), attention_operators(),
          recurrence_operators(), convolution_operators(), pooling_operators(), loss_operators(),
          format_operators()}) {
      for (const OperatorEntry& entry : part) t.emplace(entry.name, entry.run);
    }
    return t;
  }();
  return table;
}

/// "aten.sum.dim_IntList" -> "sum", "aten.relu_.default" -> "relu", "kw.quantize" stays.
std::string_view base_name(std::string_view op) {
  if (!op.starts_with("aten.")) return op;
  op.remove_prefix(5);
  op = op.substr(0, op.find('.'));
  if (op.size() > 1 && op.ends_with('_') && !op.starts_with("_")) op.remove_suffix(1);
  return op;
}

/// Rounds to a narrow dtype, and finds where FP32 (or less) overflows although double did not.
void settle_tensor(Tensor& t, DType type) {
  if (!is_floating(type) || type == DType::F64) return;
  const double limit = largest_finite(type);
  const double roundoff = type == DType::F32 ? 0 : output_roundoff(type);
  const double quantum = type == DType::F16 ? 0x1p-24 : kTiny;
  for (std::size_t i = 0; i < t.size(); ++i) {
    store(t, i, settle_output(num_at(t, i), limit, roundoff, quantum));
  }
  if (std::all_of(t.bound.begin(), t.bound.end(), [](double e) { return e == 0; })) t.bound.clear();
}

Result<Outputs> evaluate(const Graph& graph, const Node& node, const FormatTable& formats,
                         const Tensors& values, const Options& options) {
  const auto found = operators().find(base_name(node.op));
  if (found == operators().end()) return fail(Errc::Unsupported, "operator is not known");
  Call call{graph, node, formats, options, {}};
  for (const ValueId id : node.inputs) {
    const auto value = values.find(id);
    if (id != kNoValue && value == values.end()) {
      return fail(Errc::InvalidArgument, "no tensor for value '{}'", graph.value(id).name);
    }
    call.inputs.push_back(id == kNoValue ? nullptr : &value->second);
  }
  KW_ASSIGN(Outputs outputs, found->second(call));
  if (outputs.size() < node.outputs.size()) {
    return fail(Errc::Unsupported, "gives {} outputs, the graph names {}", outputs.size(),
                node.outputs.size());
  }
  outputs.resize(node.outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    const Value& value = graph.value(node.outputs[i]);
    if (outputs[i].shape != value.shape) {
      return fail(Errc::InvalidArgument, "output '{}' has shape {}, the graph says {}", value.name,
                  to_string(outputs[i].shape), to_string(value.shape));
    }
    settle_tensor(outputs[i], value.dtype);
  }
  return outputs;
}

/// Index of the last node that reads each value, so that intermediates can be dropped.
std::vector<std::size_t> last_uses(const Graph& graph) {
  std::vector<std::size_t> last(graph.values.size(), 0);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    for (const ValueId id : graph.nodes[n].inputs) {
      if (id != kNoValue) last[static_cast<std::size_t>(id)] = n;
    }
  }
  for (const ValueId id : graph.outputs) last[static_cast<std::size_t>(id)] = graph.nodes.size();
  return last;
}

}  // namespace

FormatTable format_table(const std::vector<Format>& formats) {
  FormatTable table;
  for (const Format& format : formats) table.emplace(format.name, format);
  return table;
}

bool knows_operator(std::string_view op) { return operators().contains(base_name(op)); }

Result<std::vector<Tensor>> interpret(const Graph& graph, const FormatTable& formats,
                                      const Tensors& inputs, const Options& options) {
  Tensors values = inputs;
  for (const auto& [id, tensor] : inputs) {
    const Value& value = graph.value(id);
    if (tensor.shape != value.shape) {
      return fail(Errc::InvalidArgument, "input '{}' has shape {}, the graph says {}", value.name,
                  to_string(tensor.shape), to_string(value.shape));
    }
  }
  const std::vector<std::size_t> last = last_uses(graph);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    auto outputs = evaluate(graph, node, formats, values, options);
    if (!outputs) return wrap(outputs.error(), fmt::format("node {} ({})", n, node.op));
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == kNoValue) continue;
      if (options.settle) KW_RETURN_IF_ERROR(options.settle(node.outputs[i], (*outputs)[i]));
      values[node.outputs[i]] = std::move((*outputs)[i]);
    }
    for (const ValueId id : node.inputs) {
      if (id != kNoValue && last[static_cast<std::size_t>(id)] == n) values.erase(id);
    }
  }
  std::vector<Tensor> results;
  for (const ValueId id : graph.outputs) {
    const auto found = values.find(id);
    if (found == values.end()) {
      return fail(Errc::InvalidArgument, "output '{}' is never produced", graph.value(id).name);
    }
    results.push_back(found->second);
  }
  return results;
}

}  // namespace kw::reference
