#include "tensors.h"

#include <algorithm>
#include <set>

#include "kw/core/json.h"

namespace kw::bench {
namespace {

constexpr std::string_view kNext = ".next";

Status plain(const Value& value) {
  if (!value.format.empty()) {
    return fail(Errc::Unsupported, "'{}' holds codes of {}, which PyTorch has no tensor of",
                value.name, value.format);
  }
  if (!value.strides.empty() && value.strides != contiguous_strides(value.shape)) {
    return fail(Errc::Unsupported, "'{}' is strided; exports take contiguous tensors", value.name);
  }
  return {};
}

/// A Python literal: JSON's strings and numbers are the same, but for these.
std::string python_number(double number) {
  if (number != number) return "float('nan')";
  if (number - number != 0) return number > 0 ? "float('inf')" : "-float('inf')";
  return Json(number).dump();
}

const char* python_step(DrawStep::Op op) {
  switch (op) {
    case DrawStep::Op::Constant:
      return "constant";
    case DrawStep::Op::Values:
      return "values";
    case DrawStep::Op::Tril:
      return "tril";
    case DrawStep::Op::Triu:
      return "triu";
    case DrawStep::Op::Mul:
      return "mul";
    case DrawStep::Op::Add:
      return "add";
    default:
      return nullptr;  // drawn at random
  }
}

/// Empty when a step is drawn at random.
std::string python_steps(const std::vector<DrawStep>& steps) {
  std::string out;
  for (const DrawStep& step : steps) {
    const char* name = python_step(step.op);
    if (name == nullptr) return {};
    const std::string argument =
        step.op == DrawStep::Op::Values ? Json(step.data).dump() : python_number(step.a);
    out += fmt::format("{}[\"{}\", {}]", out.empty() ? "" : ", ", name, argument);
  }
  return "[" + out + "]";
}

}  // namespace

std::string python_shape(const Shape& shape) { return Json(shape).dump(); }
std::string python_type(DType type) {
  switch (type) {
    case DType::F64:
      return "torch.float64";
    case DType::F32:
      return "torch.float32";
    case DType::F16:
      return "torch.float16";
    case DType::BF16:
      return "torch.bfloat16";
    case DType::I64:
      return "torch.int64";
    case DType::I32:
      return "torch.int32";
    case DType::I16:
      return "torch.int16";
    case DType::I8:
      return "torch.int8";
    case DType::U8:
      return "torch.uint8";
    case DType::Bool:
      break;
  }
  return "torch.bool";
}

Result<Tensors> tensors_of(const Task& task) {
  const Graph& graph = task.graph;
  Tensors out;
  out.inputs = graph.with_role(Role::Input);
  out.held = graph.with_role(Role::Weight);
  const std::vector<ValueId> states = graph.with_role(Role::State);
  out.held.insert(out.held.end(), states.begin(), states.end());
  std::set<std::string> state_names;
  for (const ValueId id : states) state_names.insert(graph.value(id).name);
  std::set<ValueId> seen;
  for (const ValueId id : graph.outputs) {
    const Value& value = graph.value(id);
    if (graph.producer(id) < 0 || !seen.insert(id).second) {
      return fail(Errc::Unsupported, "the output '{}' is no value of its own", value.name);
    }
    const std::string_view name = value.name;
    const std::string state(name.substr(0, name.size() - std::min(name.size(), kNext.size())));
    if (name.ends_with(kNext) && state_names.contains(state)) {
      out.updates.push_back(id);
      out.updated.push_back(state);
    } else {
      out.results.push_back(id);
    }
  }
  if (out.results.empty()) return fail(Errc::Unsupported, "the task gives nothing back");
  for (const auto* list : {&out.inputs, &out.held, &out.results, &out.updates}) {
    for (const ValueId id : *list) KW_RETURN_IF_ERROR(plain(graph.value(id)));
  }
  return out;
}

std::string constructor_rows(const Task& task) {
  std::string rows;
  for (const InitCall& call : task.constructor) {
    std::string arguments;
    for (const double a : call.arguments) {
      arguments += (arguments.empty() ? "" : ", ") + python_number(a);
    }
    rows += fmt::format("    ({}, {}, {}, [{}]),\n", Json(call.parameter).dump(),
                        Json(call.op).dump(), python_shape(call.shape), arguments);
  }
  return rows;
}

Result<std::string> buffer_rows(const Task& task, const Tensors& tensors,
                                const std::vector<std::string>& read) {
  std::set<std::string> constructed;
  for (const InitCall& call : task.constructor) constructed.insert(call.parameter);
  std::string rows;
  for (const ValueId id : tensors.held) {
    const Value& value = task.graph.value(id);
    if (constructed.contains(value.name)) continue;
    const auto draw = std::ranges::find(task.draws, id, &Draw::value);
    std::string steps = draw == task.draws.end() ? "" : python_steps(draw->steps);
    if (steps.empty()) {
      if (std::ranges::find(read, value.name) != read.end()) {
        return fail(Errc::Unsupported,
                    "'{}' is drawn at random and the constructor's calls do not make it",
                    value.name);
      }
      steps = "[]";  // nobody reads it
    }
    rows += fmt::format("    ({}, {}, {}, {}),\n", Json(value.name).dump(),
                        python_type(value.dtype), python_shape(value.shape), steps);
  }
  return rows;
}

Result<std::string> random_entries(const Task& task, const Tensors& tensors) {
  std::string entries;
  for (std::size_t i = 0; i < tensors.inputs.size(); ++i) {
    const Value& value = task.graph.value(tensors.inputs[i]);
    if (!value.name.starts_with("random.")) continue;
    const auto draw = std::ranges::find(task.draws, tensors.inputs[i], &Draw::value);
    const DrawStep* step =
        draw != task.draws.end() && draw->steps.size() == 1 ? &draw->steps.front() : nullptr;
    const bool standard = step != nullptr && step->a == 0 && step->b == 1;
    if (!standard || (step->op != DrawStep::Op::Uniform && step->op != DrawStep::Op::Normal)) {
      return fail(Errc::Unsupported, "'{}' is drawn by neither rand nor randn", value.name);
    }
    entries +=
        fmt::format("({}, \"{}\", {}), ", i, step->op == DrawStep::Op::Uniform ? "rand" : "randn",
                    python_shape(value.shape));
  }
  return entries;
}

}  // namespace kw::bench
