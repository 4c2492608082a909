#include "kw/agent/decide.h"

#include <algorithm>

#include "kw/search/race.h"
#include "kw/store/jobs.h"

namespace kw::agent {
namespace {

constexpr int kMaxFailures = 2;  // tries to judge one candidate when the failure is ours

/// Works on a copy of the state whose new steps carry placeholder ids; decide() gives them their
/// real ones once the number of facts is known. Level-triggered: next() looks at the state alone
/// and asks for what is missing, so an input can never be lost by arriving at an odd moment.
class Planner {
 public:
  explicit Planner(const State& before) : s_(before) {}

  void record(Fact fact) {
    fold(s_, fact);
    facts_.push_back(std::move(fact));
  }

  void next() {
    if (s_.status) return;
    if (s_.cancel_asked) return finish(JobStatus::Cancelled);
    if (accept_confirmed()) return;
    switch (s_.phase) {
      case State::Phase::New:
        start();
        break;
      case State::Phase::Looking:
        look();
        break;
      case State::Phase::Racing:
        race();
        break;
      case State::Phase::Tuning:
      case State::Phase::Final:
        break;
    }
    flush();
  }

  std::vector<Fact> facts_;
  bool durable_ = false;

 private:
  const JobSpec& spec() const { return s_.spec; }

  void ask(StepBody body) {
    asked_.push_back(Step{"?" + std::to_string(next_placeholder_++), std::move(body)});
  }
  void flush() {
    if (asked_.empty()) return;
    record(StepsAsked{std::move(asked_)});
    asked_.clear();
  }

  void start() {
    if (spec().memory) {
      ask(ProposeStep{ProposerKind::Memory, 2});
      if (spec().objective == Objective::First) return;
    }
    start_race();
  }

  void start_race() {
    if (spec().templates > 0) ask(ProposeStep{ProposerKind::Template, spec().templates});
    if (!spec().transcript.empty()) ask(ProposeStep{ProposerKind::Replay, spec().max_candidates});
    ask_lanes();
    if (asked_.empty() && s_.open.empty()) finish(JobStatus::Unsolved);
  }

  /// Memory answers alone, without generating anything: its candidates are judged in full, one by
  /// one, and the first that passes is the answer.
  void look() {
    if (!s_.open.empty()) return;
    if (s_.budget_spent) return finish(JobStatus::OutOfBudget);
    for (const CandidateState& c : s_.candidates) {
      if (!may_judge(c)) continue;
      ask(JudgeStep{c.id, true, spec().has_time});
      return;
    }
    start_race();
  }

  bool accept_confirmed() {
    for (const CandidateState& c : s_.candidates) {
      if (c.status != CandidateStatus::Confirmed) continue;
      const std::string id = c.id;
      record(Accepted{id, c.proposer == ProposerKind::Memory});
      durable_ = true;
      finish(JobStatus::Solved);
      return true;
    }
    return false;
  }

  void race() {
    if (!s_.chosen.empty()) {
      if (s_.budget_spent) cancel_losers();
      return;  // nothing new is begun while the winner is judged again; what runs goes on
    }
    if (s_.budget_spent) {
      cancel_losers();
    } else if (spec().objective == Objective::First && best()) {
      return choose();
    } else {
      ask_judges();
      ask_lanes();
      flush();
    }
    if (!s_.open.empty()) return;
    if (best()) return choose();
    if (s_.budget_spent) return finish(JobStatus::OutOfBudget);
    const bool any_verdict =
        std::any_of(s_.candidates.begin(), s_.candidates.end(),
                    [](const CandidateState& c) { return c.status == CandidateStatus::Rejected; });
    finish(s_.error && !any_verdict ? JobStatus::Failed : JobStatus::Unsolved);
  }

  static bool may_judge(const CandidateState& c) {
    return c.status == CandidateStatus::Waiting ||
           (c.status == CandidateStatus::Unjudged && c.failures > 0 && c.failures < kMaxFailures);
  }

  /// The generator's generic loop nests: right, slow, and asked only when nothing better passed.
  static bool is_last_resort(const CandidateState& c) {
    return c.generator.starts_with("fallback@");
  }

  /// A race for the first good candidate judges the generator's offers one after another, best
  /// first: the next one is only work if the one before it fails. Lanes are judged as they come.
  /// Where candidates are timed, they are judged one at a time: a device that runs two of them
  /// times neither.
  void ask_judges() {
    const bool timed = spec().has_time;
    const bool one_by_one = spec().objective == Objective::First;
    bool busy = std::any_of(s_.candidates.begin(), s_.candidates.end(), [&](const auto& c) {
      return (timed || c.lane < 0) && c.status == CandidateStatus::Judging;
    });
    const bool better = std::any_of(s_.candidates.begin(), s_.candidates.end(), [](const auto& c) {
      return !is_last_resort(c) && (c.status == CandidateStatus::Waiting ||
                                    c.status == CandidateStatus::Judging ||
                                    c.status == CandidateStatus::Passed);
    });
    auto begun = std::count_if(s_.candidates.begin(), s_.candidates.end(),
                               [](const auto& c) { return c.status != CandidateStatus::Waiting; });
    for (const CandidateState& c : s_.candidates) {
      if (!may_judge(c) || begun >= spec().max_candidates) continue;
      if (is_last_resort(c) && better) continue;
      if (timed || (one_by_one && c.lane < 0)) {
        if (busy) continue;
        busy = true;
      }
      ask(JudgeStep{c.id, false, spec().has_time && spec().objective == Objective::Best});
      ++begun;
    }
  }

  void ask_lanes() {
    if (!spec().model || s_.endpoint_lost) return;
    if (std::ssize(s_.candidates) >= spec().max_candidates) return;
    for (std::size_t i = 0; i < s_.lanes.size(); ++i) {
      const LaneState& lane = s_.lanes[i];
      if (lane.phase != LaneState::Phase::Ready || lane.round >= spec().model->rounds) continue;
      AskStep step{.lane = static_cast<int>(i),
                   .round = lane.round,
                   .previous = lane.asked,
                   .candidate = lane.candidate,
                   .verdict = {},
                   .finding = lane.finding};
      if (const CandidateState* c = s_.find(lane.candidate)) step.verdict = c->verdict;
      ask(std::move(step));
    }
  }

  /// The race as it stands: every candidate is a lane of it, reported in the order of its verdicts.
  search::Race standings() const {
    search::RaceRules rules;
    // Once a winner was tuned, times are what counts whatever the race was about.
    const bool by_time = spec().objective == Objective::Best || s_.tuned;
    rules.objective = by_time ? Objective::Best : Objective::First;
    std::vector<const CandidateState*> passed;
    search::Race race(rules);
    for (const CandidateState& c : s_.candidates) {
      race.join(c.id);
      if (c.status == CandidateStatus::Passed) passed.push_back(&c);
    }
    std::sort(passed.begin(), passed.end(),
              [](const auto* a, const auto* b) { return a->passed_at < b->passed_at; });
    for (const CandidateState* c : passed) {
      race.report({c->id, c->id, true, by_time ? c->median_us : std::nullopt, true});
    }
    return race;
  }

  const CandidateState* best() const {
    const search::Race race = standings();
    return race.leader() ? s_.find(race.leader()->candidate) : nullptr;
  }

  void choose() {
    const CandidateState& c = *best();
    const bool tunable = c.proposer == ProposerKind::Template || c.proposer == ProposerKind::Memory;
    if (spec().tune_evaluations > 0 && spec().has_time && tunable && !s_.tuned) {
      cancel_losers();
      ask(TuneStep{c.id, spec().tune_evaluations, spec().tune_s});
      return flush();
    }
    const std::string id = c.id;
    record(WinnerChosen{id});
    ask(JudgeStep{id, true, spec().has_time});
    flush();
  }

  void cancel_losers() {
    StepsCancelled cancelled;
    for (const auto& [id, body] : s_.open) {
      const auto* judge = std::get_if<JudgeStep>(&body);
      if (judge && judge->candidate == s_.chosen) continue;
      cancelled.steps.push_back(id);
    }
    if (!cancelled.steps.empty()) record(std::move(cancelled));
  }

  void finish(JobStatus status) {
    asked_.clear();
    s_.chosen.clear();
    cancel_losers();
    Finished finished{status, s_.winner, std::nullopt};
    if (status == JobStatus::Failed) finished.error = s_.error;
    record(std::move(finished));
  }

  State s_;
  std::vector<Step> asked_;
  int next_placeholder_ = 0;
};

/// The step an input answers; empty for what nobody asked for.
std::string step_of(const Input& input) {
  return std::visit(
      [](const auto& in) -> std::string {
        if constexpr (requires { in.step; }) return in.step;
        return {};
      },
      input);
}

}  // namespace

Decision decide(const State& before, const Input& input) {
  Decision decision;
  decision.after = before;
  const std::string answered = step_of(input);
  const bool duplicate = (!answered.empty() && !before.open.contains(answered)) || before.status ||
                         (std::holds_alternative<JobCreated>(input) && before.seq != 0);
  if (duplicate) return decision;

  Planner planner(before);
  planner.record(as_fact(input));
  planner.next();

  // Ids depend on the last seq of this append, so they are given at the end.
  decision.facts = std::move(planner.facts_);
  decision.durable = planner.durable_;
  const std::uint64_t last = before.seq + decision.facts.size();
  for (Fact& fact : decision.facts) {
    if (auto* asked = std::get_if<StepsAsked>(&fact)) {
      for (Step& step : asked->steps) {
        step.id = store::effect_id(before.job, last, decision.steps.size());
        decision.steps.push_back(step);
      }
    } else if (auto* cancelled = std::get_if<StepsCancelled>(&fact)) {
      decision.cancel.insert(decision.cancel.end(), cancelled->steps.begin(),
                             cancelled->steps.end());
    }
  }
  for (const Fact& fact : decision.facts) fold(decision.after, fact);
  return decision;
}

}  // namespace kw::agent
