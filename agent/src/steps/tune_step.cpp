#include "tune_step.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "kw/agent/steps.h"
#include "kw/core/clock.h"
#include "kw/core/random.h"
#include "kw/core/sha256.h"
#include "kw/search/search.h"

namespace kw::agent {
namespace {

/// Compiles configurations before they are measured, so that the device never waits for NVRTC.
class CompileAhead {
 public:
  CompileAhead(Judging& judging, std::string device) : judging_(judging), device_(std::move(device)) {
    const unsigned count = std::max(1u, std::thread::hardware_concurrency() / 2);
    for (unsigned i = 0; i < count; ++i) {
      threads_.emplace_back([this](std::stop_token stop) { work(std::move(stop)); });
    }
  }
  ~CompileAhead() {
    for (std::jthread& thread : threads_) thread.request_stop();
  }

  void add(Candidate candidate) {
    {
      const std::lock_guard lock(mutex_);
      if (queue_.size() < kMost) queue_.push_back(std::move(candidate));
    }
    wake_.notify_one();
  }

 private:
  static constexpr std::size_t kMost = 64;

  void work(std::stop_token stop) {
    for (;;) {
      Candidate candidate;
      {
        std::unique_lock lock(mutex_);
        if (!wake_.wait(lock, stop, [this] { return !queue_.empty(); })) return;
        candidate = std::move(queue_.front());
        queue_.pop_front();
      }
      (void)judging_.prepare(device_, candidate, stop);  // a failure shows when it is judged
    }
  }

  Judging& judging_;
  std::string device_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<Candidate> queue_;  // guarded by mutex_
  std::vector<std::jthread> threads_;
};

class JudgedConfigurations final : public Evaluator {
 public:
  JudgedConfigurations(const Workbench& bench, const Candidate& base, std::string space_key)
      : bench_(bench),
        base_(base),
        space_key_(std::move(space_key)),
        ahead_(bench.judging, bench.context.spec.device) {}

  Measurement evaluate(const Config& config, std::stop_token stop) override {
    const auto begun = system_clock().now();
    Measurement m = measure(config, std::move(stop));
    m.cost_s = std::chrono::duration<double>(system_clock().now() - begun).count();
    if (error) return m;
    const Status kept = bench_.store.record_tuning(
        {space_key_, bench_.device.identity.uuid, config, m, 0});
    if (!kept) error = kept.error();
    ++evaluations;
    return m;
  }

  void prefetch(const std::vector<Config>& configs) override {
    for (const Config& config : configs) {
      auto candidate = with(config);
      if (candidate) ahead_.add(std::move(*candidate));
    }
  }

  Result<Candidate> with(const Config& config) const {
    return codegen::with_parameters(bench_.task, base_, config, bench_.device.target);
  }

  std::optional<Error> error;  // of ours: ends the search with what is known so far
  int evaluations = 0;

 private:
  Measurement measure(const Config& config, std::stop_token stop) {
    if (error) return {.objective = {}, .failure = error->message};
    const auto candidate = with(config);
    if (!candidate) return {.objective = {}, .failure = candidate.error().message};
    verify::JudgeOptions options;
    options.seed = random_seed();
    options.full = false;
    options.timing = true;
    const auto outcome = bench_.judging.judge(bench_.context.spec.device, bench_.task, *candidate,
                                              options, std::move(stop));
    if (!outcome) {
      error = outcome.error();
      return {.objective = {}, .failure = error->message};
    }
    if (const auto* good = std::get_if<Passed>(&*outcome)) {
      if (!good->timing) return {.objective = {}, .failure = "the device gave no time"};
      return {.objective = good->timing->median_us, .failure = {}};
    }
    const Rejected& bad = std::get<Rejected>(*outcome);
    return {.objective = {}, .failure = fmt::format("{}: {}", to_string(bad.kind), bad.reason)};
  }

  const Workbench& bench_;
  const Candidate& base_;
  std::string space_key_;
  CompileAhead ahead_;
};

}  // namespace

Result<Input> tune_step(const Workbench& bench, const TuneStep& step, std::stop_token stop) {
  KW_ASSIGN(const auto base, bench.store.candidate(step.candidate));
  if (!base) return fail(Errc::NotFound, "candidate {} is not in the store", step.candidate);
  Tuned tuned;
  tuned.step = bench.context.step;
  tuned.from = step.candidate;
  if (base->parameters.empty()) return tuned;
  KW_ASSIGN(const ParameterSpace space,
            codegen::parameter_space(bench.task, *base, bench.device.target));
  if (space.parameters.empty()) return tuned;

  // What an earlier run of this step measured is known: a crash repeats no evaluation.
  const std::string space_key = content_id(
      "kw:tuning:v1", fmt::format("{}\n{}\n{}\n{}", bench.context.spec.keys.shape, base->generator,
                                  base->cover, to_json(space)));
  search::Options options;
  KW_ASSIGN(const auto known, bench.store.tuning(space_key, bench.device.identity.uuid));
  for (const store::TuningRecord& each : known) {
    options.known.emplace_back(each.config, each.measurement);
  }
  options.seed = purpose(bench.context.step);
  options.budget = {static_cast<std::size_t>(step.evaluations), step.seconds};
  options.clock = &system_clock();

  JudgedConfigurations evaluator(bench, *base, space_key);
  KW_ASSIGN(const search::SearchResult found, search::search(space, evaluator, options, stop));
  if (stop.stop_requested()) return fail(Errc::Cancelled, "tuning was stopped");
  tuned.evaluations = evaluator.evaluations;
  if (evaluator.error && !found.best) return tl::unexpected(*evaluator.error);
  if (!found.best) return tuned;
  KW_ASSIGN(const Candidate best, evaluator.with(*found.best));
  KW_ASSIGN(std::string id, bench.store.record_candidate(best, bench.context.spec.keys.shape));
  tuned.generator = best.generator;
  tuned.median_us = found.best_objective;
  if (id != step.candidate) tuned.candidate = std::move(id);
  return tuned;
}

}  // namespace kw::agent
