#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "kw/redteam/redteam.h"

namespace kw::redteam {
namespace {

template <typename T>
bool among(const std::vector<T>& list, const T& one) {
  return std::find(list.begin(), list.end(), one) != list.end();
}

void classify(const Case& c, const Outcome& outcome, CaseResult& out) {
  const auto* rejected = std::get_if<Rejected>(&outcome);
  if (rejected == nullptr) {
    out.kind = "passed";
    out.finding = !c.hostile  ? Finding::AsExpected
                  : c.pending ? Finding::KnownGap
                              : Finding::Missed;
    return;
  }
  out.kind = to_string(rejected->kind);
  out.reason = rejected->reason;
  const auto check = rejected->witness.find("check");
  if (check != rejected->witness.end()) out.check = check->second;
  const bool expected = c.hostile && among(c.kinds, rejected->kind) &&
                        (c.checks.empty() || among(c.checks, out.check));
  if (expected) {
    out.finding = Finding::AsExpected;
  } else if (rejected->kind == RejectKind::NotVerifiable) {
    out.finding = Finding::Unjudged;
  } else {
    out.finding = c.hostile ? Finding::Otherwise : Finding::Refused;
  }
}

}  // namespace

std::string_view to_string(Finding finding) noexcept {
  switch (finding) {
    case Finding::AsExpected:
      return "as expected";
    case Finding::Otherwise:
      return "refused otherwise";
    case Finding::Missed:
      return "MISSED";
    case Finding::Refused:
      return "REFUSED";
    case Finding::KnownGap:
      return "known gap";
    case Finding::Unjudged:
      return "not judged";
  }
  return "?";
}

namespace {

constexpr std::size_t kFailuresInRow = 8;

std::vector<const Case*> choose(const std::vector<Case>& cases, const Options& options) {
  std::vector<const Case*> chosen;
  std::size_t number = 0;
  for (const Case& c : cases) {
    const bool wanted = c.name.find(options.filter) != std::string::npos;
    if (!wanted || (c.slow && !options.slow_too)) continue;
    const std::size_t stride = std::max<std::size_t>(options.stride, 1);
    const std::size_t at = number++;
    if (at < options.first || (at - options.first) % stride != 0) continue;
    if (!options.known.contains(c.name)) chosen.push_back(&c);
  }
  return chosen;
}

/// The threads' common ground.
class Trial {
 public:
  Trial(std::vector<const Case*> cases, const Options& options, std::stop_token stop)
      : cases_(std::move(cases)),
        options_(options),
        stop_(std::move(stop)),
        results_(cases_.size()) {}

  void work(verify::Judge& judge) {
    for (std::size_t i = next_++; i < cases_.size(); i = next_++) {
      if (options_.until && std::chrono::steady_clock::now() >= *options_.until) return;
      if (!one(judge, i)) return;
    }
  }

  Result<Report> report() {
    if (error_) return tl::unexpected(*error_);
    Report out;
    for (std::optional<CaseResult>& result : results_) {
      if (result) out.results.push_back(std::move(*result));
    }
    return out;
  }

 private:
  bool one(verify::Judge& judge, std::size_t i) {
    const Case& c = *cases_[i];
    CaseResult result;
    result.which = &c;
    verify::JudgeOptions how;
    how.seed = options_.seed;
    how.deadline = std::chrono::milliseconds(c.deadline_ms);
    const auto begin = std::chrono::steady_clock::now();
    const auto outcome = judge.judge(c.task, c.candidate, how, stop_);
    result.ms =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    const std::lock_guard lock(mutex_);
    if (error_) return false;
    if (outcome) {
      failures_ = 0;
      classify(c, *outcome, result);
    } else {
      const bool end = outcome.error().code == Errc::Cancelled || ++failures_ >= kFailuresInRow;
      if (end) {
        error_ = wrap(outcome.error(), c.name).value();
        return false;
      }
      result.finding = Finding::Unjudged;
      result.kind = "error";
      result.reason = outcome.error().message;
    }
    results_[i] = std::move(result);
    if (options_.progress) options_.progress(*results_[i], ++done_, cases_.size());
    return true;
  }

  const std::vector<const Case*> cases_;
  const Options& options_;
  const std::stop_token stop_;
  std::atomic<std::size_t> next_ = 0;
  std::mutex mutex_;
  std::vector<std::optional<CaseResult>> results_;  // guarded by mutex_
  std::size_t done_ = 0, failures_ = 0;             // guarded by mutex_
  std::optional<Error> error_;                      // guarded by mutex_
};

}  // namespace

Result<Report> run(std::span<verify::Judge* const> judges, const std::vector<Case>& cases,
                   const Options& options, std::stop_token stop) {
  if (judges.empty()) return fail(Errc::InvalidArgument, "no judge");
  Trial trial(choose(cases, options), options, std::move(stop));
  std::vector<std::jthread> threads;
  for (verify::Judge* judge : judges.subspan(1)) {
    threads.emplace_back([&trial, judge] { trial.work(*judge); });
  }
  trial.work(*judges.front());
  threads.clear();
  return trial.report();
}

Result<Report> run(verify::Judge& judge, const std::vector<Case>& cases, const Options& options,
                   std::stop_token stop) {
  verify::Judge* const only[] = {&judge};
  return run(only, cases, options, std::move(stop));
}

std::size_t Report::count(bool hostile) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      results, [&](const CaseResult& r) { return r.which->hostile == hostile; }));
}
std::size_t Report::count(bool hostile, Finding finding) const {
  return static_cast<std::size_t>(std::ranges::count_if(results, [&](const CaseResult& r) {
    return r.which->hostile == hostile && r.finding == finding;
  }));
}
double Report::catch_rate() const {
  const std::size_t all = count(true) - count(true, Finding::KnownGap);
  const std::size_t caught = count(true, Finding::AsExpected) + count(true, Finding::Otherwise);
  return all == 0 ? 1 : static_cast<double>(caught) / static_cast<double>(all);
}
bool Report::sound() const {
  return !results.empty() && catch_rate() >= 1 && count(false, Finding::AsExpected) == count(false);
}

}  // namespace kw::redteam
