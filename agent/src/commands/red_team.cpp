#include "red_team.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "kw/agent/judging.h"
#include "kw/agent/task_source.h"
#include "kw/compile/service.h"
#include "kw/redteam/redteam.h"
#include "output.h"
#include "shard.h"

namespace kw::agent {
namespace {

constexpr std::size_t kMaxLinesBytes = 64u << 20;

/// Devices and their judges: one pair for each judgement that goes on at once.
struct Bench {
  std::vector<std::unique_ptr<verify::Device>> devices;
  std::vector<std::unique_ptr<verify::Judge>> judges;
};

Result<Bench> open_bench(const std::string& device, Compiler& compiler, int count) {
  Bench bench;
  for (int i = 0; i < count; ++i) {
    KW_ASSIGN(auto opened, verify::open_device(device));
    bench.judges.push_back(std::make_unique<verify::Judge>(compiler, *opened));
    bench.devices.push_back(std::move(opened));
  }
  return bench;
}

Result<std::vector<redteam::CaseResult>> read_lines(const std::string& path,
                                                    const std::vector<redteam::Case>& cases) {
  if (path.empty() || !std::filesystem::exists(path)) return std::vector<redteam::CaseResult>{};
  KW_ASSIGN(const std::string text, read_file(path, kMaxLinesBytes));
  auto results = redteam::parse_json_lines(text, cases);
  if (!results) return wrap(results.error(), path);
  return results;
}

Result<int> print_table(std::string_view paths) {
  KW_ASSIGN(const std::vector<redteam::Case> cases, redteam::cases());
  std::vector<redteam::Column> columns;
  while (!paths.empty()) {
    const std::size_t comma = std::min(paths.find(','), paths.size());
    const std::string path(paths.substr(0, comma));
    paths.remove_prefix(std::min(comma + 1, paths.size()));
    KW_ASSIGN(const std::string text, read_file(path, kMaxLinesBytes));
    auto column = redteam::parse_report(text, cases);
    if (!column) return wrap(column.error(), path);
    columns.push_back(std::move(*column));
  }
  KW_RETURN_IF_ERROR(print(redteam::to_markdown(columns, cases)));
  return std::ranges::all_of(columns, [](const auto& c) { return c.report.sound(); }) ? 0 : 1;
}

}  // namespace

Result<int> run_red_team(const Invocation& invocation, const RedTeamOptions& wanted) {
  if (!wanted.table.empty()) return print_table(wanted.table);
  const auto begun = std::chrono::steady_clock::now();
  KW_ASSIGN(const Shard shard, parse_shard(wanted.shard));
  KW_ASSIGN(const std::string name, resolve_device(invocation.globals.device));
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const int parallel = wanted.parallel > 0 ? wanted.parallel : cores;
  compile::CompileService compiler({.processes = static_cast<unsigned>(std::min(parallel, cores))});
  KW_RETURN_IF_ERROR(compiler.info());
  KW_ASSIGN(const Bench bench, open_bench(name, compiler, parallel));
  KW_ASSIGN(const std::vector<redteam::Case> cases, redteam::cases());
  KW_ASSIGN(std::vector<redteam::CaseResult> before, read_lines(wanted.lines, cases));

  Progress progress(invocation.globals.progress);
  redteam::Options options;
  options.filter = wanted.filter;
  options.slow_too = !wanted.quick;
  options.stride = shard.count;
  options.first = shard.index;
  for (const redteam::CaseResult& result : before) options.known.insert(result.which->name);
  if (wanted.seconds > 0) {
    options.until =
        begun + std::chrono::milliseconds(static_cast<std::int64_t>(1e3 * wanted.seconds));
  }
  std::ofstream lines;
  if (!wanted.lines.empty()) lines.open(wanted.lines, std::ios::app);
  std::size_t judged = 0, chosen = 0;
  options.progress = [&](const redteam::CaseResult& result, std::size_t done, std::size_t all) {
    judged = done, chosen = all;
    if (lines.is_open()) lines << redteam::to_json_line(result) << std::flush;
    progress.show(fmt::format("{}/{} {}: {}", done, all, result.which->name,
                              redteam::to_string(result.finding)));
  };
  std::vector<verify::Judge*> judges;
  for (const auto& judge : bench.judges) judges.push_back(judge.get());
  KW_ASSIGN(redteam::Report report, redteam::run(judges, cases, options, invocation.interrupted));
  progress.clear();
  if (lines.is_open() && !lines) return fail(Errc::Io, "{}: cannot write", wanted.lines);
  report.results.insert(report.results.begin(), std::make_move_iterator(before.begin()),
                        std::make_move_iterator(before.end()));
  if (report.results.empty()) {
    return fail(Errc::NotFound, "no case of the red team has '{}' in its name", wanted.filter);
  }
  std::ranges::sort(report.results, {}, [](const auto& r) { return r.which; });
  const verify::Device& device = *bench.devices.front();
  KW_RETURN_IF_ERROR(
      print(invocation.globals.json
                ? redteam::to_json(report, device.identity()) + "\n"
                : fmt::format("on {} ({})\n", device.identity().name, device.identity().arch) +
                      redteam::to_text(report)));
  if (judged < chosen) {
    return fail(Errc::DeadlineExceeded,
                "{} of {} cases judged in {} s; the same command goes on from here", judged, chosen,
                wanted.seconds);
  }
  return report.sound() ? 0 : 1;
}

}  // namespace kw::agent
