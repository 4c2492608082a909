#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>

#include "kw/bench/report.h"

namespace kw::bench {
namespace {

/// Text inside a table cell: no bars, no line ends, no markup.
std::string cell(std::string_view text) {
  std::string safe;
  for (const char c : text.substr(0, 200)) {
    if (c == '|' || c == '`' || c == '<' || c == '>' || c == '*' || c == '_') safe += '\\';
    safe += (c == '\n' || c == '\r' || c == '\t') ? ' ' : c;
  }
  return safe;
}

std::string milliseconds(const std::optional<double>& ms) {
  if (!ms) return "-";
  return *ms < 0.1 ? fmt::format("{:.4f}", *ms) : fmt::format("{:.3f}", *ms);
}

std::string factor(const std::optional<double>& ratio) {
  return ratio ? fmt::format("{:.2f}x", *ratio) : "-";
}

std::string of_floor(const TaskResult& result) {
  const auto ours = result.ms();
  const auto floor = result.floor_ms();
  return ours && floor ? fmt::format("{:.0f} %", 100 * *floor / *ours) : "-";
}

std::string outcome_text(const TaskResult& result) {
  if (result.solved()) return "passed";
  const auto& rejected = std::get<Rejected>(result.outcome);
  return rejected.reason.empty() ? std::string(to_string(rejected.kind)) : rejected.reason;
}

std::string row(const TaskResult& result) {
  const auto baseline = result.baseline.value_or(Baseline{});
  std::string library = milliseconds(baseline.ms(Against::Library));
  if (!baseline.library.empty()) library += " (" + cell(baseline.library) + ")";
  return fmt::format(
      "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", cell(result.task),
      cell(outcome_text(result)), milliseconds(result.ms()),
      milliseconds(baseline.ms(Against::Eager)), milliseconds(baseline.ms(Against::Graph)), library,
      milliseconds(baseline.ms(Against::Compile)), factor(speedup(result, Against::Eager)),
      factor(speedup_over_best(result)), milliseconds(result.floor_ms()), of_floor(result),
      to_string(result.klass), cell(result.kernel));
}

std::string_view title(Against against) {
  switch (against) {
    case Against::Eager:
      return "eager";
    case Against::Graph:
      return "CUDA graph";
    case Against::Library:
      return "library";
    case Against::Compile:
      return "torch.compile";
    case Against::EagerDefault:
      return "eager as shipped";
  }
  return "";
}

std::string score_row(const Report& report, Against against, bool sound_only) {
  const Score total = score(report.results, against, sound_only);
  std::string text = fmt::format("| {} | {} | {} of {} |", sound_only ? "sound" : "all",
                                 title(against), total.solved, total.tasks);
  for (const double p : kFastThresholds) {
    const auto share = total.fast_p.find(p);
    text += share == total.fast_p.end() ? " - |" : fmt::format(" {:.2f} |", share->second);
  }
  return text + fmt::format(" {} |\n", factor(total.geometric_mean));
}

/// "median 0.41 s a kernel; V11 38 %, V10 21 %, ..." of what judging the solved tasks cost.
std::string judging(const Report& report) {
  constexpr std::string_view kPrefix = "seconds.";
  std::vector<double> totals;
  std::map<std::string, double> by_check;
  double all = 0;
  for (const TaskResult& result : report.results) {
    const auto* good = std::get_if<Passed>(&result.outcome);
    if (good == nullptr) continue;
    double total = 0;
    for (const auto& [name, seconds] : good->evidence.counters) {
      if (!name.starts_with(kPrefix)) continue;
      by_check[name.substr(kPrefix.size())] += seconds;
      total += seconds;
    }
    if (total > 0) totals.push_back(total);
    all += total;
  }
  if (totals.empty()) return {};
  std::ranges::sort(totals);
  std::vector<std::pair<double, std::string>> shares;
  for (const auto& [check, seconds] : by_check) shares.emplace_back(seconds / all, check);
  std::ranges::sort(shares, std::greater<>());
  std::string text = fmt::format("\nJudging: median {:.3f} s a kernel, {:.3f} s at most;",
                                 totals[totals.size() / 2], totals.back());
  for (const auto& [share, check] : shares) text += fmt::format(" {} {:.0f} %", check, 100 * share);
  return text + "\n";
}

std::string classes(const Report& report) {
  std::map<std::string_view, std::size_t> solved;
  for (const TaskResult& result : report.results) {
    if (result.solved()) ++solved[to_string(result.klass)];
  }
  std::string text;
  for (const auto& [name, count] : solved) {
    text += fmt::format("{}{} {}", text.empty() ? "\nSolved tasks by class: " : ", ", count, name);
  }
  return text.empty() ? text : text + ".\n";
}

Status io_error(const std::string& path, std::string_view what) {
  return fail(Errc::Io, "{}: {}: {}", path, what, std::strerror(errno));
}

Status write_file(const std::string& path, const std::string& text) {
  const std::string temporary = fmt::format("{}.{}.new", path, ::getpid());
  {
    std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
    file << text;
    file.close();
    if (!file) {
      const Status error = io_error(path, "cannot write");
      std::remove(temporary.c_str());
      return error;
    }
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) return io_error(path, "cannot rename");
  return {};
}

}  // namespace

std::string to_markdown(const Report& report) {
  std::string text = fmt::format("# {}\n\n", cell(report.suite));
  text += fmt::format("- policy: {}\n- device: {} {}\n", cell(report.policy),
                      cell(report.device.name.empty() ? report.device.klass : report.device.name),
                      cell(report.device.driver));
  for (const auto& [name, value] : report.environment) {
    text += fmt::format("- {}: {}\n", cell(name), cell(value));
  }
  text +=
      "\n| task | result | ours ms | eager ms | CUDA graph ms | library ms | torch.compile ms |"
      " vs eager | vs best | floor ms | of floor | class | kernel |\n"
      "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- |\n";
  for (const TaskResult& result : report.results) text += row(result);
  text += "\n| tasks | against | solved |";
  for (const double p : kFastThresholds) text += fmt::format(" fast\\_{} |", p);
  text += " geometric mean |\n| --- | --- | --- |";
  for (std::size_t i = 0; i < std::size(kFastThresholds); ++i) text += " ---: |";
  text += " ---: |\n";
  for (const bool sound_only : {false, true}) {
    text += score_row(report, Against::Eager, sound_only);
    for (const Against against : {Against::Graph, Against::Library, Against::Compile}) {
      const bool measured = std::ranges::any_of(report.results, [&](const TaskResult& result) {
        return result.baseline && result.baseline->ms(against);
      });
      if (measured) text += score_row(report, against, sound_only);
    }
  }
  return text + classes(report) + judging(report);
}

Status write_report(const Report& report, const std::string& base) {
  KW_RETURN_IF_ERROR(write_file(base + ".json", to_json(report)));
  KW_RETURN_IF_ERROR(write_file(base + ".md", to_markdown(report)));
  return write_file(base + ".html", to_html(report));
}

}  // namespace kw::bench
