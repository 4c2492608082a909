#include <gtest/gtest.h>

#include <cstdlib>

#include "scene.h"

namespace {

using namespace kw;
using namespace kw::verify;
using namespace kw::verify::testing_scene;
using namespace std::chrono_literals;

class CudaDeviceTest : public testing::Test {
 protected:
  void SetUp() override {
    auto device = open_device("cuda");
    if (device) {
      device_ = std::move(*device);
      return;
    }
    if (std::getenv("KW_REQUIRE_GPU") != nullptr) FAIL() << device.error().message;
    GTEST_SKIP() << device.error().message;
  }
  RunRequest add(const std::string& source, std::int64_t n) {
    return add_request(source, n, device_->arch());
  }
  RunReply run(const RunRequest& request) {
    auto reply = device_->run(request, {});
    EXPECT_TRUE(reply) << reply.error().message;
    return reply ? std::move(*reply) : RunReply{};
  }

  std::unique_ptr<Device> device_;
};

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  text.replace(text.find(from), from.size(), to);
  return text;
}

TEST_F(CudaDeviceTest, RunsAnAdditionAndReturnsItsBytes) {
  RunRequest request = add(kAdd, 100003);
  request.trials[0].repeats = 3;
  request.trials.push_back(request.trials[0]);
  const RunReply reply = run(request);
  ASSERT_FALSE(reply.fault) << reply.fault->reason;
  ASSERT_EQ(reply.trials.size(), 2u);
  for (const TrialResult& trial : reply.trials) {
    EXPECT_TRUE(trial.repeats_equal);
    EXPECT_TRUE(trial.modified_inputs.empty());
    EXPECT_TRUE(trial.broken_guards.empty());
    const std::vector<float> y = floats(trial.outputs[0]);
    for (std::size_t i = 0; i < y.size(); ++i) ASSERT_EQ(y[i], static_cast<float>(i) + 0.5f);
  }
  EXPECT_EQ(reply.device.klass, "cuda");
}

TEST_F(CudaDeviceTest, DrawsTheSameInputsAsTheVirtualMachine) {
  const auto vm = open_device("vm").value();
  RunRequest here = add(kAdd, 3001), there = add_request(kAdd, 3001);
  here.trials[0].fills = there.trials[0].fills = {drawn("a", 3001, 1), drawn("b", 3001, 2)};
  const RunReply first = run(here), second = vm->run(there, {}).value();
  ASSERT_FALSE(first.fault || second.fault);
  EXPECT_EQ(floats(first.trials[0].outputs[0]), floats(second.trials[0].outputs[0]));
}

TEST_F(CudaDeviceTest, SeesGuardsAndInputsThatWereWritten) {
  const RunReply past = run(add(replaced(kAdd, "y[i] =", "y[i + 1] ="), 1000));
  ASSERT_FALSE(past.fault) << past.fault->reason;
  EXPECT_EQ(past.trials[0].broken_guards, std::vector<std::string>{"y"});
  const std::string source =
      replaced(replaced(kAdd, "const float* a", "float* a"), "y[i] =", "a[i] =");
  const RunReply written = run(add(source, 1001));
  ASSERT_FALSE(written.fault) << written.fault->reason;
  EXPECT_EQ(written.trials[0].modified_inputs, std::vector<std::string>{"a"});
}

TEST_F(CudaDeviceTest, NamesAFaultOfTheContext) {
  const RunReply reply = run(add(replaced(kAdd, "y[i] =", "y[i + (1ll << 40)] ="), 1000));
  ASSERT_TRUE(reply.fault);
  EXPECT_EQ(reply.fault->kind, RejectKind::OutOfBounds);
  EXPECT_FALSE(run(add(kAdd, 1000)).fault);  // the next run has a context of its own
}

TEST_F(CudaDeviceTest, EndsAHangAtTheDeadline) {
  RunRequest request =
      add("extern \"C\" __global__ void add(const float* a, const float* b, volatile float* y, int "
          "n) {\n"
          "  while (a[0] >= 0) y[0] = b[0];\n}\n",
          64);
  request.deadline = 2000ms;
  const RunReply reply = run(request);
  ASSERT_TRUE(reply.fault);
  EXPECT_EQ(reply.fault->kind, RejectKind::Timeout);
}

TEST_F(CudaDeviceTest, TimesARun) {
  RunRequest request = add(kAdd, 64 << 20);
  request.trials[0].fills = {drawn("a", 64 << 20, 1), drawn("b", 64 << 20, 2)};
  request.timing = TimingRequest{};
  request.deadline = 60000ms;
  const RunReply reply = run(request);
  ASSERT_FALSE(reply.fault) << reply.fault->reason;
  ASSERT_TRUE(reply.timing);
  EXPECT_EQ(reply.timing->protocol, "event.coldl2.v1");
  EXPECT_GT(reply.timing->median_us, 50);
  EXPECT_LE(reply.timing->min_us, reply.timing->median_us);
  EXPECT_EQ(reply.counters.at("timed_run_as_judged"), 1);
  const double gbps = 3 * 4.0 * (64 << 20) / reply.timing->median_us * 1e-3;
  RecordProperty("gbps", std::to_string(gbps));

  request = add(kAdd, 4096);
  request.timing = TimingRequest{};
  const RunReply small = run(request);
  ASSERT_TRUE(small.timing);
  EXPECT_TRUE(small.timing->protocol.starts_with("event.coldl2.repeat")) << small.timing->protocol;
  EXPECT_LT(small.timing->median_us, 100);
}

}  // namespace
