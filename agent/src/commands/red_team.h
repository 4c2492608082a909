#pragma once
// `doctor --red-team`: the judge on trial, on the device at hand.

#include "command.h"

namespace kw::agent {

struct RedTeamOptions {
  std::string filter;  // cases whose name holds this
  bool quick = false;  // without those that take seconds by their nature
  int parallel = 0;    // judgements at once; 0: as many as there are cores
  std::string shard;   // "2/3": the second of three parts
  std::string lines;   // a file of JSON lines, one a case: read, gone on from, and added to
  std::string table;   // reports of --json, by commas: their table as Markdown, nothing is judged
  double seconds = 0;  // no case is begun after these; 0: no limit
};

/// 0 when everything hostile was refused and everything honest passed, 4 when time ran out first,
/// else 1.
Result<int> run_red_team(const Invocation& invocation, const RedTeamOptions& wanted);

}  // namespace kw::agent
