#include "kw/bench/suites.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

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

void add_level(Suite& suite, int level, bool small) {
  for (int problem = 1; problem <= kLevelSizes[static_cast<std::size_t>(level - 1)]; ++problem) {
    suite.tasks.push_back(fmt::format("kernelbench:{}/{}{}", level, problem, small ? kSmall : ""));
  }
}

/// "level2", "kernelbench250" and "kernelbench" (all), "kernelbench:1,3"; empty for any other name.
std::vector<int> levels_of(std::string_view name) {
  if (name == "kernelbench250" || name == "kernelbench") return {1, 2, 3};
  std::string_view list;
  if (name.starts_with("level")) {
    list = name.substr(5, 1);
    if (name.size() != 6) return {};
  } else if (name.starts_with("kernelbench:")) {
    list = name.substr(12);
  }
  std::vector<int> levels;
  for (std::size_t i = 0; i < list.size(); i += 2) {
    const int level = list[i] - '0';
    const bool known = level >= 1 && level <= static_cast<int>(kLevelSizes.size());
    const bool again = std::find(levels.begin(), levels.end(), level) != levels.end();
    if (!known || again || (i + 1 < list.size() && list[i + 1] != ',')) return {};
    levels.push_back(level);
  }
  return list.ends_with(',') ? std::vector<int>{} : levels;
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
  } else if (const std::vector<int> levels = levels_of(base); !levels.empty()) {
    suite.summary = fmt::format("KernelBench level{} {}{}", levels.size() == 1 ? "" : "s",
                                fmt::join(levels, ", "), size);
    for (const int level : levels) add_level(suite, level, small);
  } else {
    return fail(Errc::NotFound, "no suite is called '{}'; nearest: {}", name.substr(0, 128),
                fmt::join(nearest_names(name, suite_names()), ", "));
  }
  return suite;
}

}  // namespace kw::bench
