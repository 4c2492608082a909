#pragma once
// A run of a suite as a document for programs and a table for people.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kw/bench/scores.h"
#include "kw/core/result.h"

namespace kw::bench {

struct Report {
  std::string suite;
  std::string policy;                              // "ieee": a speed is always stated with it
  DeviceIdentity device;                           // that our times come from
  std::map<std::string, std::string> environment;  // compiler, versions, date, baseline's machine
  std::vector<TaskResult> results;                 // in the suite's order
};

/// {"v":1,"kind":"report","suite","policy","device":{},"environment":{},"results":[...],
///  "scores":{"all":{"eager":{...},"compile":{...}},"sound":{...}}}
std::string to_json(const Report& report);
/// Scores are computed again, not read.
Result<Report> parse_report(std::string_view json);

/// One result as a line of JSON (an element of "results"), and such lines read again: a run appends
/// to its file as it goes and begins where the file ends. A torn last line is left out.
std::string to_json_line(const TaskResult& result);
Result<std::vector<TaskResult>> parse_result_lines(std::string_view lines);

/// A table: task, result, our ms, each baseline's, the speedup over eager and over the fastest of
/// them, roofline floor and how near we come to it; above it the setup, below it the scores over
/// all tasks and over the sound ones.
std::string to_markdown(const Report& report);

/// One page that needs nothing else: scores, a speedup chart for each baseline, a roofline plot, the
/// table, and each task's kernels and evidence.
std::string to_html(const Report& report);

/// Writes BASE.json, BASE.md and BASE.html, each by renaming a complete file into place.
Status write_report(const Report& report, const std::string& base);

}  // namespace kw::bench
