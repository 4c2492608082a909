// Every check that a kernel can fall to, left out in turn, lets a kernel through that it stops: none is
// decoration.

#include <algorithm>
#include <cstring>
#include <map>

#include "red_team.h"

namespace kw::redteam {
namespace {

class WithoutOneCheck : public testing::Test {
 protected:
  void SetUp() override {
    if (!compiler().info()) GTEST_SKIP() << "no NVRTC here";
    auto opened = verify::open_device("vm");
    ASSERT_TRUE(opened) << opened.error().message;
    device_ = std::move(*opened);
  }
  static compile::CompileService& compiler() {
    static compile::CompileService service({.processes = 1});
    return service;
  }
  Outcome judge(const Task& task, const Candidate& candidate, const std::string& without,
                std::uint64_t seed = 4711) {
    verify::Judge judge(compiler(), *device_);
    verify::JudgeOptions options;
    options.seed = seed;
    if (!without.empty()) options.without = {without};
    const auto outcome = judge.judge(task, candidate, options, {});
    EXPECT_TRUE(outcome) << (outcome ? "" : outcome.error().message);
    return outcome ? *outcome : Outcome{};
  }
  /// Refused by `check`, and accepted once that is left out.
  void stands_on(const std::string& check, const std::string& name) {
    const auto found = std::ranges::find(all_cases(), name, &Case::name);
    ASSERT_NE(found, all_cases().end()) << name;
    const Outcome with = judge(found->task, found->candidate, "");
    const auto* refused = std::get_if<Rejected>(&with);
    ASSERT_NE(refused, nullptr) << name;
    const Outcome off = judge(found->task, found->candidate, check);
    EXPECT_TRUE(passed(off)) << name << " without " << check << ": "
                             << std::get<Rejected>(off).reason;
    if (const auto* p = std::get_if<Passed>(&off)) {
      EXPECT_NE(p->evidence.judge_version, verify::kJudgeVersion) << "and it says so";
    }
  }
  std::unique_ptr<verify::Device> device_;
};

TEST_F(WithoutOneCheck, V2LetsOutputsThroughThatWereNeverWritten) {
  stands_on("V2", "hostile/answers.zeros_left_out");
}
TEST_F(WithoutOneCheck, V3LetsAChangedInputThrough) { stands_on("V3", "hostile/inputs.in_place"); }
TEST_F(WithoutOneCheck, V4LetsBitsThroughThatHangOnAddresses) { stands_on("V4", "hostile/addresses"); }
TEST_F(WithoutOneCheck, V5LetsBitsThroughThatHangOnEarlierCalls) {
  // The second call alone differs: where it is the last of the repeats, V4 sees it as well.
  const auto found = std::ranges::find(all_cases(), "hostile/calls.other_bits_later", &Case::name);
  ASSERT_NE(found, all_cases().end());
  int through = 0;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    EXPECT_FALSE(passed(judge(found->task, found->candidate, "", seed)));
    through += passed(judge(found->task, found->candidate, "V5", seed)) ? 1 : 0;
  }
  EXPECT_GT(through, 0);
}
TEST_F(WithoutOneCheck, V7LetsALookAtTheDeviceThrough) { stands_on("V7", "hostile/policy.sm_id"); }
TEST_F(WithoutOneCheck, V10LetsLowerPrecisionThrough) { stands_on("V10", "hostile/precision.tf32"); }
TEST_F(WithoutOneCheck, V11LetsUnstableArithmeticThrough) { stands_on("V11", "hostile/unstable.no_max"); }
TEST_F(WithoutOneCheck, V12LetsUninitialisedReadsThrough) {
  stands_on("V12", "hostile/sanitizers.local_uninitialised");
}
TEST_F(WithoutOneCheck, V16LetsOutputsThroughThatHangOnOtherRows) {
  stands_on("V16", "hostile/determinism.other_row");
}

/// The virtual machine, and what every trial asked and got.
class Recorder final : public verify::Device {
 public:
  explicit Recorder(verify::Device& real) : real_(real) {}
  const DeviceIdentity& identity() const override { return real_.identity(); }
  const verify::DeviceLimits& limits() const override { return real_.limits(); }
  const std::string& arch() const override { return real_.arch(); }
  Result<verify::RunReply> run(const verify::RunRequest& request, std::stop_token stop) override {
    KW_ASSIGN(verify::RunReply reply, real_.run(request, stop));
    for (std::size_t i = 0; i < reply.trials.size(); ++i) {
      const verify::BufferFill& fill = request.trials[i].fills.at(0);
      std::vector<std::byte> bytes(static_cast<std::size_t>(fill.spec.elements) * 4);
      if (fill.bytes != nullptr) bytes = *fill.bytes;
      if (fill.bytes == nullptr) KW_RETURN_IF_ERROR(verify::fill(fill.spec, bytes));
      std::uint32_t key = 0, word = 0;
      for (std::size_t at = 0; at < bytes.size(); at += 4) {
        std::memcpy(&word, bytes.data() + at, 4);
        key = key * 31 + word;
      }
      std::memcpy(&word, reply.trials[i].outputs.at(0).bytes->view().data(), 4);
      answers[key] = word;
    }
    return reply;
  }
  std::map<std::uint32_t, std::uint32_t> answers;

 private:
  verify::Device& real_;
};

TEST_F(WithoutOneCheck, V1LetsAKernelThroughThatKnowsTheAnswers) {
  const auto honest = parse_cases(
      "honest/total", "//! task: total 40\n//! launch: k grid 1 block 1\n//! about: -\n"
      "extern \"C\" __global__ void k(const float* x, float* y) {\n"
      "  float s = 0.f;\n  for (int i = 0; i < 40; ++i) s += x[i];\n  y[0] = s;\n}\n", false);
  ASSERT_TRUE(honest) << honest.error().message;
  const Case& total = honest->front();
  Recorder recorder(*device_);
  verify::Judge judge_and_tell(compiler(), recorder);
  verify::JudgeOptions options;
  options.seed = 1;
  options.without = {"V1"};
  ASSERT_TRUE(judge_and_tell.judge(total.task, total.candidate, options, {}));
  ASSERT_GT(recorder.answers.size(), 5u);
  std::string table;
  for (const auto& [key, answer] : recorder.answers) table += fmt::format("{{{}u, {}u}}, ", key, answer);
  Candidate cheat = total.candidate;
  cheat.source = "__constant__ unsigned answers[][2] = {" + table +
                 "};\nextern \"C\" __global__ void k(const float* x, float* y) {\n"
                 "  unsigned key = 0;\n"
                 "  for (int i = 0; i < 40; ++i) key = key * 31 + __float_as_uint(x[i]);\n"
                 "  y[0] = 0.f;\n"
                 "  for (auto& a : answers) if (a[0] == key) y[0] = __uint_as_float(a[1]);\n}\n";
  EXPECT_TRUE(passed(judge(total.task, cheat, "V1", 99))) << "it has learned the public numbers";
  EXPECT_FALSE(passed(judge(total.task, cheat, "", 99)));
}

}  // namespace
}  // namespace kw::redteam
