#include "kw/agent/steps.h"

#include <map>
#include <mutex>

#include "judge_step.h"
#include "tune_step.h"

namespace kw::agent {
namespace {

class Steps final : public StepDoer {
 public:
  explicit Steps(StepServices services) : s_(std::move(services)) {}

  Result<Input> perform(const StepContext& context, const StepBody& body,
                        std::stop_token stop) override {
    KW_ASSIGN(const std::shared_ptr<const Task> task, task_of(context.spec));
    KW_ASSIGN(const DeviceInfo device, s_.judging.device(context.spec.device));
    if (const auto* propose = std::get_if<ProposeStep>(&body)) {
      ProposeRequest request{.job = context.job,
                             .step = context.step,
                             .spec = context.spec,
                             .task = *task,
                             .device = device,
                             .limit = propose->limit,
                             .feedback = {}};
      return ask(propose->proposer, request, std::move(stop));
    }
    if (const auto* lane = std::get_if<AskStep>(&body)) {
      ProposeRequest request{.job = context.job,
                             .step = context.step,
                             .spec = context.spec,
                             .task = *task,
                             .device = device,
                             .limit = 1,
                             .lane = lane->lane,
                             .round = lane->round,
                             .feedback = {}};
      KW_ASSIGN(request.feedback, feedback_of(*lane));
      return ask(ProposerKind::Model, request, std::move(stop));
    }
    if (const auto* judge = std::get_if<JudgeStep>(&body)) {
      return judge_step({s_.store, s_.judging, context, *task, device}, *judge, std::move(stop));
    }
    return tune_step({s_.store, s_.judging, context, *task, device}, std::get<TuneStep>(body),
                     std::move(stop));
  }

 private:
  Result<std::shared_ptr<const Task>> task_of(const JobSpec& spec) {
    {
      const std::lock_guard lock(mutex_);
      const auto known = tasks_.find(spec.keys.shape);
      if (known != tasks_.end()) return known->second;
    }
    KW_ASSIGN(const auto record, s_.store.task(spec.keys.shape));
    if (!record || record->document.empty()) {
      return fail(Errc::NotFound, "the store has no document of task '{}'", spec.task_name);
    }
    auto parsed = parse_task(record->document);
    if (!parsed) return wrap(parsed.error(), "task document in the store");
    auto task = std::make_shared<const Task>(std::move(*parsed));
    const std::lock_guard lock(mutex_);
    tasks_.emplace(spec.keys.shape, task);
    return task;
  }

  Result<std::optional<RoundFeedback>> feedback_of(const AskStep& lane) {
    if (lane.previous.empty()) return std::nullopt;
    RoundFeedback feedback{lane.previous, lane.finding, std::nullopt};
    if (!lane.verdict.empty()) {
      KW_ASSIGN(const auto verdicts, s_.store.verdicts(lane.candidate));
      for (const store::VerdictRecord& each : verdicts) {
        if (each.id == lane.verdict) feedback.outcome = each.outcome;
      }
    }
    return feedback;
  }

  Result<Input> ask(ProposerKind kind, const ProposeRequest& request, std::stop_token stop) {
    Proposed answer;
    answer.step = request.step;
    answer.proposer = kind;
    answer.lane = request.lane;
    answer.round = request.round;
    Proposer* proposer = nullptr;
    for (Proposer* each : s_.proposers) {
      if (each->kind() == kind) proposer = each;
    }
    if (!proposer) {
      answer.finding = Finding{FindingKind::ProposerFailed,
                               fmt::format("this process has no {} proposer", to_string(kind)),
                               request.lane, request.round};
      return answer;
    }
    KW_ASSIGN(Proposal proposal, proposer->propose(request, std::move(stop)));
    for (Offer& offer : proposal.offers) {
      KW_ASSIGN(std::string id,
                s_.store.record_candidate(offer.candidate, request.spec.keys.shape));
      answer.candidates.push_back(
          {std::move(id), offer.candidate.generator, std::move(offer.match)});
    }
    answer.finding = std::move(proposal.finding);
    answer.input_tokens = proposal.input_tokens;
    answer.output_tokens = proposal.output_tokens;
    answer.tokens_known = proposal.tokens_known;
    return answer;
  }

  StepServices s_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Task>> tasks_;  // by instance key; guarded by mutex_
};

}  // namespace

std::unique_ptr<StepDoer> make_steps(StepServices services) {
  return std::make_unique<Steps>(std::move(services));
}

}  // namespace kw::agent
