// Every operator that the generator imports, against what PyTorch computes in float64
// (tests/golden/reference_operators.json, window_operators.json), by the first candidate and by the
// fallback.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <set>
#include <sstream>

#include "kw/core/json.h"
#include "vm_scene.h"

namespace kw::codegen {
namespace {

using testing_vm::Bytes;

struct Golden {
  Task task;
  std::map<std::string, Bytes> inputs;
  std::vector<std::pair<std::string, std::vector<double>>> expected;
};

DType dtype_of(const Json& json) {
  return json["bool"].get<bool>() ? DType::Bool : json["int"].get<bool>() ? DType::I64 : DType::F32;
}
std::vector<double> numbers(const Json& json) {
  std::vector<double> values;
  for (const Json& value : json["values"]) values.push_back(number_from(value, "").value());
  return values;
}
Attr attr_from(const Json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_number()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  return json.get<std::vector<std::int64_t>>();
}

template <typename T>
Bytes stored(const std::vector<double>& values) {
  std::vector<T> narrow;
  for (const double v : values) narrow.push_back(static_cast<T>(v));
  return testing_vm::bytes_of(narrow);
}
Bytes encode(DType type, const std::vector<double>& values) {
  if (type == DType::Bool) return stored<std::uint8_t>(values);
  return type == DType::I64 ? stored<std::int64_t>(values) : stored<float>(values);
}
template <typename T>
std::vector<double> widened(const Bytes& bytes) {
  const auto values = testing_vm::values_of<T>(bytes);
  return {values.begin(), values.end()};
}
std::vector<double> decode(DType type, const Bytes& bytes) {
  if (type == DType::Bool) return widened<std::uint8_t>(bytes);
  return type == DType::I64 ? widened<std::int64_t>(bytes) : widened<float>(bytes);
}

Golden golden_from(const Json& json) {
  Golden g;
  Graph& graph = g.task.graph;
  Node node;
  node.op = json["op"].get<std::string>();
  g.task.name = node.op + " " + json["attrs"].dump();
  for (const auto& [key, value] : json["attrs"].items()) node.attrs[key] = attr_from(value);
  const auto add = [&](const Json& tensor, Role role) {
    const auto id = static_cast<ValueId>(graph.values.size());
    graph.values.push_back(
        {fmt::format("v{}", id), dtype_of(tensor), tensor["shape"].get<Shape>(), {}, "", role});
    return id;
  };
  for (const Json& input : json["inputs"]) {
    node.inputs.push_back(input.is_null() ? kNoValue : add(input, Role::Input));
    if (input.is_null()) continue;
    g.inputs[graph.values.back().name] = encode(graph.values.back().dtype, numbers(input));
    g.task.draws.push_back({node.inputs.back(), {{DrawStep::Op::Uniform, 0, 1}}});
  }
  for (const Json& output : json["outputs"]) {
    node.outputs.push_back(output.is_null() ? kNoValue : add(output, Role::Output));
    if (output.is_null()) continue;
    graph.outputs.push_back(node.outputs.back());
    g.expected.emplace_back(graph.values.back().name, numbers(output));
  }
  graph.nodes.push_back(std::move(node));
  return g;
}

void compare(const Golden& g, const Candidate& candidate, const std::map<std::string, Bytes>& got) {
  for (std::size_t o = 0; o < g.expected.size(); ++o) {
    const auto& [name, want] = g.expected[o];
    const auto values = decode(g.task.graph.value(g.task.graph.outputs[o]).dtype, got.at(name));
    ASSERT_EQ(values.size(), want.size());
    double scale = 0;
    for (const double w : want) {
      if (std::isfinite(w)) scale = std::max(scale, std::fabs(w));
    }
    for (std::size_t i = 0; i < want.size(); ++i) {
      const bool same = std::isnan(want[i]) ? std::isnan(values[i])
                        : std::isinf(want[i])
                            ? values[i] == want[i]
                            : std::fabs(values[i] - want[i]) <= 3e-6 * (std::fabs(want[i]) + scale);
      EXPECT_TRUE(same) << g.task.name << " " << candidate.cover << " " << name << "[" << i
                        << "]: " << values[i] << " instead of " << want[i];
      if (!same) return;
    }
  }
}

/// Every case of one file by the first candidate and by the fallback; how many are known.
int judge_all(const char* name, std::set<std::string>& unknown) {
  const auto device = verify::open_device("vm").value();
  std::ifstream file(std::string(KW_SOURCE_DIR "/tests/golden/") + name);
  std::stringstream text;
  text << file.rdbuf();
  int known = 0;
  for (const Json& json : Json::parse(text.str())) {
    const Golden g = golden_from(json);
    const auto candidates = generate(g.task, virtual_machine_target(), 2);
    if (!candidates) {
      EXPECT_EQ(candidates.error().code, Errc::Unsupported) << candidates.error().message;
      unknown.insert(candidates.error().message);
      continue;
    }
    ++known;
    for (const Candidate& candidate : *candidates) {
      const auto outputs = testing_vm::run(*device, candidate, g.inputs);
      if (!outputs.empty()) compare(g, candidate, outputs);
    }
  }
  return known;
}

TEST(Operators, ComputeWhatPyTorchComputes) {
  if (!testing_vm::compiler().info()) GTEST_SKIP() << "no NVRTC here";
  std::set<std::string> unknown;
  EXPECT_GT(judge_all("reference_operators.json", unknown), 240) << testing::PrintToString(unknown);
}

TEST(Operators, ComputeWhatPyTorchComputesOverWindowsRowsAndSteps) {
  if (!testing_vm::compiler().info()) GTEST_SKIP() << "no NVRTC here";
  std::set<std::string> unknown;
  EXPECT_GT(judge_all("window_operators.json", unknown), 120);
  EXPECT_THAT(unknown, testing::IsEmpty());
}

}  // namespace
}  // namespace kw::codegen
