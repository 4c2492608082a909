// Rows of the catalogue of cheats that a candidate cannot even write down: its whole world is device
// code and a launch plan. Each is tried, and what stands in its way answers (redteam/catalogue.md).

#include <gtest/gtest.h>

#include "kw/compile/service.h"
#include "kw/core/json.h"
#include "kw/core/launch_plan.h"
#include "kw/reference/interpret.h"
#include "kw/verify/judge.h"
#include "trial_plan.h"
#include "verifier/scene.h"

namespace kw::verify {
namespace {

constexpr const char* kSource =
    "extern \"C\" __global__ void k(const float* x, float* y) {\n"
    "  int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
    "  if (i < 64) y[i] = x[i] > 0.f || x[i] != x[i] ? x[i] : 0.f;\n}\n";

std::string with_member(const std::string& pointer, const Json& value) {
  const Task task = scene::relu(8, 8);
  Json plan = Json::parse(to_json(scene::candidate(task, kSource).plan));
  plan[Json::json_pointer(pointer)] = value;
  const auto parsed = parse_launch_plan(plan.dump());
  return parsed ? "accepted" : parsed.error().message;
}

TEST(Contract, APlanAsItIsParses) {
  EXPECT_EQ(with_member("/buffers/0/name", "x"), "accepted");
}
TEST(Contract, Row21APlanHasNoStreams) {
  EXPECT_NE(with_member("/run/0/stream", 1), "accepted");
  EXPECT_NE(with_member("/streams", 2), "accepted");
}
TEST(Contract, Row22APlanStartsNoThreadsAndCallsNoHost) {
  EXPECT_NE(with_member("/run/0/host_function", "fill_later"), "accepted");
}
TEST(Contract, Row24APlanHasNoTimer) {
  EXPECT_NE(with_member("/timer", "mine"), "accepted");
  EXPECT_NE(with_member("/run/0/event", "start"), "accepted");
}
TEST(Contract, Row33APlanHasNoFlagsAndNoEnvironment) {
  EXPECT_NE(with_member("/environment", {{"allow_tf32", true}}), "accepted");
  EXPECT_NE(with_member("/compile_flags", "--use_fast_math"), "accepted");
}
TEST(Contract, Row42APlanHoldsNoRecordedGraph) {
  EXPECT_NE(with_member("/run/0/graph_exec", 12345), "accepted");
}
TEST(Contract, Row44APlanHasNoLaunchAttributes) {
  EXPECT_NE(with_member("/run/0/access_policy_window", {{"bytes", 1 << 20}}), "accepted");
}
TEST(Contract, Row45APlanDoesNotTouchTheFlush) {
  EXPECT_NE(with_member("/flush", false), "accepted");
}

class ContractOnSource : public testing::Test {
 protected:
  void SetUp() override {
    if (!compiler_.info()) GTEST_SKIP() << "no NVRTC here";
    auto opened = open_device("vm");
    ASSERT_TRUE(opened) << opened.error().message;
    device_ = std::move(*opened);
  }
  std::string judge(const std::string& source) {
    const Task task = scene::relu(8, 8);
    Judge judge(compiler_, *device_);
    const auto outcome = judge.judge(task, scene::candidate(task, source), {.seed = 7}, {});
    if (!outcome) return outcome.error().message;
    const auto* bad = std::get_if<Rejected>(&*outcome);
    return bad == nullptr ? "passed" : std::string(to_string(bad->kind));
  }
  compile::CompileService compiler_{{.processes = 1}};
  std::unique_ptr<Device> device_;
};

TEST_F(ContractOnSource, TheHonestKernelPasses) { EXPECT_EQ(judge(kSource), "passed"); }
TEST_F(ContractOnSource, Row23And27And28PythonIsNoSource) {
  EXPECT_EQ(judge("class ModelNew(Model): pass\n"), "compile_error");
  EXPECT_EQ(judge("try:\n  import kernel\nexcept Exception:\n  out = torch.relu(x)\n"),
            "compile_error");
}
TEST_F(ContractOnSource, Row26And50HostCodeIsNeverRun) {
  // It may stand there: nobody calls it, and what is judged is the kernel.
  const std::string body = "{ *(volatile int*)0 = 1; }\n";
  const std::string judged = judge("struct AtStart { AtStart() " + body + "};\nint main() " + body +
                                   kSource);
  EXPECT_TRUE(judged == "passed" || judged == "compile_error") << judged;
}
TEST_F(ContractOnSource, Row26And50TheSystemIsNotLinked) {
  for (const char* call : {"int system(const char*)", "int open(const char*, int)", "int fork()"}) {
    const std::string name(call + 4, std::string_view(call).find('(') - 4);
    const std::string arguments = name == "system" ? "(\"id\")" : name == "open" ? "(\"/etc/passwd\", 0)" : "()";
    const std::string judged = judge(std::string("extern \"C\" __device__ ") + call + ";\n" +
                                     "extern \"C\" __global__ void k(const float* x, float* y) { y[0] = x[0] + " +
                                     name + arguments + "; }\n");
    EXPECT_TRUE(judged == "rejected_by_policy" || judged == "compile_error") << call << ": " << judged;
  }
}
TEST_F(ContractOnSource, Row29ALibraryIsNotLinked) {
  const std::string judged = judge(
      "extern \"C\" __device__ int cublasSgemm_v2(const float*, float*);\n"
      "extern \"C\" __global__ void k(const float* x, float* y) { cublasSgemm_v2(x, y); }\n");
  EXPECT_TRUE(judged == "rejected_by_policy" || judged == "compile_error") << judged;
}

TEST(Contract, Row10And13WeightsAreDrawnAnewForEveryFamilyAndSeed) {
  Task task = scene::matmul(4, 8, 4);
  task.graph.values[1].role = Role::Weight;
  const auto weights = [&](std::uint64_t seed) {
    const auto plan = plan_trial(task, "", Family::AsDrawn, kNoValue, seed);
    EXPECT_TRUE(plan);
    return *materialise(plan->fills[1]);
  };
  EXPECT_NE(weights(1), weights(2));
  const auto drawn = reference::decode_tensor(task.graph.values[1], weights(1));
  ASSERT_TRUE(drawn);
  for (const double w : drawn->value) EXPECT_NE(w, 0);
}
TEST(Contract, Row48AMaskThatIsDrawnInForwardHasNoReference) {
  Task task = scene::relu(4, 8);
  task.graph.nodes = {{"aten.dropout", {0}, {{"p", 0.2}, {"train", true}}, {1}}};
  const auto plan = plan_trial(task, "", Family::AsDrawn, kNoValue, 1);
  ASSERT_TRUE(plan);
  const auto inputs = decode_inputs(task, *plan);
  ASSERT_TRUE(inputs);
  const auto y = reference::interpret(task.graph, {}, *inputs, {});
  ASSERT_FALSE(y);
  EXPECT_EQ(y.error().code, Errc::Unsupported);
}

}  // namespace
}  // namespace kw::verify
