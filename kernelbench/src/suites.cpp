#include "kw/bench/suites.h"

#include <fmt/ranges.h>

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

void add_kernelbench(Suite& suite, bool small) {
  for (const char* problem : kKernelBench) {
    suite.tasks.push_back(fmt::format("kernelbench:{}{}", problem, small ? kSmall : ""));
  }
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
  for (const char* name : {"first41", "kernelbench20", "formats21"}) {
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
  } else {
    return fail(Errc::NotFound, "no suite is called '{}'; nearest: {}", name.substr(0, 128),
                fmt::join(nearest_names(name, suite_names()), ", "));
  }
  return suite;
}

}  // namespace kw::bench
