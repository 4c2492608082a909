#include "task_json.h"

#include <algorithm>
#include <array>
#include <set>

#include "format_json.h"
#include "graph_json.h"
#include "kw/core/packed_data.h"
#include "kw/core/task.h"

namespace kw {
namespace {

struct OpName {
  DrawStep::Op op;
  std::string_view name;
  std::size_t arguments;
  bool source;
};
constexpr std::array<OpName, 12> kOps{{{DrawStep::Op::Uniform, "uniform", 2, true},
                                       {DrawStep::Op::Normal, "normal", 2, true},
                                       {DrawStep::Op::Integers, "integers", 2, true},
                                       {DrawStep::Op::Constant, "constant", 1, true},
                                       {DrawStep::Op::Codes, "codes", 0, true},
                                       {DrawStep::Op::Scales, "scales", 2, true},
                                       {DrawStep::Op::Mul, "mul", 1, false},
                                       {DrawStep::Op::Add, "add", 1, false},
                                       {DrawStep::Op::MulUniform, "mul_uniform", 2, false},
                                       {DrawStep::Op::Tril, "tril", 1, false},
                                       {DrawStep::Op::Triu, "triu", 1, false},
                                       {DrawStep::Op::Values, "values", 1, true}}};

const OpName& op_name(DrawStep::Op op) { return kOps[static_cast<std::size_t>(op)]; }

Result<DrawStep> parse_step(const Json& json, const std::string& pointer) {
  if (!json.is_array() || json.empty() || !json[0].is_string()) {
    return fail(Errc::InvalidArgument, "{}: expected [\"name\", arguments...]", pointer);
  }
  const auto& name = json[0].get_ref<const std::string&>();
  for (const OpName& known : kOps) {
    if (known.name != name) continue;
    if (json.size() != known.arguments + 1) {
      return fail(Errc::InvalidArgument, "{}: '{}' takes {} arguments", pointer, name,
                  known.arguments);
    }
    DrawStep step{known.op, 0, 0};
    if (known.op == DrawStep::Op::Values) {
      if (!json[1].is_string()) {
        return fail(Errc::InvalidArgument, "{}/1: expected data as text", pointer);
      }
      step.data = json[1].get<std::string>();
      return step;
    }
    if (known.arguments > 0) {
      KW_ASSIGN(step.a, number_from(json[1], pointer + "/1"));
    }
    if (known.arguments > 1) {
      KW_ASSIGN(step.b, number_from(json[2], pointer + "/2"));
    }
    return step;
  }
  return fail(Errc::InvalidArgument, "{}/0: unknown draw '{}'", pointer, name);
}

Json step_json(const DrawStep& step) {
  const OpName& name = op_name(step.op);
  Json json = Json::array({name.name});
  if (step.op == DrawStep::Op::Values) {
    json.push_back(step.data);
    return json;
  }
  if (name.arguments > 0) json.push_back(number_json(step.a));
  if (name.arguments > 1) json.push_back(number_json(step.b));
  return json;
}

Result<std::vector<Draw>> parse_draws(const Json& json, const std::string& pointer,
                                      const Graph& graph) {
  if (!json.is_object()) return fail(Errc::InvalidArgument, "{}: expected an object", pointer);
  std::vector<Draw> draws;
  std::map<std::string_view, ValueId> ids;
  for (std::size_t i = 0; i < graph.values.size(); ++i)
    ids.emplace(graph.values[i].name, static_cast<ValueId>(i));
  for (const auto& [name, steps] : json.items()) {
    const std::string place = fmt::format("{}/{}", pointer, name);
    const auto id = ids.find(name);
    if (id == ids.end()) return fail(Errc::InvalidArgument, "{}: no value named '{}'", place, name);
    if (!steps.is_array())
      return fail(Errc::InvalidArgument, "{}: expected an array of steps", place);
    Draw draw{id->second, {}};
    for (const Json& step : steps) {
      KW_ASSIGN(DrawStep parsed, parse_step(step, fmt::format("{}/{}", place, draw.steps.size())));
      draw.steps.push_back(parsed);
    }
    draws.push_back(std::move(draw));
  }
  return draws;
}

Result<std::vector<InitCall>> parse_constructor(const Json& json, const std::string& pointer) {
  if (!json.is_array()) return fail(Errc::InvalidArgument, "{}: expected an array", pointer);
  std::vector<InitCall> calls;
  for (const Json& item : json) {
    const std::string place = fmt::format("{}/{}", pointer, calls.size());
    if (!item.is_array() || item.size() != 4 || !item[0].is_string() || !item[1].is_string() ||
        !item[2].is_array() || !item[3].is_array()) {
      return fail(Errc::InvalidArgument, "{}: expected [parameter, operator, shape, arguments]",
                  place);
    }
    InitCall call{item[0].get<std::string>(), item[1].get<std::string>(), {}, {}};
    for (const Json& extent : item[2]) {
      if (!extent.is_number_integer())
        return fail(Errc::InvalidArgument, "{}/2: expected integers", place);
      call.shape.push_back(extent.get<std::int64_t>());
    }
    for (const Json& argument : item[3]) {
      KW_ASSIGN(const double number, number_from(argument, place + "/3"));
      call.arguments.push_back(number);
    }
    calls.push_back(std::move(call));
  }
  return calls;
}

/// Data fills its value exactly.
Status check_data(const Value& value, const std::vector<DrawStep>& steps) {
  if (steps.front().op != DrawStep::Op::Values) return {};
  if (steps.size() > 1 || !value.strides.empty()) {
    return fail(Errc::InvalidArgument, "draw of '{}': data is dense and the only step", value.name);
  }
  KW_ASSIGN(const std::int64_t count, element_count(value.shape));
  const auto bytes =
      unpack_data(steps.front().data, static_cast<std::size_t>(count) * size_of(value.dtype));
  if (!bytes) return wrap(bytes.error(), fmt::format("draw of '{}'", value.name));
  return {};
}

}  // namespace

bool is_structural(const std::vector<DrawStep>& steps) noexcept {
  using Op = DrawStep::Op;
  if (steps.empty()) return false;
  const Op first = steps.front().op;
  if (first == Op::Constant) {  // a triangle of one number is a mask
    return std::any_of(steps.begin(), steps.end(), [](const DrawStep& step) {
      return step.op == Op::Tril || step.op == Op::Triu;
    });
  }
  return first == Op::Codes || first == Op::Scales || first == Op::Integers || first == Op::Values;
}

Status validate(const Task& task) {
  KW_RETURN_IF_ERROR(validate(task.graph));
  std::set<ValueId> drawn;
  for (const Draw& draw : task.draws) {
    if (draw.value < 0 || static_cast<std::size_t>(draw.value) >= task.graph.values.size()) {
      return fail(Errc::InvalidArgument, "a draw names value {}, which does not exist", draw.value);
    }
    const Value& value = task.graph.value(draw.value);
    if (value.role == Role::Output || value.role == Role::Scratch) {
      return fail(Errc::InvalidArgument, "'{}' is drawn, but the graph computes it", value.name);
    }
    if (!drawn.insert(draw.value).second)
      return fail(Errc::InvalidArgument, "'{}' is drawn twice", value.name);
    if (draw.steps.empty() || !op_name(draw.steps.front().op).source) {
      return fail(Errc::InvalidArgument, "draw of '{}': the first step is no source", value.name);
    }
    for (std::size_t i = 1; i < draw.steps.size(); ++i) {
      if (op_name(draw.steps[i].op).source) {
        return fail(Errc::InvalidArgument, "draw of '{}': step {} is a source", value.name, i);
      }
    }
    KW_RETURN_IF_ERROR(check_data(value, draw.steps));
  }
  std::set<std::string_view> formats;
  for (const Format& format : task.formats) formats.insert(format.name);
  for (std::size_t i = 0; i < task.graph.values.size(); ++i) {
    const Value& value = task.graph.values[i];
    const bool given =
        value.role == Role::Input || value.role == Role::Weight || value.role == Role::State;
    if (given && !drawn.contains(static_cast<ValueId>(i))) {
      return fail(Errc::InvalidArgument, "{} '{}' has no draw", to_string(value.role), value.name);
    }
    if (!value.format.empty() && !formats.contains(value.format)) {
      return fail(Errc::InvalidArgument,
                  "value '{}' names format '{}', which the task does not carry", value.name,
                  value.format);
    }
  }
  return {};
}

Json draws_json(const Task& task) {
  Json draws = Json::object();
  for (const Draw& draw : task.draws) {
    Json steps = Json::array();
    for (const DrawStep& step : draw.steps) steps.push_back(step_json(step));
    draws[task.graph.value(draw.value).name] = std::move(steps);
  }
  return draws;
}

std::string_view to_string(Determinism determinism) noexcept {
  return determinism == Determinism::Bitwise ? "bitwise" : "within_bound";
}

Result<Task> parse_task(std::string_view text) {
  KW_ASSIGN(const Json json, parse_json(text, {.bytes = kMaxTaskBytes}));
  KW_ASSIGN(JsonReader reader, JsonReader::object(json, ""));
  KW_ASSIGN(const std::int64_t version, reader.integer("v"));
  if (version != 1) return fail(Errc::InvalidArgument, "/v: task version {} is not 1", version);
  KW_ASSIGN(const std::string kind, reader.string_or("kind", "task"));
  if (kind != "task") return fail(Errc::InvalidArgument, "/kind: '{}' is no task", kind);
  Task task;
  KW_ASSIGN(task.name, reader.string_or("name", ""));
  KW_ASSIGN(const Json* graph, reader.member("graph"));
  KW_ASSIGN(task.graph, graph_from_json(*graph, "/graph"));
  KW_ASSIGN(const Json* draws, reader.member("draws"));
  KW_ASSIGN(task.draws, parse_draws(*draws, "/draws", task.graph));
  KW_ASSIGN(const std::string policy, reader.string_or("policy", "ieee"));
  if (auto parsed = parse_policy(policy)) {
    task.policy = *parsed;
  } else {
    return wrap(parsed.error(), "/policy");
  }
  KW_ASSIGN(const std::string determinism, reader.string_or("determinism", "within_bound"));
  if (determinism == "bitwise") {
    task.determinism = Determinism::Bitwise;
  } else if (determinism != "within_bound") {
    return fail(Errc::InvalidArgument, "/determinism: '{}' is neither bitwise nor within_bound",
                determinism);
  }
  KW_ASSIGN(task.setup_is_timed, reader.boolean_or("setup_is_timed", true));
  if (const Json* constructor = reader.find("constructor")) {
    KW_ASSIGN(task.constructor, parse_constructor(*constructor, "/constructor"));
  }
  if (const Json* formats = reader.find("formats")) {
    if (!formats->is_array()) return fail(Errc::InvalidArgument, "/formats: expected an array");
    for (std::size_t i = 0; i < formats->size(); ++i) {
      KW_ASSIGN(Format format, format_from_json((*formats)[i], fmt::format("/formats/{}", i)));
      task.formats.push_back(std::move(format));
    }
  }
  if (const Json* provenance = reader.find("provenance")) {
    if (!provenance->is_object())
      return fail(Errc::InvalidArgument, "/provenance: expected an object");
    for (const auto& [key, value] : provenance->items()) {
      task.provenance.emplace(key, value.is_string() ? value.get<std::string>() : dump(value));
    }
  }
  KW_RETURN_IF_ERROR(reader.finish());
  KW_RETURN_IF_ERROR(validate(task));
  return task;
}

std::string to_json(const Task& task) {
  Json constructor = Json::array(), formats = Json::array();
  for (const InitCall& call : task.constructor) {
    Json arguments = Json::array();
    for (const double argument : call.arguments) arguments.push_back(number_json(argument));
    constructor.push_back(Json::array({call.parameter, call.op, call.shape, arguments}));
  }
  for (const Format& format : task.formats) formats.push_back(format_to_json(format));
  return dump({{"v", 1},
               {"kind", "task"},
               {"name", task.name},
               {"graph", graph_to_json(task.graph)},
               {"draws", draws_json(task)},
               {"policy", to_string(task.policy)},
               {"determinism", to_string(task.determinism)},
               {"setup_is_timed", task.setup_is_timed},
               {"constructor", constructor},
               {"formats", formats},
               {"provenance", task.provenance}});
}

}  // namespace kw
