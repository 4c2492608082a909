#pragma once
// Enough of JSON Schema to hold documents against docs/formats: what those schemas use, but for
// patterns.

#include <nlohmann/json.hpp>
#include <string>

namespace kw::support {

/// "" if `value` is valid, otherwise the place and the rule it breaks.
inline std::string schema_fault(const nlohmann::json& value, const nlohmann::json& schema,
                                const nlohmann::json& root, const std::string& at = "") {
  using Json = nlohmann::json;
  if (schema.contains("$ref")) {
    const std::string ref = schema["$ref"].get<std::string>();
    const std::string fault =
        schema_fault(value, root.at(Json::json_pointer(ref.substr(1))), root, at);
    if (!fault.empty()) return fault;
  }
  const auto is = [&](const std::string& type) {
    return type == "object"    ? value.is_object()
           : type == "array"   ? value.is_array()
           : type == "string"  ? value.is_string()
           : type == "boolean" ? value.is_boolean()
           : type == "null"    ? value.is_null()
           : type == "integer" ? value.is_number_integer()
                               : value.is_number();
  };
  if (schema.contains("type") && !is(schema["type"].get<std::string>())) return at + ": type";
  if (schema.contains("const") && value != schema["const"]) return at + ": const";
  if (schema.contains("enum")) {
    bool known = false;
    for (const Json& each : schema["enum"]) known = known || each == value;
    if (!known) return at + ": enum";
  }
  if (schema.contains("anyOf")) {
    bool fits = false;
    for (const Json& each : schema["anyOf"])
      fits = fits || schema_fault(value, each, root, at).empty();
    if (!fits) return at + ": anyOf";
  }
  if (schema.contains("minimum") && value.get<double>() < schema["minimum"].get<double>()) {
    return at + ": minimum";
  }
  if (schema.contains("maximum") && value.get<double>() > schema["maximum"].get<double>()) {
    return at + ": maximum";
  }
  if (value.is_array() && schema.contains("items")) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      const std::string fault =
          schema_fault(value[i], schema["items"], root, at + "/" + std::to_string(i));
      if (!fault.empty()) return fault;
    }
  }
  if (!value.is_object()) return {};
  for (const Json& name : schema.value("required", Json::array())) {
    if (!value.contains(name.get<std::string>())) return at + ": lacks " + name.get<std::string>();
  }
  const Json known = schema.value("properties", Json::object());
  for (const auto& [name, member] : value.items()) {
    const std::string place = at + "/" + name;
    if (known.contains(name)) {
      const std::string fault = schema_fault(member, known[name], root, place);
      if (!fault.empty()) return fault;
    } else if (schema.contains("additionalProperties")) {
      const Json& others = schema["additionalProperties"];
      if (others.is_boolean() && !others.get<bool>()) return place + ": is not known";
      if (others.is_object()) {
        const std::string fault = schema_fault(member, others, root, place);
        if (!fault.empty()) return fault;
      }
    }
  }
  return {};
}

}  // namespace kw::support
