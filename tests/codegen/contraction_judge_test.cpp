// Every form of the contraction skeleton before the judge: the whole battery in the virtual
// machine.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kw/codegen/generator.h"
#include "kw/compile/service.h"
#include "kw/verify/judge.h"

namespace kw::codegen {
namespace {

Shape parse_shape(std::string_view text) {
  Shape shape;
  while (!text.empty()) {
    const std::size_t x = text.find('x');
    shape.push_back(std::stoll(std::string(text.substr(0, x))));
    text = x == std::string_view::npos ? "" : text.substr(x + 1);
  }
  return shape;
}

class Scene {
 public:
  explicit Scene(const std::string& name) { task_.name = name; }

  Scene& value(const std::string& name, Role role, const char* shape) {
    Value v;
    v.name = name;
    v.shape = parse_shape(shape);
    v.role = role;
    task_.graph.values.push_back(v);
    const auto id = static_cast<ValueId>(task_.graph.values.size() - 1);
    if (role == Role::Input || role == Role::Weight) {
      task_.draws.push_back({id, {{DrawStep::Op::Normal, 0, 1}}});
    }
    if (role == Role::Output) task_.graph.outputs.push_back(id);
    return *this;
  }
  Scene& node(const std::string& op, const std::vector<std::string>& inputs, const std::string& out,
              Attrs attrs = {}) {
    Node n;
    n.op = op;
    n.attrs = std::move(attrs);
    for (const std::string& input : inputs) n.inputs.push_back(id(input));
    n.outputs = {id(out)};
    task_.graph.nodes.push_back(std::move(n));
    return *this;
  }
  const Task& task() const { return task_; }

 private:
  ValueId id(const std::string& name) const {
    for (std::size_t i = 0; i < task_.graph.values.size(); ++i) {
      if (task_.graph.values[i].name == name) return static_cast<ValueId>(i);
    }
    ADD_FAILURE() << "no value " << name;
    return kNoValue;
  }
  Task task_;
};

constexpr Role kIn = Role::Input, kOut = Role::Output, kTmp = Role::Scratch;

std::vector<Task> tasks() {
  const auto product = [](const char* name, const char* x, const char* y, const char* out,
                          const char* op = "aten.matmul") {
    return Scene(name)
        .value("x", kIn, x)
        .value("y", kIn, y)
        .value("out", kOut, out)
        .node(op, {"x", "y"}, "out")
        .task();
  };
  std::vector<Task> all;
  all.push_back(product("tails", "70x300", "300x66", "70x66"));
  all.push_back(product("odd", "67x131", "131x65", "67x65"));
  all.push_back(product("batched", "3x64x96", "3x96x64", "3x64x64", "aten.bmm"));
  all.push_back(product("shared_right", "2x48x160", "160x80", "2x48x80"));
  all.push_back(product("narrow", "40x64", "64x48", "40x48"));
  all.push_back(product("matrix_vector", "50x3000", "3000", "50"));
  all.push_back(product("vector_matrix", "1x600", "600x200", "1x200"));
  all.push_back(product("dot", "5000", "5000", ""));
  all.push_back(product("skinny", "5x1100", "1100x96", "5x96"));
  all.push_back(product("long_sum", "32x6000", "6000x32", "32x32"));
  all.push_back(Scene("left_transposed")
                    .value("x", kIn, "160x72")
                    .value("y", kIn, "160x68")
                    .value("xt", kTmp, "72x160")
                    .value("out", kOut, "72x68")
                    .node("aten.t", {"x"}, "xt")
                    .node("aten.matmul", {"xt", "y"}, "out")
                    .task());
  all.push_back(Scene("linear_gelu")
                    .value("x", kIn, "64x144")
                    .value("w", Role::Weight, "80x144")
                    .value("b", Role::Weight, "80")
                    .value("p", kTmp, "64x80")
                    .value("out", kOut, "64x80")
                    .node("aten.linear", {"x", "w", "b"}, "p")
                    .node("aten.gelu", {"p"}, "out", {{"approximate", std::string("none")}})
                    .task());
  all.push_back(Scene("prologue")
                    .value("x", kIn, "64x128")
                    .value("y", kIn, "128x64")
                    .value("r", kTmp, "64x128")
                    .value("p", kTmp, "64x64")
                    .value("out", kOut, "64x64")
                    .node("aten.relu", {"x"}, "r")
                    .node("aten.matmul", {"r", "y"}, "p")
                    .node("aten.add", {"p", "p"}, "out")
                    .task());
  all.push_back(Scene("addmm")
                    .value("c", kIn, "64")
                    .value("x", kIn, "72x96")
                    .value("y", kIn, "96x64")
                    .value("out", kOut, "72x64")
                    .node("aten.addmm", {"c", "x", "y"}, "out", {{"alpha", 0.5}, {"beta", 2.0}})
                    .task());
  for (const std::string& format : format_names()) {
    const auto task = format_task(format + "/gemv", true);
    EXPECT_TRUE(task);
    if (task) all.push_back(*task);
  }
  return all;
}

class Judged : public testing::TestWithParam<Task> {};

compile::CompileService* compiler() {
  static compile::CompileService service({.processes = 1});
  static const auto info = service.info();
  return info ? &service : nullptr;
}

std::string text_of(const Outcome& outcome) { return to_json(outcome); }

TEST_P(Judged, PassesTheWholeBattery) {
  if (compiler() == nullptr) GTEST_SKIP() << "no NVRTC here";
  auto device = verify::open_device("vm");
  ASSERT_TRUE(device) << device.error().message;
  verify::Judge judge(*compiler(), **device);
  const auto candidates = generate(GetParam(), virtual_machine_target(), 4);
  ASSERT_TRUE(candidates) << candidates.error().message;
  for (const Candidate& c : *candidates) {
    if (c.cover.find("contraction") == std::string::npos) continue;
    const auto outcome = judge.judge(GetParam(), c, {.seed = 7}, {});
    ASSERT_TRUE(outcome) << c.cover << ": " << outcome.error().message;
    EXPECT_TRUE(std::holds_alternative<Passed>(*outcome)) << c.cover << "\n" << text_of(*outcome);
  }
}

INSTANTIATE_TEST_SUITE_P(Contraction, Judged, testing::ValuesIn(tasks()), [](const auto& one) {
  std::string name = one.param.name;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
});

}  // namespace
}  // namespace kw::codegen
