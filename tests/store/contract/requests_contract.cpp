#include "contract/store_contract.h"

namespace kw::store {
namespace {

NewRequest request_of(const std::string& id) {
  return {id, "job-1", "model-a", "hash-1", R"({"messages":[]})"};
}

TEST_P(StoreContract, NeverSendsAnAnsweredRequestAgain) {
  EXPECT_EQ(store->record_request_sent(request_of("r")).value(), Sending::First);
  EXPECT_EQ(store->request_answer("r").value(), std::nullopt);
  Answer answer{200, R"({"text":"hi"})", 100, 20, 1500, 90'000};
  EXPECT_TRUE(store->record_request_answered("r", answer).value());
  reopen();
  EXPECT_EQ(store->record_request_sent(request_of("r")).value(), Sending::Answered);
  answer.body = "other";
  EXPECT_FALSE(store->record_request_answered("r", answer).value());
  const Answer kept = store->request_answer("r").value().value();
  EXPECT_EQ(kept.body, R"({"text":"hi"})");
  EXPECT_EQ(kept.status, 200);
  EXPECT_EQ(kept.input_tokens, 100);
  EXPECT_EQ(kept.output_tokens, 20);
  EXPECT_EQ(kept.first_byte_us, 1500);
  EXPECT_EQ(kept.total_us, 90'000);
  EXPECT_EQ(code_of(store->record_request_refused("r", "429")), Errc::Conflict);
}

TEST_P(StoreContract, CountsARequestLostInACrashAsPossiblyCharged) {
  EXPECT_EQ(store->record_request_sent(request_of("r")).value(), Sending::First);
  EXPECT_EQ(store->spend("job-1").value().possibly_charged, 1);
  EXPECT_EQ(store->record_request_sent(request_of("r")).value(), Sending::Repeated);
  EXPECT_TRUE(store->record_request_answered("r", {200, "{}", 7, 3, 0, 0}).value());
  const Request request = store->request("r").value().value();
  EXPECT_EQ(request.state, RequestState::Answered);
  EXPECT_EQ(request.sends, 2);
  EXPECT_EQ(request.possibly_charged, 1);
  EXPECT_EQ(request.request.body, R"({"messages":[]})");
  const Spend spend = store->spend("job-1").value();
  EXPECT_EQ(spend.requests, 1);
  EXPECT_EQ(spend.answered, 1);
  EXPECT_EQ(spend.possibly_charged, 1);
  EXPECT_EQ(spend.input_tokens, 7);
  EXPECT_EQ(spend.output_tokens, 3);
  EXPECT_EQ(store->spend("").value().requests, 1);
  EXPECT_EQ(store->spend("other").value().requests, 0);
}

TEST_P(StoreContract, SendsARefusedRequestAgainWithoutCharge) {
  EXPECT_EQ(store->record_request_sent(request_of("r")).value(), Sending::First);
  KW_EXPECT_OK(store->record_request_refused("r", "429 too many requests"));
  EXPECT_EQ(store->request("r").value()->refusal, "429 too many requests");
  EXPECT_EQ(store->record_request_sent(request_of("r")).value(), Sending::Again);
  EXPECT_EQ(store->request("r").value()->possibly_charged, 0);
}

TEST_P(StoreContract, RefusesAnotherBodyUnderAKnownRequestId) {
  EXPECT_EQ(store->record_request_sent(request_of("r")).value(), Sending::First);
  NewRequest other = request_of("r");
  other.body_hash = "hash-2";
  EXPECT_EQ(code_of(store->record_request_sent(other)), Errc::Conflict);
  EXPECT_EQ(code_of(store->record_request_answered("unknown", {})), Errc::NotFound);
  EXPECT_EQ(code_of(store->record_request_refused("unknown", "x")), Errc::NotFound);
  EXPECT_EQ(store->request("unknown").value().has_value(), false);
  other.id = "big";
  other.body.assign((16u << 20) + 1, 'x');
  EXPECT_EQ(code_of(store->record_request_sent(other)), Errc::ResourceExhausted);
}

}  // namespace
}  // namespace kw::store
