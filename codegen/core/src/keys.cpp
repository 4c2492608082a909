#include "kw/core/keys.h"

#include <bit>
#include <map>

#include "format_json.h"
#include "graph_json.h"
#include "kw/core/json.h"
#include "kw/core/sha256.h"
#include "task_json.h"

namespace kw {
namespace {

void canonical(const Json& value, std::string& out) {
  switch (value.type()) {
    case Json::value_t::object: {
      out += '{';
      bool first = true;
      for (const auto& [key, member] : value.items()) {  // nlohmann keeps keys sorted
        if (!first) out += ',';
        first = false;
        out += Json(key).dump();
        out += ':';
        canonical(member, out);
      }
      out += '}';
      break;
    }
    case Json::value_t::array: {
      out += '[';
      for (std::size_t i = 0; i < value.size(); ++i) {
        if (i != 0) out += ',';
        canonical(value[i], out);
      }
      out += ']';
      break;
    }
    case Json::value_t::number_float:
      out += fmt::format("x{:016x}", std::bit_cast<std::uint64_t>(value.get<double>()));
      break;
    default:
      out += dump(value);
  }
}

/// The values of a graph numbered in order of use, so that names and declaration order change
/// nothing.
std::vector<ValueId> order_of_use(const Graph& graph) {
  std::vector<ValueId> number(graph.values.size(), kNoValue);
  ValueId next = 0;
  const auto use = [&](ValueId id) {
    if (id != kNoValue && number[static_cast<std::size_t>(id)] == kNoValue)
      number[static_cast<std::size_t>(id)] = next++;
  };
  for (const Node& node : graph.nodes) {
    for (const ValueId id : node.inputs) use(id);
    for (const ValueId id : node.outputs) use(id);
  }
  for (const ValueId id : graph.outputs) use(id);
  for (std::size_t i = 0; i < number.size(); ++i) use(static_cast<ValueId>(i));
  return number;
}

/// Attributes that are extents in disguise: they belong to the instance, not to the semantics.
bool is_extent_attribute(std::string_view name) {
  return name == "size" || name == "shape" || name == "normalized_shape" || name == "k";
}

Json value_json(const Value& value, bool extents) {
  Json json{{"dtype", to_string(value.dtype)},
            {"role", to_string(value.role)},
            {"format", value.format},
            {"rank", value.shape.size()}};
  if (extents) {
    json["shape"] = value.shape;
    json["strides"] = value.strides;
  }
  return json;
}

Json key_json(const Task& task, bool extents) {
  const std::vector<ValueId> number = order_of_use(task.graph);
  const auto at = [&](ValueId id) {
    return id == kNoValue ? kNoValue : number[static_cast<std::size_t>(id)];
  };
  std::map<ValueId, Json> values, draws;
  for (std::size_t i = 0; i < task.graph.values.size(); ++i) {
    values[number[i]] = value_json(task.graph.values[i], extents);
  }
  const Json by_name = draws_json(task);
  for (const Draw& draw : task.draws)
    draws[at(draw.value)] = by_name.at(task.graph.value(draw.value).name);
  Json value_list = Json::array(), node_list = Json::array(), output_list = Json::array(),
       draw_list = Json::array(), format_list = Json::array();
  for (const auto& [id, value] : values) value_list.push_back(value);
  for (const auto& [id, draw] : draws) draw_list.push_back(Json::array({id, draw}));
  const Json whole = graph_to_json(task.graph);
  for (std::size_t n = 0; n < task.graph.nodes.size(); ++n) {
    const Node& node = task.graph.nodes[n];
    Json inputs = Json::array(), outputs = Json::array(), attrs = Json::object();
    for (const ValueId id : node.inputs) inputs.push_back(at(id));
    for (const ValueId id : node.outputs) outputs.push_back(at(id));
    for (const auto& [key, attr] : whole.at("nodes")[n].at("attrs").items()) {
      if (extents || !is_extent_attribute(key)) attrs[key] = attr;
    }
    node_list.push_back({{"op", node.op}, {"in", inputs}, {"out", outputs}, {"attrs", attrs}});
  }
  for (const ValueId id : task.graph.outputs) output_list.push_back(at(id));
  for (const Format& format : task.formats) format_list.push_back(format_to_json(format));
  return {{"values", value_list},
          {"nodes", node_list},
          {"outputs", output_list},
          {"draws", draw_list},
          {"formats", format_list},
          {"policy", to_string(task.policy)},
          {"determinism", to_string(task.determinism)},
          {"setup_is_timed", task.setup_is_timed}};
}

std::string canonical_text(const Json& json) {
  std::string text;
  canonical(json, text);
  return text;
}

}  // namespace

std::string canonical_json(std::string_view text) {
  const auto json = parse_json(text);
  return json ? canonical_text(*json) : std::string(text);
}

TaskKeys keys_of(const Task& task) {
  return {content_id("kw:task:v1", canonical_text(key_json(task, false))),
          content_id("kw:instance:v1", canonical_text(key_json(task, true)))};
}

std::string toolchain_key(std::string_view compiler, std::string_view arch) {
  return content_id("kw:toolchain:v1", fmt::format("{}\n{}", compiler, arch));
}

std::string candidate_id(const Candidate& candidate) {
  const Json parameters(candidate.parameters);
  const auto plan = parse_json(to_json(candidate.plan));
  return content_id("kw:candidate:v1",
                    fmt::format("{}\n{}\n{}", sha256_hex(candidate.source),
                                plan ? canonical_text(*plan) : "", canonical_text(parameters)));
}

}  // namespace kw
