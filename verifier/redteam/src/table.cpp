// Reports of several devices side by side, as Markdown.

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "kw/redteam/redteam.h"

namespace kw::redteam {
namespace {

const CaseResult* find(const Report& report, const Case& c) {
  const auto found = std::ranges::find(report.results, &c, &CaseResult::which);
  return found == report.results.end() ? nullptr : &*found;
}

std::string cell(const CaseResult* result) {
  if (result == nullptr) return "not run";
  if (result->kind == "passed") return result->which->hostile ? "**passed**" : "passed";
  std::string text = result->kind;
  if (!result->check.empty()) text += " by " + result->check;
  const bool bad = result->finding == Finding::Refused || result->finding == Finding::Unjudged;
  return bad ? "**" + text + "**" : text;
}

std::string row_numbers(const Case& c) { return fmt::format("{}", fmt::join(c.rows, ", ")); }

/// A Markdown table; the first row is the heading.
std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::string text;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    text += fmt::format("| {} |\n", fmt::join(rows[r], " | "));
    if (r > 0) continue;
    text += "|";
    for (std::size_t c = 0; c < rows[r].size(); ++c) text += " --- |";
    text += "\n";
  }
  return text + "\n";
}

}  // namespace

std::string to_markdown(std::span<const Column> columns, const std::vector<Case>& cases) {
  std::vector<std::vector<std::string>> totals{
      {"device", "judge", "hostile", "caught", "for another reason than stated", "honest", "refused",
       "not judged"}};
  std::set<std::string> checks;
  std::vector<std::map<std::string, std::size_t>> caught(columns.size());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const Report& r = columns[i].report;
    totals.push_back({columns[i].device.name, columns[i].judge, fmt::format("{}", r.count(true)),
                      fmt::format("{:.1f} %", 100 * r.catch_rate()),
                      fmt::format("{}", r.count(true, Finding::Otherwise)),
                      fmt::format("{}", r.count(false)),
                      fmt::format("{}", r.count(false, Finding::Refused)),
                      fmt::format("{}", r.count(true, Finding::Unjudged) +
                                            r.count(false, Finding::Unjudged))});
    for (const CaseResult& result : r.results) {
      if (!result.which->hostile || result.kind == "passed") continue;
      const std::string by = result.check.empty() ? result.kind : result.check;
      checks.insert(by);
      ++caught[i][by];
    }
  }
  std::vector<std::vector<std::string>> by_check{{"found by"}};
  std::vector<std::string> heading{"case", "rows"};
  for (const Column& column : columns) {
    by_check[0].push_back(column.device.name);
    heading.push_back(column.device.name);
  }
  for (const std::string& check : checks) {
    std::vector<std::string> row{check};
    for (auto& counts : caught) row.push_back(fmt::format("{}", counts[check]));
    by_check.push_back(std::move(row));
  }
  std::string text = table(totals) + table(by_check);
  for (const bool hostile : {true, false}) {
    std::vector<std::vector<std::string>> rows{heading};
    for (const Case& c : cases) {
      if (c.hostile != hostile) continue;
      std::vector<std::string> row{c.name, row_numbers(c)};
      for (const Column& column : columns) row.push_back(cell(find(column.report, c)));
      rows.push_back(std::move(row));
    }
    text += fmt::format("## {}\n\n", hostile ? "Hostile" : "Honest") + table(rows);
  }
  return text;
}

}  // namespace kw::redteam
