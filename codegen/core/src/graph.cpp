#include "kw/core/graph.h"

#include <set>

namespace kw {
namespace {

std::string place(const Node& node, std::string_view name) {
  return fmt::format("operator '{}': attribute '{}'", node.op, name);
}

const Attr* find(const Node& node, std::string_view name) {
  const auto it = node.attrs.find(name);
  if (it == node.attrs.end() || std::holds_alternative<std::monostate>(it->second)) return nullptr;
  return &it->second;
}

Status check_id(const Graph& graph, ValueId id, std::size_t node, std::string_view what) {
  if (id < 0 || static_cast<std::size_t>(id) >= graph.values.size()) {
    return fail(Errc::InvalidArgument, "node {} ('{}'): {} {} is no value", node,
                graph.nodes[node].op, what, id);
  }
  return {};
}

Status check_values(const Graph& graph) {
  std::set<std::string_view> names;
  for (const Value& value : graph.values) {
    if (value.name.empty() || value.name.size() > 256) {
      return fail(Errc::InvalidArgument, "a value's name is empty or longer than 256 bytes");
    }
    if (!names.insert(value.name).second) {
      return fail(Errc::InvalidArgument, "two values are named '{}'", value.name);
    }
    if (value.shape.size() > kMaxRank) {
      return fail(Errc::InvalidArgument, "value '{}' has rank {}, more than {}", value.name,
                  value.shape.size(), kMaxRank);
    }
    if (const auto bytes = byte_size(value); !bytes) {
      return wrap(bytes.error(), fmt::format("value '{}'", value.name));
    }
    if (!value.strides.empty() && value.strides.size() != value.shape.size()) {
      return fail(Errc::InvalidArgument, "value '{}' has {} strides for rank {}", value.name,
                  value.strides.size(), value.shape.size());
    }
  }
  return {};
}

}  // namespace

std::vector<ValueId> Graph::with_role(Role role) const {
  std::vector<ValueId> ids;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i].role == role) ids.push_back(static_cast<ValueId>(i));
  }
  return ids;
}

int Graph::producer(ValueId id) const {
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (const ValueId out : nodes[i].outputs) {
      if (out == id) return static_cast<int>(i);
    }
  }
  return -1;
}

Status validate(const Graph& graph) {
  if (graph.nodes.size() > kMaxGraphNodes || graph.values.size() > kMaxGraphValues) {
    return fail(Errc::InvalidArgument, "graph of {} nodes and {} values is larger than {} and {}",
                graph.nodes.size(), graph.values.size(), kMaxGraphNodes, kMaxGraphValues);
  }
  KW_RETURN_IF_ERROR(check_values(graph));
  std::vector<bool> ready(graph.values.size());
  for (std::size_t i = 0; i < ready.size(); ++i) {
    const Role role = graph.values[i].role;
    ready[i] = role == Role::Input || role == Role::Weight || role == Role::State;
  }
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    if (node.op.empty()) return fail(Errc::InvalidArgument, "node {} has no operator", n);
    for (const ValueId id : node.inputs) {
      if (id == kNoValue) continue;
      KW_RETURN_IF_ERROR(check_id(graph, id, n, "input"));
      if (!ready[static_cast<std::size_t>(id)]) {
        return fail(Errc::InvalidArgument, "node {} ('{}') reads '{}' before anything produces it",
                    n, node.op, graph.value(id).name);
      }
    }
    if (node.outputs.empty())
      return fail(Errc::InvalidArgument, "node {} ('{}') has no output", n, node.op);
    for (const ValueId id : node.outputs) {
      if (id == kNoValue) continue;
      KW_RETURN_IF_ERROR(check_id(graph, id, n, "output"));
      if (ready[static_cast<std::size_t>(id)]) {
        return fail(Errc::InvalidArgument, "node {} ('{}') writes '{}', which has a value already",
                    n, node.op, graph.value(id).name);
      }
      ready[static_cast<std::size_t>(id)] = true;
    }
  }
  if (graph.outputs.empty()) return fail(Errc::InvalidArgument, "graph has no outputs");
  for (const ValueId id : graph.outputs) {
    if (id < 0 || static_cast<std::size_t>(id) >= ready.size() ||
        !ready[static_cast<std::size_t>(id)]) {
      return fail(Errc::InvalidArgument, "a graph output (value {}) is never produced", id);
    }
  }
  return {};
}

bool has_attr(const Node& node, std::string_view name) { return find(node, name) != nullptr; }

Result<std::int64_t> attr_int(const Node& node, std::string_view name) {
  const Attr* attr = find(node, name);
  if (attr == nullptr) return fail(Errc::InvalidArgument, "{} is missing", place(node, name));
  if (const auto* i = std::get_if<std::int64_t>(attr)) return *i;
  if (const auto* list = std::get_if<std::vector<std::int64_t>>(attr); list && list->size() == 1) {
    return list->front();
  }
  return fail(Errc::InvalidArgument, "{} is not an integer", place(node, name));
}

Result<std::int64_t> attr_int_or(const Node& node, std::string_view name, std::int64_t fallback) {
  if (!has_attr(node, name)) return fallback;
  return attr_int(node, name);
}

Result<double> attr_number(const Node& node, std::string_view name) {
  const Attr* attr = find(node, name);
  if (attr == nullptr) return fail(Errc::InvalidArgument, "{} is missing", place(node, name));
  if (const auto* d = std::get_if<double>(attr)) return *d;
  if (const auto* i = std::get_if<std::int64_t>(attr)) return static_cast<double>(*i);
  if (const auto* b = std::get_if<bool>(attr)) return *b ? 1.0 : 0.0;
  return fail(Errc::InvalidArgument, "{} is not a number", place(node, name));
}

Result<double> attr_number_or(const Node& node, std::string_view name, double fallback) {
  if (!has_attr(node, name)) return fallback;
  return attr_number(node, name);
}

Result<bool> attr_bool_or(const Node& node, std::string_view name, bool fallback) {
  const Attr* attr = find(node, name);
  if (attr == nullptr) return fallback;
  if (const auto* b = std::get_if<bool>(attr)) return *b;
  if (const auto* i = std::get_if<std::int64_t>(attr)) return *i != 0;
  return fail(Errc::InvalidArgument, "{} is not a boolean", place(node, name));
}

Result<std::string> attr_string_or(const Node& node, std::string_view name, std::string fallback) {
  const Attr* attr = find(node, name);
  if (attr == nullptr) return fallback;
  if (const auto* s = std::get_if<std::string>(attr)) return *s;
  return fail(Errc::InvalidArgument, "{} is not a string", place(node, name));
}

Result<std::vector<std::int64_t>> attr_ints(const Node& node, std::string_view name) {
  const Attr* attr = find(node, name);
  if (attr == nullptr) return fail(Errc::InvalidArgument, "{} is missing", place(node, name));
  if (const auto* list = std::get_if<std::vector<std::int64_t>>(attr)) return *list;
  if (const auto* i = std::get_if<std::int64_t>(attr)) return std::vector{*i};
  return fail(Errc::InvalidArgument, "{} is not a list of integers", place(node, name));
}

}  // namespace kw
