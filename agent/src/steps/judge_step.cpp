#include "judge_step.h"

#include "kw/agent/sanity.h"
#include "kw/agent/steps.h"

namespace kw::agent {
namespace {

Judged summarise(const StepContext& context, const JudgeStep& step, std::uint64_t seed,
                 const Outcome& outcome) {
  Judged judged;
  judged.step = context.step;
  judged.candidate = step.candidate;
  judged.full = step.full;
  judged.seed = seed;
  if (const auto* good = std::get_if<Passed>(&outcome)) {
    judged.passed = true;
    if (good->timing) judged.median_us = good->timing->median_us;
  } else {
    const Rejected& bad = std::get<Rejected>(outcome);
    judged.kind = to_string(bad.kind);
    judged.reason = bad.reason;
  }
  return judged;
}

/// What was learned from a model's mistake, to be found again by its words.
Status remember_lesson(const Workbench& bench, const Candidate& candidate, const Judged& judged) {
  if (judged.passed || candidate.proposer != ProposerKind::Model) return {};
  store::Lesson lesson;
  lesson.semantic = bench.context.spec.keys.semantic;
  lesson.topic = judged.kind;
  lesson.text = judged.reason.substr(0, 4096);
  lesson.candidate = judged.candidate;
  KW_RETURN_IF_ERROR(bench.store.add_lesson(lesson));
  return {};
}

}  // namespace

Result<Input> judge_step(const Workbench& bench, const JudgeStep& step, std::stop_token stop) {
  KW_ASSIGN(const auto candidate, bench.store.candidate(step.candidate));
  if (!candidate) return fail(Errc::NotFound, "candidate {} is not in the store", step.candidate);

  verify::JudgeOptions options;
  options.seed = random_seed();  // drawn now, when the candidate can no longer change
  options.full = step.full;
  options.timing = step.timing;
  options.fresh_process_retime = step.full && step.timing;
  KW_ASSIGN(const Outcome outcome, bench.judging.judge(bench.context.spec.device, bench.task,
                                                       *candidate, options, std::move(stop)));
  const Judged judged = summarise(bench.context, step, options.seed, outcome);

  store::VerdictRecord verdict;
  verdict.id = bench.context.step;
  verdict.candidate = step.candidate;
  verdict.task_key = bench.context.spec.keys.shape;
  verdict.job = bench.context.job;
  verdict.policy = to_string(bench.task.policy);
  verdict.seed = options.seed;
  verdict.full = step.full;
  verdict.outcome = outcome;
  KW_RETURN_IF_ERROR(bench.store.record_verdict(verdict));
  if (const auto* good = std::get_if<Passed>(&outcome); good && good->timing) {
    KW_RETURN_IF_ERROR(bench.store.record_timing({bench.context.step, step.candidate,
                                                  bench.context.spec.keys.shape,
                                                  good->evidence.device, *good->timing, 0}));
  }
  if (const auto* good = std::get_if<Passed>(&outcome); good && step.full) {
    KW_ASSIGN(const verify::TaskSanity known,
              learn_sanity(bench.store, bench.task, good->evidence));
  }
  KW_RETURN_IF_ERROR(remember_lesson(bench, *candidate, judged));
  return judged;
}

}  // namespace kw::agent
