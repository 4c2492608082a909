#include "job_json.h"

namespace kw::agent {
namespace {

Json optional_number(const std::optional<double>& value) {
  return value ? number_json(*value) : Json(nullptr);
}
Result<std::optional<double>> read_optional_number(JsonReader& r, std::string_view key) {
  const Json* value = r.find(key);
  if (!value || value->is_null()) return std::nullopt;
  KW_ASSIGN(const double number, number_from(*value, r.at(key)));
  return number;
}

Json error_json(const Error& error) {
  return {{"code", to_string(error.code)}, {"message", error.message}};
}
Result<Errc> read_code(const std::string& text) {
  for (int i = 0; i <= static_cast<int>(Errc::Internal); ++i) {
    if (to_string(static_cast<Errc>(i)) == text) return static_cast<Errc>(i);
  }
  return fail(Errc::Corrupt, "unknown error code '{}'", text);
}

Json strings(const std::vector<std::string>& values) { return Json(values); }
Result<std::vector<std::string>> read_strings(JsonReader& r, std::string_view key) {
  KW_ASSIGN(const Json* array, r.array(key));
  std::vector<std::string> out;
  for (const Json& each : *array) {
    if (!each.is_string()) return fail(Errc::InvalidArgument, "{}: not a string", r.at(key));
    out.push_back(each.get<std::string>());
  }
  return out;
}

struct Writer {
  Json operator()(const JobCreated& f) const { return {{"spec", spec_json(f.spec)}}; }
  Json operator()(const Proposed& f) const {
    Json candidates = Json::array();
    for (const ProposedCandidate& c : f.candidates) {
      candidates.push_back({{"id", c.id}, {"generator", c.generator}, {"match", c.match}});
    }
    Json out = {{"step", f.step},
                {"proposer", to_string(f.proposer)},
                {"lane", f.lane},
                {"round", f.round},
                {"candidates", std::move(candidates)},
                {"input_tokens", f.input_tokens},
                {"output_tokens", f.output_tokens},
                {"tokens_known", f.tokens_known}};
    if (f.finding) out["finding"] = finding_json(*f.finding);
    return out;
  }
  Json operator()(const Judged& f) const {
    return {{"step", f.step},
            {"candidate", f.candidate},
            {"full", f.full},
            {"passed", f.passed},
            {"seed", seed_text(f.seed)},
            {"kind", f.kind},
            {"reason", f.reason},
            {"median_us", optional_number(f.median_us)}};
  }
  Json operator()(const Tuned& f) const {
    return {{"step", f.step},
            {"from", f.from},
            {"candidate", f.candidate},
            {"generator", f.generator},
            {"evaluations", f.evaluations},
            {"median_us", optional_number(f.median_us)}};
  }
  Json operator()(const StepFailed& f) const {
    return {{"step", f.step}, {"code", to_string(f.code)}, {"message", f.message}};
  }
  Json operator()(const BudgetSpent&) const { return Json::object(); }
  Json operator()(const CancelAsked& f) const { return {{"reason", f.reason}}; }
  Json operator()(const StepsAsked& f) const {
    Json steps = Json::array();
    for (const Step& step : f.steps) {
      steps.push_back(
          {{"id", step.id}, {"kind", kind_of(step.body)}, {"body", step_json(step.body)}});
    }
    return {{"steps", std::move(steps)}};
  }
  Json operator()(const StepsCancelled& f) const { return {{"steps", strings(f.steps)}}; }
  Json operator()(const WinnerChosen& f) const { return {{"candidate", f.candidate}}; }
  Json operator()(const Accepted& f) const {
    return {{"candidate", f.candidate}, {"from_memory", f.from_memory}};
  }
  Json operator()(const Finished& f) const {
    Json out = {{"status", to_string(f.status)}, {"winner", f.winner}};
    if (f.error) out["error"] = error_json(*f.error);
    return out;
  }
};

Result<Fact> read_proposed(JsonReader& r) {
  Proposed f;
  KW_ASSIGN(f.step, r.string("step"));
  KW_ASSIGN(const std::string proposer, r.string("proposer"));
  const auto kind = parse_proposer_kind(proposer);
  if (!kind) return fail(Errc::Corrupt, "unknown proposer '{}'", proposer);
  f.proposer = *kind;
  KW_ASSIGN(f.lane, read_int(r, "lane", -1, 1 << 16));
  KW_ASSIGN(f.round, read_int(r, "round", 0, 1 << 16));
  KW_ASSIGN(const Json* candidates, r.array("candidates"));
  for (const Json& each : *candidates) {
    KW_ASSIGN(JsonReader c, JsonReader::object(each, r.at("candidates")));
    ProposedCandidate proposed;
    KW_ASSIGN(proposed.id, c.string("id"));
    KW_ASSIGN(proposed.generator, c.string("generator"));
    KW_ASSIGN(proposed.match, c.string("match"));
    KW_RETURN_IF_ERROR(c.finish());
    f.candidates.push_back(std::move(proposed));
  }
  if (const Json* finding = r.find("finding")) {
    KW_ASSIGN(f.finding, read_finding(*finding, r.at("finding")));
  }
  KW_ASSIGN(f.input_tokens, r.integer("input_tokens", 0));
  KW_ASSIGN(f.output_tokens, r.integer("output_tokens", 0));
  KW_ASSIGN(f.tokens_known, r.boolean_or("tokens_known", false));
  return f;
}

Result<Fact> read_judged(JsonReader& r) {
  Judged f;
  KW_ASSIGN(f.step, r.string("step"));
  KW_ASSIGN(f.candidate, r.string("candidate"));
  KW_ASSIGN(f.full, r.boolean_or("full", false));
  KW_ASSIGN(f.passed, r.boolean_or("passed", false));
  KW_ASSIGN(const std::string seed, r.string("seed"));
  KW_ASSIGN(f.seed, read_seed(seed));
  KW_ASSIGN(f.kind, r.string("kind"));
  KW_ASSIGN(f.reason, r.string("reason"));
  KW_ASSIGN(f.median_us, read_optional_number(r, "median_us"));
  return f;
}

Result<Fact> read_tuned(JsonReader& r) {
  Tuned f;
  KW_ASSIGN(f.step, r.string("step"));
  KW_ASSIGN(f.from, r.string("from"));
  KW_ASSIGN(f.candidate, r.string("candidate"));
  KW_ASSIGN(f.generator, r.string("generator"));
  KW_ASSIGN(f.evaluations, read_int(r, "evaluations", 0, 1 << 30));
  KW_ASSIGN(f.median_us, read_optional_number(r, "median_us"));
  return f;
}

Result<Fact> read_steps_asked(JsonReader& r) {
  StepsAsked f;
  KW_ASSIGN(const Json* steps, r.array("steps"));
  for (const Json& each : *steps) {
    KW_ASSIGN(JsonReader s, JsonReader::object(each, r.at("steps")));
    Step step;
    KW_ASSIGN(step.id, s.string("id"));
    KW_ASSIGN(const std::string kind, s.string("kind"));
    KW_ASSIGN(const Json* body, s.member("body"));
    KW_ASSIGN(step.body, read_step(kind, *body, s.at("body")));
    KW_RETURN_IF_ERROR(s.finish());
    f.steps.push_back(std::move(step));
  }
  return f;
}

Result<Fact> read_finished(JsonReader& r) {
  Finished f;
  KW_ASSIGN(const std::string status, r.string("status"));
  const auto known = parse_job_status(status);
  if (!known) return fail(Errc::Corrupt, "unknown status '{}'", status);
  f.status = *known;
  KW_ASSIGN(f.winner, r.string("winner"));
  if (const Json* error = r.find("error")) {
    KW_ASSIGN(JsonReader e, JsonReader::object(*error, r.at("error")));
    KW_ASSIGN(const std::string code, e.string("code"));
    Error read;
    KW_ASSIGN(read.code, read_code(code));
    KW_ASSIGN(read.message, e.string("message"));
    f.error = std::move(read);
  }
  return f;
}

Result<Fact> read_fact(std::string_view type, JsonReader& r) {
  if (type == "job_created") {
    KW_ASSIGN(const Json* spec, r.member("spec"));
    KW_ASSIGN(JobSpec read, read_spec(*spec, r.at("spec")));
    return JobCreated{std::move(read)};
  }
  if (type == "proposed") return read_proposed(r);
  if (type == "judged") return read_judged(r);
  if (type == "tuned") return read_tuned(r);
  if (type == "step_failed") {
    StepFailed f;
    KW_ASSIGN(f.step, r.string("step"));
    KW_ASSIGN(const std::string code, r.string("code"));
    KW_ASSIGN(f.code, read_code(code));
    KW_ASSIGN(f.message, r.string("message"));
    return f;
  }
  if (type == "budget_spent") return BudgetSpent{};
  if (type == "cancel_asked") {
    KW_ASSIGN(std::string reason, r.string("reason"));
    return CancelAsked{std::move(reason)};
  }
  if (type == "steps_asked") return read_steps_asked(r);
  if (type == "steps_cancelled") {
    KW_ASSIGN(auto steps, read_strings(r, "steps"));
    return StepsCancelled{std::move(steps)};
  }
  if (type == "winner_chosen") {
    KW_ASSIGN(std::string candidate, r.string("candidate"));
    return WinnerChosen{std::move(candidate)};
  }
  if (type == "accepted") {
    Accepted f;
    KW_ASSIGN(f.candidate, r.string("candidate"));
    KW_ASSIGN(f.from_memory, r.boolean_or("from_memory", false));
    return f;
  }
  if (type == "finished") return read_finished(r);
  return fail(Errc::Corrupt, "unknown type of event '{}'", type);
}

}  // namespace

std::string payload_of(const Fact& fact) { return dump(std::visit(Writer{}, fact)); }

Result<Fact> parse_fact(std::string_view type, int version, std::string_view payload) {
  if (version != 1) {
    return fail(Errc::Corrupt, "event '{}' has version {}: written by a newer release", type,
                version);
  }
  KW_ASSIGN(const Json doc, parse_json(payload));
  KW_ASSIGN(JsonReader r, JsonReader::object(doc, ""));
  KW_ASSIGN(Fact fact, read_fact(type, r));
  KW_RETURN_IF_ERROR(r.finish());
  return fact;
}

}  // namespace kw::agent
