// The red team under NVIDIA's compute-sanitizer: every honest kernel must be clean under every tool
// that can find something in it; of the hostile ones whose fault is one of memory, initialisation,
// races or barriers, the summary says which are seen.
//   sanitize_red_team [--lines FILE] [--parallel 16] [--seconds N] [--only TEXT]
//                     [--tools memcheck,racecheck,initcheck,synccheck]
// A line of JSON for each run (to FILE, which a later start goes on from; else to standard output),
// the summary last. No process begins after N seconds. Exits with 1 when an honest kernel is not
// clean or something is left to run. Compiled once, before any tool starts:
//   sanitize_red_team --run MODULES CASE...     what a tool looks at
//   sanitize_red_team --list --arch sm_90a      the runs, without doing them; needs no GPU

#include <fmt/format.h>

#include <cstdio>
#include <span>
#include <string_view>

#include "drive.h"
#include "kw/compile/service.h"
#include "kw/process/role.h"
#include "target.h"

int main(int argc, char** argv) {
  using namespace kw;
  const process::Role roles[] = {compile::compile_role()};
  if (const auto code = process::run_role_if_asked(argc, argv, roles)) return *code;
  const std::span<char*> words(argv + 1, static_cast<std::size_t>(argc - 1));
  const bool target = words.size() > 1 && std::string_view(words[0]) == "--run";
  const auto code = target ? redteam::run_cases(words[1], words.subspan(2)) : redteam::drive(words);
  if (code) return *code;
  fmt::print(stderr, "error: {}\n", code.error().message);
  return 3;
}
