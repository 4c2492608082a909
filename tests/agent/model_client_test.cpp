#include "kw/agent/model_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "fakes/scripted_endpoint.h"

namespace kw::agent {
namespace {

using fakes::Reply;
using fakes::ScriptedEndpoint;
using namespace std::chrono_literals;

Exchange exchange_with(const ScriptedEndpoint& endpoint) {
  Exchange e;
  e.url = endpoint.url();
  e.body = R"({"model":"m"})";
  e.first_byte = 300ms;
  return e;
}

ModelReply send(const Reply& reply, Exchange (*adjust)(Exchange) = nullptr) {
  ScriptedEndpoint endpoint([&](std::size_t, const std::string&) { return reply; });
  const auto client = make_curl_client();
  Exchange exchange = exchange_with(endpoint);
  if (adjust) exchange = adjust(exchange);
  auto result = client->send(exchange, {});
  EXPECT_TRUE(result) << result.error().message;
  return result ? *result : ModelReply(ModelFault{});
}

FindingKind fault_of(const ModelReply& reply) {
  const auto* fault = std::get_if<ModelFault>(&reply);
  EXPECT_NE(fault, nullptr) << "an answer came";
  return fault ? fault->kind : FindingKind::ProposerFailed;
}

TEST(ModelClient, ReadsAStreamAndItsUsage) {
  const std::string text(1000, 'x');
  const ModelReply reply = send({.text = text, .piece = 7});
  const auto* answer = std::get_if<ModelAnswer>(&reply);
  ASSERT_NE(answer, nullptr);
  EXPECT_EQ(answer->text, text);
  EXPECT_EQ(answer->finish_reason, "stop");
  EXPECT_TRUE(answer->usage_known);
  EXPECT_EQ(answer->output_tokens, 250);
}

TEST(ModelClient, ReadsAnEndpointThatDoesNotStream) {
  const ModelReply reply = send({.text = "whole", .chunked = false});
  const auto* answer = std::get_if<ModelAnswer>(&reply);
  ASSERT_NE(answer, nullptr);
  EXPECT_EQ(answer->text, "whole");
}

TEST(ModelClient, CountsMissingUsageAsUnknown) {
  const ModelReply reply = send({.text = "t", .usage = false});
  EXPECT_FALSE(std::get<ModelAnswer>(reply).usage_known);
}

TEST(ModelClient, NamesARefusedKeyAndDoesNotOfferToRetry) {
  const ModelReply reply = send({.status = 401, .text = "{\"error\":\"bad key\"}"});
  EXPECT_EQ(fault_of(reply), FindingKind::Unauthorized);
  EXPECT_FALSE(std::get<ModelFault>(reply).retriable);
}

TEST(ModelClient, HonoursRetryAfter) {
  const ModelReply reply = send({.status = 429, .headers = {"Retry-After: 2"}});
  EXPECT_EQ(fault_of(reply), FindingKind::RateLimited);
  EXPECT_TRUE(std::get<ModelFault>(reply).retriable);
  EXPECT_EQ(std::get<ModelFault>(reply).retry_after, 2000ms);
}

TEST(ModelClient, TellsServerErrorsFromBadRequests) {
  EXPECT_EQ(fault_of(send({.status = 500})), FindingKind::ServerError);
  EXPECT_EQ(fault_of(send({.status = 400})), FindingKind::BadRequest);
}

TEST(ModelClient, GivesUpOnSilence) {
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(fault_of(send({.text = "x", .stall = true})), FindingKind::Stalled);
  EXPECT_EQ(fault_of(send({.text = "x", .mute = true})), FindingKind::Stalled);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 3s);
}

TEST(ModelClient, ASlowStreamThatKeepsTalkingIsNoStall) {
  const ModelReply reply =
      send({.text = std::string(640, 'x'), .piece = 64, .piece_delay = 100ms});
  EXPECT_TRUE(std::holds_alternative<ModelAnswer>(reply));
}

TEST(ModelClient, SeesAStreamThatWasCut) {
  EXPECT_EQ(fault_of(send({.text = std::string(500, 'x'), .cut = true})), FindingKind::CutStream);
}

TEST(ModelClient, RefusesAReplyThatIsTooLarge) {
  const ModelReply reply = send({.text = std::string(200'000, 'x'), .piece = 4096}, [](Exchange e) {
    e.max_reply_bytes = 10'000;
    return e;
  });
  EXPECT_EQ(fault_of(reply), FindingKind::ReplyTooLarge);
}

TEST(ModelClient, SaysThatNobodyListens) {
  const auto client = make_curl_client();
  Exchange e;
  e.url = "http://127.0.0.1:1/v1";
  const auto reply = client->send(e, {});
  ASSERT_TRUE(reply);
  EXPECT_EQ(fault_of(*reply), FindingKind::ConnectFailed);
  EXPECT_FALSE(std::get<ModelFault>(*reply).worked_on);
}

TEST(ModelClient, SendsTheKeyAsABearerToken) {
  ScriptedEndpoint endpoint([](std::size_t, const std::string&) { return Reply{.text = "x"}; });
  const auto client = make_curl_client();
  Exchange e = exchange_with(endpoint);
  e.key = "sk-secret";
  ASSERT_TRUE(client->send(e, {}));
  ASSERT_EQ(endpoint.log().size(), 1u);
  EXPECT_EQ(endpoint.log()[0].authorization, "Bearer sk-secret");
  EXPECT_EQ(endpoint.log()[0].body, e.body);
}

TEST(ModelClient, SixteenRequestsRunAtOnceAndStopAtOnce) {
  ScriptedEndpoint endpoint([](std::size_t, const std::string&) {
    return Reply{.text = std::string(100'000, 'x'), .piece = 10, .piece_delay = 20ms};
  });
  const auto client = make_curl_client();
  std::stop_source stop;
  std::vector<std::jthread> lanes;
  std::atomic<int> cancelled = 0;
  for (int i = 0; i < 16; ++i) {
    lanes.emplace_back([&] {
      const auto reply = client->send(exchange_with(endpoint), stop.get_token());
      cancelled += !reply && reply.error().code == Errc::Cancelled;
    });
  }
  while (endpoint.open_connections() < 16) std::this_thread::sleep_for(5ms);
  const auto begun = std::chrono::steady_clock::now();
  stop.request_stop();
  lanes.clear();
  while (endpoint.open_connections() > 0) std::this_thread::sleep_for(5ms);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 2s);
  EXPECT_EQ(cancelled, 16);
}

}  // namespace
}  // namespace kw::agent
