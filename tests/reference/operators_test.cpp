// Every operator of the interpreter against what PyTorch computes in float64
// (tests/golden/reference_operators.json).

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "kw/core/json.h"
#include "kw/reference/interpret.h"

namespace kw::reference {
namespace {

struct Golden {
  Graph graph;
  Tensors inputs;
  std::vector<Tensor> expected;
  std::string name;
};

Tensor tensor_from(const Json& json) {
  Tensor t = make_tensor(json["shape"].get<Shape>());
  for (std::size_t i = 0; i < t.size(); ++i) t.value[i] = *number_from(json["values"][i], "");
  return t;
}
DType dtype_of(const Json& json) {
  return json["bool"].get<bool>() ? DType::Bool : json["int"].get<bool>() ? DType::I64 : DType::F64;
}
Attr attr_from(const Json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_number()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  return json.get<std::vector<std::int64_t>>();
}

Golden golden_from(const Json& json) {
  Golden g;
  Node node;
  node.op = json["op"].get<std::string>();
  g.name = node.op + " " + json["attrs"].dump();
  for (const auto& [key, value] : json["attrs"].items()) node.attrs[key] = attr_from(value);
  for (const Json& input : json["inputs"]) {
    if (input.is_null()) {
      node.inputs.push_back(kNoValue);
      continue;
    }
    const auto id = static_cast<ValueId>(g.graph.values.size());
    Tensor t = tensor_from(input);
    g.graph.values.push_back(
        {fmt::format("in{}", id), dtype_of(input), t.shape, {}, "", Role::Input});
    g.inputs.emplace(id, std::move(t));
    node.inputs.push_back(id);
  }
  for (const Json& output : json["outputs"]) {
    const auto id = static_cast<ValueId>(g.graph.values.size());
    Tensor t = tensor_from(output);
    g.graph.values.push_back(
        {fmt::format("out{}", id), dtype_of(output), t.shape, {}, "", Role::Output});
    g.expected.push_back(std::move(t));
    node.outputs.push_back(id);
    g.graph.outputs.push_back(id);
  }
  g.graph.nodes.push_back(std::move(node));
  return g;
}

std::vector<Golden> load() {
  std::ifstream file(KW_SOURCE_DIR "/tests/golden/reference_operators.json");
  std::stringstream text;
  text << file.rdbuf();
  std::vector<Golden> all;
  for (const Json& json : Json::parse(text.str())) all.push_back(golden_from(json));
  return all;
}

bool same(double got, double want) {
  if (std::isnan(want)) return std::isnan(got);
  if (std::isinf(want)) return got == want;
  return std::fabs(got - want) <= 1e-12 * std::fabs(want) + 1e-12;
}

TEST(Operators, AgreeWithPyTorchInDouble) {
  const std::vector<Golden> all = load();
  ASSERT_GT(all.size(), 250u);
  for (const Golden& g : all) {
    const auto got = interpret(g.graph, {}, g.inputs, {});
    ASSERT_TRUE(got) << g.name << ": " << got.error().message;
    ASSERT_EQ(got->size(), g.expected.size()) << g.name;
    for (std::size_t o = 0; o < got->size(); ++o) {
      for (std::size_t i = 0; i < g.expected[o].size(); ++i) {
        EXPECT_TRUE(same((*got)[o].value[i], g.expected[o].value[i]))
            << g.name << " output " << o << " element " << i << ": " << (*got)[o].value[i]
            << " instead of " << g.expected[o].value[i];
      }
    }
  }
}

TEST(Operators, GiveEveryFiniteElementAFiniteBoundOnModestData) {
  for (const Golden& g : load()) {
    const auto got = interpret(g.graph, {}, g.inputs, {});
    ASSERT_TRUE(got);
    for (const Tensor& t : *got) {
      for (std::size_t i = 0; i < t.size(); ++i) {
        if (!std::isfinite(t.value[i])) continue;
        if (g.name.find("rounding_mode") != std::string::npos)
          continue;  // steps may hang on rounding
        EXPECT_TRUE(t.bound_at(i) >= 0 && t.bound_at(i) < 1e-2 * (1 + std::fabs(t.value[i])) + 1e31)
            << g.name << ": bound " << t.bound_at(i) << " of " << t.value[i];
        EXPECT_FALSE(std::isnan(t.bound_at(i))) << g.name;
      }
    }
  }
}

TEST(Operators, AreRefusedByNameWithTheirNode) {
  Graph graph;
  graph.values = {{"x", DType::F32, {2}, {}, "", Role::Input},
                  {"y", DType::F32, {2}, {}, "", Role::Output}};
  graph.nodes = {{"aten.relu", {0}, {}, {1}}, {"aten.frobnicate.default", {1}, {}, {1}}};
  graph.outputs = {1};
  const auto got = interpret(graph, {}, {{0, Tensor{{2}, {1, 2}, {}, {}}}}, {});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Errc::Unsupported);
  EXPECT_NE(got.error().message.find("node 1 (aten.frobnicate.default)"), std::string::npos);
}

}  // namespace
}  // namespace kw::reference
