#include <limits>

#include "contract/store_contract.h"

namespace kw::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const DeviceIdentity kH100{"cuda", "NVIDIA H100", "GPU-1", "580.1", "sm_90"};
const DeviceIdentity kOtherH100{"cuda", "NVIDIA H100", "GPU-2", "580.1", "sm_90"};
const DeviceIdentity kA100{"cuda", "NVIDIA A100", "GPU-3", "580.1", "sm_80"};
const DeviceIdentity kMachine{"ptxvm", "PTX virtual machine", "", "", "sm_80"};

Candidate candidate_of(const std::string& source) {
  Candidate candidate;
  candidate.source = source;
  candidate.proposer = ProposerKind::Template;
  candidate.generator = "stream@1";
  candidate.parameters = {{"block", 256}};
  return candidate;
}

class Library {
 public:
  explicit Library(Store& store) : store_(store) {}

  void task(const TaskKeys& keys, std::vector<std::int64_t> extents = {}) {
    KW_EXPECT_OK(store_.record_task({keys, "task " + keys.shape, std::move(extents), "{}"}));
  }
  std::string candidate(const std::string& source, const std::string& task_key) {
    return store_.record_candidate(candidate_of(source), task_key).value();
  }
  void pass(const std::string& candidate, const std::string& task_key, const DeviceIdentity& device,
            const std::string& judge = "1", bool full = true) {
    Passed passed;
    passed.evidence.device = device;
    passed.evidence.judge_version = judge;
    verdict(candidate, task_key, passed, full);
  }
  void reject(const std::string& candidate, const std::string& task_key,
              const DeviceIdentity& device, const std::string& judge = "1",
              RejectKind kind = RejectKind::WrongResult) {
    Rejected rejected;
    rejected.kind = kind;
    rejected.reason = "off by one";
    rejected.witness = {{"seed", "7"}};
    rejected.evidence.device = device;
    rejected.evidence.judge_version = judge;
    verdict(candidate, task_key, rejected, true);
  }
  void time(const std::string& candidate, const std::string& task_key, const DeviceIdentity& device,
            double median_us, double floor_us = 1, const std::string& protocol = "event.v1") {
    TimingRecord record;
    record.id = "t" + std::to_string(next_++);
    record.candidate = candidate;
    record.task_key = task_key;
    record.device = device;
    record.timing = {median_us, median_us / 2, 0.5, 30, 2.5, floor_us, 100, protocol};
    EXPECT_TRUE(store_.record_timing(record).value());
  }

 private:
  void verdict(const std::string& candidate, const std::string& task_key, Outcome outcome,
               bool full) {
    VerdictRecord record;
    record.id = "v" + std::to_string(next_++);
    record.candidate = candidate;
    record.task_key = task_key;
    record.policy = "ieee";
    record.seed = 0xffffffffffffffffu;
    record.full = full;
    record.outcome = std::move(outcome);
    EXPECT_TRUE(store_.record_verdict(record).value());
  }

  Store& store_;
  int next_ = 0;
};

const TaskKeys kSmall{"sem", "shape-64"};
const TaskKeys kLarge{"sem", "shape-128"};
const TaskKeys kOther{"other", "shape-other"};

BestQuery ask(const TaskKeys& keys, const DeviceIdentity& device) {
  BestQuery query;
  query.keys = keys;
  query.device_class = device.klass;
  query.arch = device.arch;
  query.device_uuid = device.uuid;
  return query;
}

std::vector<std::string> ids(const std::vector<Known>& found) {
  std::vector<std::string> out;
  for (const Known& known : found) out.push_back(known.candidate_id);
  return out;
}

TEST_P(StoreContract, KeepsTheFirstRecordOfATaskAndFillsInWhatItLacked) {
  EXPECT_FALSE(store->task("shape-64").value().has_value());
  KW_EXPECT_OK(store->record_task({kSmall, "first", {}, ""}));
  KW_EXPECT_OK(store->record_task({kSmall, "second", {64, 32}, R"({"v":1})"}));
  KW_EXPECT_OK(store->record_task({kSmall, "third", {1}, R"({"v":2})"}));
  const TaskRecord task = store->task("shape-64").value().value();
  EXPECT_EQ(task.name, "first");
  EXPECT_THAT(task.extents, ElementsAre(64, 32));
  EXPECT_EQ(task.document, R"({"v":1})");
  EXPECT_EQ(task.keys.semantic, "sem");
  EXPECT_EQ(code_of(store->record_task({{}, "x", {}, ""})), Errc::InvalidArgument);
}

TEST_P(StoreContract, RecordsACandidateOnceUnderItsContentId) {
  Library library(*store);
  library.task(kSmall);
  const Candidate candidate = candidate_of("__global__ void k() {}");
  const std::string id = store->record_candidate(candidate, kSmall.shape).value();
  EXPECT_EQ(id, candidate_id(candidate));
  Candidate again = candidate;
  again.proposer = ProposerKind::Model;
  EXPECT_EQ(store->record_candidate(again, kSmall.shape).value(), id);
  EXPECT_EQ(store->candidate(id).value()->proposer, ProposerKind::Template);
  EXPECT_EQ(to_json(*store->candidate(id).value()), to_json(candidate));
  EXPECT_FALSE(store->candidate("none").value().has_value());
  EXPECT_EQ(code_of(store->record_candidate(candidate, "no such task")), Errc::NotFound);
  EXPECT_EQ(code_of(store->record_candidate(candidate_of(std::string(kMaxSourceBytes + 1, ' ')),
                                            kSmall.shape)),
            Errc::ResourceExhausted);
}

TEST_P(StoreContract, RecordsAVerdictAndATimingOncePerId) {
  Library library(*store);
  library.task(kSmall);
  const std::string id = library.candidate("k", kSmall.shape);
  library.reject(id, kSmall.shape, kH100);
  library.time(id, kSmall.shape, kH100, 12.5);
  VerdictRecord verdict = store->verdicts(id).value().at(0);
  EXPECT_EQ(verdict.seed, 0xffffffffffffffffu);
  EXPECT_EQ(verdict.policy, "ieee");
  EXPECT_TRUE(verdict.full);
  EXPECT_EQ(verdict.time_us, clock.wall_us());
  EXPECT_EQ(std::get<Rejected>(verdict.outcome).witness.at("seed"), "7");
  EXPECT_FALSE(store->record_verdict(verdict).value());
  TimingRecord timing = store->timings(id).value().at(0);
  EXPECT_EQ(timing.device.driver, "580.1");
  EXPECT_EQ(timing.timing.median_us, 12.5);
  EXPECT_EQ(timing.timing.samples, 30);
  EXPECT_EQ(timing.timing.protocol, "event.v1");
  EXPECT_FALSE(store->record_timing(timing).value());
  timing.id = "fresh";
  timing.timing.median_us = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(code_of(store->record_timing(timing)), Errc::InvalidArgument);
  timing.timing.median_us = 1;
  timing.candidate = "no such candidate";
  EXPECT_EQ(code_of(store->record_timing(timing)), Errc::NotFound);
  verdict.id = "fresh";
  std::get<Rejected>(verdict.outcome).evidence.judge_version.clear();
  EXPECT_EQ(code_of(store->record_verdict(verdict)), Errc::InvalidArgument);
}

TEST_P(StoreContract, FallsThroughFromThisInstanceToOtherShapesAndDevices) {
  Library library(*store);
  library.task(kSmall, {64, 64});
  library.task(kLarge, {128, 64});
  library.task({"sem", "shape-4096"}, {4096, 64});
  library.task(kOther);
  const std::string here = library.candidate("here", kSmall.shape);
  const std::string same_arch = library.candidate("same arch", kSmall.shape);
  const std::string other_arch = library.candidate("other arch", kSmall.shape);
  const std::string far = library.candidate("far", "shape-4096");
  const std::string near = library.candidate("near", kLarge.shape);
  const std::string elsewhere = library.candidate("elsewhere", kLarge.shape);
  const std::string unrelated = library.candidate("unrelated", kOther.shape);
  library.pass(elsewhere, kLarge.shape, kA100);
  library.pass(far, "shape-4096", kH100);
  library.pass(near, kLarge.shape, kH100);
  library.pass(other_arch, kSmall.shape, kA100);
  library.pass(same_arch, kSmall.shape, kOtherH100);
  library.pass(here, kSmall.shape, kH100);
  library.pass(unrelated, kOther.shape, kH100);

  BestQuery query = ask(kSmall, kH100);
  query.extents = {64, 64};
  query.limit = 10;
  const std::vector<Known> found = store->best_for(query).value();
  EXPECT_THAT(ids(found), ElementsAre(here, same_arch, other_arch, near, far, elsewhere));
  EXPECT_EQ(found[0].match, Match::SameDevice);
  EXPECT_EQ(found[1].match, Match::SameArch);
  EXPECT_EQ(found[2].match, Match::OtherArch);
  EXPECT_EQ(found[3].match, Match::NearestShape);
  EXPECT_EQ(found[3].task_key, kLarge.shape);
  EXPECT_DOUBLE_EQ(found[3].distance, 1);
  EXPECT_DOUBLE_EQ(found[4].distance, 6);
  EXPECT_EQ(found[5].match, Match::NearestElsewhere);
  EXPECT_EQ(found[0].candidate.source, "here");
  query.limit = 2;
  EXPECT_THAT(ids(store->best_for(query).value()), ElementsAre(here, same_arch));
  EXPECT_THAT(ids(store->best_for(ask({"none", "none"}, kH100)).value()), IsEmpty());
}

TEST_P(StoreContract, PrefersTheFasterCandidateByItsNewestTiming) {
  Library library(*store);
  library.task(kSmall);
  const std::string a = library.candidate("a", kSmall.shape);
  const std::string b = library.candidate("b", kSmall.shape);
  const std::string untimed = library.candidate("c", kSmall.shape);
  for (const auto& id : {untimed, a, b}) library.pass(id, kSmall.shape, kH100);
  library.time(a, kSmall.shape, kH100, 10);
  library.time(b, kSmall.shape, kH100, 20);
  EXPECT_THAT(ids(store->best_for(ask(kSmall, kH100)).value()), ElementsAre(a, b, untimed));
  library.time(a, kSmall.shape, kH100, 30);      // re-timed: it was luck
  library.time(a, kSmall.shape, kOtherH100, 1);  // another device does not count here
  const std::vector<Known> found = store->best_for(ask(kSmall, kH100)).value();
  EXPECT_THAT(ids(found), ElementsAre(b, a, untimed));
  EXPECT_EQ(found[1].timing->median_us, 30);
  EXPECT_FALSE(found[2].timing.has_value());
  library.time(a, kSmall.shape, kH100, 2, 1, "event.v2");
  BestQuery query = ask(kSmall, kH100);
  query.protocol = "event.v2";
  const std::vector<Known> by_new_protocol = store->best_for(query).value();
  EXPECT_EQ(by_new_protocol.at(0).candidate_id, a);
  EXPECT_FALSE(by_new_protocol.at(1).timing.has_value());
}

TEST_P(StoreContract, NeverAnswersAGpuQuestionFromTheVirtualMachine) {
  Library library(*store);
  library.task(kSmall);
  const std::string id = library.candidate("a", kSmall.shape);
  library.pass(id, kSmall.shape, kMachine);
  EXPECT_THAT(ids(store->best_for(ask(kSmall, kA100)).value()), IsEmpty());
  EXPECT_THAT(ids(store->best_for(ask(kSmall, kMachine)).value()), ElementsAre(id));
}

TEST_P(StoreContract, ForgetsACandidateThatWasFoundWrongLater) {
  Library library(*store);
  library.task(kSmall);
  const std::string id = library.candidate("a", kSmall.shape);
  const auto best = [&](const DeviceIdentity& device) {
    return ids(store->best_for(ask(kSmall, device)).value());
  };
  library.pass(id, kSmall.shape, kH100, "1", /*full=*/false);
  EXPECT_THAT(best(kH100), IsEmpty());  // the cheap checks alone prove nothing
  library.pass(id, kSmall.shape, kH100);
  EXPECT_THAT(best(kH100), ElementsAre(id));
  library.reject(id, kSmall.shape, kH100, "1", RejectKind::NotVerifiable);
  library.reject(id, kSmall.shape, kMachine, "1");  // another class of device
  EXPECT_THAT(best(kH100), ElementsAre(id));
  library.reject(id, kSmall.shape, kA100, "1", RejectKind::LaunchError);
  EXPECT_THAT(best(kH100), ElementsAre(id));
  EXPECT_THAT(best(kA100), IsEmpty());  // known to fail there
  library.reject(id, kSmall.shape, kH100, "1", RejectKind::Race);
  EXPECT_THAT(best(kH100), IsEmpty());
  library.pass(id, kSmall.shape, kH100, "1");  // the same judge cannot take it back by luck
  EXPECT_THAT(best(kH100), IsEmpty());
  library.pass(id, kSmall.shape, kH100, "2");  // a better judge can
  EXPECT_THAT(best(kH100), ElementsAre(id));
}

TEST_P(StoreContract, ListsTheBestKernelOfEachTaskAndDevice) {
  Library library(*store);
  library.task(kSmall);
  library.task(kOther);
  const std::string a = library.candidate("a", kSmall.shape);
  const std::string b = library.candidate("b", kSmall.shape);
  const std::string c = library.candidate("c", kOther.shape);
  library.pass(a, kSmall.shape, kH100);
  library.pass(b, kSmall.shape, kH100);
  library.pass(a, kSmall.shape, kA100);
  library.pass(c, kOther.shape, kH100);
  library.time(a, kSmall.shape, kH100, 20);
  library.time(b, kSmall.shape, kH100, 10);
  const std::vector<RegistryEntry> entries = store->registry("cuda").value();
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].candidate_id, c);
  EXPECT_FALSE(entries[0].timing.has_value());
  EXPECT_EQ(entries[1].candidate_id, a);
  EXPECT_EQ(entries[1].device.uuid, "GPU-3");
  EXPECT_EQ(entries[2].candidate_id, b);
  EXPECT_EQ(entries[2].timing->median_us, 10);
  EXPECT_EQ(entries[2].task_name, "task shape-64");
  EXPECT_EQ(entries[2].generator, "stream@1");
  EXPECT_EQ(entries[2].proposer, ProposerKind::Template);
  EXPECT_EQ(store->registry("cuda", 1).value().size(), 1u);
  EXPECT_THAT(store->registry("ptxvm").value(), IsEmpty());
}

TEST_P(StoreContract, SaysWhichTaskIsWorthTuningMost) {
  Library library(*store);
  library.task(kSmall);
  library.task(kOther);
  const std::string a = library.candidate("a", kSmall.shape);
  const std::string b = library.candidate("b", kOther.shape);
  library.pass(a, kSmall.shape, kH100);
  library.pass(b, kOther.shape, kH100);
  library.time(a, kSmall.shape, kH100, 110, 100);  // wastes 10 us
  library.time(b, kOther.shape, kH100, 34, 30);    // wastes 4 us, but is asked for three times
  NewJob job{.idempotency_key = {},
             .kind = "generate",
             .parent = {},
             .task_key = kOther.shape,
             .spec = "{}"};
  for (int i = 0; i < 3; ++i) KW_EXPECT_OK(store->create_job(job));
  std::vector<Worth> worth = store->worth_most("GPU-1", 5).value();
  ASSERT_EQ(worth.size(), 2u);
  EXPECT_EQ(worth[0].candidate_id, b);
  EXPECT_EQ(worth[0].asked, 3);
  EXPECT_DOUBLE_EQ(worth[0].worth_us, 12);
  EXPECT_DOUBLE_EQ(worth[1].worth_us, 10);
  job.kind = "tune";  // it was tried since, without a better timing
  KW_EXPECT_OK(store->create_job(job));
  worth = store->worth_most("GPU-1").value();
  ASSERT_EQ(worth.size(), 1u);
  EXPECT_EQ(worth[0].candidate_id, a);
  EXPECT_EQ(worth[0].document, "{}");
  EXPECT_THAT(store->worth_most("GPU-9").value(), IsEmpty());
}

}  // namespace
}  // namespace kw::store
