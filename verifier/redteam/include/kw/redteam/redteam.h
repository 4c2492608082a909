#pragma once
// The judge on trial: kernels that must be refused, each for a stated reason, and kernels written in
// unusual but correct ways that must not be.

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "kw/core/candidate.h"
#include "kw/core/outcome.h"
#include "kw/core/task.h"
#include "kw/verify/judge.h"

namespace kw::redteam {

struct Case {
  std::string name;  // "hostile/precision.tf32": file and variant
  std::string about;
  bool hostile = false;
  std::vector<int> rows;  // of catalogue.md; empty for honest kernels
  Task task;
  Candidate candidate;
  /// What the judge must answer to a hostile one: one of these kinds, found by one of these checks
  /// ("V7"; empty: any).
  std::vector<RejectKind> kinds;
  std::vector<std::string> checks;
  std::int64_t deadline_ms = 20000;  // of its judgement; a hang costs this much
  bool pending = false;  // a known gap of the judge: run and shown, but not held against it
  bool slow = false;                 // costs seconds by its nature (compile bombs)
};

/// Every case, from the files embedded in the program, by name. An error is a mistake in a manifest
/// and names its file.
Result<std::vector<Case>> cases();

/// A file's cases: the text is CUDA source that begins with manifest lines ("//! key: value",
/// README.md).
Result<std::vector<Case>> parse_cases(const std::string& stem, std::string_view text, bool hostile);

enum class Finding {
  AsExpected,
  Otherwise,  // a hostile one refused, but for another reason than the one stated
  Missed,     // a hostile one passed
  Refused,    // an honest one did not pass
  KnownGap,   // a pending one passed
  Unjudged,   // NotVerifiable on this device, and nobody expected that
};
std::string_view to_string(Finding finding) noexcept;

struct CaseResult {
  const Case* which = nullptr;
  Finding finding = Finding::AsExpected;
  std::string kind;    // "passed" or the kind of rejection
  std::string check;   // that found it
  std::string reason;  // one line
  double ms = 0;       // compiling and judging
};

struct Options {
  std::string filter;  // cases whose name holds this text
  std::size_t stride = 1, first = 0;  // of those, every stride-th
  bool slow_too = true;
  std::uint64_t seed = 0;
  std::set<std::string, std::less<>> known;  // judged already: left out
  /// No case is begun after it.
  std::optional<std::chrono::steady_clock::time_point> until;
  std::function<void(const CaseResult&, std::size_t done, std::size_t all)> progress;
};

struct Report {
  std::vector<CaseResult> results;
  std::size_t count(bool hostile) const;
  std::size_t count(bool hostile, Finding finding) const;
  /// Hostile ones refused, over all hostile ones; 1 when there are none.
  double catch_rate() const;
  /// Everything hostile refused, everything honest passed.
  bool sound() const;
};

/// Judges every case, each judge in a thread of its own; results are in the order of the cases.
/// `cases` outlive the report. A judgement that fails by our own fault is a result ("error", not
/// judged). Errors: cancelled, or several failures of ours in a row (no compiler, no device).
Result<Report> run(std::span<verify::Judge* const> judges, const std::vector<Case>& cases,
                   const Options& options, std::stop_token stop);
Result<Report> run(verify::Judge& judge, const std::vector<Case>& cases, const Options& options,
                   std::stop_token stop);

/// One case as a line of JSON, and such lines read again (a torn last line is left out). NotFound:
/// a line about a case that is not in `cases`.
std::string to_json_line(const CaseResult& result);
Result<std::vector<CaseResult>> parse_json_lines(std::string_view lines,
                                                 const std::vector<Case>& cases);

/// {"v":1,"kind":"red_team",...}; `device` is where it ran.
std::string to_json(const Report& report, const DeviceIdentity& device);
/// A report as to_json() wrote it, for a table of several devices. InvalidArgument: not one;
/// NotFound: about other cases than these.
struct Column {
  DeviceIdentity device;
  std::string judge;
  Report report;
};
Result<Column> parse_report(std::string_view json, const std::vector<Case>& cases);
/// Markdown: totals by device, who caught what, and a row for every case.
std::string to_markdown(std::span<const Column> columns, const std::vector<Case>& cases);
/// A table for a person: what was missed or refused, then counts by check and the catch rate.
std::string to_text(const Report& report);

}  // namespace kw::redteam
