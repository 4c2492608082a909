#include "kw/bench/report.h"
#include "kw/core/json.h"

namespace kw::bench {
namespace {

Json optional_json(const std::optional<double>& value) {
  return value ? number_json(*value) : Json(nullptr);
}

Json score_json(const Score& score) {
  Json fast = Json::array();
  for (const auto& [p, share] : score.fast_p) fast.push_back({{"p", p}, {"share", share}});
  return {{"tasks", score.tasks},
          {"solved", score.solved},
          {"with_baseline", score.with_baseline},
          {"fast_p", fast},
          {"geometric_mean", optional_json(score.geometric_mean)}};
}

Json scores_json(const Report& report, bool sound_only) {
  Json json = Json::object();
  for (const Against against : kAgainst) {
    json[std::string(to_string(against))] = score_json(score(report.results, against, sound_only));
  }
  return json;
}

Json result_json(const TaskResult& result) {
  Json trivial = Json::object();
  for (const auto& [answer, error] : result.trivial) trivial[answer] = number_json(error);
  Json json{{"task", result.task},
            {"policy", result.policy},
            {"class", to_string(result.klass)},
            {"trivial", trivial},
            {"kernel", result.kernel},
            {"seconds", number_json(result.seconds)},
            {"generate_s", number_json(result.generate_s)},
            {"compile_s", number_json(result.compile_s)},
            {"judge_s", number_json(result.judge_s)},
            {"refused", result.refused},
            {"outcome", Json::parse(kw::to_json(result.outcome), nullptr, false)},
            {"ms", optional_json(result.ms())},
            {"floor_ms", optional_json(result.floor_ms())}};
  if (result.baseline) {
    const Baseline& baseline = *result.baseline;
    Json& json_of = json["baseline"];
    json_of = {{"error", baseline.error},
               {"library", baseline.library},
               {"library_only", baseline.library_only}};
    for (const Against against : kAgainst) {
      const std::string kind(to_string(against));
      json_of[kind + "_ms"] = optional_json(baseline.ms(against));
      const auto time = baseline.times.find(against);
      if (time != baseline.times.end())
        json_of[kind + "_spread"] = number_json(time->second.spread);
    }
  }
  for (const Against against : kAgainst) {
    json["speedup"][std::string(to_string(against))] = optional_json(speedup(result, against));
  }
  return json;
}

Result<std::optional<double>> optional_number(JsonReader& reader, std::string_view key) {
  const Json* member = reader.find(key);
  if (member == nullptr || member->is_null()) return std::optional<double>();
  KW_ASSIGN(const double value, number_from(*member, reader.at(key)));
  return std::optional<double>(value);
}

Result<Baseline> parse_baseline(const Json& json, const std::string& pointer) {
  KW_ASSIGN(JsonReader reader, JsonReader::object(json, pointer));
  Baseline baseline;
  for (const Against against : kAgainst) {
    const std::string kind(to_string(against));
    KW_ASSIGN(const auto ms, optional_number(reader, kind + "_ms"));
    if (!ms) continue;
    KW_ASSIGN(const double spread, reader.number_or(kind + "_spread", 0));
    baseline.times[against] = {*ms, spread};
  }
  KW_ASSIGN(baseline.library, reader.string_or("library", ""));
  KW_ASSIGN(baseline.library_only, reader.boolean_or("library_only", false));
  KW_ASSIGN(baseline.error, reader.string_or("error", ""));
  return baseline;
}

Result<TaskResult> parse_result(const Json& json, const std::string& pointer) {
  KW_ASSIGN(JsonReader reader, JsonReader::object(json, pointer));
  TaskResult result;
  KW_ASSIGN(result.task, reader.string("task"));
  KW_ASSIGN(const std::string klass, reader.string("class"));
  const auto known = parse_task_class(klass);
  if (!known) {
    return fail(Errc::InvalidArgument, "{}: unknown class '{}'", reader.at("class"), klass);
  }
  result.klass = *known;
  KW_ASSIGN(result.policy, reader.string_or("policy", ""));
  if (const Json* trivial = reader.find("trivial")) {
    KW_ASSIGN(JsonReader inner, JsonReader::object(*trivial, reader.at("trivial")));
    for (const auto& [answer, error] : trivial->items()) {
      KW_ASSIGN(result.trivial[answer], number_from(error, inner.at(answer)));
    }
  }
  KW_ASSIGN(result.kernel, reader.string_or("kernel", ""));
  KW_ASSIGN(result.seconds, reader.number_or("seconds", 0));
  KW_ASSIGN(result.generate_s, reader.number_or("generate_s", 0));
  KW_ASSIGN(result.compile_s, reader.number_or("compile_s", 0));
  KW_ASSIGN(result.judge_s, reader.number_or("judge_s", 0));
  if (const Json* refused = reader.find("refused"); refused != nullptr && refused->is_array()) {
    for (const Json& text : *refused) {
      if (text.is_string()) result.refused.push_back(text.get<std::string>());
    }
  }
  KW_ASSIGN(const Json* outcome, reader.member("outcome"));
  auto parsed = parse_outcome(dump(*outcome));
  if (!parsed) return wrap(std::move(parsed).error(), reader.at("outcome"));
  result.outcome = std::move(*parsed);
  if (const Json* baseline = reader.find("baseline")) {
    KW_ASSIGN(result.baseline, parse_baseline(*baseline, reader.at("baseline")));
  }
  return result;
}

Result<std::map<std::string, std::string>> texts(JsonReader& reader, std::string_view key) {
  std::map<std::string, std::string> found;
  KW_ASSIGN(const Json* json, reader.member(key));
  if (!json->is_object()) {
    return fail(Errc::InvalidArgument, "{}: expected an object", reader.at(key));
  }
  for (const auto& [name, value] : json->items()) {
    if (!value.is_string()) {
      return fail(Errc::InvalidArgument, "{}/{}: expected a string", reader.at(key), name);
    }
    found.emplace(name, value.get<std::string>());
  }
  return found;
}

}  // namespace

std::string to_json(const Report& report) {
  Json results = Json::array();
  for (const TaskResult& result : report.results) results.push_back(result_json(result));
  const Json json{
      {"v", 1},
      {"kind", "report"},
      {"suite", report.suite},
      {"policy", report.policy},
      {"device",
       {{"class", report.device.klass},
        {"name", report.device.name},
        {"uuid", report.device.uuid},
        {"driver", report.device.driver},
        {"arch", report.device.arch}}},
      {"environment", report.environment},
      {"results", results},
      {"scores", {{"all", scores_json(report, false)}, {"sound", scores_json(report, true)}}}};
  return dump(json, 1) + "\n";
}

std::string to_json_line(const TaskResult& result) { return dump(result_json(result)) + "\n"; }

Result<std::vector<TaskResult>> parse_result_lines(std::string_view lines) {
  std::vector<TaskResult> results;
  for (std::size_t line = 1; !lines.empty(); ++line) {
    const std::size_t end = lines.find('\n');
    if (end == std::string_view::npos) break;  // torn by an interrupt
    KW_ASSIGN(const Json json, parse_json(lines.substr(0, end)));
    KW_ASSIGN(TaskResult result, parse_result(json, fmt::format("line {}", line)));
    results.push_back(std::move(result));
    lines.remove_prefix(end + 1);
  }
  return results;
}

Result<Report> parse_report(std::string_view text) {
  KW_ASSIGN(const Json json, parse_json(text));
  KW_ASSIGN(JsonReader reader, JsonReader::object(json, ""));
  KW_ASSIGN(const std::int64_t version, reader.integer("v"));
  KW_ASSIGN(const std::string kind, reader.string("kind"));
  if (kind != "report" || version != 1) {
    return fail(Errc::InvalidArgument, "not a report of version 1 (kind '{}', version {})", kind,
                version);
  }
  Report report;
  KW_ASSIGN(report.suite, reader.string("suite"));
  KW_ASSIGN(report.policy, reader.string("policy"));
  KW_ASSIGN(auto device, texts(reader, "device"));
  report.device = {device["class"], device["name"], device["uuid"], device["driver"],
                   device["arch"]};
  KW_ASSIGN(report.environment, texts(reader, "environment"));
  KW_ASSIGN(const Json* results, reader.array("results"));
  for (const Json& item : *results) {
    KW_ASSIGN(TaskResult result,
              parse_result(item, fmt::format("/results/{}", report.results.size())));
    report.results.push_back(std::move(result));
  }
  return report;
}

}  // namespace kw::bench
