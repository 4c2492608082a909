#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <tuple>

#include "embedded.h"
#include "kw/bench/tasks.h"
#include "nearest.h"

namespace kw::bench {
namespace {

constexpr std::string_view kPrefix = "kernelbench:";

struct Key {
  int level = 0;
  int number = 0;
  bool small = false;
  auto operator<=>(const Key&) const = default;
};

std::optional<int> take_number(std::string_view& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

/// "1/19@small" with '/' and "@small", or the file name "level1_19.small" with '_' and ".small".
std::optional<Key> parse_key(std::string_view text, std::string_view separator,
                             std::string_view small) {
  Key key;
  const auto level = take_number(text);
  if (!level || !take(text, separator)) return std::nullopt;
  const auto number = take_number(text);
  if (!number) return std::nullopt;
  key = {*level, *number, take(text, small)};
  if (!text.empty()) return std::nullopt;
  return key;
}

std::optional<Key> key_of_file(std::string_view name) {
  if (!take(name, "level")) return std::nullopt;
  return parse_key(name, "_", ".small");
}

}  // namespace

std::vector<std::string> builtin_task_names() {
  std::vector<Key> keys;
  for (const EmbeddedFile& task : embedded_tasks()) {
    if (const auto key = key_of_file(task.name)) keys.push_back(*key);
  }
  std::sort(keys.begin(), keys.end());
  std::vector<std::string> names;
  for (const Key& key : keys) {
    names.push_back(
        fmt::format("{}{}/{}{}", kPrefix, key.level, key.number, key.small ? "@small" : ""));
  }
  return names;
}

Result<std::string_view> find_task_json(std::string_view name) {
  std::string_view rest = name;
  if (take(rest, kPrefix)) {
    if (const auto wanted = parse_key(rest, "/", "@small")) {
      for (const EmbeddedFile& task : embedded_tasks()) {
        if (key_of_file(task.name) == wanted) return task.text;
      }
    }
  }
  return fail(Errc::NotFound, "no built-in task is called '{}'; nearest: {}", name.substr(0, 128),
              fmt::join(nearest_names(name, builtin_task_names()), ", "));
}

Result<Task> find_task(std::string_view name) {
  KW_ASSIGN(const std::string_view json, find_task_json(name));
  auto task = parse_task(json);
  if (!task) return wrap(std::move(task).error(), name);
  return task;
}

}  // namespace kw::bench
