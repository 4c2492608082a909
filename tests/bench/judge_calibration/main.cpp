// Measures the judge's error model: how often honest arithmetic is refused, and how often lower
// precision is caught (docs/results/judge_calibration.md).
//   judge_calibration --half test --seed S --first I --cases N --threads T --seconds X --out f.json
//   judge_calibration --merge a.json b.json ... [--out f.json]     sums of runs, as tables

#include <charconv>
#include <cstdio>
#include <fstream>

#include "report.h"

namespace {

using namespace kw::calibration;

bool read_number(const char* text, std::uint64_t& into) {
  const char* end = text + std::char_traits<char>::length(text);
  return std::from_chars(text, end, into).ptr == end;
}

int usage() {
  std::fputs("usage: judge_calibration [--half calibration|test] [--seed S] [--first I] [--cases N]\n"
             "         [--threads T] [--seconds X] [--only TASK] [--out FILE]\n"
             "       judge_calibration --merge FILE... [--out FILE]\n",
             stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  RunOptions options;
  std::string out;
  std::vector<std::string> merge;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (!merge.empty() && !name.starts_with("--")) {
      merge.push_back(name);
      continue;
    }
    if (i + 1 == argc) return usage();
    const char* value = argv[++i];
    bool good = true;
    if (name == "--half") {
      options.half = std::string(value) == "test" ? Half::Test : Half::Calibration;
    } else if (name == "--seed") {
      good = read_number(value, options.seed);
    } else if (name == "--first") {
      good = read_number(value, options.first);
    } else if (name == "--cases") {
      good = read_number(value, options.cases);
    } else if (name == "--threads") {
      good = read_number(value, options.threads);
    } else if (name == "--seconds") {
      good = read_number(value, options.seconds);
    } else if (name == "--only") {
      options.only = value;
    } else if (name == "--out") {
      out = value;
    } else if (name == "--merge") {
      merge.push_back(value);
    } else {
      good = false;
    }
    if (!good) return usage();
  }
  const auto report = merge.empty() ? run(options) : merged(merge);
  if (!report) {
    std::fprintf(stderr, "judge_calibration: %s\n", report.error().message.c_str());
    return 3;
  }
  if (!out.empty()) std::ofstream(out) << to_json(*report) << "\n";
  std::printf("%s", to_markdown(*report).c_str());
  return 0;
}
