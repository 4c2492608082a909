#include "job_json.h"
#include "kw/agent/decide.h"

namespace kw::agent {

Result<State> restore(const std::string& job, const std::vector<Event>& events) {
  State state;
  state.job = job;
  for (const Event& event : events) {
    if (event.seq != state.seq + 1) {
      return fail(Errc::Corrupt, "job {}: event {} follows event {}", job, event.seq, state.seq);
    }
    auto fact = parse_fact(event.type, event.version, event.payload);
    if (!fact) return wrap(fact.error(), fmt::format("job {}, event {}", job, event.seq));
    fold(state, *fact);
  }
  return state;
}

Result<Replayed> replay(const std::string& job, const std::vector<Event>& events) {
  Replayed out;
  out.state.job = job;
  std::size_t next = 0;
  while (next < events.size()) {
    const Event& event = events[next];
    KW_ASSIGN(const Fact recorded, parse_fact(event.type, event.version, event.payload));
    const std::optional<Input> input = as_input(recorded);
    if (!input) {
      return fail(Errc::Corrupt, "job {}: event {} ('{}') is a decision that no input explains",
                  job, event.seq, event.type);
    }
    const Decision decision = decide(out.state, *input);
    if (decision.facts.empty()) {
      return fail(Errc::Corrupt, "job {}: event {} ('{}') would have been ignored", job, event.seq,
                  event.type);
    }
    for (const Fact& fact : decision.facts) {
      const bool same = next < events.size() && events[next].type == type_of(fact) &&
                        events[next].payload == payload_of(fact);
      if (!same) {
        return fail(Errc::Corrupt, "job {}: event {} was decided differently: now {} {}", job,
                    next + 1, type_of(fact), payload_of(fact));
      }
      ++next;
    }
    out.state = decision.after;
    ++out.inputs;
    out.facts += decision.facts.size();
  }
  out.winner = out.state.winner;
  return out;
}

std::string summary_json(const State& s) {
  Json rejected = Json::array();
  std::int64_t passed = 0, judged = 0;
  for (const CandidateState& c : s.candidates) {
    const bool good = c.status == CandidateStatus::Passed || c.status == CandidateStatus::Confirmed;
    passed += good;
    judged += good || c.status == CandidateStatus::Rejected;
    if (c.status == CandidateStatus::Rejected && rejected.size() < 64) {
      rejected.push_back({{"candidate", c.id},
                          {"proposer", to_string(c.proposer)},
                          {"generator", c.generator},
                          {"lane", c.lane},
                          {"round", c.round},
                          {"reason", c.reason}});
    }
  }
  Json findings = Json::array();
  for (const Finding& finding : s.findings) findings.push_back(finding_json(finding));
  Json out = {
      {"v", 1},
      {"task", s.spec.task_name},
      {"task_key", s.spec.keys.shape},
      {"device", s.spec.device},
      {"status", s.status ? to_string(*s.status) : "running"},
      {"candidates", {{"proposed", s.candidates.size()}, {"judged", judged}, {"passed", passed}}},
      {"rejected", std::move(rejected)},
      {"findings", std::move(findings)},
      {"model",
       {{"requests", s.requests},
        {"input_tokens", s.input_tokens},
        {"output_tokens", s.output_tokens},
        {"usage_unknown", s.unknown_usage}}}};
  if (const CandidateState* winner = s.winner.empty() ? nullptr : s.find(s.winner)) {
    out["winner"] = {{"candidate", winner->id},        {"proposer", to_string(winner->proposer)},
                     {"generator", winner->generator}, {"from_memory", s.from_memory},
                     {"judged_again", true},           {"match", winner->match},
                     {"verdict", winner->verdict}};
    if (winner->median_us) out["winner"]["median_us"] = number_json(*winner->median_us);
  }
  if (s.error && s.status == JobStatus::Failed) {
    out["error"] = {{"code", to_string(s.error->code)}, {"message", s.error->message}};
  }
  return dump(out);
}

}  // namespace kw::agent
