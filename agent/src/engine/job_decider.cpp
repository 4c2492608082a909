#include "job_decider.h"

#include <algorithm>

#include "kw/agent/engine.h"

namespace kw::agent {

using std::chrono::duration;
using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::steady_clock;

namespace {

store::JobState stored_state(JobStatus status) {
  switch (status) {
    case JobStatus::Solved:
      return store::JobState::Done;
    case JobStatus::Cancelled:
      return store::JobState::Cancelled;
    case JobStatus::Unsolved:
    case JobStatus::OutOfBudget:
    case JobStatus::Failed:
      return store::JobState::Failed;
  }
  return store::JobState::Failed;
}

/// The winner first, then what is cheap to know, then the rest.
int priority_of(const StepBody& body) {
  if (const auto* judge = std::get_if<JudgeStep>(&body)) return judge->full ? 30 : 20;
  if (std::holds_alternative<ProposeStep>(body)) return 10;
  return 0;
}

Result<Input> parse_fact_as_input(std::string_view type, std::string_view payload) {
  KW_ASSIGN(const Fact fact, parse_fact(type, 1, payload));
  return *as_input(fact);
}

Result<Input> read_input(const store::Input& input) {
  if (input.kind == "budget_spent") return BudgetSpent{};
  if (input.kind == "cancel") return parse_fact_as_input("cancel_asked", input.payload);
  return decode_input(input.payload);
}

}  // namespace

JobDecider::JobDecider(store::Store& store, Clock& clock, std::chrono::milliseconds lease)
    : store_(&store), clock_(&clock), lease_(lease) {}

Result<JobDecider> JobDecider::open(store::Store& store, Clock& clock, const std::string& worker,
                                    std::chrono::milliseconds lease, const std::string& job) {
  JobDecider d(store, clock, lease);
  KW_ASSIGN(const store::DeciderLease held, store.acquire_decider(job, worker, lease));
  d.token_ = held.token;
  d.renew_at_ = clock.now() + lease / 3;
  KW_ASSIGN(const store::Job record, store.job(job));
  d.recorded_spec_ = record.spec;

  std::int64_t first_us = 0, last_us = 0;
  d.state_.job = job;
  for (;;) {  // in pages, so that a long history needs no more memory than its state
    KW_ASSIGN(const std::vector<Event> events, store.events(job, d.state_.seq));
    if (events.empty()) break;
    for (const Event& event : events) {
      auto fact = parse_fact(event.type, event.version, event.payload);
      if (!fact) return wrap(fact.error(), fmt::format("job {}, event {}", job, event.seq));
      if (event.seq == 1) first_us = event.time_us;
      last_us = event.time_us;
      fold(d.state_, *fact);
    }
  }
  // The budget counts the time a job was worked on: what passed between a crash and now does not.
  KW_ASSIGN(const JobSpec spec, parse_job_spec(record.spec));
  const auto spent = microseconds(last_us - first_us);
  const auto budget = duration_cast<microseconds>(duration<double>(spec.budget_s));
  d.budget_end_ = clock.now() + std::max(budget - spent, microseconds(0));
  return d;
}

steady_clock::time_point JobDecider::due() const {
  return budget_posted_ ? renew_at_ : std::min(renew_at_, budget_end_);
}

Status JobDecider::keep_lease() {
  if (clock_->now() < renew_at_) return {};
  KW_RETURN_IF_ERROR(store_->renew_decider(state_.job, token_, lease_));
  renew_at_ = clock_->now() + lease_ / 3;
  return {};
}

Status JobDecider::spend_budget() {
  if (budget_posted_ || clock_->now() < budget_end_) return {};
  budget_posted_ = true;
  const auto posted = store_->post_input(state_.job, "budget", "budget_spent", "{}");
  if (!posted && posted.error().code != Errc::Cancelled) return tl::unexpected(posted.error());
  return {};
}

Result<Advance> JobDecider::advance() {
  Advance out;
  if (state_.status) return out;
  KW_RETURN_IF_ERROR(keep_lease());
  if (state_.seq == 0) {
    KW_ASSIGN(JobSpec spec, parse_job_spec(recorded_spec_));
    KW_RETURN_IF_ERROR(take(JobCreated{std::move(spec)}, std::nullopt, out));
  }
  KW_RETURN_IF_ERROR(spend_budget());
  KW_ASSIGN(const std::vector<store::Input> inputs, store_->inputs(state_.job));
  for (const store::Input& each : inputs) {
    if (state_.status) break;
    if (ignored_.contains(each.n)) continue;
    auto input = read_input(each);
    if (!input) {
      return wrap(input.error(), fmt::format("job {}, input {}", state_.job, each.n));
    }
    KW_RETURN_IF_ERROR(take(*input, each.n, out));
  }
  return out;
}

Status JobDecider::take(const Input& input, std::optional<std::uint64_t> n, Advance& out) {
  Decision decision = decide(state_, input);
  if (decision.facts.empty()) {
    if (n) ignored_.insert(*n);
    return {};
  }
  store::Append step;
  step.job = state_.job;
  step.expected_seq = state_.seq;
  step.token = token_;
  for (const Fact& fact : decision.facts) {
    step.events.push_back({std::string(type_of(fact)), 1, payload_of(fact)});
  }
  for (const Step& asked : decision.steps) {
    step.effects.push_back(
        {std::string(kind_of(asked.body)), to_json(asked.body), priority_of(asked.body), {}});
  }
  step.cancel = decision.cancel;
  step.consumed.assign(ignored_.begin(), ignored_.end());
  if (n) step.consumed.push_back(*n);
  step.state =
      decision.after.status ? stored_state(*decision.after.status) : store::JobState::Running;
  if (decision.after.status) step.summary = summary_json(decision.after);
  step.durable = decision.durable;
  KW_ASSIGN(const store::Appended appended, store_->append(step));
  for (std::size_t i = 0; i < decision.steps.size(); ++i) {
    if (appended.effect_ids[i] != decision.steps[i].id) {
      return fail(Errc::Internal, "job {}: the store named step {} '{}', the decision '{}'",
                  state_.job, i, appended.effect_ids[i], decision.steps[i].id);
    }
  }
  ignored_.clear();
  state_ = std::move(decision.after);
  std::move(decision.facts.begin(), decision.facts.end(), std::back_inserter(out.facts));
  std::move(decision.cancel.begin(), decision.cancel.end(), std::back_inserter(out.cancel));
  return {};
}

void JobDecider::release() { (void)store_->release_decider(state_.job, token_); }

}  // namespace kw::agent
