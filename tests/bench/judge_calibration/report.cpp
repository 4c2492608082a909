#include "report.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>

#include "kw/core/json.h"

namespace kw::calibration {
namespace {

constexpr std::uint64_t kChunk = 36;  // cases that a thread takes at a time

std::string figure(double x) { return x >= 1e6 ? "inf" : fmt::format("{:.3g}", x); }

/// Counts of some rows added up.
struct Line {
  Count sum;
  void add(const Count& c) {
    sum.cases += c.cases;
    sum.failed += c.failed;
    sum.unjudged += c.unjudged;
    sum.most = std::max(sum.most, c.most);
    sum.least = std::min(sum.least, c.least);
  }
};
template <typename Key>
std::map<std::string, Line> lines(const Tally& tally, Key key) {
  std::map<std::string, Line> out;
  for (const auto& [row, count] : tally.rows) {
    const std::string name = key(row);
    if (!name.empty()) out[name].add(count);
  }
  return out;
}

/// Caught of all, for every length of sum: what each arithmetic loses on coherent data.
std::string lower_precision(const Tally& tally) {
  std::map<std::string, std::map<std::string, std::map<int, Line>>> tables;
  for (const auto& [row, count] : tally.rows) {
    if (row.honest) continue;
    tables[row.policy + ": " + row.scheme][row.task][std::min(row.log2_k, 15)].add(count);
  }
  std::string out = "\n## Caught on coherent data, by terms of the longest sum\n";
  for (const auto& [name, tasks] : tables) {
    out += fmt::format("\n{}\n\n| task |", name);
    for (int k = 4; k <= 15; ++k) out += fmt::format(" {} |", 1 << k);
    out += " least error in bounds |\n|---|";
    for (int k = 4; k <= 16; ++k) out += "---:|";
    for (const auto& [task, lengths] : tasks) {
      out += fmt::format("\n| {} |", task);
      double least = 1e300;
      for (int k = 4; k <= 15; ++k) {
        const auto found = lengths.find(k);
        if (found == lengths.end()) {
          out += " |";
          continue;
        }
        const Count& c = found->second.sum;
        least = std::min(least, c.least);
        out += c.failed == c.cases ? fmt::format(" {} |", c.cases)
                                   : fmt::format(" **{}/{}** |", c.failed, c.cases);
      }
      out += fmt::format(" {} |", figure(least));
    }
    out += "\n";
  }
  return out;
}

}  // namespace

Result<Report> run(const RunOptions& options) {
  const std::uint64_t threads =
      options.threads > 0 ? options.threads : std::max(1u, std::thread::hardware_concurrency());
  Report report;
  report.half = options.half == Half::Test ? "test" : "calibration";
  report.seed = options.seed;
  report.first = options.first;
  std::atomic<std::uint64_t> next{options.first};
  std::mutex mutex;
  Status status;  // guarded by mutex
  const std::uint64_t end = options.first + options.cases;
  const auto begin = std::chrono::steady_clock::now();
  const auto late = [&] {
    return options.seconds > 0 &&
           std::chrono::steady_clock::now() - begin > std::chrono::seconds(options.seconds);
  };
  {
    std::vector<std::jthread> pool;
    for (std::uint64_t t = 0; t < threads; ++t) {
      pool.emplace_back([&] {
        Tally mine;
        Status failed;
        while (failed && !late()) {
          const std::uint64_t from = next.fetch_add(kChunk);
          if (from >= end) break;
          for (std::uint64_t i = from; i < std::min(from + kChunk, end) && failed; ++i) {
            failed = run_case(options.half, options.seed, i, options.only, mine);
            if (!failed) failed = wrap(failed.error(), fmt::format("case {}", i));
          }
        }
        const std::lock_guard lock(mutex);
        report.tally.add(mine);
        if (!failed) status = failed;
      });
    }
  }
  if (!status) return tl::unexpected(status.error());
  report.next = std::min(next.load(), end);
  report.cases = report.next - report.first;
  report.seconds = static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
  return report;
}

std::string to_json(const Report& report) {
  Json rows = Json::array(), refused = Json::array();
  for (const auto& [row, c] : report.tally.rows) {
    rows.push_back({{"honest", row.honest},
                    {"policy", row.policy},
                    {"arithmetic", row.scheme},
                    {"task", row.task},
                    {"family", row.family},
                    {"log2_k", row.log2_k},
                    {"cases", c.cases},
                    {"failed", c.failed},
                    {"unjudged", c.unjudged},
                    {"most", number_json(c.most)},
                    {"least", number_json(c.least)}});
  }
  for (const Failure& f : report.tally.refused) {
    refused.push_back({{"case", f.index},
                       {"policy", f.row.policy},
                       {"arithmetic", f.row.scheme},
                       {"task", f.row.task},
                       {"family", f.row.family},
                       {"k", f.k},
                       {"in_bounds", number_json(f.in_bounds)},
                       {"bias", number_json(f.bias)},
                       {"at", f.at},
                       {"expected", number_json(f.expected)},
                       {"got", number_json(f.got)},
                       {"bound", number_json(f.bound)}});
  }
  return dump({{"v", 1},
               {"kind", "judge_calibration"},
               {"half", report.half},
               {"seed", report.seed},
               {"first", report.first},
               {"next", report.next},
               {"cases", report.cases},
               {"cpu_seconds", number_json(report.seconds)},
               {"rows", rows},
               {"refused", refused}});
}

Result<Report> merged(const std::vector<std::string>& files) {
  Report all;
  for (const std::string& file : files) {
    std::ifstream in(file);
    std::stringstream text;
    text << in.rdbuf();
    KW_ASSIGN(const Json doc, parse_json(text.str()));
    if (!doc.is_object() || doc.value("kind", "") != "judge_calibration") {
      return fail(Errc::InvalidArgument, "{}: no report of a calibration", file);
    }
    if (!all.half.empty() && all.half != doc.at("half").get<std::string>()) {
      return fail(Errc::InvalidArgument, "{}: another half of the seeds", file);
    }
    all.half = doc.at("half").get<std::string>();
    all.seed = doc.at("seed").get<std::uint64_t>();
    all.first = all.cases == 0 ? doc.at("first").get<std::uint64_t>() : all.first;
    all.next = doc.at("next").get<std::uint64_t>();
    all.cases += doc.at("cases").get<std::uint64_t>();
    KW_ASSIGN(const double seconds, number_from(doc.at("cpu_seconds"), "/cpu_seconds"));
    all.seconds += seconds;
    for (const Json& r : doc.at("rows")) {
      const Row row{r.at("honest").get<bool>(), r.at("policy").get<std::string>(),
                    r.at("arithmetic").get<std::string>(), r.at("task").get<std::string>(),
                    r.at("family").get<std::string>(), r.at("log2_k").get<int>()};
      Count c;
      c.cases = r.at("cases").get<std::uint64_t>();
      c.failed = r.at("failed").get<std::uint64_t>();
      c.unjudged = r.at("unjudged").get<std::uint64_t>();
      KW_ASSIGN(c.most, number_from(r.at("most"), "/rows/most"));
      KW_ASSIGN(c.least, number_from(r.at("least"), "/rows/least"));
      Line line;
      line.sum = all.tally.rows[row];
      line.add(c);
      all.tally.rows[row] = line.sum;
    }
    for (const Json& r : doc.at("refused")) {
      Failure f;
      f.index = r.at("case").get<std::uint64_t>();
      f.row = {true, r.at("policy").get<std::string>(), r.at("arithmetic").get<std::string>(),
               r.at("task").get<std::string>(), r.at("family").get<std::string>(), 0};
      f.k = r.at("k").get<std::int64_t>();
      KW_ASSIGN(f.in_bounds, number_from(r.at("in_bounds"), "/refused/in_bounds"));
      KW_ASSIGN(f.bias, number_from(r.at("bias"), "/refused/bias"));
      all.tally.refused.push_back(f);
    }
  }
  return all;
}

std::string to_markdown(const Report& report) {
  const Tally& tally = report.tally;
  std::string out = fmt::format(
      "{} half, seed {}: {} cases, {:.2f} ms of one core each\n\n## Honest kernels\n\n"
      "| policy | arithmetic | cases | refused | not judged | largest error in bounds |\n"
      "|---|---|---:|---:|---:|---:|\n",
      report.half, report.seed, report.cases,
      report.cases == 0 ? 0 : report.seconds * 1e3 / static_cast<double>(report.cases));
  const auto honest = [](const Row& r) {
    return r.honest ? r.policy + " | " + r.scheme : std::string();
  };
  for (const auto& [name, line] : lines(tally, honest)) {
    out += fmt::format("| {} | {} | {} | {} | {} |\n", name, line.sum.cases, line.sum.failed,
                       line.sum.unjudged, figure(line.sum.most));
  }
  out += "\n| task | cases | refused | largest error in bounds |\n|---|---:|---:|---:|\n";
  const auto by_task = [](const Row& r) { return r.honest ? r.task : std::string(); };
  for (const auto& [name, line] : lines(tally, by_task)) {
    out += fmt::format("| {} | {} | {} | {} |\n", name, line.sum.cases, line.sum.failed,
                       figure(line.sum.most));
  }
  out += "\n| data | cases | refused | largest error in bounds |\n|---|---:|---:|---:|\n";
  const auto by_data = [](const Row& r) { return r.honest ? r.family : std::string(); };
  for (const auto& [name, line] : lines(tally, by_data)) {
    out += fmt::format("| {} | {} | {} | {} |\n", name, line.sum.cases, line.sum.failed,
                       figure(line.sum.most));
  }
  out += lower_precision(tally);
  if (tally.refused.empty()) return out;
  out += "\n## Honest kernels that were refused\n\n"
         "| case | policy | arithmetic | task | data | terms | error | bias |\n"
         "|---:|---|---|---|---|---:|---:|---:|\n";
  for (const Failure& f : tally.refused) {
    out += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} |\n", f.index, f.row.policy,
                       f.row.scheme, f.row.task, f.row.family, f.k, figure(f.in_bounds),
                       figure(f.bias));
  }
  return out;
}

}  // namespace kw::calibration
