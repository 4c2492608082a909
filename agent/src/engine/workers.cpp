#include "workers.h"

#include <algorithm>
#include <exception>

namespace kw::agent {
namespace {

/// How soon a worker looks again for steps whose lease expired in another process.
constexpr std::chrono::milliseconds kLookAgain{500};

Result<Input> perform_safely(StepDoer& doer, const StepContext& context, const StepBody& body,
                             std::stop_token stop) {
  try {
    return doer.perform(context, body, std::move(stop));
  } catch (const std::exception& error) {
    return fail(Errc::Internal, "step '{}' threw: {}", kind_of(body), error.what());
  }
}

}  // namespace

Workers::Workers(store::Store& store, StepDoer& doer, EngineOptions options,
                 std::function<void()> completed, Stuck stuck)
    : store_(store),
      doer_(doer),
      options_(std::move(options)),
      completed_(std::move(completed)),
      stuck_(std::move(stuck)) {
  const int judges = options_.judge_threads > 0
                         ? options_.judge_threads
                         : std::max(2, static_cast<int>(std::thread::hardware_concurrency()));
  const auto start = [this](std::vector<std::string> kinds, int index) {
    threads_.emplace_back([this, kinds = std::move(kinds), index](std::stop_token stop) {
      work(std::move(stop), kinds, index);
    });
  };
  for (int i = 0; i < judges; ++i) start({"propose", "judge", "tune"}, i);
  for (int i = 0; i < options_.model_threads; ++i) start({"model_request"}, judges + i);
  heartbeat_ = std::jthread([this](std::stop_token stop) { beat(std::move(stop)); });
}

Workers::~Workers() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (auto& [id, running] : running_) running.stop.request_stop();
  }
  for (std::jthread& thread : threads_) thread.request_stop();
  threads_.clear();  // the heartbeat goes on until the last step has ended
  heartbeat_.request_stop();
}

void Workers::add_job(const std::string& job, const JobSpec& spec) {
  {
    const std::lock_guard lock(mutex_);
    jobs_[job] = spec;
  }
  wake();
}

void Workers::remove_job(const std::string& job) {
  const std::lock_guard lock(mutex_);
  jobs_.erase(job);
  for (auto& [id, running] : running_) {
    if (running.job == job) running.stop.request_stop();
  }
}

void Workers::wake() {
  {
    const std::lock_guard lock(mutex_);
    ++generation_;
  }
  wake_.notify_all();
}

void Workers::stop_steps(const std::vector<std::string>& steps) {
  const std::lock_guard lock(mutex_);
  for (const std::string& step : steps) {
    const auto running = running_.find(step);
    if (running != running_.end()) running->second.stop.request_stop();
  }
}

void Workers::work(std::stop_token stop, std::vector<std::string> kinds, int index) {
  store::ClaimFilter filter;
  filter.kinds = std::move(kinds);
  filter.worker = fmt::format("{}:{}", options_.worker, index);
  filter.lease = options_.lease;
  while (!stop.stop_requested()) {
    std::vector<std::string> jobs;
    std::uint64_t seen = 0;
    {
      const std::lock_guard lock(mutex_);
      seen = generation_;
      for (const auto& [job, spec] : jobs_) jobs.push_back(job);
    }
    bool found = false;
    for (const std::string& job : jobs) {
      if (stop.stop_requested()) return;
      filter.job = job;
      const auto claimed = claim(filter);
      if (!claimed) continue;
      found = true;
      perform(*claimed, job);
    }
    if (found) continue;
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, kLookAgain, [&] { return generation_ != seen; });
  }
}

std::optional<store::ClaimedEffect> Workers::claim(const store::ClaimFilter& filter) {
  auto claimed = store_.claim_effect(filter);
  // A store that cannot be read stops the decider with a message; a worker only finds no work.
  if (!claimed) return std::nullopt;
  return *std::move(claimed);
}

void Workers::perform(const store::ClaimedEffect& claimed, const std::string& job) {
  StepContext context{job, claimed.effect.id, claimed.effect.attempt, {}};
  std::stop_token stop;
  bool unwanted = false;
  {
    const std::lock_guard lock(mutex_);
    const auto spec = jobs_.find(job);
    unwanted = stopping_ || spec == jobs_.end();
    if (!unwanted) {
      context.spec = spec->second;
      Running running{job, claimed.token, {}};
      stop = running.stop.get_token();
      running_.insert_or_assign(claimed.effect.id, std::move(running));
    }
  }
  if (unwanted) {
    (void)store_.release_effect(claimed.effect.id, claimed.token);
    return;
  }
  Result<Input> result = [&]() -> Result<Input> {
    if (claimed.effect.attempt > options_.max_attempts) {
      return fail(Errc::Internal, "given up after {} attempts whose process died",
                  options_.max_attempts);
    }
    KW_ASSIGN(const StepBody body, parse_step(claimed.effect.kind, claimed.effect.payload));
    return perform_safely(doer_, context, body, stop);
  }();
  finish(claimed, job, result, stop.stop_requested());
  {
    const std::lock_guard lock(mutex_);
    running_.erase(claimed.effect.id);
  }
  completed_();
}

void Workers::finish(const store::ClaimedEffect& claimed, const std::string& job,
                     const Result<Input>& result, bool stopped) {
  const std::string& id = claimed.effect.id;
  if (!result && stopped && result.error().code == Errc::Cancelled) {
    // Cancelled steps are gone already; at a shutdown this hands the step to whoever is next.
    (void)store_.release_effect(id, claimed.token);
    return;
  }
  if (!result && result.error().code == Errc::Io) {
    remove_job(job);
    (void)store_.release_effect(id, claimed.token);
    stuck_(job, result.error());
    return;
  }
  const Input input =
      result ? *result : Input(StepFailed{id, result.error().code, result.error().message});
  // Lost leases and cancelled steps are refused here: the result is dropped, as it must be. A write
  // that fails leaves the step leased; it is done again once the lease has run out.
  (void)store_.complete_effect(id, claimed.token, encode_input(input));
}

void Workers::beat(std::stop_token stop) {
  while (!stop.stop_requested()) {
    std::map<std::string, std::uint64_t> held;
    {
      std::unique_lock lock(mutex_);
      std::condition_variable_any timer;
      timer.wait_for(lock, stop, std::min(options_.lease / 4, std::chrono::milliseconds(500)),
                     [] { return false; });
      for (const auto& [id, running] : running_) held[id] = running.token;
    }
    for (const auto& [id, token] : held) {
      const auto renewed = store_.renew(id, token, options_.lease);
      if (renewed) continue;
      const Errc code = renewed.error().code;
      if (code == Errc::Cancelled || code == Errc::Conflict || code == Errc::NotFound) {
        stop_steps({id});
      }
    }
  }
}

}  // namespace kw::agent
