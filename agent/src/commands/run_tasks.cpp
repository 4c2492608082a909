#include "run_tasks.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "kw/agent/sanity.h"
#include "kw/agent/task_source.h"

namespace kw::agent {
namespace {

using Clock = std::chrono::steady_clock;

std::string describe(const State& state) {
  std::size_t judged = 0;
  for (const CandidateState& c : state.candidates) {
    judged += c.status != CandidateStatus::Waiting && c.status != CandidateStatus::Judging;
  }
  switch (state.phase) {
    case State::Phase::New:
      return "beginning";
    case State::Phase::Looking:
      return "asking memory";
    case State::Phase::Racing:
      if (!state.chosen.empty()) return "judging the winner again";
      return fmt::format("judged {} of {} candidates", judged, state.candidates.size());
    case State::Phase::Tuning:
      return "tuning";
    case State::Phase::Final:
      return std::string(to_string(*state.status));
  }
  return {};
}

Status run_one(Workshop& workshop, const RunOptions& options, TaskRun& run, RunWatch& watch,
               std::stop_token interrupted) {
  JobSpec wish = options.wish;
  KW_ASSIGN(wish.device, resolve_device(wish.device));
  KW_ASSIGN(const Task task, load_task(run.name, wish.device == "vm"));
  KW_ASSIGN(store::NewJob job, prepare_job(workshop, task, wish));
  KW_ASSIGN(run.sanity, ask_sanity(workshop.store(), task));
  watch.say(fmt::format("{}: {}", run.name, describe(run.sanity)));
  job.kind = options.kind;
  job.parent = options.parent;
  KW_ASSIGN(const auto unfinished, find_unfinished(workshop.store(), job));
  if (unfinished) {
    run.job = *unfinished;
    run.resumed = true;
    KW_RETURN_IF_ERROR(workshop.engine().adopt(run.job));
  } else {
    KW_ASSIGN(run.job, workshop.engine().submit(job));
  }
  KW_ASSIGN(run.state, workshop.engine().wait(run.job, std::move(interrupted)));
  KW_ASSIGN(run.sanity, ask_sanity(workshop.store(), task));  // an accept may have told more
  return {};
}

/// How bad an exit code is.
int rank(int code) {
  switch (code) {
    case 130:
      return 5;
    case 3:
      return 4;
    case 2:
      return 3;
    case 4:
      return 2;
    case 1:
      return 1;
    default:
      return 0;
  }
}

int exit_code_of(const TaskRun& run) {
  if (!run.state) return exit_code(run.state.error().code);
  const State& state = *run.state;
  switch (state.status.value_or(JobStatus::Failed)) {
    case JobStatus::Solved:
      return 0;
    case JobStatus::Unsolved:
      return 1;
    case JobStatus::OutOfBudget:
      return exit_code(Errc::DeadlineExceeded);
    case JobStatus::Cancelled:
      return exit_code(Errc::Cancelled);
    case JobStatus::Failed:
      return exit_code(state.error ? state.error->code : Errc::Internal);
  }
  return exit_code(Errc::Internal);
}

}  // namespace

Observer RunWatch::observer() {
  return [this](const State& state, const std::vector<Fact>&) {
    const std::lock_guard lock(mutex_);
    show(state.spec.task_name + ": " + describe(state));
  };
}

void RunWatch::show(const std::string& what) {
  const double elapsed = std::chrono::duration<double>(Clock::now() - begun_).count();
  std::string line = what;
  if (total_ > 1) {
    line = fmt::format("[{}/{}] {}", ended_, total_, what);
    if (ended_ > 0) {
      const double left =
          elapsed / static_cast<double>(ended_) * static_cast<double>(total_ - ended_);
      line += fmt::format(" - about {} left", seconds_text(left));
    }
  }
  progress_.show(fmt::format("{} ({})", line, seconds_text(elapsed)));
}

void RunWatch::say(const std::string& what) {
  const std::lock_guard lock(mutex_);
  show(what);
}

void RunWatch::task_ended(bool solved) {
  const std::lock_guard lock(mutex_);
  ++ended_;
  solved_ += solved;
  if (total_ > 1) show(fmt::format("{} solved", solved_));
}

std::vector<TaskRun> run_tasks(Workshop& workshop, const std::vector<std::string>& names,
                               const RunOptions& options, RunWatch& watch,
                               std::stop_token interrupted) {
  std::vector<TaskRun> runs(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) runs[i].name = names[i];
  std::atomic<std::size_t> next = 0;
  const auto worker = [&] {
    for (std::size_t i = next++; i < runs.size(); i = next++) {
      TaskRun& run = runs[i];
      const auto begun = Clock::now();
      const Status status = interrupted.stop_requested()
                                ? Status(fail(Errc::Cancelled, "interrupted before it began"))
                                : run_one(workshop, options, run, watch, interrupted);
      if (!status) run.state = tl::unexpected(status.error());
      run.seconds = std::chrono::duration<double>(Clock::now() - begun).count();
      watch.task_ended(run.state && run.state->status == JobStatus::Solved);
    }
  };
  std::vector<std::jthread> threads;
  const int count = std::clamp(options.parallel, 1, static_cast<int>(std::max(names.size(), 1ul)));
  for (int i = 1; i < count; ++i) threads.emplace_back(worker);
  worker();
  threads.clear();
  watch.clear();
  return runs;
}

int exit_code_of(const std::vector<TaskRun>& runs) {
  int worst = 0;
  for (const TaskRun& run : runs) {
    const int code = exit_code_of(run);
    if (rank(code) > rank(worst)) worst = code;
  }
  return worst;
}

}  // namespace kw::agent
