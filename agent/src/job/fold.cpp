#include <algorithm>

#include "kw/agent/decide.h"

namespace kw::agent {
namespace {

class Folder {
 public:
  explicit Folder(State& state) : s_(state) {}

  void operator()(const JobCreated& fact) {
    s_.spec = fact.spec;
    if (fact.spec.model) s_.lanes.resize(static_cast<std::size_t>(fact.spec.model->lanes));
  }

  void operator()(const StepsAsked& fact) {
    if (s_.phase == State::Phase::New) s_.phase = State::Phase::Racing;
    for (const Step& step : fact.steps) {
      s_.open[step.id] = step.body;
      if (const auto* judge = std::get_if<JudgeStep>(&step.body)) {
        if (CandidateState* c = s_.find(judge->candidate)) c->status = CandidateStatus::Judging;
      } else if (const auto* ask = std::get_if<AskStep>(&step.body)) {
        LaneState& lane = s_.lanes[static_cast<std::size_t>(ask->lane)];
        lane = {.phase = LaneState::Phase::Asking,
                .round = ask->round + 1,
                .asked = step.id,
                .candidate = {},
                .finding = {}};
        s_.phase = State::Phase::Racing;
      } else if (const auto* propose = std::get_if<ProposeStep>(&step.body)) {
        const bool memory = propose->proposer == ProposerKind::Memory;
        if (memory && s_.spec.objective == Objective::First) s_.phase = State::Phase::Looking;
        if (!memory) s_.phase = State::Phase::Racing;
      } else {
        s_.phase = State::Phase::Tuning;
      }
    }
  }

  void operator()(const StepsCancelled& fact) {
    for (const std::string& id : fact.steps) {
      const auto step = s_.open.find(id);
      if (step == s_.open.end()) continue;
      if (const auto* judge = std::get_if<JudgeStep>(&step->second)) {
        if (CandidateState* c = s_.find(judge->candidate)) c->status = CandidateStatus::Unjudged;
      } else if (const auto* ask = std::get_if<AskStep>(&step->second)) {
        s_.lanes[static_cast<std::size_t>(ask->lane)].phase = LaneState::Phase::Ended;
      }
      s_.open.erase(step);
    }
  }

  void operator()(const Proposed& fact) {
    s_.open.erase(fact.step);
    LaneState* lane = fact.lane < 0 ? nullptr : &s_.lanes[static_cast<std::size_t>(fact.lane)];
    if (lane) {
      ++s_.requests;
      s_.input_tokens += fact.input_tokens;
      s_.output_tokens += fact.output_tokens;
      if (!fact.tokens_known) ++s_.unknown_usage;
      lane->phase = LaneState::Phase::Ready;
    }
    if (fact.finding) note(*fact.finding, lane);
    for (const ProposedCandidate& proposed : fact.candidates) admit(fact, proposed, lane);
  }

  void operator()(const Judged& fact) {
    s_.open.erase(fact.step);
    CandidateState* c = s_.find(fact.candidate);
    if (!c) return;
    c->verdict = fact.step;
    c->reason = fact.passed ? std::string{} : fact.kind + ": " + fact.reason;
    if (fact.median_us) c->median_us = fact.median_us;
    c->status = !fact.passed ? CandidateStatus::Rejected
                : fact.full  ? CandidateStatus::Confirmed
                             : CandidateStatus::Passed;
    if (c->status == CandidateStatus::Passed) c->passed_at = s_.seq + 1;
    if (s_.chosen == c->id && !fact.passed) s_.chosen.clear();
    after_judging(*c);
  }

  void operator()(const Tuned& fact) {
    s_.open.erase(fact.step);
    s_.tuned = true;
    s_.phase = State::Phase::Racing;
    if (fact.candidate.empty() || s_.find(fact.candidate)) return;
    CandidateState c;
    c.id = fact.candidate;
    c.proposer = ProposerKind::Template;
    c.generator = fact.generator;
    c.status = CandidateStatus::Passed;
    c.median_us = fact.median_us;
    c.passed_at = s_.seq + 1;
    s_.candidates.push_back(std::move(c));
  }

  void operator()(const StepFailed& fact) {
    const auto step = s_.open.find(fact.step);
    if (step == s_.open.end()) return;
    s_.error = Error{fact.code, fact.message};
    if (const auto* judge = std::get_if<JudgeStep>(&step->second)) {
      if (CandidateState* c = s_.find(judge->candidate)) {
        ++c->failures;
        c->status = CandidateStatus::Unjudged;
        if (s_.chosen == c->id) s_.chosen.clear();
        after_judging(*c);
      }
    } else if (const auto* ask = std::get_if<AskStep>(&step->second)) {
      LaneState& lane = s_.lanes[static_cast<std::size_t>(ask->lane)];
      lane.phase = LaneState::Phase::Ended;
      note({FindingKind::ProposerFailed, fact.message, ask->lane, ask->round}, nullptr);
    } else if (std::holds_alternative<ProposeStep>(step->second)) {
      note({FindingKind::ProposerFailed, fact.message, -1, 0}, nullptr);
    } else {
      s_.tuned = true;
      s_.phase = State::Phase::Racing;
      note({FindingKind::ProposerFailed, "tuning: " + fact.message, -1, 0}, nullptr);
    }
    s_.open.erase(step);
  }

  void operator()(const BudgetSpent&) {
    if (s_.phase != State::Phase::Tuning) s_.budget_spent = true;
  }
  void operator()(const CancelAsked& fact) { s_.cancel_asked = fact.reason; }
  void operator()(const WinnerChosen& fact) { s_.chosen = fact.candidate; }
  void operator()(const Accepted& fact) {
    s_.winner = fact.candidate;
    s_.from_memory = fact.from_memory;
  }
  void operator()(const Finished& fact) {
    s_.phase = State::Phase::Final;
    s_.status = fact.status;
    if (fact.error) s_.error = fact.error;
  }

 private:
  void note(Finding finding, LaneState* lane) {
    if (lane) lane->finding = finding;
    if (ends_lanes(finding.kind)) {
      for (LaneState& each : s_.lanes) {
        if (each.phase == LaneState::Phase::Ready) each.phase = LaneState::Phase::Ended;
      }
      s_.endpoint_lost = true;
    }
    s_.findings.push_back(std::move(finding));
  }

  void admit(const Proposed& fact, const ProposedCandidate& proposed, LaneState* lane) {
    if (s_.find(proposed.id)) {
      if (lane) {
        note({FindingKind::DuplicateCandidate, "the same candidate was proposed before", fact.lane,
              fact.round},
             lane);
      }
      return;
    }
    CandidateState c;
    c.id = proposed.id;
    c.proposer = fact.proposer;
    c.generator = proposed.generator;
    c.match = proposed.match;
    c.lane = fact.lane;
    c.round = fact.round;
    s_.candidates.push_back(std::move(c));
    if (lane) {
      lane->phase = LaneState::Phase::Judging;
      lane->candidate = proposed.id;
    }
  }

  /// The lane that proposed a candidate goes on to its next round, or ends.
  void after_judging(const CandidateState& c) {
    if (c.lane < 0) return;
    LaneState& lane = s_.lanes[static_cast<std::size_t>(c.lane)];
    if (lane.candidate != c.id || lane.phase == LaneState::Phase::Asking) return;
    const bool improve = c.status == CandidateStatus::Passed && s_.spec.has_time &&
                         s_.spec.objective == Objective::Best;
    const bool repair = c.status == CandidateStatus::Rejected;
    lane.phase = improve || repair ? LaneState::Phase::Ready : LaneState::Phase::Ended;
  }

  State& s_;
};

}  // namespace

void fold(State& state, const Fact& fact) {
  std::visit(Folder(state), fact);
  ++state.seq;
}

const CandidateState* State::find(const std::string& id) const {
  const auto it = std::find_if(candidates.begin(), candidates.end(),
                               [&](const CandidateState& c) { return c.id == id; });
  return it == candidates.end() ? nullptr : &*it;
}

CandidateState* State::find(const std::string& id) {
  return const_cast<CandidateState*>(std::as_const(*this).find(id));
}

}  // namespace kw::agent
