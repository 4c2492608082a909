#include "kw/verify/certificate.h"

#include <cmath>

#include "kw/verify/judge.h"

namespace kw::verify {
namespace {

constexpr double kSameFigure = 1e-9;

bool timed(std::string_view check) {
  return check.starts_with("V6") || check.starts_with("V9") || check.starts_with("V15") ||
         check.starts_with("V17");
}

std::string difference(const CheckRecord& a, const CheckRecord& b) {
  if (a.passed != b.passed) return fmt::format("{}: it {} now", a.check, b.passed ? "passes" : "fails");
  if (a.seed != b.seed) return fmt::format("{}: seed {} instead of {}", a.check, b.seed, a.seed);
  if (timed(a.check)) return {};
  for (const auto& [name, was] : a.figures) {
    const auto now = b.figures.find(name);
    if (now == b.figures.end()) return fmt::format("{}: no figure '{}'", a.check, name);
    const bool same = was == now->second ||
                      std::fabs(was - now->second) <= kSameFigure * std::fabs(was) ||
                      (std::isnan(was) && std::isnan(now->second));
    if (!same) return fmt::format("{}: {} is {:.6g}, was {:.6g}", a.check, name, now->second, was);
  }
  return {};
}

const Evidence& evidence_of(const Outcome& outcome) {
  return std::visit([](const auto& o) -> const Evidence& { return o.evidence; }, outcome);
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        // XML 1.0 has no other control characters.
        out += static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' ? '?' : c;
    }
  }
  return out;
}

}  // namespace

std::vector<std::string> Certificate::unverified() const {
  std::vector<std::string> out;
  for (const CheckRecord& check : verdict.evidence.checks) {
    const auto note = check.notes.find("not_verifiable");
    if (note != check.notes.end()) out.push_back(check.check + ": " + note->second);
  }
  if (!full) out.push_back("a first look only: families, sensitivity and repeats did not run");
  if (verdict.evidence.device.klass == "ptxvm") out.push_back("time: the virtual machine has none");
  return out;
}

Result<Certificate> certify(const Task& task, const Candidate& candidate, const Passed& verdict,
                            std::uint64_t seed, bool full, std::string release) {
  if (verdict.evidence.judge_version != kJudgeVersion) {
    return fail(Errc::InvalidArgument, "a verdict of '{}' is not certified, only of '{}'",
                verdict.evidence.judge_version, kJudgeVersion);
  }
  Certificate c;
  c.release = std::move(release);
  c.task = task;
  c.source = candidate.source;
  c.plan = candidate.plan;
  c.seed = seed;
  c.full = full;
  c.arch = verdict.evidence.device.arch;
  c.verdict = verdict;
  return c;
}

double median_half_width_us(const Timing& timing) {
  return timing.samples > 0 ? 1.57 * timing.spread_us / std::sqrt(static_cast<double>(timing.samples))
                            : 0;
}

Replay compare(const Certificate& certificate, const Outcome& again) {
  Replay replay;
  replay.same_verdict = passed(again);
  const Evidence& was = certificate.verdict.evidence;
  const Evidence& now = evidence_of(again);
  replay.same_device = was.device.klass == now.device.klass && was.device.name == now.device.name;
  const auto differs = [&](const char* what, const std::string& a, const std::string& b) {
    if (a != b) replay.differences.push_back(fmt::format("{}: '{}', was '{}'", what, b, a));
  };
  differs("device", was.device.name, now.device.name);
  differs("driver", was.device.driver, now.device.driver);
  differs("compiler", was.compiler, now.compiler);
  differs("judge", was.judge_version, now.judge_version);
  if (const auto* bad = std::get_if<Rejected>(&again)) {
    replay.differences.push_back(fmt::format("rejected, {}: {}", to_string(bad->kind), bad->reason));
  }
  // A check that ran several times is held against itself in turn.
  std::multimap<std::string, const CheckRecord*> by_name;
  for (const CheckRecord& check : now.checks) by_name.emplace(check.check, &check);
  for (const CheckRecord& check : was.checks) {
    const auto found = by_name.find(check.check);
    if (found == by_name.end()) {
      replay.differences.push_back(check.check + ": did not run");
      continue;
    }
    const CheckRecord& then = *found->second;
    by_name.erase(found);
    std::string text = difference(check, then);
    if (text.empty()) {
      ++replay.checks_agree;
    } else {
      replay.differences.push_back(std::move(text));
    }
  }
  return replay;
}

std::string to_junit(const std::string& name, const Outcome& outcome) {
  const Evidence& evidence = evidence_of(outcome);
  const auto* bad = std::get_if<Rejected>(&outcome);
  std::string cases;
  for (const CheckRecord& check : evidence.checks) {
    const auto note = check.notes.find("not_verifiable");
    cases += fmt::format("  <testcase classname=\"{}\" name=\"{}\">", escaped(name), escaped(check.check));
    if (note != check.notes.end()) {
      cases += fmt::format("<skipped message=\"{}\"/>", escaped(note->second));
    }
    cases += "</testcase>\n";
  }
  if (bad != nullptr) {
    cases += fmt::format(
        "  <testcase classname=\"{}\" name=\"verdict\"><failure type=\"{}\" message=\"{}\"/></testcase>\n",
        escaped(name), to_string(bad->kind), escaped(bad->reason));
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"{}\" tests=\"{}\" failures=\"{}\">\n"
      "{}</testsuite>\n",
      escaped(name), evidence.checks.size() + (bad != nullptr ? 1 : 0), bad != nullptr ? 1 : 0, cases);
}

}  // namespace kw::verify
