#include "kw/bench/suites.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "nearest.h"

namespace kw::bench {
namespace {

constexpr std::array kKernelBench{"1/1",  "1/4",  "1/5",   "1/12", "1/16", "1/19", "1/22",
                                  "1/23", "1/25", "1/26",  "1/36", "1/40", "1/47", "1/48",
                                  "1/88", "1/94", "1/100", "2/12", "2/76", "2/99"};
constexpr std::array kFormats{"mxfp8",  "mxfp4",      "mxint8",     "nvfp4",
                              "nvint4", "woq_w4_sym", "woq_w4_asym"};
constexpr std::array kOperations{"quantize", "dequantize", "gemv"};
constexpr std::string_view kSmall = "@small";
constexpr std::array kLevelSizes{100, 100, 50};  // problems of levels 1, 2 and 3

void add_kernelbench(Suite& suite, bool small) {
  for (const char* problem : kKernelBench) {
    suite.tasks.push_back(fmt::format("kernelbench:{}{}", problem, small ? kSmall : ""));
  }
}

int number_in(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? value : -1;
}

/// One part of a selection, "2", "2/14" or "2/14-20", in KernelBench's order.
bool add_part(std::vector<std::string>& problems, std::string_view part) {
  const std::size_t slash = std::min(part.find('/'), part.size());
  const int level = number_in(part.substr(0, slash));
  if (level < 1 || level > static_cast<int>(kLevelSizes.size())) return false;
  int first = 1, last = kLevelSizes[static_cast<std::size_t>(level - 1)];
  if (slash < part.size()) {
    const std::string_view range = part.substr(slash + 1);
    const std::size_t dash = std::min(range.find('-'), range.size());
    const int from = number_in(range.substr(0, dash));
    const int to = dash < range.size() ? number_in(range.substr(dash + 1)) : from;
    if (from < first || to > last || to < from) return false;
    first = from, last = to;
  }
  for (int problem = first; problem <= last; ++problem) {
    problems.push_back(fmt::format("{}/{}", level, problem));
  }
  return true;
}

/// The problems of "level2", "kernelbench250" and "kernelbench" (all), "kernelbench:1,3/7,3/20-29";
/// empty for any other name and where one is named twice.
std::vector<std::string> problems_of(std::string_view name) {
  std::string_view list;
  if (name == "kernelbench250" || name == "kernelbench") {
    list = "1,2,3";
  } else if (name.starts_with("level") && name.find('/') == name.npos &&
             name.find(',') == name.npos) {
    list = name.substr(5);
  } else if (name.starts_with("kernelbench:")) {
    list = name.substr(12);
  }
  std::vector<std::string> problems;
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (!add_part(problems, list.substr(0, comma)) || comma + 1 == list.size()) return {};
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  std::vector<std::string> sorted = problems;
  std::ranges::sort(sorted);
  if (std::ranges::adjacent_find(sorted) != sorted.end()) return {};
  return problems;
}

void add_formats(Suite& suite, bool small) {
  for (const char* format : kFormats) {
    for (const char* operation : kOperations) {
      suite.tasks.push_back(fmt::format("format:{}/{}{}", format, operation, small ? kSmall : ""));
    }
  }
}

}  // namespace

std::vector<std::string> suite_names() {
  std::vector<std::string> names;
  for (const char* name :
       {"first41", "kernelbench20", "formats21", "level1", "level2", "level3", "kernelbench250"}) {
    names.emplace_back(name);
    names.push_back(fmt::format("{}{}", name, kSmall));
  }
  return names;
}

Result<Suite> find_suite(std::string_view name) {
  const bool small = name.ends_with(kSmall);
  const std::string_view base = small ? name.substr(0, name.size() - kSmall.size()) : name;
  Suite suite{std::string(name), "", {}};
  const std::string_view size = small ? ", at small sizes" : "";
  if (base == "kernelbench20") {
    suite.summary = fmt::format("20 problems of KernelBench levels 1 and 2{}", size);
    add_kernelbench(suite, small);
  } else if (base == "formats21") {
    suite.summary = fmt::format("quantise, dequantise and GEMV of 7 number formats{}", size);
    add_formats(suite, small);
  } else if (base == "first41") {
    suite.summary = fmt::format("20 KernelBench problems and 21 number-format tasks{}", size);
    add_kernelbench(suite, small);
    add_formats(suite, small);
  } else if (const std::vector<std::string> problems = problems_of(base); !problems.empty()) {
    suite.summary = fmt::format("{} problem{} of KernelBench{}", problems.size(),
                                problems.size() == 1 ? "" : "s", size);
    for (const std::string& problem : problems) {
      suite.tasks.push_back(fmt::format("kernelbench:{}{}", problem, small ? kSmall : ""));
    }
  } else {
    return fail(Errc::NotFound, "no suite is called '{}'; nearest: {}", name.substr(0, 128),
                fmt::join(nearest_names(name, suite_names()), ", "));
  }
  return suite;
}

}  // namespace kw::bench
