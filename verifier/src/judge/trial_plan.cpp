#include "trial_plan.h"

#include <algorithm>
#include <memory>

#include "kw/core/packed_data.h"
#include "kw/core/random.h"

namespace kw::verify {
namespace {

const Draw* draw_of(const Task& task, ValueId id) {
  for (const Draw& draw : task.draws) {
    if (draw.value == id) return &draw;
  }
  return nullptr;
}

const Format* find_format(const Task& task, std::string_view name) {
  for (const Format& format : task.formats) {
    if (format.name == name) return &format;
  }
  return nullptr;
}

/// The format that a value's bytes belong to: its own, or that of the kw.dequantize that reads it.
Result<Format> format_of(const Task& task, ValueId id) {
  std::string name = task.graph.value(id).format;
  for (const Node& node : task.graph.nodes) {
    if (!name.empty()) break;
    if (std::find(node.inputs.begin(), node.inputs.end(), id) == node.inputs.end()) continue;
    KW_ASSIGN(name, attr_string_or(node, "format", ""));
  }
  const Format* format = find_format(task, name);
  if (format == nullptr) {
    return fail(Errc::InvalidArgument, "value '{}' is drawn as codes or scales of no known format",
                task.graph.value(id).name);
  }
  return *format;
}

/// Scales and tensor factors of an encoded tensor: a factor of Inf or 2^60 is no encoding of
/// anything.
bool belongs_to_encoding(const Graph& graph, ValueId id) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
    return node.op == "kw.dequantize" &&
           std::find(node.inputs.begin(), node.inputs.end(), id) != node.inputs.end();
  });
}

/// Codes that a kw.dequantize subtracts: its third operand where the format has zero points.
bool is_zero_points(const Graph& graph, ValueId id) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
    return node.op == "kw.dequantize" && node.inputs.size() > 2 && node.inputs[2] == id;
  });
}

bool has_any(const Graph& graph, std::initializer_list<std::string_view> names) {
  return std::ranges::any_of(graph.nodes, [&](const Node& node) {
    return std::ranges::any_of(names, [&](std::string_view name) {
      return node.op.find(name) != std::string::npos;
    });
  });
}
bool takes_variances(const Graph& graph) { return has_any(graph, {"norm", "aten.var", "aten.std"}); }
bool sums_exponentials(const Graph& graph) {
  return has_any(graph, {"softmax", "logsumexp", "cross_entropy", "attention"});
}

/// Every float input takes few values: then sums may round the same way at every step. So do those of
/// squared deviations where a few numbers are far larger than the rest: all others lie at one distance
/// from the mean, closer to each other than a unit of the sum. And of exponentials in rows of tiny numbers,
/// which are all but 1.
bool few_valued(const Task& task, Family family) {
  if (family == Family::Constant) return true;
  if (family == Family::Spiky) return takes_variances(task.graph);
  if (family == Family::RowScaled) return takes_variances(task.graph) || sums_exponentials(task.graph);
  if (family != Family::AsDrawn) return false;
  bool all = true;
  for (const ValueId id : task.graph.with_role(Role::Input)) {
    const Draw* draw = draw_of(task, id);
    if (draw == nullptr || draw->steps.empty() || !is_floating(task.graph.value(id).dtype))
      continue;
    const DrawStep::Op op = draw->steps.front().op;
    all = all && (op == DrawStep::Op::Constant || op == DrawStep::Op::Integers);
  }
  return all;
}

}  // namespace

std::vector<ValueId> filled_values(const Graph& graph) {
  std::vector<ValueId> ids;
  for (const Role role : {Role::Input, Role::Weight, Role::State}) {
    for (const ValueId id : graph.with_role(role)) {
      if (graph.producer(id) < 0) ids.push_back(id);
    }
  }
  return ids;
}

std::int64_t storage_elements(const Value& value) {
  if (std::find(value.shape.begin(), value.shape.end(), 0) != value.shape.end()) return 0;
  const Shape strides = value.strides.empty() ? contiguous_strides(value.shape) : value.strides;
  std::int64_t reach = 1;
  for (std::size_t d = 0; d < strides.size(); ++d) reach += strides[d] * (value.shape[d] - 1);
  return reach;
}

std::vector<ValueId> free_values(const Task& task) {
  std::vector<ValueId> ids;
  for (const ValueId id : filled_values(task.graph)) {
    const Draw* draw = draw_of(task, id);
    if (draw == nullptr || draw->steps.empty() || !is_floating(task.graph.value(id).dtype))
      continue;
    if (is_structural(draw->steps) || belongs_to_encoding(task.graph, id)) continue;
    ids.push_back(id);
  }
  return ids;
}

Result<TrialPlan> plan_trial(const Task& task, std::string label, Family family, ValueId target,
                             std::uint64_t seed) {
  TrialPlan plan;
  plan.label = std::move(label);
  plan.family = family;
  plan.target = target;
  plan.seed = seed;
  plan.few_valued = few_valued(task, family);
  for (const ValueId id : filled_values(task.graph)) {
    const Value& value = task.graph.value(id);
    const Draw* draw = draw_of(task, id);
    if (draw == nullptr) return fail(Errc::InvalidArgument, "value '{}' has no draw", value.name);
    FillSpec spec;
    spec.dtype = value.dtype;
    spec.elements = storage_elements(value);
    spec.row = value.shape.empty() ? 1 : std::max<std::int64_t>(value.shape.back(), 1);
    if (value.shape.size() > 1) {
      spec.rows = std::max<std::int64_t>(value.shape[value.shape.size() - 2], 1);
    }
    spec.seed = seed;
    spec.stream = purpose(value.name);
    const bool aimed = target == kNoValue || target == id;
    const bool keep = family == Family::AsDrawn || belongs_to_encoding(task.graph, id);
    spec.family = keep ? Family::AsDrawn : aimed ? family : Family::Uniform;
    if (family == Family::Coherent && !draw->steps.empty() &&
        draw->steps.front().op == DrawStep::Op::Codes) {
      spec.family = family;
      spec.zero_points = is_zero_points(task.graph, id);
    }
    spec.coarse = task.policy.contraction == PolicyClass::Half;
    spec.steps = draw->steps;
    if (!draw->steps.empty() && (draw->steps.front().op == DrawStep::Op::Codes ||
                                 draw->steps.front().op == DrawStep::Op::Scales)) {
      KW_ASSIGN(spec.format, format_of(task, id));
    }
    std::shared_ptr<const std::vector<std::byte>> data;
    if (!draw->steps.empty() && draw->steps.front().op == DrawStep::Op::Values) {
      KW_ASSIGN(std::vector<std::byte> bytes,
                unpack_data(draw->steps.front().data,
                            static_cast<std::size_t>(spec.elements) * size_of(spec.dtype)));
      data = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
    }
    plan.fills.push_back({value.name, std::move(spec), std::move(data)});
  }
  return plan;
}

Result<std::vector<std::byte>> materialise(const BufferFill& buffer) {
  if (buffer.bytes != nullptr) return *buffer.bytes;
  std::vector<std::byte> bytes(static_cast<std::size_t>(buffer.spec.elements) *
                               size_of(buffer.spec.dtype));
  KW_RETURN_IF_ERROR(fill(buffer.spec, bytes));
  return bytes;
}

Result<std::map<ValueId, reference::Tensor>> decode_inputs(const Task& task,
                                                           const TrialPlan& plan) {
  std::map<ValueId, reference::Tensor> inputs;
  const std::vector<ValueId> ids = filled_values(task.graph);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    KW_ASSIGN(const std::vector<std::byte> bytes, materialise(plan.fills[i]));
    KW_ASSIGN(reference::Tensor tensor, reference::decode_tensor(task.graph.value(ids[i]), bytes));
    inputs.emplace(ids[i], std::move(tensor));
  }
  return inputs;
}

}  // namespace kw::verify
