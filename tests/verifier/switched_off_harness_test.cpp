// Checks that watch the harness: a harness that is not in order is found out by exactly one of them.

#include <gtest/gtest.h>

#include "fakes/fake_device.h"
#include "kw/verify/degeneracy.h"
#include "kw/verify/judge.h"
#include "verifier/scene.h"

namespace kw::verify {
namespace {

using fakes::FakeBuffers;
using fakes::FakeCompiler;
using fakes::FakeDevice;

constexpr const char* kPtx =
    ".version 9.0\n.target sm_80\n.address_size 64\n"
    ".visible .entry k(.param .u64 p0, .param .u64 p1)\n{\n\tret;\n}\n";

void honest(FakeBuffers& b) {
  const auto x = b.of<float>("x");
  const auto y = b.of<float>("y");
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = x[i] > 0 || x[i] != x[i] ? x[i] : 0;
}

using Mutation = std::function<void(FakeDevice&)>;

Outcome judge(const Mutation& mutation, const std::string& without) {
  FakeCompiler compiler(kPtx);
  FakeDevice device(honest);
  device.time = Timing{.median_us = 50, .min_us = 49, .samples = 50, .protocol = "event.coldl2.v1"};
  mutation(device);
  Judge judge(compiler, device);
  JudgeOptions options;
  options.seed = 3;
  options.timing = true;
  options.fresh_process_retime = true;
  if (!without.empty()) options.without = {without};
  const Task task = scene::relu(3, 65);
  const auto outcome = judge.judge(task, scene::candidate(task, "k"), options, {});
  EXPECT_TRUE(outcome) << (outcome ? "" : outcome.error().message);
  return outcome ? *outcome : Outcome{};
}

void stands_on(const std::string& check, RejectKind kind, const Mutation& mutation) {
  const Outcome with = judge(mutation, "");
  const auto* refused = std::get_if<Rejected>(&with);
  ASSERT_NE(refused, nullptr) << check;
  EXPECT_EQ(refused->witness.at("check"), check) << refused->reason;
  EXPECT_EQ(to_string(refused->kind), to_string(kind)) << refused->reason;
  const Outcome off = judge(mutation, check);
  EXPECT_TRUE(passed(off)) << std::get<Rejected>(off).reason;
}

TEST(HarnessWithoutOneCheck, AHarnessInOrderPasses) {
  const Outcome outcome = judge([](FakeDevice&) {}, "");
  EXPECT_TRUE(passed(outcome)) << std::get<Rejected>(outcome).reason;
}
TEST(HarnessWithoutOneCheck, V6LetsWorkThroughThatHidesFromTheStream) {
  stands_on("V6", RejectKind::Quarantined, [](FakeDevice& d) { d.counters["time.device_us"] = 900; });
}
TEST(HarnessWithoutOneCheck, V8LetsAKernelThroughThatNeverRan) {
  stands_on("V8", RejectKind::Quarantined, [](FakeDevice& d) { d.traced = false; });
  stands_on("V8", RejectKind::Quarantined, [](FakeDevice& d) { d.counters["launched.decoy"] = 3; });
}
TEST(HarnessWithoutOneCheck, V9LetsTimesThroughThatNoHardwareReaches) {
  stands_on("V9", RejectKind::Impossible, [](FakeDevice& d) {
    d.pose_as({"cuda", "NVIDIA H100 80GB HBM3", "GPU-0", "580", "sm_90"});
    d.time->median_us = 1e-5;
  });
}
TEST(HarnessWithoutOneCheck, V13LetsAnUncagedRunnerThrough) {
  stands_on("V13", RejectKind::NotVerifiable, [](FakeDevice& d) { d.confined = false; });
}
TEST(HarnessWithoutOneCheck, V15LetsWarmTimesThrough) {
  stands_on("V15", RejectKind::Quarantined, [](FakeDevice& d) { d.counters["time.flush_bytes"] = 0; });
  stands_on("V15", RejectKind::Quarantined,
            [](FakeDevice& d) { d.counters["time.persisting_reset"] = 0; });
}
TEST(HarnessWithoutOneCheck, V17LetsATimeThroughThatOneProcessAloneSaw) {
  stands_on("V17", RejectKind::Quarantined, [](FakeDevice& d) { d.later_us = 400; });
}
TEST(HarnessWithoutOneCheck, V4LetsATimedRunThroughThatGaveOtherBits) {
  stands_on("V4", RejectKind::Quarantined, [](FakeDevice& d) { d.counters["timed_run_as_judged"] = 0; });
}
/// y = x - x: nothing that a judge could do tells an empty kernel from a right one; V14 does.
TEST(HarnessWithoutOneCheck, V14IsWhatNamesATaskThatZerosSolve) {
  Task task = scene::relu(8, 64);
  task.graph.nodes = {{"aten.sub.Tensor", {0, 0}, {}, {1}}};
  for (ValueId id = 0; id < 2; ++id) EXPECT_GE(task.graph.value(id).shape.size(), 1u);
  const auto found = degeneracy(task, 1);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_TRUE(found->by_bounds());
}

}  // namespace
}  // namespace kw::verify
