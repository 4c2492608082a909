// How fast the store appends, hands out work and answers. The store lies in the temporary
// directory: set TMPDIR to measure another disk.

#include <benchmark/benchmark.h>

#include "fakes/temp_dir.h"
#include "kw/store/store.h"

namespace kw::store {
namespace {

class StoreBench : public benchmark::Fixture {
 public:
  void SetUp(benchmark::State&) override {
    directory_.emplace();
    store = Store::open(path()).value();
    NewJob job;
    job.kind = "bench";
    job.spec = "{}";
    step = {};
    step.job = store->create_job(job).value().job.id;
    step.token = store->acquire_decider(step.job, "bench", std::chrono::hours(1)).value().token;
    step.events = {{"stepped", 1, R"({"lane":3,"candidate":"0123456789abcdef","text":"a line"})"}};
  }
  void TearDown(benchmark::State&) override {
    store.reset();
    directory_.reset();
  }
  std::filesystem::path path() const { return *directory_ / "store.db"; }
  void append() { step.expected_seq = store->append(step).value().last_seq; }

 protected:
  std::unique_ptr<Store> store;
  Append step;

 private:
  std::optional<fakes::TempDir> directory_;
};

BENCHMARK_DEFINE_F(StoreBench, Append)(benchmark::State& state) {
  step.durable = state.range(0) != 0;
  for (auto _ : state) append();
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_REGISTER_F(StoreBench, Append)->ArgName("durable")->Arg(0)->Arg(1)->UseRealTime();

/// One effect's whole way: appended, claimed, completed, consumed, among `open` others.
BENCHMARK_DEFINE_F(StoreBench, EffectRoundTrip)(benchmark::State& state) {
  step.effects.assign(static_cast<std::size_t>(state.range(0)), {"other", "{}", 1});
  append();
  step.effects = {{"work", "{}"}};
  ClaimFilter filter;
  filter.kinds = {"work"};
  for (auto _ : state) {
    append();
    const ClaimedEffect claimed = store->claim_effect(filter).value().value();
    (void)store->complete_effect(claimed.effect.id, claimed.token, "{}").value();
    step.consumed = {store->inputs(step.job).value().front().n};
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_REGISTER_F(StoreBench, EffectRoundTrip)
    ->ArgName("open")
    ->Arg(0)
    ->Arg(1000)
    ->UseRealTime();

BENCHMARK_DEFINE_F(StoreBench, Claim)(benchmark::State& state) {
  const ClaimFilter filter;
  for (auto _ : state) {
    state.PauseTiming();
    step.effects = {{"work", "{}"}};
    append();
    state.ResumeTiming();
    benchmark::DoNotOptimize(store->claim_effect(filter).value());
  }
}
BENCHMARK_REGISTER_F(StoreBench, Claim)->Iterations(500)->UseRealTime();

/// A task's best among `others` tasks, each with a candidate, a verdict and a timing.
BENCHMARK_DEFINE_F(StoreBench, BestFor)(benchmark::State& state) {
  const DeviceIdentity device{"cuda", "a device", "GPU-1", "580", "sm_90"};
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    const std::string name = std::to_string(i);
    const TaskKeys keys{"semantic-" + std::to_string(i / 8), "shape-" + name};
    (void)store->record_task({keys, name, {i + 1, 64}, "{}"});
    Candidate candidate;
    candidate.source = std::string(8000, 'x') + name;
    const std::string id = store->record_candidate(candidate, keys.shape).value();
    Passed passed;
    passed.evidence.device = device;
    passed.evidence.judge_version = "1";
    (void)store->record_verdict({"v" + name, id, keys.shape, {}, "ieee", 1, true, passed});
    (void)store->record_timing(
        {"t" + name, id, keys.shape, device, {10, 9, 1, 30, 0, 5, 100, "p"}});
  }
  BestQuery query;
  query.keys = {"semantic-3", "shape-27"};
  query.extents = {28, 64};
  query.arch = "sm_90";
  query.device_uuid = "GPU-1";
  for (auto _ : state) benchmark::DoNotOptimize(store->best_for(query).value());
}
BENCHMARK_REGISTER_F(StoreBench, BestFor)->ArgName("others")->Arg(100)->Arg(2000);

/// Opening a store of `mib` MiB, its check included.
BENCHMARK_DEFINE_F(StoreBench, Open)(benchmark::State& state) {
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    (void)store->put_blob(std::string(1u << 20, static_cast<char>(i)));
  }
  for (auto _ : state) benchmark::DoNotOptimize(Store::open(path()).value());
}
BENCHMARK_REGISTER_F(StoreBench, Open)->ArgName("mib")->Arg(0)->Arg(60)->Arg(200);

}  // namespace
}  // namespace kw::store
