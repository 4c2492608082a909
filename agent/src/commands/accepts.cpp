#include "accepts.h"

#include <algorithm>
#include <fstream>

#include "kw/verify/certificate.h"

namespace kw::agent {
namespace fs = std::filesystem;
namespace {

/// A task's name as part of a file's: letters, digits, dots and dashes.
std::string file_name(std::string_view task) {
  std::string out;
  for (const char c : task.substr(0, 96)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '-';
    out += plain ? c : '_';
  }
  return out;
}

Result<fs::path> write(const verify::Certificate& certificate, const std::string& candidate,
                       const fs::path& directory) {
  std::error_code ec;
  fs::create_directories(directory, ec);
  const fs::path path = directory / fmt::format("{}-{}.json", file_name(certificate.task.name),
                                                candidate.substr(0, 12));
  // Whoever reads it meanwhile sees the old one or the new one.
  const fs::path fresh = path.string() + ".new";
  std::ofstream file(fresh, std::ios::binary | std::ios::trunc);
  file << verify::to_json(certificate);
  file.close();
  if (!ec && file) fs::rename(fresh, path, ec);
  if (ec || !file) return fail(Errc::Io, "cannot write the certificate '{}'", path.string());
  return path;
}

}  // namespace

Result<std::optional<store::VerdictRecord>> accept_of(store::Store& store, const TaskRun& run) {
  if (!run.state || run.state->winner.empty()) return std::optional<store::VerdictRecord>();
  KW_ASSIGN(auto verdicts, store.verdicts(run.state->winner));
  std::optional<store::VerdictRecord> found;
  for (store::VerdictRecord& v : verdicts) {
    if (v.full && passed(v.outcome)) found = std::move(v);
  }
  return found;
}

Result<fs::path> default_certificates(const std::string& store) {
  if (!store.empty()) return fs::path(store).parent_path() / "certificates";
  KW_ASSIGN(const fs::path path, default_store_path());
  return path.parent_path() / "certificates";
}

Result<fs::path> write_certificate(store::Store& store, const Task& task,
                                   const store::VerdictRecord& verdict, const fs::path& directory) {
  KW_ASSIGN(const auto candidate, store.candidate(verdict.candidate));
  const auto* good = std::get_if<Passed>(&verdict.outcome);
  if (!candidate || good == nullptr) {
    return fail(Errc::NotFound, "kernel '{}' has no accept in the store", verdict.candidate);
  }
  KW_ASSIGN(const verify::Certificate certificate,
            verify::certify(task, *candidate, *good, verdict.seed, verdict.full, KW_VERSION));
  return write(certificate, verdict.candidate, directory);
}

Result<fs::path> write_certificate(const Task& task, const Candidate& candidate,
                                   const Passed& accept, bool full, const fs::path& directory) {
  const auto& checks = accept.evidence.checks;
  const auto drawn = std::ranges::find(checks, "V1.seed", &CheckRecord::check);
  if (drawn == checks.end()) {
    return fail(Errc::InvalidArgument, "the accept of {} records no seed", task.name);
  }
  KW_ASSIGN(const verify::Certificate certificate,
            verify::certify(task, candidate, accept, drawn->seed, full, KW_VERSION));
  return write(certificate, candidate_id(candidate), directory);
}
std::vector<std::pair<std::string, double>> judging_costs(const Evidence& evidence) {
  constexpr std::string_view kPrefix = "seconds.";
  std::vector<std::pair<std::string, double>> costs;
  for (const auto& [name, seconds] : evidence.counters) {
    if (name.starts_with(kPrefix)) costs.emplace_back(name.substr(kPrefix.size()), seconds);
  }
  std::ranges::stable_sort(costs, [](const auto& a, const auto& b) { return a.second > b.second; });
  return costs;
}

std::string judging_text(const Evidence& evidence) {
  const auto costs = judging_costs(evidence);
  double all = 0;
  for (const auto& [check, seconds] : costs) all += seconds;
  if (all <= 0) return {};
  std::string out;
  for (const auto& [check, seconds] : costs) {
    out += fmt::format("{} {} {:.0f} %", out.empty() ? ":" : ",", check, 100 * seconds / all);
  }
  return "judging " + seconds_text(all) + out;
}

}  // namespace kw::agent
