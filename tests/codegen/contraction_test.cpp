// Which products the contraction skeleton takes, in which form, and through which accessors.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "kw/codegen/generator.h"

namespace kw::codegen {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// A task whose inputs are x, y, ... and whose nodes are given as JSON.
Task task_of(const std::string& name, const std::string& values, const std::string& nodes,
             const std::string& output) {
  const std::string text = fmt::format(
      R"({{"v":1,"kind":"task","name":"{}","graph":{{"v":1,"values":[{}],"nodes":[{}],"outputs":["{}"]}},)"
      R"("draws":{{{}}},"policy":"ieee","determinism":"within_bound","setup_is_timed":true}})",
      name, values, nodes, output, [&] {
        std::string draws;
        for (const char* v : {"x", "y", "z"}) {
          if (values.find(fmt::format("\"name\":\"{}\"", v)) == std::string::npos) continue;
          draws += fmt::format("{}\"{}\":[[\"normal\",0,1]]", draws.empty() ? "" : ",", v);
        }
        return draws;
      }());
  auto task = parse_task(text);
  EXPECT_TRUE(task) << (task ? "" : task.error().message) << "\n" << text;
  return task ? *task : Task{};
}
std::string value(const std::string& name, const std::string& shape, const std::string& role) {
  return fmt::format(R"({{"name":"{}","dtype":"f32","shape":{},"role":"{}"}})", name, shape, role);
}
std::string two(const std::string& x, const std::string& y, const std::string& out) {
  return value("x", x, "input") + "," + value("y", y, "input") + "," + value("out", out, "output");
}
const char kMatmul[] = R"({"op":"aten.matmul","in":["x","y"],"out":["out"],"attrs":{}})";

Target h100() {
  Target target;
  target.arch = "sm_90";
  return target;
}

Candidate best(const Task& task, const Target& target) {
  auto candidates = generate(task, target);
  EXPECT_TRUE(candidates) << task.name << (candidates ? "" : ": " + candidates.error().message);
  if (!candidates) return {};
  // With KW_DUMP the sources are written there, for compilers and eyes.
  if (const char* dump = std::getenv("KW_DUMP"); dump != nullptr) {
    std::ofstream(std::filesystem::path(dump) / (task.name + ".cu")) << candidates->front().source;
  }
  return candidates->front();
}

TEST(Contraction, TakesTheFormThatFitsTheShape) {
  const auto cover = [](const char* x, const char* y, const char* out) {
    return best(task_of("shape", two(x, y, out), kMatmul, "out"), h100()).cover;
  };
  EXPECT_THAT(cover("[4096,4096]", "[4096,4096]", "[4096,4096]"),
              StartsWith("contraction@2:fp16x3"));
  EXPECT_THAT(cover("[64,64]", "[64,64]", "[64,64]"), StartsWith("contraction@2:ffma"));
  EXPECT_THAT(cover("[128,32768]", "[32768,32768]", "[128,32768]"),
              StartsWith("contraction@2:direct"));
  EXPECT_THAT(cover("[24,8192]", "[8192,8192]", "[24,8192]"), StartsWith("contraction@2:direct"));
  EXPECT_THAT(cover("[2048,65536]", "[65536,1]", "[2048,1]"), StartsWith("contraction@2:gemv"));
  EXPECT_THAT(cover("[1,4096]", "[4096,4096]", "[1,4096]"), StartsWith("contraction@2:gemv"));
  EXPECT_THAT(cover("[4096]", "[4096]", "[]"), StartsWith("contraction@2:gemv"));
}

TEST(Contraction, SmallShapesInTheVirtualMachineRunWhatLargeOnesWould) {
  const Candidate c = best(task_of("vm", two("[80,160]", "[160,72]", "[80,72]"), kMatmul, "out"),
                           virtual_machine_target());
  EXPECT_THAT(c.cover, StartsWith("contraction@2:fp16x3"));
  ASSERT_EQ(c.plan.run.size(), 3u);  // split, product, wide
  bool counted = false;
  for (const PlanBuffer& b : c.plan.buffers) {
    counted |= b.name == "ws_wide_r0_count" && b.init == BufferInit::EachRun && b.fill == 0;
  }
  EXPECT_TRUE(counted);
}

TEST(Contraction, ReadsEveryLayoutWhereItLies) {
  const auto source = [](const char* name, const std::string& nodes, const std::string& extra,
                         const char* x, const char* y, const char* out) {
    return best(task_of(name, two(x, y, out) + extra, nodes, "out"), h100()).source;
  };
  // A.T @ B: the transpose is an accessor.
  EXPECT_THAT(source("transposed",
                     R"({"op":"aten.t","in":["x"],"out":["xt"],"attrs":{}},)"
                     R"({"op":"aten.matmul","in":["xt","y"],"out":["out"],"attrs":{}})",
                     "," + value("xt", "[2048,1024]", "scratch"), "[1024,2048]", "[1024,2048]",
                     "[2048,2048]"),
              HasSubstr("kw::Strided<false, true>{p0, 0, 1, 2048}"));
  // Rows of two leading dimensions are one affine dimension.
  EXPECT_THAT(source("leading", kMatmul, "", "[8,256,512]", "[512,1024]", "[8,256,1024]"),
              HasSubstr("kw::Strided<true, true>{p0, 0, 512, 1}"));
  // Batches.
  EXPECT_THAT(source("batched", R"({"op":"aten.bmm","in":["x","y"],"out":["out"],"attrs":{}})", "",
                     "[32,512,512]", "[32,512,512]", "[32,512,512]"),
              HasSubstr("kw::Strided<true, true>{p0, 262144, 512, 1}"));
  // An extent that is no multiple of four has no 16-byte loads.
  EXPECT_THAT(source("odd", kMatmul, "", "[2051,2051]", "[2051,2051]", "[2051,2051]"),
              HasSubstr("kw::Strided<true, false>{p0, 0, 2051, 1}"));
  // Heads: [b, t, h, d] permuted to [b, h, t, d].
  EXPECT_THAT(source("heads",
                     R"({"op":"aten.permute","in":["x"],"out":["q"],"attrs":{"dims":[0,2,1,3]}},)"
                     R"({"op":"aten.matmul","in":["q","y"],"out":["out"],"attrs":{}})",
                     "," + value("q", "[4,16,1024,128]", "scratch"), "[4,1024,16,128]",
                     "[4,16,128,1024]", "[4,16,1024,1024]"),
              HasSubstr("contraction@2"));
}

TEST(Contraction, FusesPointwiseWorkOnEitherSideOfTheProduct) {
  const std::string shape = "[1024,1024]";
  const std::string values = two(shape, shape, shape) + "," + value("z", "[1024]", "weight") + "," +
                             value("r", shape, "scratch") + "," + value("p", shape, "scratch") +
                             "," + value("s", shape, "scratch");
  const Candidate c = best(task_of("fused", values,
                                   R"({"op":"aten.relu","in":["x"],"out":["r"],"attrs":{}},)"
                                   R"({"op":"aten.matmul","in":["r","y"],"out":["p"],"attrs":{}},)"
                                   R"({"op":"aten.add","in":["p","z"],"out":["s"],"attrs":{}},)"
                                   R"({"op":"aten.mul","in":["s","x"],"out":["out"],"attrs":{}})",
                                   "out"),
                           h100());
  EXPECT_THAT(c.cover, testing::AnyOf(HasSubstr("contraction@2:fp16x3[0-3]"),
                                      HasSubstr("contraction@2:fp16x3[1-3]")));
}

TEST(Contraction, LeavesATransposedResultToAnotherRegion) {
  const std::string values = two("[1024,1024]", "[1024,1024]", "[1024,1024]") + "," +
                             value("p", "[1024,1024]", "scratch") + "," +
                             value("t", "[1024,1024]", "scratch");
  const Candidate c = best(task_of("turned", values,
                                   R"({"op":"aten.matmul","in":["x","y"],"out":["p"],"attrs":{}},)"
                                   R"({"op":"aten.t","in":["p"],"out":["t"],"attrs":{}},)"
                                   R"({"op":"aten.add","in":["p","t"],"out":["out"],"attrs":{}})",
                                   "out"),
                           h100());
  EXPECT_THAT(c.cover, StartsWith("contraction@2:fp16x3[0-0]"));
  EXPECT_THAT(c.cover, HasSubstr("[0-0]+"));
}

TEST(Contraction, DividesALongSumAmongThreadBlocks) {
  const Candidate c = best(
      task_of("long", two("[256,524288]", "[524288,256]", "[256,256]"), kMatmul, "out"), h100());
  EXPECT_THAT(c.cover, StartsWith("contraction@2:direct"));
  EXPECT_GE(c.parameters.at("r0.splits"), 16);
}

TEST(Contraction, AnExactTaskKeepsThePlainLoops) {
  Task task = task_of("exact", two("[64,64]", "[64,64]", "[64,64]"), kMatmul, "out");
  task.policy = preset(PolicyClass::Exact);
  EXPECT_THAT(best(task, h100()).cover, Not(HasSubstr("contraction")));
}

TEST(Contraction, EveryAllowedScheduleHasASource) {
  const Task task = task_of("all", two("[80,160]", "[160,72]", "[80,72]"), kMatmul, "out");
  for (const Target& target : {virtual_machine_target(), h100()}) {
    const auto candidates = generate(task, target);
    ASSERT_TRUE(candidates);
    const Candidate& c = candidates->front();
    const auto space = parameter_space(task, c, target);
    ASSERT_TRUE(space);
    for (const Parameter& p : space->parameters) {
      for (const std::int64_t choice : p.domain) {
        Config config = space->heuristic();
        config[p.name] = choice;
        if (!space->allows(config)) continue;
        const auto other = with_parameters(task, c, config, target);
        ASSERT_TRUE(other) << p.name << " = " << choice << ": " << other.error().message;
        EXPECT_TRUE(parse_launch_plan(to_json(other->plan)));
      }
    }
  }
}

}  // namespace
}  // namespace kw::codegen
