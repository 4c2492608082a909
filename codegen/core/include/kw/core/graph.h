#pragma once
// A typed, functional dataflow graph over ATen operator names, as torch.export gives them before
// decomposition ("aten.linear", "aten.softmax.int"), plus our own "kw.*" operators.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "kw/core/value.h"

namespace kw {

using ValueId = std::int32_t;
inline constexpr ValueId kNoValue = -1;  // an optional tensor argument that is absent

using Attr = std::variant<std::monostate, bool, std::int64_t, double, std::string,
                          std::vector<std::int64_t>, std::vector<double>>;
/// Non-tensor arguments by the name in the operator's schema ("dim", "keepdim", "other" when the
/// second operand of a binary operator is a number, "approximate", "eps").
using Attrs = std::map<std::string, Attr, std::less<>>;

struct Node {
  std::string op;
  std::vector<ValueId> inputs;  // tensor arguments in schema order; a tensor list is spliced in
  Attrs attrs;
  std::vector<ValueId> outputs;
};

/// Nodes are in topological order; every value has at most one producer.
struct Graph {
  std::vector<Value> values;
  std::vector<Node> nodes;
  std::vector<ValueId> outputs;  // in the order the task returns them

  const Value& value(ValueId id) const { return values[static_cast<std::size_t>(id)]; }
  /// Ids of all values with a role, in declaration order.
  std::vector<ValueId> with_role(Role role) const;
  /// Index of the node that produces a value, or -1 for inputs, weights and state.
  int producer(ValueId id) const;
};

/// Checks ids, topological order, one producer per value, names, shapes that fit in 2^62 bytes, and
/// the caps below. Operators are not looked up here: the reference interpreter and the generator
/// name an operator that they do not know, with its node.
Status validate(const Graph& graph);

inline constexpr std::size_t kMaxGraphNodes = 65536;
inline constexpr std::size_t kMaxGraphValues = 131072;
inline constexpr std::size_t kMaxRank = 12;

/// Typed attribute access. `*_or` gives the fallback when the attribute is absent; a wrong type is
/// an error that names node and attribute. An integer attribute is accepted where a number is asked
/// for.
Result<std::int64_t> attr_int(const Node& node, std::string_view name);
Result<std::int64_t> attr_int_or(const Node& node, std::string_view name, std::int64_t fallback);
Result<double> attr_number(const Node& node, std::string_view name);
Result<double> attr_number_or(const Node& node, std::string_view name, double fallback);
Result<bool> attr_bool_or(const Node& node, std::string_view name, bool fallback);
Result<std::string> attr_string_or(const Node& node, std::string_view name, std::string fallback);
/// A list of integers; a single integer counts as a list of one.
Result<std::vector<std::int64_t>> attr_ints(const Node& node, std::string_view name);
bool has_attr(const Node& node, std::string_view name);

/// {"v":1,"values":[{"name","dtype","shape","role",("strides"),("format")}],
///  "nodes":[{"op","in":[names or null],"out":[names],"attrs":{}}],"outputs":[names]}
Result<Graph> parse_graph(std::string_view json);
std::string to_json(const Graph& graph);

}  // namespace kw
