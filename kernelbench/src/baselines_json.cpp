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

Result<Baseline> parse_baseline(JsonReader& reader) {
  Baseline baseline;
  KW_ASSIGN(baseline.eager_ms, milliseconds(reader, "eager_ms"));
  KW_ASSIGN(baseline.compile_ms, milliseconds(reader, "compile_ms"));
  KW_ASSIGN(baseline.eager_default_ms, milliseconds(reader, "eager_default_ms"));
  KW_ASSIGN(baseline.error, reader.string_or("error", ""));
  KW_ASSIGN(const std::string compile_error, reader.string_or("compile_error", ""));
  if (baseline.error.empty()) baseline.error = compile_error;
  if (const Json* spread = reader.find("spread")) {
    KW_ASSIGN(JsonReader inner, JsonReader::object(*spread, reader.at("spread")));
    KW_ASSIGN(baseline.eager_spread, inner.number_or("eager", 0));
    KW_ASSIGN(baseline.compile_spread, inner.number_or("compile", 0));
  }
  return baseline;
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
  KW_ASSIGN(std::string problem, reader.string("problem"));
  KW_ASSIGN(Baseline baseline, parse_baseline(reader));
  if (!baselines.problems.emplace(std::move(problem), std::move(baseline)).second) {
    return fail(Errc::InvalidArgument, "{}: the problem is given twice", pointer);
  }
  return {};
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
