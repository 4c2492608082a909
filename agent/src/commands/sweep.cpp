#include "sweep.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "kw/agent/task_source.h"

namespace kw::agent {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

void set_class(bench::TaskResult& result, const verify::TaskSanity& sanity) {
  result.klass = bench::parse_task_class(sanity.klass).value_or(bench::TaskClass::Unknown);
  result.trivial = sanity.guesses;
}

/// A task ready to be judged, or the reason why it is not.
struct Prepared {
  Result<Task> task = Task{};
  verify::TaskSanity sanity;
  std::vector<Candidate> candidates;
  double generate_s = 0, compile_s = 0;
};

class Sweep {
 public:
  Sweep(Judging& judging, const std::vector<std::string>& names, const SweepOptions& options,
        DeviceInfo device, std::stop_token stop)
      : judging_(judging),
        names_(names),
        options_(options),
        device_(std::move(device)),
        stop_(std::move(stop)),
        prepared_(names.size()),
        results_(names.size()) {}

  std::vector<bench::TaskResult> run() {
    const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    const int ahead = options_.ahead > 0 ? options_.ahead : cores;
    const auto count = static_cast<int>(std::max<std::size_t>(names_.size(), 1));
    window_ = static_cast<std::size_t>(2 * ahead + options_.judges);
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < std::min(ahead, count); ++i)
        threads.emplace_back([this] { prepare_all(); });
      for (int i = 0; i < std::min(options_.judges, count); ++i) {
        threads.emplace_back([this] { judge_all(); });
      }
    }
    std::vector<bench::TaskResult> out;
    for (auto& result : results_) {
      if (result) out.push_back(std::move(*result));
    }
    return out;
  }

 private:
  bool over() const {
    return stop_.stop_requested() || (options_.until && Clock::now() >= *options_.until);
  }

  void prepare_all() {
    for (std::size_t i = to_prepare_++; i < names_.size(); i = to_prepare_++) {
      {  // Not further ahead than judging needs: tasks and sources are kept in memory.
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return i < judged_from_ + window_ || over(); });
      }
      Prepared made;
      if (!over()) {
        made = prepare(names_[i]);
      } else {
        made.task = fail(Errc::Cancelled, "not begun");
      }
      const std::lock_guard lock(mutex_);
      prepared_[i] = std::move(made);
      changed_.notify_all();
    }
  }

  Prepared prepare(const std::string& name) const {
    Prepared out;
    const auto begin = Clock::now();
    out.task = load_task(name, device_.identity.klass == "ptxvm");
    if (!out.task) return out;
    if (options_.policy) out.task->policy = *options_.policy;
    if (options_.ask) out.sanity = options_.ask(*out.task);
    auto candidates = codegen::generate(*out.task, device_.target, options_.templates);
    out.generate_s = seconds_since(begin);
    if (!candidates) {
      out.task = tl::unexpected(candidates.error());
      return out;
    }
    out.candidates = std::move(*candidates);
    const auto compiling = Clock::now();
    // What does not compile is found, and said, when it is judged; later candidates are seldom
    // asked.
    if (!out.candidates.empty()) {
      (void)judging_.prepare(options_.device, out.candidates.front(), stop_);
    }
    out.compile_s = seconds_since(compiling);
    return out;
  }

  void judge_all() {
    for (std::size_t i = to_judge_++; i < names_.size(); i = to_judge_++) {
      Prepared made;
      {
        std::unique_lock lock(mutex_);
        judged_from_ = std::max(judged_from_, i);
        changed_.notify_all();
        changed_.wait(lock, [&] { return prepared_[i].has_value(); });
        made = std::move(*prepared_[i]);
      }
      if (over()) continue;
      bench::TaskResult result = judge(names_[i], made);
      if (stop_.stop_requested()) continue;  // it may have been cut off
      const std::lock_guard lock(mutex_);
      if (options_.ended) options_.ended(result);
      results_[i] = std::move(result);
    }
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }

  bench::TaskResult judge(const std::string& name, const Prepared& made) const {
    bench::TaskResult result;
    result.task = name;
    if (made.task) result.policy = to_string(policy_in_effect(*made.task));
    result.generate_s = made.generate_s;
    result.compile_s = made.compile_s;
    set_class(result, made.sanity);
    const auto begin = Clock::now();
    if (!made.task) {
      result.outcome = Rejected{RejectKind::NotVerifiable, made.task.error().message, {}, {}};
    }
    for (const Candidate& candidate : made.candidates) {
      if (!made.task) break;
      verify::JudgeOptions how;
      how.full = options_.full;
      how.timing = device_.has_time;
      how.fresh_process_retime = options_.retime && device_.has_time;
      how.deadline = options_.deadline;
      auto outcome = judging_.judge(options_.device, *made.task, candidate, how, stop_);
      if (!outcome) {
        outcome = Outcome(Rejected{RejectKind::NotVerifiable, outcome.error().message, {}, {}});
      }
      if (const auto* pass = std::get_if<Passed>(&*outcome); pass != nullptr && options_.accepted) {
        if (const Status done = options_.accepted(*made.task, candidate, *pass); !done) {
          result.refused.push_back(
              fmt::format("{}: {}", candidate.generator, done.error().message));
        }
      }
      const bool good = passed(*outcome);
      if (const auto* bad = std::get_if<Rejected>(&*outcome)) {
        result.refused.push_back(fmt::format("{}: {}: {}", candidate.generator,
                                             to_string(bad->kind), bad->reason.substr(0, 400)));
      }
      result.outcome = std::move(*outcome);
      if (const auto* pass = std::get_if<Passed>(&result.outcome); pass && options_.learn) {
        set_class(result, options_.learn(*made.task, pass->evidence));
      }
      result.kernel = candidate.generator;
      if (good) break;
    }
    result.judge_s = seconds_since(begin);
    result.seconds = result.generate_s + result.compile_s + result.judge_s;
    return result;
  }

  Judging& judging_;
  const std::vector<std::string>& names_;
  const SweepOptions& options_;
  const DeviceInfo device_;
  const std::stop_token stop_;
  std::atomic<std::size_t> to_prepare_ = 0, to_judge_ = 0;
  std::size_t window_ = 1;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t judged_from_ = 0;                            // guarded by mutex_
  std::vector<std::optional<Prepared>> prepared_;          // guarded by mutex_
  std::vector<std::optional<bench::TaskResult>> results_;  // guarded by mutex_
};

}  // namespace

Result<std::vector<bench::TaskResult>> sweep(Judging& judging,
                                             const std::vector<std::string>& names,
                                             const SweepOptions& options, std::stop_token stop) {
  KW_ASSIGN(DeviceInfo device, judging.device(options.device));
  return Sweep(judging, names, options, std::move(device), std::move(stop)).run();
}

}  // namespace kw::agent
