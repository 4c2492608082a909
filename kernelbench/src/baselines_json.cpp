#include "kw/bench/baselines.h"
#include "kw/core/json.h"

namespace kw::bench {
namespace {

Result<std::optional<double>> milliseconds(JsonReader& reader, std::string_view key) {
  const Json* member = reader.find(key);
  if (member == nullptr || member->is_null()) return std::optional<double>();
  KW_ASSIGN(const double value, number_from(*member, reader.at(key)));
  if (!(value > 0) || value > 1e9) {
    return fail(Errc::InvalidArgument, "{}: {} is no time in milliseconds", reader.at(key), value);
  }
  return std::optional<double>(value);
}

/// Adds a line to what earlier lines say of the problem: each run of baseline.py measures some
/// kinds.
Status add_kinds(Baseline& baseline, JsonReader& reader) {
  std::string error;
  const Json* spread = reader.find("spread");
  for (const Against against : kAgainst) {
    const std::string kind(to_string(against));
    KW_ASSIGN(const std::string why, reader.string_or(kind + "_error", ""));
    if (!why.empty() && error.empty()) error = kind + ": " + why;
    KW_ASSIGN(const auto ms, milliseconds(reader, kind + "_ms"));
    if (!ms) continue;
    Baseline::Time time{*ms, 0};
    if (spread != nullptr) {
      KW_ASSIGN(JsonReader inner, JsonReader::object(*spread, reader.at("spread")));
      KW_ASSIGN(time.spread, inner.number_or(kind, 0));
    }
    if (!baseline.times.emplace(against, time).second) {
      return fail(Errc::InvalidArgument, "{}: the time is given twice", reader.at(kind + "_ms"));
    }
  }
  KW_ASSIGN(const std::string whole, reader.string_or("error", ""));
  baseline.error = whole.empty() ? error : whole;
  KW_ASSIGN(baseline.library, reader.string_or("library", baseline.library));
  KW_ASSIGN(baseline.library_only, reader.boolean_or("library_only", baseline.library_only));
  return {};
}

std::map<std::string, std::string> describe(const Json& header) {
  std::map<std::string, std::string> machine;
  for (const auto& [key, value] : header.items()) {
    if (key == "kind" || key == "v") continue;
    machine[key] = value.is_string() ? value.get<std::string>() : dump(value);
  }
  return machine;
}

Status add_line(Baselines& baselines, std::string_view line, std::size_t number) {
  const std::string pointer = fmt::format("baselines, line {}", number);
  auto parsed = parse_json(line);
  if (!parsed) return wrap(std::move(parsed).error(), pointer);
  KW_ASSIGN(JsonReader reader, JsonReader::object(*parsed, pointer));
  KW_ASSIGN(const std::string kind, reader.string_or("kind", ""));
  if (kind == "baseline") {
    KW_ASSIGN(const std::int64_t version, reader.integer("v"));
    if (version != 1) {
      return fail(Errc::InvalidArgument, "{}: version {} is newer than 1", pointer, version);
    }
    baselines.machine = describe(*parsed);
    return {};
  }
  KW_ASSIGN(const std::string problem, reader.string("problem"));
  return add_kinds(baselines.problems[problem], reader);
}

}  // namespace

const Baseline* Baselines::find(std::string_view task) const {
  constexpr std::string_view kPrefix = "kernelbench:";
  if (!task.starts_with(kPrefix)) return nullptr;
  const auto found = problems.find(std::string(task.substr(kPrefix.size())));
  return found == problems.end() ? nullptr : &found->second;
}

Result<Baselines> parse_baselines(std::string_view text) {
  Baselines baselines;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.find_first_not_of(" \r\t") == std::string_view::npos) continue;
    KW_RETURN_IF_ERROR(add_line(baselines, line, number));
  }
  if (baselines.machine.empty()) {
    return fail(Errc::InvalidArgument,
                "baselines: no line describes the machine; is this baseline.py's output?");
  }
  return baselines;
}

}  // namespace kw::bench
