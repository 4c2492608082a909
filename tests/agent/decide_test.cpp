#include "kw/agent/decide.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kw/core/random.h"

namespace kw::agent {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

JobSpec spec_of(Objective objective) {
  JobSpec spec;
  spec.task_name = "test";
  spec.keys = {"semantic", "shape"};
  spec.device = "vm";
  spec.device_class = "ptxvm";
  spec.objective = objective;
  spec.memory = false;
  return spec;
}

ModelSpec model_of(int lanes, int rounds) {
  ModelSpec model;
  model.endpoint = "http://localhost/v1";
  model.model = "m";
  model.lanes = lanes;
  model.rounds = rounds;
  return model;
}

/// Plays a job by hand and keeps its history as it would be stored.
class Game {
 public:
  explicit Game(const JobSpec& spec) {
    state.job = "0190-job";
    put(JobCreated{spec});
  }

  void put(const Input& input) {
    Decision decision = decide(state, input);
    for (const Fact& fact : decision.facts) {
      history.push_back(
          {state.job, history.size() + 1, std::string(type_of(fact)), 1, payload_of(fact), 0});
    }
    state = decision.after;
    for (const std::string& id : decision.cancel) cancelled.push_back(id);
    last = std::move(decision);
  }

  template <typename Body>
  std::vector<std::pair<std::string, Body>> open() const {
    std::vector<std::pair<std::string, Body>> found;
    for (const auto& [id, body] : state.open) {
      if (const auto* is = std::get_if<Body>(&body)) found.emplace_back(id, *is);
    }
    return found;
  }
  std::string step_for(const std::string& candidate) const {
    for (const auto& [id, judge] : open<JudgeStep>()) {
      if (judge.candidate == candidate) return id;
    }
    return {};
  }
  void propose(ProposerKind kind, const std::vector<std::string>& ids) {
    for (const auto& [id, body] : open<ProposeStep>()) {
      if (body.proposer != kind) continue;
      Proposed p;
      p.step = id;
      p.proposer = kind;
      for (const std::string& each : ids) p.candidates.push_back({each, "g", ""});
      return put(p);
    }
    FAIL() << "nobody asked " << to_string(kind);
  }
  void answer(int lane, const std::string& candidate, std::optional<Finding> finding = {}) {
    for (const auto& [id, body] : open<AskStep>()) {
      if (body.lane != lane) continue;
      Proposed p;
      p.step = id;
      p.proposer = ProposerKind::Model;
      p.lane = lane;
      p.round = body.round;
      if (!candidate.empty()) p.candidates.push_back({candidate, "m", ""});
      p.finding = std::move(finding);
      return put(p);
    }
    FAIL() << "lane " << lane << " was not asked";
  }
  void judge(const std::string& candidate, bool passed, std::optional<double> us = {}) {
    const std::string id = step_for(candidate);
    ASSERT_FALSE(id.empty()) << candidate << " is not being judged";
    Judged j;
    j.step = id;
    j.candidate = candidate;
    j.full = std::get<JudgeStep>(state.open.at(id)).full;
    j.passed = passed;
    j.median_us = us;
    j.seed = 42;
    if (!passed) {
      j.kind = "WrongResult";
      j.reason = "off by one";
    }
    put(j);
  }

  State state;
  Decision last;
  std::vector<Event> history;
  std::vector<std::string> cancelled;
};

TEST(Decide, AcceptsTheFirstGoodTemplateOnlyAfterItWasJudgedAgain) {
  Game game(spec_of(Objective::First));
  game.propose(ProposerKind::Template, {"a", "b"});
  EXPECT_THAT(game.open<JudgeStep>(), SizeIs(1)) << "offers of the generator go one by one";
  game.judge("a", true);
  EXPECT_FALSE(game.state.status);
  ASSERT_FALSE(game.step_for("a").empty());
  EXPECT_TRUE(std::get<JudgeStep>(game.state.open.at(game.step_for("a"))).full);
  game.judge("a", true);
  EXPECT_EQ(game.state.status, JobStatus::Solved);
  EXPECT_EQ(game.state.winner, "a");
  EXPECT_TRUE(game.last.durable);
}

TEST(Decide, GoesOnWithTheNextWhenTheWinnerFailsItsSecondJudging) {
  Game game(spec_of(Objective::First));
  game.propose(ProposerKind::Template, {"a", "b"});
  game.judge("a", true);
  game.judge("a", false);
  game.judge("b", true);
  game.judge("b", true);
  EXPECT_EQ(game.state.winner, "b");
}

TEST(Decide, EndsUnsolvedWhenEveryCandidateIsRejected) {
  Game game(spec_of(Objective::First));
  game.propose(ProposerKind::Template, {"a"});
  game.judge("a", false);
  EXPECT_EQ(game.state.status, JobStatus::Unsolved);
  EXPECT_EQ(game.state.winner, "");
}

TEST(Decide, AnswersFromMemoryWithoutGeneratingAnything) {
  JobSpec spec = spec_of(Objective::First);
  spec.memory = true;
  Game game(spec);
  EXPECT_THAT(game.open<ProposeStep>(), SizeIs(1));
  game.propose(ProposerKind::Memory, {"known"});
  game.judge("known", true);
  EXPECT_EQ(game.state.status, JobStatus::Solved);
  EXPECT_TRUE(game.state.from_memory);
  EXPECT_THAT(game.state.candidates, SizeIs(1));
}

TEST(Decide, GeneratesWhenWhatMemoryKnewNoLongerPasses) {
  JobSpec spec = spec_of(Objective::First);
  spec.memory = true;
  Game game(spec);
  game.propose(ProposerKind::Memory, {"known"});
  game.judge("known", false);
  game.propose(ProposerKind::Template, {"a"});
  game.judge("a", true);
  game.judge("a", true);
  EXPECT_EQ(game.state.winner, "a");
  EXPECT_FALSE(game.state.from_memory);
}

TEST(Decide, BestTakesTheFastestAndConfirmsItOnly) {
  JobSpec spec = spec_of(Objective::Best);
  spec.has_time = true;
  Game game(spec);
  game.propose(ProposerKind::Template, {"a", "b", "c"});
  EXPECT_THAT(game.open<JudgeStep>(), SizeIs(1)) << "a device that runs two candidates times neither";
  game.judge("a", true, 7.0);
  game.judge("b", true, 5.0);
  EXPECT_FALSE(game.state.status);
  game.judge("c", true, 9.0);
  EXPECT_EQ(game.state.chosen, "b");
  game.judge("b", true, 5.5);
  EXPECT_EQ(game.state.winner, "b");
}

TEST(Decide, CancelsEveryOpenStepOfTheLosersOnAccept) {
  JobSpec spec = spec_of(Objective::First);
  spec.model = model_of(16, 3);
  Game game(spec);
  EXPECT_THAT(game.open<AskStep>(), SizeIs(16));
  game.answer(3, "m3");
  game.propose(ProposerKind::Template, {"a"});
  game.judge("a", true);
  game.judge("a", true);
  EXPECT_EQ(game.state.winner, "a");
  EXPECT_THAT(game.cancelled, SizeIs(15 + 1)) << "15 requests and the judging of m3";
  EXPECT_THAT(game.state.open, IsEmpty());
}

TEST(Decide, AskesALaneAgainWithWhatWasWrong) {
  JobSpec spec = spec_of(Objective::Best);
  spec.templates = 0;
  spec.model = model_of(1, 3);
  Game game(spec);
  game.answer(0, "", Finding{FindingKind::ProseOnly, "no code", 0, 0});
  ASSERT_THAT(game.open<AskStep>(), SizeIs(1));
  EXPECT_EQ(game.open<AskStep>()[0].second.round, 1);
  ASSERT_TRUE(game.open<AskStep>()[0].second.finding);
  game.answer(0, "m");
  game.judge("m", false);
  ASSERT_THAT(game.open<AskStep>(), SizeIs(1));
  const AskStep third = game.open<AskStep>()[0].second;
  EXPECT_EQ(third.candidate, "m");
  EXPECT_FALSE(third.verdict.empty());
  game.answer(0, "", Finding{FindingKind::HostCode, "main()", 0, 2});
  EXPECT_EQ(game.state.status, JobStatus::Unsolved) << "three rounds were asked for";
  EXPECT_THAT(game.state.findings, SizeIs(2));
}

TEST(Decide, StopsAskingWhenTheKeyIsRefusedAndEndsThroughTheTemplates) {
  JobSpec spec = spec_of(Objective::Best);
  spec.model = model_of(4, 3);
  Game game(spec);
  for (int lane = 0; lane < 4; ++lane) {
    game.answer(lane, "", Finding{FindingKind::Unauthorized, "401", lane, 0});
  }
  EXPECT_THAT(game.open<AskStep>(), IsEmpty());
  game.propose(ProposerKind::Template, {"a"});
  game.judge("a", true);
  game.judge("a", true);
  EXPECT_EQ(game.state.winner, "a");
  EXPECT_THAT(game.state.findings, SizeIs(4));
}

TEST(Decide, IgnoresACompletionThatCameTwice) {
  Game game(spec_of(Objective::First));
  const std::string step = game.open<ProposeStep>()[0].first;
  game.propose(ProposerKind::Template, {"a"});
  const std::size_t before = game.history.size();
  Proposed again;
  again.step = step;
  again.candidates = {{"b", "g", ""}};
  game.put(again);
  EXPECT_THAT(game.last.facts, IsEmpty());
  EXPECT_EQ(game.history.size(), before);
}

TEST(Decide, TakesTheBestSoFarWhenTheBudgetIsSpent) {
  JobSpec spec = spec_of(Objective::Best);
  Game game(spec);
  game.propose(ProposerKind::Template, {"a", "b"});
  game.judge("a", true);
  game.put(BudgetSpent{});
  EXPECT_EQ(game.state.chosen, "a");
  game.judge("a", true);
  EXPECT_EQ(game.state.winner, "a");
}

TEST(Decide, SaysOutOfBudgetWhenNothingPassedInTime) {
  Game game(spec_of(Objective::First));
  game.put(BudgetSpent{});
  EXPECT_EQ(game.state.status, JobStatus::OutOfBudget);
  EXPECT_THAT(game.state.open, IsEmpty());
}

TEST(Decide, ReportsAFailureOfOursWithItsError) {
  Game game(spec_of(Objective::First));
  const std::string step = game.open<ProposeStep>()[0].first;
  game.put(StepFailed{step, Errc::Unsupported, "node 3: unknown operator aten.foo"});
  EXPECT_EQ(game.state.status, JobStatus::Failed);
  ASSERT_TRUE(game.state.error);
  EXPECT_EQ(game.state.error->code, Errc::Unsupported);
}

TEST(Decide, JudgesOnceMoreWhenJudgingFailedForAReasonOfOurs) {
  Game game(spec_of(Objective::First));
  game.propose(ProposerKind::Template, {"a"});
  game.put(StepFailed{game.step_for("a"), Errc::Io, "pipe"});
  ASSERT_FALSE(game.step_for("a").empty());
  game.put(StepFailed{game.step_for("a"), Errc::Io, "pipe"});
  EXPECT_EQ(game.state.status, JobStatus::Failed);
}

TEST(Decide, TunesTheWinnerWhereThereIsTime) {
  JobSpec spec = spec_of(Objective::First);
  spec.has_time = true;
  spec.tune_evaluations = 10;
  Game game(spec);
  game.propose(ProposerKind::Template, {"a"});
  game.judge("a", true);
  ASSERT_THAT(game.open<TuneStep>(), SizeIs(1));
  Tuned tuned;
  tuned.step = game.open<TuneStep>()[0].first;
  tuned.from = "a";
  tuned.candidate = "a2";
  tuned.median_us = 1.0;
  game.put(tuned);
  game.judge("a2", true, 1.0);
  EXPECT_EQ(game.state.winner, "a2");
}

TEST(Facts, SurviveTheTripThroughJson) {
  JobSpec spec = spec_of(Objective::Best);
  spec.model = model_of(2, 2);
  Game game(spec);
  game.answer(0, "", Finding{FindingKind::ProseOnly, "no \"code\"\n", 0, 0});
  game.propose(ProposerKind::Template, {"a"});
  game.judge("a", true, 1.5);
  game.put(CancelAsked{"user"});
  for (const Event& event : game.history) {
    const auto fact = parse_fact(event.type, event.version, event.payload);
    ASSERT_TRUE(fact) << event.type << ": " << fact.error().message;
    EXPECT_EQ(payload_of(*fact), event.payload);
  }
  EXPECT_EQ(game.state.status, JobStatus::Cancelled);
}

/// Random games: whatever arrives in whatever order, a job ends, replays to the same winner and
/// leaves no step open.
TEST(Replay, DecidesTheSameFromTheRecordedInputs) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    RandomStream random(seed, purpose("test.replay"));
    JobSpec spec = spec_of(random.below(2) ? Objective::First : Objective::Best);
    spec.has_time = random.below(2) == 1;
    spec.memory = random.below(2) == 1;
    spec.templates = static_cast<int>(random.below(3));
    spec.tune_evaluations = random.below(4) == 0 ? 5 : 0;
    if (random.below(2)) {
      spec.model =
          model_of(1 + static_cast<int>(random.below(16)), 1 + static_cast<int>(random.below(3)));
    }
    Game game(spec);
    int named = 0;
    for (int turn = 0; turn < 2000 && !game.state.status; ++turn) {
      if (random.below(200) == 0) game.put(BudgetSpent{});
      if (game.state.status) break;
      ASSERT_FALSE(game.state.open.empty()) << "seed " << seed << ": stuck";
      auto it = game.state.open.begin();
      std::advance(it, random.below(game.state.open.size()));
      const auto [id, body] = *it;
      const auto fresh = [&] { return "c" + std::to_string(named++ - (random.below(8) == 0)); };
      if (random.below(20) == 0) {
        game.put(StepFailed{id, Errc::Io, "lost"});
      } else if (const auto* propose = std::get_if<ProposeStep>(&body)) {
        Proposed p;
        p.step = id;
        p.proposer = propose->proposer;
        for (std::uint64_t i = random.below(3); i > 0; --i)
          p.candidates.push_back({fresh(), "g", ""});
        game.put(p);
      } else if (const auto* ask = std::get_if<AskStep>(&body)) {
        Proposed p;
        p.step = id;
        p.proposer = ProposerKind::Model;
        p.lane = ask->lane;
        p.round = ask->round;
        if (random.below(2)) {
          p.candidates.push_back({fresh(), "m", ""});
        } else {
          p.finding = Finding{random.below(9) ? FindingKind::ProseOnly : FindingKind::Unauthorized,
                              "x", ask->lane, ask->round};
        }
        game.put(p);
      } else if (const auto* judge = std::get_if<JudgeStep>(&body)) {
        Judged j{
            id, judge->candidate, judge->full, random.next_u64(), random.below(3) == 0, "Race", "r",
            {}};
        if (j.passed && judge->timing) j.median_us = 1 + random.uniform();
        game.put(j);
      } else {
        Tuned t;
        t.step = id;
        if (random.below(2)) t.candidate = fresh();
        game.put(t);
      }
    }
    ASSERT_TRUE(game.state.status) << "seed " << seed;
    EXPECT_TRUE(game.state.open.empty()) << "seed " << seed;
    const auto replayed = replay(game.state.job, game.history);
    ASSERT_TRUE(replayed) << "seed " << seed << ": " << replayed.error().message;
    EXPECT_EQ(replayed->winner, game.state.winner);
    const auto restored = restore(game.state.job, game.history);
    ASSERT_TRUE(restored);
    EXPECT_EQ(restored->seq, game.state.seq);
    EXPECT_EQ(restored->status, game.state.status);
  }
}

TEST(Replay, NamesTheFirstEventThatDiffers) {
  Game game(spec_of(Objective::First));
  game.propose(ProposerKind::Template, {"a"});
  game.judge("a", true);
  for (Event& event : game.history) {
    if (event.type == "winner_chosen") event.payload = R"({"candidate":"b"})";
  }
  const auto replayed = replay(game.state.job, game.history);
  ASSERT_FALSE(replayed);
  EXPECT_EQ(replayed.error().code, Errc::Corrupt);
  EXPECT_THAT(replayed.error().message, ::testing::HasSubstr("decided differently"));
}

}  // namespace
}  // namespace kw::agent
