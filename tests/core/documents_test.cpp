// Documents survive a round trip, and a wrong one is refused with the place of the fault.

#include <gtest/gtest.h>

#include "kw/core/candidate.h"
#include "kw/core/keys.h"
#include "kw/core/outcome.h"
#include "kw/core/packed_data.h"
#include "kw/core/task.h"

namespace kw {
namespace {

constexpr const char* kTask = R"({"v":1,"kind":"task","name":"demo","graph":{"v":1,"values":[
  {"name":"x","dtype":"f32","shape":[4,64],"role":"input"},
  {"name":"w","dtype":"f32","shape":[8,64],"role":"weight"},
  {"name":"y","dtype":"f32","shape":[4,8]},
  {"name":"z","dtype":"f32","shape":[4,8]}],
 "nodes":[{"op":"aten.linear","in":["x","w",null],"out":["y"],"attrs":{}},
          {"op":"aten.leaky_relu","in":["y"],"out":["z"],"attrs":{"negative_slope":0.01}}],"outputs":["z"]},
 "draws":{"x":[["uniform",0,1],["mul",2]],"w":[["normal",0,0.5]]},"policy":"ieee","determinism":"bitwise",
 "setup_is_timed":false,"constructor":[["w","normal_",[8,64],[0,0.5]]],"provenance":{"file":"demo.py"}})";

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string task_error(std::string_view from, std::string_view to) {
  const auto task = parse_task(replaced(kTask, from, to));
  return task ? "accepted" : task.error().message;
}

TEST(TaskDocument, SurvivesARoundTrip) {
  const auto task = parse_task(kTask);
  ASSERT_TRUE(task) << task.error().message;
  EXPECT_EQ(task->graph.nodes[0].inputs[2], kNoValue);
  EXPECT_EQ(task->determinism, Determinism::Bitwise);
  EXPECT_FALSE(task->setup_is_timed);
  const std::string once = to_json(*task);
  const auto again = parse_task(once);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(to_json(*again), once);
}

TEST(TaskDocument, RefusesWithThePlaceOfTheFault) {
  EXPECT_EQ(task_error(R"("dtype":"f32","shape":[8,64])", R"("dtype":"f33","shape":[8,64])"),
            "/graph/values/1/dtype: unknown dtype 'f33'");
  EXPECT_EQ(task_error(R"("in":["y"])", R"("in":["q"])"),
            "/graph/nodes/1/in/0: no value named 'q'");
  EXPECT_EQ(task_error(R"(["uniform",0,1])", R"(["unifrom",0,1])"),
            "/draws/x/0/0: unknown draw 'unifrom'");
  EXPECT_EQ(task_error(R"("policy":"ieee")", R"("policy":"fast")").substr(0, 8), "/policy:");
  EXPECT_EQ(task_error(R"([4,64])", R"([4,-64])"), "/graph/values/0/shape: negative extent");
  EXPECT_EQ(task_error(R"("v":1,"kind")", R"("v":2,"kind")"), "/v: task version 2 is not 1");
  EXPECT_EQ(task_error(R"("setup_is_timed":false)", R"("setup_timed":false)"),
            "/setup_timed: unknown member");
}

TEST(TaskDocument, RefusesShapesThatOverflow) {
  EXPECT_NE(task_error(R"([4,64])", R"([4611686018427387904,64])").find("2^62"), std::string::npos);
}

TEST(TaskDocument, RefusesDeepAndDuplicateJson) {
  EXPECT_NE(parse_task(std::string(200, '[')).error().message.find("nested deeper"),
            std::string::npos);
  EXPECT_NE(parse_task(R"({"v":1,"v":1})").error().message.find("duplicate member 'v'"),
            std::string::npos);
  EXPECT_NE(parse_task("{\"v\":1,\n x}").error().message.find("line 2"), std::string::npos);
}

TEST(Keys, DependOnMeaningAndNotOnNames) {
  const auto task = parse_task(kTask);
  ASSERT_TRUE(task);
  Task renamed = *task;
  renamed.name = "other";
  renamed.graph.values[0].name = "input_0";
  renamed.provenance["file"] = "elsewhere.py";
  EXPECT_EQ(keys_of(renamed).shape, keys_of(*task).shape);
  Task other = *task;
  other.graph.nodes[1].attrs["negative_slope"] = 0.02;
  EXPECT_NE(keys_of(other).semantic, keys_of(*task).semantic);
  Task larger = *task;
  larger.graph.values[0].shape[0] = 5;
  larger.graph.values[2].shape[0] = larger.graph.values[3].shape[0] = 5;
  EXPECT_EQ(keys_of(larger).semantic, keys_of(*task).semantic);
  EXPECT_NE(keys_of(larger).shape, keys_of(*task).shape);
}

// Committed ids: a change here orphans every stored kernel, so it needs a new domain tag.
TEST(Keys, GoldenHashes) {
  const auto task = parse_task(kTask);
  ASSERT_TRUE(task);
  EXPECT_EQ(keys_of(*task).semantic,
            "50aeb97d7162441f1d86d7c3c0effcde10c0352c9175341ca3155770fd74548a");
  EXPECT_EQ(keys_of(*task).shape,
            "2e9282a8af0fde53bb592a46ebc8a1625099c1fba582897e3919b824c96a610f");
}

constexpr const char* kPlan = R"j({"v":1,"symbols":{"n":1000},"buffers":[
  {"name":"x","role":"input","bytes":"n*4"},{"name":"y","role":"output","bytes":"n*4"},
  {"name":"ws_t","bytes":4096,"init":"each_run","fill":255}],
 "run":[{"id":"a","kind":"kernel","kernel":"copy","grid":["ceil_div(n,256)"],"block":[256],
         "args":[{"buffer":"x"},{"buffer":"y","offset":0},{"scalar":"i32","value":"n"},{"scalar":"f32","value":0.5}]},
        {"kind":"memset","buffer":"ws_t","bytes":16,"after":["a"]},
        {"kind":"loop","variable":"t","count":3,"swap":[["x","y"]],"body":[]}]})j";

TEST(TaskDocument, CarriesPackedData) {
  const std::string data = R"([["values","TwAAgD8EAP///+dQPwAAgD8="]])";
  const std::string text = replaced(kTask, R"([["uniform",0,1],["mul",2]])", data);
  const auto task = parse_task(text);
  ASSERT_TRUE(task) << task.error().message;
  EXPECT_TRUE(is_structural(task->draws[1].steps));
  const auto bytes = unpack_data(task->draws[1].steps[0].data, 4 * 64 * 4);
  ASSERT_TRUE(bytes) << bytes.error().message;
  for (std::size_t i = 0; i < bytes->size(); i += 4) {
    EXPECT_EQ((*bytes)[i + 2], std::byte{0x80});
    EXPECT_EQ((*bytes)[i + 3], std::byte{0x3F});
  }
  const auto again = parse_task(to_json(*task));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(to_json(*again), to_json(*task));

  const auto refused = [&](std::string_view from, std::string_view to) {
    const auto parsed = parse_task(replaced(text, from, to));
    return parsed ? std::string("accepted") : parsed.error().message;
  };
  EXPECT_NE(refused("[4,64]", "[4,128]").find("bytes where"), std::string::npos);
  EXPECT_NE(refused(R"(["values",")", R"(["values","!)").find("base64"), std::string::npos);
  EXPECT_NE(refused(R"(["values",")", R"(["values","AAAA)").find("draw of 'x'"), std::string::npos);
}

TEST(LaunchPlanDocument, SurvivesARoundTrip) {
  const auto plan = parse_launch_plan(kPlan);
  ASSERT_TRUE(plan) << plan.error().message;
  const std::string once = to_json(*plan);
  const auto again = parse_launch_plan(once);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(to_json(*again), once);
}

TEST(LaunchPlanDocument, RefusesWithThePlaceOfTheFault) {
  const auto error = [](std::string_view from, std::string_view to) {
    const auto plan = parse_launch_plan(replaced(kPlan, from, to));
    return plan ? "accepted" : plan.error().message;
  };
  EXPECT_EQ(error(R"({"buffer":"y","offset":0})", R"({"buffer":"y2"})"),
            "/run/0/args/1/buffer: no buffer named 'y2'");
  EXPECT_EQ(error(R"("scalar":"i32")", R"("scalar":"int")"),
            "/run/0/args/2/scalar: 'int' is none of i32, u32, i64, u64, f32, f64");
  EXPECT_EQ(error(R"("kind":"memset")", R"("kind":"host_call")"),
            "/run/1/kind: 'host_call' is none of kernel, memset, loop, predicate");
  EXPECT_EQ(error(R"j(["ceil_div(n,256)"])j", R"j(["system(1)"])j").substr(0, 13), "/run/0/grid/0");
}

TEST(CandidateDocument, IdentityIgnoresTheProposer) {
  Candidate candidate;
  candidate.source = "__global__ void k() {}";
  candidate.plan = *parse_launch_plan(kPlan);
  candidate.parameters["block"] = 128;
  const std::string id = candidate_id(candidate);
  const auto again = parse_candidate(to_json(candidate));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(candidate_id(*again), id);
  candidate.proposer = ProposerKind::Model;
  EXPECT_EQ(candidate_id(candidate), id);
  candidate.parameters["block"] = 256;
  EXPECT_NE(candidate_id(candidate), id);
}

TEST(OutcomeDocument, KeepsSeedsOf64BitsAndNonFiniteFigures) {
  Evidence evidence;
  evidence.checks.push_back(
      {"V10.coherent", true, 0xffffffffffffffffull, {{"max", std::nan("")}}, {{"shape", "[3]"}}});
  const Outcome outcome =
      Rejected{RejectKind::Race, "two warps write s[3]", {{"line", "12"}}, evidence};
  const auto again = parse_outcome(to_json(outcome));
  ASSERT_TRUE(again) << again.error().message;
  const auto& rejected = std::get<Rejected>(*again);
  EXPECT_EQ(rejected.kind, RejectKind::Race);
  EXPECT_EQ(rejected.evidence.checks[0].seed, 0xffffffffffffffffull);
  EXPECT_EQ(to_json(*again), to_json(outcome));
}

}  // namespace
}  // namespace kw
