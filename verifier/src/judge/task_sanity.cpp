// V14's answer as a document, and in words.

#include <algorithm>
#include <array>

#include "kw/core/json.h"
#include "kw/verify/degeneracy.h"

namespace kw::verify {
namespace {

constexpr std::array<std::string_view, 3> kClasses{"genuine", "algebraic", "degenerate"};

bool is_class(std::string_view text) { return std::ranges::find(kClasses, text) != kClasses.end(); }

}  // namespace

std::optional<TaskSanity> recorded_sanity(const Evidence& evidence) {
  for (const CheckRecord& check : evidence.checks) {
    if (check.check != "V14") continue;
    const auto note = [&](const char* name) {
      const auto found = check.notes.find(name);
      return found == check.notes.end() ? std::string() : found->second;
    };
    TaskSanity sanity{note("class"), note("solved_by"), note("algebra"), check.figures, {}};
    if (is_class(sanity.klass)) return sanity;
  }
  return std::nullopt;
}

std::string to_json(const TaskSanity& sanity) {
  Json json = Json::object();
  const auto text = [&](const char* name, const std::string& value) {
    if (!value.empty()) json[name] = value;
  };
  text("class", sanity.klass);
  text("solved_by", sanity.solved_by);
  text("algebra", sanity.algebra);
  text("unasked", sanity.unasked);
  for (const auto& [name, error] : sanity.guesses) json["guesses"][name] = number_json(error);
  return dump(json);
}

Result<TaskSanity> parse_task_sanity(std::string_view text) {
  KW_ASSIGN(const Json json, parse_json(text));
  KW_ASSIGN(JsonReader reader, JsonReader::object(json, ""));
  TaskSanity sanity;
  KW_ASSIGN(sanity.klass, reader.string_or("class", ""));
  KW_ASSIGN(sanity.solved_by, reader.string_or("solved_by", ""));
  KW_ASSIGN(sanity.algebra, reader.string_or("algebra", ""));
  KW_ASSIGN(sanity.unasked, reader.string_or("unasked", ""));
  if (!sanity.klass.empty() && !is_class(sanity.klass)) {
    return fail(Errc::InvalidArgument, "{}: unknown class '{}'", reader.at("class"), sanity.klass);
  }
  if (const Json* guesses = reader.find("guesses")) {
    KW_ASSIGN(JsonReader inner, JsonReader::object(*guesses, reader.at("guesses")));
    for (const auto& [name, value] : guesses->items()) {
      KW_ASSIGN(sanity.guesses[name], number_from(value, inner.at(name)));
    }
  }
  return sanity;
}

std::string describe(const TaskSanity& sanity) {
  if (sanity.klass.empty()) return "not known yet: " + sanity.unasked;
  if (!sanity.solved_by.empty()) {
    return fmt::format("{}: '{}' would pass within 1e-4", sanity.klass, sanity.solved_by);
  }
  if (!sanity.algebra.empty()) return fmt::format("{}: {}", sanity.klass, sanity.algebra);
  const auto nearest =
      std::ranges::min_element(sanity.guesses, {}, [](const auto& guess) { return guess.second; });
  if (nearest == sanity.guesses.end()) return sanity.klass;
  return fmt::format("{}: the nearest trivial answer, '{}', is {:.3g} tolerances off", sanity.klass,
                     nearest->first, nearest->second);
}

}  // namespace kw::verify
