#include <charconv>

#include "job_json.h"

namespace kw::agent {
namespace {

constexpr std::int64_t kMaxLanes = 256;
constexpr std::int64_t kMaxRounds = 64;
constexpr std::int64_t kDayMs = 86'400'000;

Json model_json(const ModelSpec& m) {
  return {{"endpoint", m.endpoint},     {"model", m.model},
          {"key_env", m.key_env},       {"lanes", m.lanes},
          {"rounds", m.rounds},         {"max_tokens", m.max_tokens},
          {"connect_ms", m.connect_ms}, {"first_byte_ms", m.first_byte_ms},
          {"total_ms", m.total_ms},     {"retries", m.retries}};
}

Result<ModelSpec> read_model(const Json& value, const std::string& pointer) {
  KW_ASSIGN(JsonReader r, JsonReader::object(value, pointer));
  ModelSpec m;
  KW_ASSIGN(m.endpoint, r.string("endpoint"));
  KW_ASSIGN(m.model, r.string("model"));
  KW_ASSIGN(m.key_env, r.string_or("key_env", ""));
  KW_ASSIGN(m.lanes, read_int(r, "lanes", 1, kMaxLanes));
  KW_ASSIGN(m.rounds, read_int(r, "rounds", 1, kMaxRounds));
  KW_ASSIGN(m.max_tokens, read_int(r, "max_tokens", 1, 1 << 20));
  KW_ASSIGN(m.connect_ms, read_int(r, "connect_ms", 1, kDayMs));
  KW_ASSIGN(m.first_byte_ms, read_int(r, "first_byte_ms", 1, kDayMs));
  KW_ASSIGN(m.total_ms, read_int(r, "total_ms", 1, kDayMs));
  KW_ASSIGN(m.retries, read_int(r, "retries", 0, 100));
  KW_RETURN_IF_ERROR(r.finish());
  return m;
}

template <typename Enum>
Result<Enum> named(std::optional<Enum> value, std::string_view text, const std::string& where) {
  if (!value) return fail(Errc::InvalidArgument, "{}: unknown name '{}'", where, text);
  return *value;
}

}  // namespace

Json spec_json(const JobSpec& s) {
  Json out = {{"v", 1},
              {"task", s.task_name},
              {"semantic_key", s.keys.semantic},
              {"task_key", s.keys.shape},
              {"device", s.device},
              {"device_class", s.device_class},
              {"has_time", s.has_time},
              {"objective", to_string(s.objective)},
              {"budget_s", number_json(s.budget_s)},
              {"max_candidates", s.max_candidates},
              {"memory", s.memory},
              {"templates", s.templates},
              {"transcript", s.transcript},
              {"tune_evaluations", s.tune_evaluations},
              {"tune_s", number_json(s.tune_s)},
              {"origin", s.origin}};
  if (s.model) out["model"] = model_json(*s.model);
  return out;
}

Result<JobSpec> read_spec(const Json& value, const std::string& pointer) {
  KW_ASSIGN(JsonReader r, JsonReader::object(value, pointer));
  JobSpec s;
  KW_ASSIGN([[maybe_unused]] const std::int64_t version, r.integer("v", 1, 1));
  KW_ASSIGN(s.task_name, r.string("task"));
  KW_ASSIGN(s.keys.semantic, r.string("semantic_key"));
  KW_ASSIGN(s.keys.shape, r.string("task_key"));
  KW_ASSIGN(s.device, r.string("device"));
  KW_ASSIGN(s.device_class, r.string("device_class"));
  KW_ASSIGN(s.has_time, r.boolean_or("has_time", false));
  KW_ASSIGN(const std::string objective, r.string("objective"));
  KW_ASSIGN(s.objective, named(parse_objective(objective), objective, r.at("objective")));
  KW_ASSIGN(s.budget_s, r.number("budget_s"));
  KW_ASSIGN(s.max_candidates, read_int(r, "max_candidates", 1, 1 << 20));
  KW_ASSIGN(s.memory, r.boolean_or("memory", true));
  KW_ASSIGN(s.templates, read_int(r, "templates", 0, 1024));
  KW_ASSIGN(s.transcript, r.string_or("transcript", ""));
  KW_ASSIGN(s.tune_evaluations, read_int(r, "tune_evaluations", 0, 1 << 20));
  KW_ASSIGN(s.tune_s, r.number("tune_s"));
  KW_ASSIGN(s.origin, r.string("origin"));
  if (const Json* model = r.find("model")) {
    KW_ASSIGN(s.model, read_model(*model, r.at("model")));
  }
  KW_RETURN_IF_ERROR(r.finish());
  return s;
}

std::string to_json(const JobSpec& spec) { return dump(spec_json(spec)); }

Result<JobSpec> parse_job_spec(std::string_view json) {
  KW_ASSIGN(const Json doc, parse_json(json));
  return read_spec(doc, "");
}

Json finding_json(const Finding& f) {
  return {{"kind", to_string(f.kind)}, {"text", f.text}, {"lane", f.lane}, {"round", f.round}};
}

Result<Finding> read_finding(const Json& value, const std::string& pointer) {
  KW_ASSIGN(JsonReader r, JsonReader::object(value, pointer));
  Finding f;
  KW_ASSIGN(const std::string kind, r.string("kind"));
  KW_ASSIGN(f.kind, named(parse_finding_kind(kind), kind, r.at("kind")));
  KW_ASSIGN(f.text, r.string("text"));
  KW_ASSIGN(f.lane, read_int(r, "lane", -1, kMaxLanes));
  KW_ASSIGN(f.round, read_int(r, "round", 0, kMaxRounds));
  KW_RETURN_IF_ERROR(r.finish());
  return f;
}

Json step_json(const StepBody& body) {
  struct Writer {
    Json operator()(const ProposeStep& s) const {
      return {{"proposer", to_string(s.proposer)}, {"limit", s.limit}};
    }
    Json operator()(const AskStep& s) const {
      Json out = {{"lane", s.lane},
                  {"round", s.round},
                  {"previous", s.previous},
                  {"candidate", s.candidate},
                  {"verdict", s.verdict}};
      if (s.finding) out["finding"] = finding_json(*s.finding);
      return out;
    }
    Json operator()(const JudgeStep& s) const {
      return {{"candidate", s.candidate}, {"full", s.full}, {"timing", s.timing}};
    }
    Json operator()(const TuneStep& s) const {
      return {{"candidate", s.candidate},
              {"evaluations", s.evaluations},
              {"seconds", number_json(s.seconds)}};
    }
  };
  return std::visit(Writer{}, body);
}

Result<StepBody> read_step(std::string_view kind, const Json& value, const std::string& pointer) {
  KW_ASSIGN(JsonReader r, JsonReader::object(value, pointer));
  StepBody body;
  if (kind == "propose") {
    ProposeStep s;
    KW_ASSIGN(const std::string proposer, r.string("proposer"));
    KW_ASSIGN(s.proposer, named(parse_proposer_kind(proposer), proposer, r.at("proposer")));
    KW_ASSIGN(s.limit, read_int(r, "limit", 1, 1 << 20));
    body = s;
  } else if (kind == "model_request") {
    AskStep s;
    KW_ASSIGN(s.lane, read_int(r, "lane", 0, kMaxLanes));
    KW_ASSIGN(s.round, read_int(r, "round", 0, kMaxRounds));
    KW_ASSIGN(s.previous, r.string("previous"));
    KW_ASSIGN(s.candidate, r.string("candidate"));
    KW_ASSIGN(s.verdict, r.string("verdict"));
    if (const Json* finding = r.find("finding")) {
      KW_ASSIGN(s.finding, read_finding(*finding, r.at("finding")));
    }
    body = s;
  } else if (kind == "judge") {
    JudgeStep s;
    KW_ASSIGN(s.candidate, r.string("candidate"));
    KW_ASSIGN(s.full, r.boolean_or("full", false));
    KW_ASSIGN(s.timing, r.boolean_or("timing", false));
    body = s;
  } else if (kind == "tune") {
    TuneStep s;
    KW_ASSIGN(s.candidate, r.string("candidate"));
    KW_ASSIGN(s.evaluations, read_int(r, "evaluations", 1, 1 << 20));
    KW_ASSIGN(s.seconds, r.number("seconds"));
    body = s;
  } else {
    return fail(Errc::Corrupt, "{}: unknown kind of step '{}'", pointer, kind);
  }
  KW_RETURN_IF_ERROR(r.finish());
  return body;
}

std::string to_json(const StepBody& body) { return dump(step_json(body)); }

Result<StepBody> parse_step(std::string_view kind, std::string_view json) {
  KW_ASSIGN(const Json doc, parse_json(json));
  return read_step(kind, doc, "");
}

Result<int> read_int(JsonReader& reader, std::string_view key, std::int64_t low,
                     std::int64_t high) {
  KW_ASSIGN(const std::int64_t value, reader.integer(key, low, high));
  return static_cast<int>(value);
}

std::string seed_text(std::uint64_t seed) { return fmt::format("{:016x}", seed); }

Result<std::uint64_t> read_seed(std::string_view text) {
  std::uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed, 16);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return fail(Errc::InvalidArgument, "not a seed: '{}'", text);
  }
  return seed;
}

}  // namespace kw::agent
