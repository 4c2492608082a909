#include <thread>

#include "contract/store_contract.h"

namespace kw::store {

namespace {

using std::chrono::seconds;

TEST_P(StoreContract, NamesEffectsAfterJobSequenceAndIndex) {
  const std::string job = new_job();
  const Appended appended = store->append(step(job, 0, decide(job), {"compile", "judge"})).value();
  ASSERT_EQ(appended.effect_ids.size(), 2u);
  EXPECT_EQ(appended.effect_ids[0], effect_id(job, 1, 0));
  EXPECT_EQ(appended.effect_ids[1], effect_id(job, 1, 1));
  EXPECT_NE(effect_id("j", 1, 11), effect_id("j", 11, 1));
  EXPECT_EQ(effect_id("j", 1, 0),
            "258bfdcd25cb853784ce422637920a94e466acc0252723dec0c6afb3af1abe88");
}

TEST_P(StoreContract, ClaimsByKindPriorityAndAge) {
  const std::string job = new_job();
  Append append = step(job, 0, decide(job), {"compile", "judge", "compile"});
  append.effects[2].priority = 5;
  const auto ids = store->append(append).value().effect_ids;
  EXPECT_EQ(store->claim_effect(by("w", {"time"})).value(), std::nullopt);
  EXPECT_EQ(store->claim_effect(by("w", {"compile"})).value()->effect.id, ids[2]);
  EXPECT_EQ(store->claim_effect(by("w", {"time", "judge"})).value()->effect.id, ids[1]);
  const ClaimedEffect last = store->claim_effect(by("w")).value().value();
  EXPECT_EQ(last.effect.id, ids[0]);
  EXPECT_EQ(last.effect.attempt, 1);
  EXPECT_EQ(last.effect.kind, "compile");
  EXPECT_EQ(last.effect.payload, R"({"lane":0})");
  EXPECT_EQ(last.until_us, clock.wall_us() + 10'000'000);
  EXPECT_EQ(store->claim_effect(by("w")).value(), std::nullopt);
}

TEST_P(StoreContract, HoldsBackADelayedEffect) {
  const std::string job = new_job();
  Append append = step(job, 0, decide(job), {"model_request"});
  append.effects[0].delay = seconds(5);
  KW_EXPECT_OK(store->append(append));
  EXPECT_EQ(store->claim_effect(by("w")).value(), std::nullopt);
  clock.advance(seconds(5));
  const ClaimedEffect claimed = store->claim_effect(by("w")).value().value();
  KW_EXPECT_OK(store->release_effect(claimed.effect.id, claimed.token, seconds(2)));
  EXPECT_EQ(store->claim_effect(by("w")).value(), std::nullopt);
  clock.advance(seconds(2));
  EXPECT_EQ(store->claim_effect(by("w")).value()->effect.attempt, 2);
}

TEST_P(StoreContract, GivesAnExpiredEffectToAnotherWorkerAndFencesTheFirst) {
  const std::string job = new_job();
  KW_EXPECT_OK(store->append(step(job, 0, decide(job), {"judge"})));
  const ClaimedEffect lost = store->claim_effect(by("w1")).value().value();
  clock.advance(seconds(9));
  EXPECT_EQ(store->renew(lost.effect.id, lost.token, seconds(10)).value(),
            clock.wall_us() + 10'000'000);
  clock.advance(seconds(9));
  EXPECT_EQ(store->claim_effect(by("w2")).value(), std::nullopt);
  clock.advance(seconds(1));
  const ClaimedEffect taken = store->claim_effect(by("w2")).value().value();
  EXPECT_EQ(taken.effect.id, lost.effect.id);
  EXPECT_EQ(taken.effect.attempt, 2);
  EXPECT_GT(taken.token, lost.token);
  EXPECT_EQ(code_of(store->renew(lost.effect.id, lost.token, seconds(10))), Errc::Conflict);
  EXPECT_EQ(code_of(store->complete_effect(lost.effect.id, lost.token, R"({"by":1})")),
            Errc::Conflict);
  EXPECT_EQ(code_of(store->release_effect(lost.effect.id, lost.token)), Errc::Conflict);
  EXPECT_EQ(store->complete_effect(taken.effect.id, taken.token, R"({"by":2})").value(),
            Completion::Recorded);
  EXPECT_EQ(store->complete_effect(lost.effect.id, lost.token, R"({"by":1})").value(),
            Completion::Duplicate);
  const std::vector<Input> inputs = store->inputs(job).value();
  ASSERT_EQ(inputs.size(), 1u);
  EXPECT_EQ(inputs[0].id, taken.effect.id);
  EXPECT_EQ(inputs[0].kind, "effect_done");
  EXPECT_EQ(inputs[0].payload, R"({"by":2})");
}

TEST_P(StoreContract, EndsTheLeasesOfAWorkerThatIsKnownToBeDead) {
  const std::string job = new_job();
  const std::uint64_t token = decide(job);
  KW_EXPECT_OK(store->append(step(job, 0, token, {"judge", "judge"})));
  const ClaimedEffect lost = store->claim_effect(by("w1")).value().value();
  const ClaimedEffect kept = store->claim_effect(by("w2")).value().value();
  EXPECT_THAT(store->lease_holders(job).value(), ::testing::UnorderedElementsAre("d1", "w1", "w2"));
  KW_EXPECT_OK(store->end_leases(job, "w1"));
  KW_EXPECT_OK(store->end_leases(job, "d1"));
  EXPECT_THAT(store->lease_holders(job).value(), ::testing::UnorderedElementsAre("w2"));
  KW_EXPECT_OK(store->acquire_decider(job, "d2", std::chrono::seconds(30)));
  const ClaimedEffect taken = store->claim_effect(by("w3")).value().value();
  EXPECT_EQ(taken.effect.id, lost.effect.id);
  EXPECT_EQ(store->claim_effect(by("w4")).value(), std::nullopt) << "w2 keeps " << kept.effect.id;
  EXPECT_EQ(code_of(store->complete_effect(lost.effect.id, lost.token, "{}")), Errc::Conflict);
}

TEST_P(StoreContract, AcceptsALateCompletionWhenNobodyTookOver) {
  const std::string job = new_job();
  KW_EXPECT_OK(store->append(step(job, 0, decide(job), {"judge"})));
  const ClaimedEffect claimed = store->claim_effect(by("w1")).value().value();
  clock.advance(seconds(60));
  EXPECT_EQ(store->complete_effect(claimed.effect.id, claimed.token, "{}").value(),
            Completion::Recorded);
  EXPECT_EQ(store->complete_effect(claimed.effect.id, claimed.token, "{}").value(),
            Completion::Duplicate);
  EXPECT_EQ(store->inputs(job).value().size(), 1u);
}

TEST_P(StoreContract, RefusesAResultThatIsNoJsonObjectAndKeepsTheClaim) {
  const std::string job = new_job();
  KW_EXPECT_OK(store->append(step(job, 0, decide(job), {"judge"})));
  const ClaimedEffect claimed = store->claim_effect(by("w1")).value().value();
  EXPECT_EQ(code_of(store->complete_effect(claimed.effect.id, claimed.token, "3")),
            Errc::InvalidArgument);
  EXPECT_EQ(store->complete_effect(claimed.effect.id, claimed.token, "{}").value(),
            Completion::Recorded);
}

TEST_P(StoreContract, TellsTheWorkerOfACancelledEffect) {
  const std::string job = new_job();
  const std::uint64_t token = decide(job);
  const auto ids =
      store->append(step(job, 0, token, {"judge", "judge", "judge"})).value().effect_ids;
  const ClaimedEffect first = store->claim_effect(by("w1")).value().value();
  Append append = step(job, 1, token);
  append.cancel = {ids[0], ids[1]};
  KW_EXPECT_OK(store->append(append));
  EXPECT_EQ(code_of(store->renew(first.effect.id, first.token, seconds(1))), Errc::Cancelled);
  EXPECT_EQ(code_of(store->complete_effect(first.effect.id, first.token, "{}")), Errc::Cancelled);
  EXPECT_EQ(store->claim_effect(by("w2")).value()->effect.id, ids[2]);
  EXPECT_EQ(store->cancel_effects(job).value(), 1u);
  EXPECT_EQ(store->cancel_effects(job).value(), 0u);
  EXPECT_TRUE(store->inputs(job).value().empty());
  EXPECT_EQ(store->effects({.job = job, .states = {EffectState::Cancelled}}).value().size(), 3u);
  EXPECT_EQ(store->effects({.job = {}, .states = {EffectState::Pending}}).value().size(), 0u);
}

TEST_P(StoreContract, LeavesEffectsOfOtherJobsAlone) {
  const std::string a = new_job(), b = new_job();
  KW_EXPECT_OK(store->append(step(a, 0, decide(a), {"judge"})));
  const auto of_b = store->append(step(b, 0, decide(b), {"judge"})).value().effect_ids;
  EXPECT_EQ(store->cancel_effects(a).value(), 1u);
  ClaimFilter filter = by("w");
  filter.job = a;
  EXPECT_EQ(store->claim_effect(filter).value(), std::nullopt);
  filter.job = b;
  EXPECT_EQ(store->claim_effect(filter).value()->effect.id, of_b[0]);
}

TEST_P(StoreContract, GivesEachEffectToOneOfManyThreads) {
  const std::string job = new_job();
  const std::uint64_t token = decide(job);
  constexpr std::uint64_t kSteps = 25;
  constexpr int kThreads = 4;
  std::atomic<int> recorded{0};
  std::atomic<bool> writing{true};
  {
    std::vector<std::jthread> workers;
    for (int t = 0; t < kThreads; ++t) {
      workers.emplace_back([&, t] {
        for (;;) {
          const bool last_round = !writing;
          const auto claimed = store->claim_effect(by("w" + std::to_string(t))).value();
          if (claimed) {
            const auto done = store->complete_effect(claimed->effect.id, claimed->token, "{}");
            if (done && *done == Completion::Recorded) ++recorded;
          } else if (last_round) {
            return;
          }
        }
      });
    }
    for (std::uint64_t seq = 0; seq < kSteps; ++seq) {
      KW_EXPECT_OK(store->append(step(job, seq, token, {"a", "b"})));
    }
    writing = false;
  }
  EXPECT_EQ(recorded, static_cast<int>(2 * kSteps));
  EXPECT_EQ(store->inputs(job).value().size(), 2 * kSteps);
}

}  // namespace
}  // namespace kw::store
