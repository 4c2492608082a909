#include "graph_json.h"

#include <set>

namespace kw {
namespace {

Result<Shape> parse_extents(JsonReader& reader, std::string_view key, bool allow_negative) {
  KW_ASSIGN(Shape shape, reader.integers(key));
  for (const std::int64_t extent : shape) {
    if (extent < 0 && !allow_negative)
      return fail(Errc::InvalidArgument, "{}: negative extent", reader.at(key));
  }
  return shape;
}

Result<Value> parse_value(const Json& json, const std::string& pointer) {
  KW_ASSIGN(JsonReader reader, JsonReader::object(json, pointer));
  Value value;
  KW_ASSIGN(value.name, reader.string("name"));
  KW_ASSIGN(const std::string dtype, reader.string("dtype"));
  const auto known = parse_dtype(dtype);
  if (!known)
    return fail(Errc::InvalidArgument, "{}: unknown dtype '{}'", reader.at("dtype"), dtype);
  value.dtype = *known;
  KW_ASSIGN(value.shape, parse_extents(reader, "shape", false));
  KW_ASSIGN(const std::string role, reader.string_or("role", "scratch"));
  const auto known_role = parse_role(role);
  if (!known_role)
    return fail(Errc::InvalidArgument, "{}: unknown role '{}'", reader.at("role"), role);
  value.role = *known_role;
  if (reader.find("strides") != nullptr) {
    KW_ASSIGN(value.strides, parse_extents(reader, "strides", false));
  }
  KW_ASSIGN(value.format, reader.string_or("format", ""));
  KW_RETURN_IF_ERROR(reader.finish());
  return value;
}

Result<Attr> parse_attr(const Json& json, const std::string& pointer) {
  if (json.is_null()) return Attr{};
  if (json.is_boolean()) return Attr{json.get<bool>()};
  if (json.is_number_integer()) {
    if (json.is_number_unsigned() &&
        json.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
      return fail(Errc::InvalidArgument, "{}: does not fit in 64 bits", pointer);
    }
    return Attr{json.get<std::int64_t>()};
  }
  if (json.is_number()) return Attr{json.get<double>()};
  if (json.is_string()) return Attr{json.get<std::string>()};
  if (json.is_object() && json.size() == 1 && json.contains("number")) {  // NaN or an infinity
    KW_ASSIGN(const double value, number_from(json["number"], pointer));
    return Attr{value};
  }
  if (!json.is_array()) return fail(Errc::InvalidArgument, "{}: not an attribute value", pointer);
  std::vector<std::int64_t> integers;
  std::vector<double> numbers;
  for (const Json& item : json) {
    if (!item.is_number()) return fail(Errc::InvalidArgument, "{}: only lists of numbers", pointer);
    if (item.is_number_integer()) integers.push_back(item.get<std::int64_t>());
    numbers.push_back(item.get<double>());
  }
  if (integers.size() == numbers.size()) return Attr{std::move(integers)};
  return Attr{std::move(numbers)};
}

Json attr_json(const Attr& attr) {
  struct Visitor {
    Json operator()(std::monostate) const { return nullptr; }
    Json operator()(bool v) const { return v; }
    Json operator()(std::int64_t v) const { return v; }
    Json operator()(double v) const {
      Json number = number_json(v);
      return number.is_string() ? Json{{"number", number}} : number;
    }
    Json operator()(const std::string& v) const { return v; }
    Json operator()(const std::vector<std::int64_t>& v) const { return v; }
    Json operator()(const std::vector<double>& v) const { return v; }
  };
  return std::visit(Visitor{}, attr);
}

class NodeParser {
 public:
  explicit NodeParser(const Graph& graph) {
    for (std::size_t i = 0; i < graph.values.size(); ++i) {
      ids_.emplace(graph.values[i].name, static_cast<ValueId>(i));
    }
  }

  Result<std::vector<ValueId>> ids(const Json& list, const std::string& pointer,
                                   bool allow_null) const {
    if (!list.is_array()) return fail(Errc::InvalidArgument, "{}: expected an array", pointer);
    std::vector<ValueId> result;
    for (const Json& item : list) {
      const std::string place = fmt::format("{}/{}", pointer, result.size());
      if (item.is_null() && allow_null) {
        result.push_back(kNoValue);
        continue;
      }
      if (!item.is_string())
        return fail(Errc::InvalidArgument, "{}: expected the name of a value", place);
      const auto found = ids_.find(item.get_ref<const std::string&>());
      if (found == ids_.end()) {
        return fail(Errc::InvalidArgument, "{}: no value named '{}'", place,
                    item.get<std::string>());
      }
      result.push_back(found->second);
    }
    return result;
  }

  Result<Node> node(const Json& json, const std::string& pointer) const {
    KW_ASSIGN(JsonReader reader, JsonReader::object(json, pointer));
    Node node;
    KW_ASSIGN(node.op, reader.string("op"));
    KW_ASSIGN(const Json* inputs, reader.array("in"));
    KW_ASSIGN(node.inputs, ids(*inputs, reader.at("in"), true));
    KW_ASSIGN(const Json* outputs, reader.array("out"));
    KW_ASSIGN(node.outputs, ids(*outputs, reader.at("out"), true));
    if (const Json* attrs = reader.find("attrs")) {
      if (!attrs->is_object())
        return fail(Errc::InvalidArgument, "{}: expected an object", reader.at("attrs"));
      for (const auto& [key, value] : attrs->items()) {
        KW_ASSIGN(Attr attr, parse_attr(value, fmt::format("{}/{}", reader.at("attrs"), key)));
        node.attrs.emplace(key, std::move(attr));
      }
    }
    KW_RETURN_IF_ERROR(reader.finish());
    return node;
  }

 private:
  std::map<std::string, ValueId, std::less<>> ids_;
};

}  // namespace

Result<Graph> graph_from_json(const Json& json, const std::string& pointer) {
  KW_ASSIGN(JsonReader reader, JsonReader::object(json, pointer));
  KW_ASSIGN(const std::int64_t version, reader.integer_or("v", 1));
  if (version != 1)
    return fail(Errc::InvalidArgument, "{}: graph version {} is newer than 1", reader.at("v"),
                version);
  Graph graph;
  KW_ASSIGN(const Json* values, reader.array("values"));
  for (std::size_t i = 0; i < values->size(); ++i) {
    KW_ASSIGN(Value value, parse_value((*values)[i], fmt::format("{}/values/{}", pointer, i)));
    graph.values.push_back(std::move(value));
  }
  const NodeParser parser(graph);
  KW_ASSIGN(const Json* nodes, reader.array("nodes"));
  for (std::size_t i = 0; i < nodes->size(); ++i) {
    KW_ASSIGN(Node node, parser.node((*nodes)[i], fmt::format("{}/nodes/{}", pointer, i)));
    graph.nodes.push_back(std::move(node));
  }
  KW_ASSIGN(const Json* outputs, reader.array("outputs"));
  KW_ASSIGN(graph.outputs, parser.ids(*outputs, reader.at("outputs"), false));
  KW_RETURN_IF_ERROR(reader.finish());
  KW_RETURN_IF_ERROR(validate(graph));
  return graph;
}

Json graph_to_json(const Graph& graph) {
  Json values = Json::array(), nodes = Json::array(), outputs = Json::array();
  for (const Value& value : graph.values) {
    Json item{{"name", value.name},
              {"dtype", to_string(value.dtype)},
              {"shape", value.shape},
              {"role", to_string(value.role)}};
    if (!value.strides.empty()) item["strides"] = value.strides;
    if (!value.format.empty()) item["format"] = value.format;
    values.push_back(std::move(item));
  }
  const auto names = [&](const std::vector<ValueId>& ids) {
    Json list = Json::array();
    for (const ValueId id : ids)
      list.push_back(id == kNoValue ? Json(nullptr) : Json(graph.value(id).name));
    return list;
  };
  for (const Node& node : graph.nodes) {
    Json attrs = Json::object();
    for (const auto& [key, attr] : node.attrs) attrs[key] = attr_json(attr);
    nodes.push_back({{"op", node.op},
                     {"in", names(node.inputs)},
                     {"out", names(node.outputs)},
                     {"attrs", attrs}});
  }
  return {{"v", 1}, {"values", values}, {"nodes", nodes}, {"outputs", names(graph.outputs)}};
}

Result<Graph> parse_graph(std::string_view text) {
  KW_ASSIGN(const Json json, parse_json(text));
  return graph_from_json(json, "");
}

std::string to_json(const Graph& graph) { return dump(graph_to_json(graph)); }

}  // namespace kw
