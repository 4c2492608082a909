#include "messages.h"

#include <gtest/gtest.h>

namespace {

using namespace kw;
using namespace kw::verify;

RunnerRequest sample_request() {
  RunnerRequest request;
  request.code = "ptx";
  request.plan_json = "{}";
  request.limits.sm_count = 132;
  Trial trial;
  trial.poison = 0x7F;
  trial.repeats = 3;
  BufferFill fill;
  fill.buffer = "x";
  fill.spec.dtype = DType::BF16;
  fill.spec.elements = 40;
  fill.spec.family = Family::Spiky;
  fill.spec.zero_points = fill.spec.coarse = true;
  fill.spec.steps = {{DrawStep::Op::Uniform, -1, 2}, {DrawStep::Op::Mul, 3, 0}};
  trial.fills = {fill};
  request.trials = {trial};
  request.given_offsets = {{128}};
  request.timing = TimingRequest{7, 2.5, false};
  request.seed = 99;
  return request;
}

TEST(Messages, ARequestComesBackAsItWas) {
  const std::string bytes = encode(sample_request());
  const RunnerRequest back = decode_request(bytes).value();
  EXPECT_EQ(back.limits.sm_count, 132);
  ASSERT_EQ(back.trials.size(), 1u);
  EXPECT_EQ(back.trials[0].fills[0].spec.family, Family::Spiky);
  EXPECT_EQ(back.trials[0].fills[0].spec.steps, sample_request().trials[0].fills[0].spec.steps);
  EXPECT_TRUE(back.trials[0].fills[0].spec.zero_points);
  EXPECT_TRUE(back.trials[0].fills[0].spec.coarse);
  EXPECT_EQ(back.given_offsets[0][0], 128);
  EXPECT_EQ(back.timing->samples, 7);
  EXPECT_EQ(encode(back), bytes);
}

TEST(Messages, AReplyComesBackAsItWas) {
  RunnerReply reply;
  reply.trials = {{{"x"}, {"y", "z"}, false}};
  reply.fault = RunFault{RejectKind::Race, "why", {{"line", "3"}}};
  reply.timing = Timing{};
  reply.timing->median_us = 12.5;
  reply.timing->protocol = "event.coldl2.v1";
  reply.counters["mma"] = 4;
  const std::string bytes = encode(reply);
  EXPECT_EQ(encode(decode_reply(bytes).value()), bytes);
}

TEST(Messages, NoPrefixOfAMessageIsAMessage) {
  const std::string request = encode(sample_request());
  for (std::size_t i = 0; i < request.size(); ++i) {
    EXPECT_FALSE(decode_request(std::string_view(request).substr(0, i)));
  }
  RunnerReply full;
  full.fault = RunFault{RejectKind::Race, "why", {{"line", "3"}}};
  const std::string reply = encode(full);
  for (std::size_t i = 0; i < reply.size(); ++i) {
    EXPECT_FALSE(decode_reply(std::string_view(reply).substr(0, i)));
  }
  EXPECT_FALSE(decode_reply(reply + "x"));
}

}  // namespace
