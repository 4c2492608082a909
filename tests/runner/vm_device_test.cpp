#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "scene.h"

namespace {

using namespace kw;
using namespace kw::verify;
using namespace kw::verify::testing_scene;
using namespace std::chrono_literals;

class VmDeviceTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!compiler().info()) GTEST_SKIP() << "no NVRTC here";
    device_ = open_device("vm").value();
  }
  RunReply run(const RunRequest& request) { return device_->run(request, {}).value(); }
  RunFault fault(const RunRequest& request) {
    const RunReply reply = run(request);
    EXPECT_TRUE(reply.fault);
    return reply.fault.value_or(RunFault{});
  }

  std::unique_ptr<Device> device_;
};

/// Our child processes in the role of the virtual machine.
std::vector<pid_t> runners() {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream command(entry.path() / "cmdline", std::ios::binary);
    const std::string line((std::istreambuf_iterator<char>(command)), {});
    std::ifstream stat(entry.path() / "stat");
    const std::string text((std::istreambuf_iterator<char>(stat)), {});
    const auto after = text.rfind(')');
    if (after == std::string::npos || !line.ends_with(std::string("ptxvm\0", 6))) continue;
    if (std::stoi(text.substr(after + 4)) == ::getpid()) found.push_back(std::stoi(name));
  }
  return found;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  text.replace(text.find(from), from.size(), to);
  return text;
}

TEST_F(VmDeviceTest, RunsAnAdditionAndReturnsItsBytes) {
  const RunReply reply = run(add_request(kAdd, 1000));
  ASSERT_FALSE(reply.fault) << reply.fault->reason;
  ASSERT_EQ(reply.trials.size(), 1u);
  ASSERT_EQ(reply.trials[0].outputs.size(), 1u);
  EXPECT_EQ(reply.trials[0].outputs[0].buffer, "y");
  const std::vector<float> y = floats(reply.trials[0].outputs[0]);
  ASSERT_EQ(y.size(), 1000u);
  for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(y[i], static_cast<float>(i) + 0.5f);
  EXPECT_EQ(reply.device.klass, "ptxvm");
  EXPECT_GT(reply.counters.at("warp_instructions"), 0);
  EXPECT_FALSE(reply.timing);
}

TEST_F(VmDeviceTest, RunsSeveralTrialsWithDrawnInputsAndRepeats) {
  RunRequest request = add_request(kAdd, 500);
  request.trials[0].repeats = 3;
  request.trials[0].schedule_seed = 5;
  Trial second;
  second.fills = {drawn("a", 500, 1), drawn("b", 500, 2)};
  request.trials.push_back(second);
  const RunReply reply = run(request);
  ASSERT_FALSE(reply.fault) << reply.fault->reason;
  ASSERT_EQ(reply.trials.size(), 2u);
  EXPECT_TRUE(reply.trials[0].repeats_equal);
  EXPECT_EQ(floats(reply.trials[0].outputs[0])[3], 3.5f);
  const std::vector<float> sums = floats(reply.trials[1].outputs[0]);
  EXPECT_NE(sums[0], sums[1]);
  for (const float sum : sums) EXPECT_LE(std::abs(sum), 2.0f);
}

TEST_F(VmDeviceTest, GivesEveryOutputOfManyTrialsAFileOfItsOwn) {
  RunRequest request = add_request(kAdd, 64);
  request.trials.assign(300, request.trials[0]);  // more files than one message can carry
  const RunReply reply = run(request);
  ASSERT_FALSE(reply.fault) << reply.fault->reason;
  ASSERT_EQ(reply.trials.size(), 300u);
  EXPECT_EQ(floats(reply.trials[299].outputs[0])[63], 63.5f);
  struct stat info {};
  ASSERT_EQ(::fstat(reply.trials[299].outputs[0].bytes->fd(), &info), 0);
  EXPECT_EQ(info.st_size, 256);
}

TEST_F(VmDeviceTest, FindsAReadPastTheEnd) {
  const RunFault found = fault(add_request(replaced(kAdd, "if (i < n) ", ""), 1000));
  EXPECT_EQ(found.kind, RejectKind::OutOfBounds);
  EXPECT_EQ(found.witness.at("kernel"), "add");
  EXPECT_EQ(found.witness.at("line"), "3");
  EXPECT_EQ(found.witness.at("trial"), "0");
  EXPECT_NE(found.reason.find("a"), std::string::npos);
}

TEST_F(VmDeviceTest, FindsAWriteToAnInput) {
  const std::string source =
      replaced(replaced(kAdd, "const float* a", "float* a"), "y[i] =", "a[i] =");
  EXPECT_EQ(fault(add_request(source, 64)).kind, RejectKind::InputModified);
}

TEST_F(VmDeviceTest, FindsAReadOfWhatNobodyWrote) {
  const std::string source = replaced(kAdd, "y[i] =", "y[i] +=");
  EXPECT_EQ(fault(add_request(source, 64)).kind, RejectKind::Uninitialised);
}

TEST_F(VmDeviceTest, LeavesThePoisonWhereNothingIsWritten) {
  RunRequest request = add_request(replaced(kAdd, "i < n", "i < n - 1"), 64);
  request.trials[0].poison = 0x7F;
  const RunReply reply = run(request);
  ASSERT_FALSE(reply.fault) << reply.fault->reason;
  const auto bytes = reply.trials[0].outputs[0].bytes->view();
  for (std::size_t i = 252; i < 256; ++i) EXPECT_EQ(bytes[i], std::byte{0x7F});
}

TEST_F(VmDeviceTest, NoticesRepeatsThatDiffer) {
  const char* source =
      "__device__ int calls;\n"
      "extern \"C\" __global__ void add(const float* a, const float* b, float* y, int n) {\n"
      "  int i = threadIdx.x + 64 * blockIdx.x; if (i < n) y[i] = a[i] + b[i] + calls;\n"
      "  if (i == 0) calls = calls + 1;\n}\n";
  RunRequest request = add_request(source, 64);
  request.trials[0].repeats = 2;
  EXPECT_EQ(fault(request).kind, RejectKind::InputModified) << "module variables keep no state";
  request.protect_inputs = false;
  const RunReply reply = run(request);
  ASSERT_FALSE(reply.fault) << reply.fault->reason;
  EXPECT_FALSE(reply.trials[0].repeats_equal);
}

TEST_F(VmDeviceTest, RunsSetupLoopsSwapsAndPredicates) {
  const char* source =
      "extern \"C\" __global__ void scale(const float* w, float* s) { s[threadIdx.x] = 2 * "
      "w[threadIdx.x]; }\n"
      "extern \"C\" __global__ void step(const float* from, float* to, const float* s) {\n"
      "  to[threadIdx.x] = from[threadIdx.x] + s[threadIdx.x]; }\n"
      "extern \"C\" __global__ void out(const float* from, float* y, int* flag) {\n"
      "  y[threadIdx.x] = from[threadIdx.x]; if (threadIdx.x == 0) *flag = 1; }\n"
      "extern \"C\" __global__ void negate(float* y) { y[threadIdx.x] = -y[threadIdx.x]; }\n";
  RunRequest request;
  request.module = compiled(source);
  LaunchPlan& plan = request.plan;
  plan.buffers = {buffer("w", Role::Weight, 128),     buffer("y", Role::Output, 128),
                  buffer("ws_s", Role::Scratch, 128), buffer("ws_a", Role::Scratch, 128),
                  buffer("ws_b", Role::Scratch, 128), buffer("ws_f", Role::Scratch, 8)};
  plan.buffers[3].init = BufferInit::EachRun;
  plan.setup = {launch("scale", {BufferArg{"w", 0}, BufferArg{"ws_s", 0}}, 1, 32)};
  LoopNode loop;
  loop.variable = "t";
  loop.count = 3;
  loop.swap = {{"ws_a", "ws_b"}};
  loop.body = {
      launch("step", {BufferArg{"ws_a", 0}, BufferArg{"ws_b", 0}, BufferArg{"ws_s", 0}}, 1, 32)};
  PredicateNode taken{"ws_f", 0, {launch("negate", {BufferArg{"y", 0}}, 1, 32)}};
  PredicateNode skipped{"ws_f", 4, {launch("negate", {BufferArg{"y", 0}}, 1, 32)}};
  plan.run = {{"", {}, loop},
              {"", {}, MemsetNode{"ws_f", 4, 4, 0}},
              launch("out", {BufferArg{"ws_a", 0}, BufferArg{"y", 0}, BufferArg{"ws_f", 0}}, 1, 32),
              {"", {}, taken},
              {"", {}, skipped}};
  Trial trial;
  trial.fills = {given("w", std::vector<float>(32, 1.5f))};
  trial.repeats = 2;
  request.trials = {trial};
  const RunReply reply = run(request);
  ASSERT_FALSE(reply.fault) << reply.fault->reason;
  EXPECT_TRUE(reply.trials[0].repeats_equal);
  EXPECT_EQ(floats(reply.trials[0].outputs[0]), std::vector<float>(32, -9.0f));
}

TEST_F(VmDeviceTest, EndsAHangAtTheDeadline) {
  RunRequest request = add_request(
      "extern \"C\" __global__ void add(const float* a, const float* b, volatile float* y, int n) "
      "{\n"
      "  while (a[0] >= 0) y[0] = b[0];\n}\n",
      64);
  request.deadline = 300ms;
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(fault(request).kind, RejectKind::Timeout);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
}

TEST_F(VmDeviceTest, StopsWhenCancelled) {
  RunRequest request = add_request(
      "extern \"C\" __global__ void add(const float* a, const float* b, volatile float* y, int n) "
      "{\n"
      "  while (a[0] >= 0) y[0] = b[0];\n}\n",
      64);
  std::stop_source stop;
  std::jthread later([&] {
    std::this_thread::sleep_for(100ms);
    stop.request_stop();
  });
  EXPECT_EQ(device_->run(request, stop.get_token()).error().code, Errc::Cancelled);
}

TEST_F(VmDeviceTest, SaysSoWhenTheRunnerIsKilled) {
  RunRequest request = add_request(
      "extern \"C\" __global__ void add(const float* a, const float* b, volatile float* y, int n) "
      "{\n"
      "  while (a[0] >= 0) y[0] = b[0];\n}\n",
      64);
  std::jthread killer([](std::stop_token stop) {
    while (!stop.stop_requested()) {
      std::this_thread::sleep_for(20ms);
      for (const pid_t runner : runners()) ::kill(runner, SIGKILL);
    }
  });
  const RunFault found = fault(request);
  EXPECT_EQ(found.kind, RejectKind::NotVerifiable);
  EXPECT_NE(found.reason.find("killed by signal 9"), std::string::npos) << found.reason;
}

TEST_F(VmDeviceTest, TurnsABadPlanIntoAFaultAndABadFillIntoAnError) {
  RunRequest request = add_request(kAdd, 64);
  request.plan.run[0] = launch("add", {BufferArg{"q", 0}}, 1, 32);
  EXPECT_EQ(fault(request).kind, RejectKind::LaunchError);
  request = add_request(kAdd, 64);
  request.plan.run[0] = launch("add", {BufferArg{"a", 0}}, 1, 32);
  const RunFault few = fault(request);
  EXPECT_EQ(few.kind, RejectKind::LaunchError);
  EXPECT_NE(few.reason.find("'add' takes 4 parameters, the plan gives 1"), std::string::npos);
  request = add_request(kAdd, 64);
  request.trials[0].fills[0] = given("a", {1, 2});
  EXPECT_EQ(device_->run(request, {}).error().code, Errc::InvalidArgument);
  request.trials[0].fills.erase(request.trials[0].fills.begin());
  EXPECT_EQ(device_->run(request, {}).error().message, "'a' has no fill, its role is input");
}

TEST_F(VmDeviceTest, SkipsFillsThatThePlanDoesNotUse) {
  RunRequest request = add_request(kAdd, 64);
  request.trials[0].fills.push_back(given("unused", {1, 2, 3}));
  EXPECT_FALSE(run(request).fault);
}

TEST_F(VmDeviceTest, HandlesEmptyTensors) {
  const RunReply reply = run(add_request(kAdd, 0));
  ASSERT_FALSE(reply.fault) << reply.fault->reason;
  EXPECT_TRUE(reply.trials[0].outputs[0].bytes->view().empty());
}

TEST(OpenDevice, RefusesNamesItDoesNotKnow) {
  EXPECT_EQ(open_device("gpu").error().code, Errc::InvalidArgument);
  EXPECT_EQ(open_device("cuda:x").error().code, Errc::InvalidArgument);
}

TEST(OpenDevice, FallsBackToTheVirtualMachine) {
  const auto device = open_device("auto").value();
  EXPECT_TRUE(device->identity().klass == "ptxvm" || device->identity().klass == "cuda");
}

}  // namespace
