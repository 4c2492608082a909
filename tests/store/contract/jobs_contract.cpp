#include "contract/store_contract.h"

namespace kw::store {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_P(StoreContract, GivesTheSameJobForTheSameIdempotencyKey) {
  NewJob job{.idempotency_key = "k1",
             .kind = "generate",
             .parent = {},
             .task_key = {},
             .spec = R"({"a":1})"};
  const CreatedJob first = store->create_job(job).value();
  const CreatedJob second = store->create_job(job).value();
  EXPECT_TRUE(first.created);
  EXPECT_FALSE(second.created);
  EXPECT_EQ(first.job.id, second.job.id);
  job.spec = R"({"a":2})";
  EXPECT_EQ(code_of(store->create_job(job)), Errc::Conflict);
  job.idempotency_key.clear();
  EXPECT_NE(store->create_job(job).value().job.id, store->create_job(job).value().job.id);
}

TEST_P(StoreContract, RefusesAJobWhoseSpecIsNoJsonObject) {
  NewJob job{
      .idempotency_key = {}, .kind = "generate", .parent = {}, .task_key = {}, .spec = "[1]"};
  EXPECT_EQ(code_of(store->create_job(job)), Errc::InvalidArgument);
  job.spec = "{";
  EXPECT_EQ(code_of(store->create_job(job)), Errc::InvalidArgument);
}

TEST_P(StoreContract, KeepsAJobAndItsEventsOverAReopening) {
  const std::string id = new_job("k");
  Append append = step(id, 0, decide(id));
  append.events.push_back({"judged", 2, R"({"text":"é \u0000"})"});
  append.state = JobState::Running;
  append.summary = R"({"best_us":12.5})";
  clock.advance(seconds(3));
  EXPECT_EQ(store->append(append).value().last_seq, 2u);
  reopen();
  const Job job = store->job(id).value();
  EXPECT_EQ(job.state, JobState::Running);
  EXPECT_EQ(job.last_seq, 2u);
  EXPECT_EQ(job.summary, R"({"best_us":12.5})");
  EXPECT_EQ(job.updated_us, job.created_us + 3'000'000);
  const std::vector<Event> events = store->events(id).value();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[1].seq, 2u);
  EXPECT_EQ(events[1].type, "judged");
  EXPECT_EQ(events[1].version, 2);
  EXPECT_EQ(events[1].payload, R"({"text":"é \u0000"})");
  EXPECT_EQ(store->events(id, 1).value().size(), 1u);
  EXPECT_EQ(store->events(id, 0, 1).value().size(), 1u);
}

TEST_P(StoreContract, ListsJobsNewestFirstByStateParentAndKind) {
  const std::string a = new_job();
  clock.advance(seconds(1));
  NewJob child{.idempotency_key = {}, .kind = "tune", .parent = a, .task_key = {}, .spec = "{}"};
  const std::string b = store->create_job(child).value().job.id;
  const auto ids = [&](const JobFilter& filter) {
    std::vector<std::string> found;
    const std::vector<Job> jobs = store->jobs(filter).value();
    for (const Job& job : jobs) found.push_back(job.id);
    return found;
  };
  EXPECT_THAT(ids({}), ElementsAre(b, a));
  JobFilter filter;
  filter.parent = a;
  EXPECT_THAT(ids(filter), ElementsAre(b));
  filter.parent = "";
  EXPECT_THAT(ids(filter), ElementsAre(a));
  filter = {};
  filter.kind = "tune";
  EXPECT_THAT(ids(filter), ElementsAre(b));
  filter = {};
  filter.before = b;
  EXPECT_THAT(ids(filter), ElementsAre(a));
  filter = {};
  filter.states = {JobState::Done};
  EXPECT_THAT(ids(filter), ElementsAre());
  (void)decide(a);
  filter = {};
  filter.needs_decider = true;
  EXPECT_THAT(ids(filter), ElementsAre(b));
  clock.advance(seconds(31));
  EXPECT_THAT(ids(filter), ElementsAre(b, a));
  child.parent = "no-such-job";
  EXPECT_EQ(code_of(store->create_job(child)), Errc::NotFound);
}

TEST_P(StoreContract, NamesAJobThatDoesNotExist) {
  EXPECT_EQ(code_of(store->job("nope")), Errc::NotFound);
  EXPECT_THAT(store->job("nope").error().message, HasSubstr("nope"));
  EXPECT_EQ(code_of(store->append(step("nope", 0, 1))), Errc::NotFound);
  EXPECT_EQ(code_of(store->acquire_decider("nope", "w", seconds(1))), Errc::NotFound);
  EXPECT_EQ(code_of(store->post_input("nope", "i", "cancel", "{}")), Errc::NotFound);
}

TEST_P(StoreContract, LetsOneDeciderWriteAtATime) {
  const std::string job = new_job();
  const DeciderLease first = store->acquire_decider(job, "d1", seconds(30)).value();
  EXPECT_EQ(code_of(store->acquire_decider(job, "d2", seconds(30))), Errc::Conflict);
  clock.advance(seconds(20));
  EXPECT_EQ(store->renew_decider(job, first.token, seconds(30)).value().token, first.token);
  clock.advance(seconds(29));
  EXPECT_EQ(code_of(store->acquire_decider(job, "d2", seconds(30))), Errc::Conflict);
  clock.advance(seconds(2));
  // Late, but nobody took over: still the decider.
  KW_EXPECT_OK(store->append(step(job, 0, first.token)));
  const DeciderLease second = store->acquire_decider(job, "d2", seconds(30)).value();
  EXPECT_GT(second.token, first.token);
  EXPECT_EQ(code_of(store->append(step(job, 1, first.token))), Errc::Conflict);
  EXPECT_EQ(code_of(store->renew_decider(job, first.token, seconds(30))), Errc::Conflict);
  KW_EXPECT_OK(store->release_decider(job, first.token));  // not its lease: nothing happens
  EXPECT_EQ(code_of(store->acquire_decider(job, "d1", seconds(30))), Errc::Conflict);
  KW_EXPECT_OK(store->append(step(job, 1, second.token)));
  KW_EXPECT_OK(store->release_decider(job, second.token));
  EXPECT_GT(store->acquire_decider(job, "d1", seconds(30)).value().token, second.token);
}

TEST_P(StoreContract, RefusesAnAppendDecidedOnAnOlderHistory) {
  const std::string job = new_job();
  const std::uint64_t token = decide(job);
  KW_EXPECT_OK(store->append(step(job, 0, token)));
  EXPECT_EQ(code_of(store->append(step(job, 0, token))), Errc::Conflict);
  EXPECT_EQ(code_of(store->append(step(job, 2, token))), Errc::Conflict);
  EXPECT_EQ(store->events(job).value().size(), 1u);
}

TEST_P(StoreContract, WritesAllOfAnAppendOrNothing) {
  const std::string job = new_job();
  const std::uint64_t token = decide(job);
  Append bad = step(job, 0, token, {"compile"});
  bad.effects.push_back({"judge", "not json"});
  EXPECT_EQ(code_of(store->append(bad)), Errc::InvalidArgument);
  bad = step(job, 0, token, {"compile"});
  bad.consumed = {7};
  EXPECT_EQ(code_of(store->append(bad)), Errc::Conflict);
  bad = step(job, 0, token);
  bad.events.clear();
  EXPECT_EQ(code_of(store->append(bad)), Errc::InvalidArgument);
  EXPECT_TRUE(store->events(job).value().empty());
  EXPECT_TRUE(store->effects({.job = job, .states = {}}).value().empty());
  EXPECT_EQ(store->job(job).value().last_seq, 0u);
}

TEST_P(StoreContract, KeepsInputsInOrderOfArrivalUntilAnAppendConsumesThem) {
  const std::string job = new_job();
  EXPECT_TRUE(store->post_input(job, "b", "cancel", R"({"why":"user"})").value());
  EXPECT_TRUE(store->post_input(job, "a", "note", "{}").value());
  EXPECT_FALSE(store->post_input(job, "b", "cancel", "{}").value());
  std::vector<Input> inputs = store->inputs(job).value();
  ASSERT_EQ(inputs.size(), 2u);
  EXPECT_EQ(inputs[0].id, "b");
  EXPECT_EQ(inputs[0].payload, R"({"why":"user"})");
  EXPECT_EQ(inputs[1].id, "a");
  Append append = step(job, 0, decide(job));
  append.consumed = {inputs[0].n};
  KW_EXPECT_OK(store->append(append));
  inputs = store->inputs(job).value();
  ASSERT_EQ(inputs.size(), 1u);
  EXPECT_EQ(inputs[0].id, "a");
  append.expected_seq = 1;
  EXPECT_EQ(code_of(store->append(append)), Errc::Conflict);          // consumed twice
  EXPECT_FALSE(store->post_input(job, "b", "cancel", "{}").value());  // also once consumed
}

TEST_P(StoreContract, TakesNothingMoreForAFinishedJob) {
  const std::string job = new_job();
  const std::uint64_t token = decide(job);
  KW_EXPECT_OK(store->append(step(job, 0, token, {"compile", "judge"})));
  Append last = step(job, 1, token, {"time"});
  last.state = JobState::Done;
  EXPECT_EQ(code_of(store->append(last)), Errc::InvalidArgument);
  last.effects.clear();
  last.durable = true;
  KW_EXPECT_OK(store->append(last));
  EXPECT_EQ(code_of(store->append(step(job, 2, token))), Errc::Cancelled);
  EXPECT_EQ(code_of(store->post_input(job, "x", "cancel", "{}")), Errc::Cancelled);
  EXPECT_EQ(code_of(store->acquire_decider(job, "d2", seconds(1))), Errc::Cancelled);
  EXPECT_EQ(store->claim_effect(by("w")).value(), std::nullopt);
  const std::vector<Effect> effects = store->effects({.job = job, .states = {}}).value();
  for (const Effect& effect : effects) {
    EXPECT_EQ(effect.state, EffectState::Cancelled);
  }
}

TEST_P(StoreContract, WakesAWaiterWhenSomethingIsWritten) {
  const std::uint64_t seen = store->wait_for_change(0, seconds(10)).value();
  EXPECT_NE(seen, 0u);
  EXPECT_EQ(store->wait_for_change(seen, std::chrono::milliseconds(1)).value(), seen);
  (void)new_job();
  const std::uint64_t next = store->wait_for_change(seen, seconds(10)).value();
  EXPECT_NE(next, seen);
  std::stop_source stopped;
  stopped.request_stop();
  EXPECT_EQ(store->wait_for_change(next, seconds(10), stopped.get_token()).value(), next);
}

}  // namespace
}  // namespace kw::store
