#include "answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chat_stream.h"
#include "fakes/scripted_endpoint.h"
#include "retry_after.h"
#include "sse.h"

namespace kw::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

constexpr const char* kSource = "extern \"C\" __global__ void f(float* y) { y[0] = 1; }";
constexpr const char* kPlan =
    R"({"v":1,"buffers":[{"name":"y","role":"output","bytes":4}],
        "run":[{"id":"k","kind":"kernel","kernel":"f","args":[{"buffer":"y"}]}]})";

FindingKind kind_of_finding(const std::string& text, const std::string& reason = "stop") {
  const auto parsed = parse_answer(text, reason, "m");
  const auto* finding = std::get_if<Finding>(&parsed);
  EXPECT_NE(finding, nullptr) << "it was taken for a candidate";
  return finding ? finding->kind : FindingKind::ProposerFailed;
}

TEST(Answer, BecomesACandidate) {
  const auto parsed = parse_answer(fakes::good_answer(kSource, kPlan), "stop", "m");
  const auto* candidate = std::get_if<Candidate>(&parsed);
  ASSERT_NE(candidate, nullptr) << std::get<Finding>(parsed).text;
  EXPECT_THAT(candidate->source, HasSubstr("__global__"));
  EXPECT_EQ(candidate->plan.run.size(), 1u);
  EXPECT_EQ(candidate->proposer, ProposerKind::Model);
  EXPECT_EQ(candidate->generator, "m");
}

TEST(Answer, ProseIsAFinding) {
  EXPECT_EQ(kind_of_finding("I would use shared memory."), FindingKind::ProseOnly);
  EXPECT_EQ(kind_of_finding(""), FindingKind::ProseOnly);
}

TEST(Answer, MissingPartsAreFindings) {
  EXPECT_EQ(kind_of_finding(std::string("```cuda\n") + kSource + "\n```\n"),
            FindingKind::MissingPlan);
  EXPECT_EQ(kind_of_finding(std::string("```json\n") + kPlan + "\n```\n"),
            FindingKind::MissingSource);
}

TEST(Answer, TwoSourcesAreAFinding) {
  const std::string one = std::string("```cuda\n") + kSource + "\n```\n";
  EXPECT_EQ(kind_of_finding(one + one + "```json\n" + kPlan + "\n```"),
            FindingKind::TooManyBlocks);
}

TEST(Answer, WhatWasCutAtTheTokenLimitIsAFinding) {
  EXPECT_EQ(kind_of_finding("```cuda\n__global__ void f(", "length"), FindingKind::CutAnswer);
  EXPECT_EQ(kind_of_finding("```cuda\n__global__ void f(", "stop"), FindingKind::CutAnswer);
}

TEST(Answer, ABadPlanNamesThePlace) {
  const auto parsed = parse_answer(
      fakes::good_answer(kSource, R"({"v":1,"buffers":[],"run":[{"id":"k","kind":"kernel","kernel":"f","args":[{"buffer":"y"}]}]})"),
      "stop", "m");
  const auto* finding = std::get_if<Finding>(&parsed);
  ASSERT_NE(finding, nullptr);
  EXPECT_EQ(finding->kind, FindingKind::BadPlan);
  EXPECT_THAT(finding->text, HasSubstr("/run/0/args/0/buffer"));
}

TEST(HostCode, IsNamedWithItsLine) {
  EXPECT_THAT(find_host_code("\n\nint main() {}"), HasSubstr("line 3: a main() function"));
  EXPECT_THAT(find_host_code("void g(){ f<<<1,2>>>(); }"), HasSubstr("<<<"));
  EXPECT_THAT(find_host_code("void g(){ cudaMalloc(&p, 4); }"), HasSubstr("cudaMalloc"));
  EXPECT_THAT(find_host_code("#include <iostream>\n"), HasSubstr("iostream"));
  EXPECT_THAT(find_host_code("#  include \"/etc/passwd\"\n"), HasSubstr("/etc/passwd"));
  EXPECT_THAT(find_host_code("at::Tensor f();"), HasSubstr("'at'"));
  EXPECT_THAT(find_host_code("#include <torch/extension.h>"), HasSubstr("torch"));
  EXPECT_THAT(find_host_code("std::vector<int> v;"), HasSubstr("'std'"));
}

TEST(HostCode, DeviceCodeIsNotAccused) {
  EXPECT_EQ(find_host_code(kSource), "");
  EXPECT_EQ(find_host_code("// main() calls cudaMalloc <<<\n/* int main() */ float x = 1'000.f;"), "");
  EXPECT_EQ(find_host_code("#include <cuda_fp16.h>\n#include <mma.h>\n#include <cub/cub.cuh>\n"), "");
  EXPECT_EQ(find_host_code("cuda::std::array<int, 4> a; int at = 3; const char* s = \"main()\";"), "");
  EXPECT_EQ(find_host_code("int y = a << 3; domain(x); __device__ int mainloop(int);"), "");
}

TEST(Sse, ReadsEventsHoweverTheBytesAreCut) {
  const std::string stream =
      ": hello\r\ndata: one\r\n\r\nevent: x\ndata: two\ndata: three\n\ndata:[DONE]\r\r";
  for (std::size_t cut = 1; cut < stream.size(); ++cut) {
    SseParser parser;
    std::vector<std::string> events;
    const auto keep = [&](std::string_view data) {
      events.emplace_back(data);
      return Status{};
    };
    ASSERT_TRUE(parser.feed(stream.substr(0, cut), keep));
    ASSERT_TRUE(parser.feed(stream.substr(cut), keep));
    EXPECT_THAT(events, ElementsAre("one", "two\nthree", "[DONE]")) << "cut at " << cut;
  }
}

TEST(Sse, RefusesALineWithoutEnd) {
  SseParser parser(100);
  const auto ignore = [](std::string_view) { return Status{}; };
  EXPECT_FALSE(parser.feed(std::string(101, 'x'), ignore));
}

TEST(ChatStream, ReportsAnErrorInsideTheStream) {
  ChatStream stream(1 << 20);
  const auto fed = stream.feed("data: {\"error\":{\"message\":\"overloaded\"}}\n\n", true);
  ASSERT_FALSE(fed);
  EXPECT_THAT(fed.error().message, HasSubstr("overloaded"));
}

TEST(RetryAfter, ReadsSecondsAndDates) {
  EXPECT_EQ(parse_retry_after("3", 0), 3000ms);
  EXPECT_EQ(parse_retry_after("Thu, 01 Jan 1970 00:00:10 GMT", 4), 6000ms);
  EXPECT_EQ(parse_retry_after("Thu, 01 Jan 1970 00:00:10 GMT", 40), 0ms);
  EXPECT_EQ(parse_retry_after("soon", 0), std::nullopt);
  EXPECT_EQ(parse_retry_after("-5", 0), std::nullopt);
}

TEST(RetryAfter, BacksOffWithABound) {
  EXPECT_EQ(backoff(0, 0.0, {}), 250ms);
  EXPECT_LE(backoff(30, 0.999, {}), 30s);
  EXPECT_EQ(backoff(0, 0.5, 7s), 7s);
  EXPECT_EQ(backoff(0, 0.5, 1h), 120s);
}

}  // namespace
}  // namespace kw::agent
