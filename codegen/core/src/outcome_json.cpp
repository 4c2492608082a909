#include <array>

#include "kw/core/json.h"
#include "kw/core/outcome.h"

namespace kw {
namespace {

struct KindName {
  RejectKind kind;
  std::string_view name;
};
constexpr std::array<KindName, 15> kKinds{{{RejectKind::RejectedByPolicy, "rejected_by_policy"},
                                           {RejectKind::CompileError, "compile_error"},
                                           {RejectKind::LaunchError, "launch_error"},
                                           {RejectKind::Timeout, "timeout"},
                                           {RejectKind::WrongResult, "wrong_result"},
                                           {RejectKind::OutOfBounds, "out_of_bounds"},
                                           {RejectKind::Race, "race"},
                                           {RejectKind::Uninitialised, "uninitialised"},
                                           {RejectKind::InputModified, "input_modified"},
                                           {RejectKind::Nondeterministic, "nondeterministic"},
                                           {RejectKind::BarrierDivergence, "barrier_divergence"},
                                           {RejectKind::Misaligned, "misaligned"},
                                           {RejectKind::Impossible, "impossible"},
                                           {RejectKind::NotVerifiable, "not_verifiable"},
                                           {RejectKind::Quarantined, "quarantined"}}};

Json figures_json(const std::map<std::string, double>& figures) {
  Json json = Json::object();
  for (const auto& [name, value] : figures) json[name] = number_json(value);
  return json;
}

Result<std::map<std::string, double>> figures_from(JsonReader& reader, std::string_view key) {
  std::map<std::string, double> figures;
  const Json* json = reader.find(key);
  if (json == nullptr) return figures;
  if (!json->is_object())
    return fail(Errc::InvalidArgument, "{}: expected an object", reader.at(key));
  for (const auto& [name, value] : json->items()) {
    KW_ASSIGN(const double number, number_from(value, fmt::format("{}/{}", reader.at(key), name)));
    figures.emplace(name, number);
  }
  return figures;
}

Result<std::map<std::string, std::string>> texts_from(JsonReader& reader, std::string_view key) {
  std::map<std::string, std::string> texts;
  const Json* json = reader.find(key);
  if (json == nullptr) return texts;
  if (!json->is_object())
    return fail(Errc::InvalidArgument, "{}: expected an object", reader.at(key));
  for (const auto& [name, value] : json->items()) {
    if (!value.is_string())
      return fail(Errc::InvalidArgument, "{}/{}: expected a string", reader.at(key), name);
    texts.emplace(name, value.get<std::string>());
  }
  return texts;
}

Json evidence_json(const Evidence& evidence) {
  Json checks = Json::array();
  for (const CheckRecord& check : evidence.checks) {
    // A 64-bit seed is written as text: JSON numbers of other languages lose its low bits.
    checks.push_back({{"check", check.check},
                      {"passed", check.passed},
                      {"seed", std::to_string(check.seed)},
                      {"figures", figures_json(check.figures)},
                      {"notes", check.notes}});
  }
  return {{"checks", checks},
          {"counters", figures_json(evidence.counters)},
          {"device",
           {{"class", evidence.device.klass},
            {"name", evidence.device.name},
            {"uuid", evidence.device.uuid},
            {"driver", evidence.device.driver},
            {"arch", evidence.device.arch}}},
          {"judge", evidence.judge_version},
          {"compiler", evidence.compiler}};
}

Result<CheckRecord> check_from(const Json& json, const std::string& pointer) {
  KW_ASSIGN(JsonReader reader, JsonReader::object(json, pointer));
  CheckRecord check;
  KW_ASSIGN(check.check, reader.string("check"));
  KW_ASSIGN(check.passed, reader.boolean_or("passed", false));
  KW_ASSIGN(const std::string seed, reader.string_or("seed", "0"));
  if (seed.empty() || seed.size() > 20 || seed.find_first_not_of("0123456789") != seed.npos) {
    return fail(Errc::InvalidArgument, "{}: expected a decimal number as text", reader.at("seed"));
  }
  std::uint64_t number = 0;
  for (const char digit : seed) {
    if (__builtin_mul_overflow(number, std::uint64_t{10}, &number) ||
        __builtin_add_overflow(number, static_cast<std::uint64_t>(digit - '0'), &number)) {
      return fail(Errc::InvalidArgument, "{}: does not fit in 64 bits", reader.at("seed"));
    }
  }
  check.seed = number;
  KW_ASSIGN(check.figures, figures_from(reader, "figures"));
  KW_ASSIGN(check.notes, texts_from(reader, "notes"));
  KW_RETURN_IF_ERROR(reader.finish());
  return check;
}

Result<Evidence> evidence_from(JsonReader& outer) {
  Evidence evidence;
  const Json* json = outer.find("evidence");
  if (json == nullptr) return evidence;
  KW_ASSIGN(JsonReader reader, JsonReader::object(*json, outer.at("evidence")));
  KW_ASSIGN(const Json* checks, reader.array("checks"));
  for (std::size_t i = 0; i < checks->size(); ++i) {
    KW_ASSIGN(CheckRecord check,
              check_from((*checks)[i], fmt::format("{}/{}", reader.at("checks"), i)));
    evidence.checks.push_back(std::move(check));
  }
  KW_ASSIGN(evidence.counters, figures_from(reader, "counters"));
  KW_ASSIGN(const Json* device, reader.member("device"));
  KW_ASSIGN(JsonReader d, JsonReader::object(*device, reader.at("device")));
  KW_ASSIGN(evidence.device.klass, d.string_or("class", ""));
  KW_ASSIGN(evidence.device.name, d.string_or("name", ""));
  KW_ASSIGN(evidence.device.uuid, d.string_or("uuid", ""));
  KW_ASSIGN(evidence.device.driver, d.string_or("driver", ""));
  KW_ASSIGN(evidence.device.arch, d.string_or("arch", ""));
  KW_RETURN_IF_ERROR(d.finish());
  KW_ASSIGN(evidence.judge_version, reader.string_or("judge", ""));
  KW_ASSIGN(evidence.compiler, reader.string_or("compiler", ""));
  KW_RETURN_IF_ERROR(reader.finish());
  return evidence;
}

Json timing_json(const Timing& timing) {
  return {{"median_us", number_json(timing.median_us)},
          {"min_us", number_json(timing.min_us)},
          {"spread_us", number_json(timing.spread_us)},
          {"samples", timing.samples},
          {"setup_us", number_json(timing.setup_us)},
          {"floor_us", number_json(timing.floor_us)},
          {"achieved_gbps", number_json(timing.achieved_gbps)},
          {"protocol", timing.protocol}};
}

Result<Timing> timing_from(const Json& json, const std::string& pointer) {
  KW_ASSIGN(JsonReader reader, JsonReader::object(json, pointer));
  Timing timing;
  KW_ASSIGN(timing.median_us, reader.number("median_us"));
  KW_ASSIGN(timing.min_us, reader.number("min_us"));
  KW_ASSIGN(timing.spread_us, reader.number_or("spread_us", 0));
  KW_ASSIGN(const std::int64_t samples, reader.integer_or("samples", 0, 0, INT32_MAX));
  timing.samples = static_cast<int>(samples);
  KW_ASSIGN(timing.setup_us, reader.number_or("setup_us", 0));
  KW_ASSIGN(timing.floor_us, reader.number_or("floor_us", 0));
  KW_ASSIGN(timing.achieved_gbps, reader.number_or("achieved_gbps", 0));
  KW_ASSIGN(timing.protocol, reader.string_or("protocol", ""));
  KW_RETURN_IF_ERROR(reader.finish());
  return timing;
}

}  // namespace

std::string_view to_string(RejectKind kind) noexcept {
  for (const KindName& row : kKinds) {
    if (row.kind == kind) return row.name;
  }
  return "not_verifiable";
}

std::optional<RejectKind> parse_reject_kind(std::string_view text) noexcept {
  for (const KindName& row : kKinds) {
    if (row.name == text) return row.kind;
  }
  return std::nullopt;
}

Result<Outcome> parse_outcome(std::string_view text) {
  KW_ASSIGN(const Json json, parse_json(text, {.bytes = 8u << 20}));
  KW_ASSIGN(JsonReader reader, JsonReader::object(json, ""));
  KW_ASSIGN(const std::int64_t version, reader.integer("v"));
  if (version != 1) return fail(Errc::InvalidArgument, "/v: outcome version {} is not 1", version);
  KW_ASSIGN(const std::string verdict, reader.string("verdict"));
  KW_ASSIGN(Evidence evidence, evidence_from(reader));
  if (verdict == "passed") {
    Passed result{std::move(evidence), std::nullopt};
    if (const Json* timing = reader.find("timing")) {
      KW_ASSIGN(result.timing, timing_from(*timing, "/timing"));
    }
    KW_RETURN_IF_ERROR(reader.finish());
    return result;
  }
  const auto kind = parse_reject_kind(verdict);
  if (!kind) return fail(Errc::InvalidArgument, "/verdict: unknown verdict '{}'", verdict);
  Rejected rejected{*kind, "", {}, std::move(evidence)};
  KW_ASSIGN(rejected.reason, reader.string_or("reason", ""));
  KW_ASSIGN(rejected.witness, texts_from(reader, "witness"));
  KW_RETURN_IF_ERROR(reader.finish());
  return rejected;
}

std::string to_json(const Outcome& outcome) {
  if (const auto* ok = std::get_if<Passed>(&outcome)) {
    Json json{{"v", 1}, {"verdict", "passed"}, {"evidence", evidence_json(ok->evidence)}};
    if (ok->timing) json["timing"] = timing_json(*ok->timing);
    return dump(json);
  }
  const auto& rejected = std::get<Rejected>(outcome);
  return dump({{"v", 1},
               {"verdict", to_string(rejected.kind)},
               {"reason", rejected.reason},
               {"witness", rejected.witness},
               {"evidence", evidence_json(rejected.evidence)}});
}

}  // namespace kw
