#include <filesystem>
#include <fstream>

#include "accepts.h"
#include "command.h"
#include "kw/agent/steps.h"
#include "kw/agent/task_source.h"
#include "kw/agent/workshop.h"
#include "kw/core/json.h"
#include "kw/verify/certificate.h"
#include "output.h"

namespace kw::agent {
namespace {

std::string outcome_text(const Outcome& outcome) {
  const auto evidence_text = [](const Evidence& evidence) {
    std::string out;
    for (const CheckRecord& check : evidence.checks) {
      out += fmt::format("  {:<6} {}", check.passed ? "ok" : "FAILED", check.check);
      for (const auto& [name, value] : check.figures)
        out += fmt::format("  {}={:.4g}", name, value);
      out += "\n";
    }
    const std::string cost = judging_text(evidence);
    return out + (cost.empty() ? "" : cost + "\n") +
           fmt::format("on {} ({}), {}, {}\n", evidence.device.name, evidence.device.arch,
                       evidence.compiler, evidence.judge_version);
  };
  if (const auto* good = std::get_if<Passed>(&outcome)) {
    std::string out = "passed\n" + evidence_text(good->evidence);
    if (good->timing) {
      out += fmt::format("median {}, floor {}\n", microseconds_text(good->timing->median_us),
                         microseconds_text(good->timing->floor_us));
    }
    return out;
  }
  const Rejected& bad = std::get<Rejected>(outcome);
  std::string out = fmt::format("rejected, {}: {}\n", to_string(bad.kind), bad.reason);
  for (const auto& [name, value] : bad.witness) out += fmt::format("  {}: {}\n", name, value);
  return out + evidence_text(bad.evidence);
}

/// What is judged: the texts, and, for a replay, the certificate they come with.
struct Subject {
  Task task;
  Candidate candidate;
  std::optional<verify::Certificate> certificate;
};

Status write_text(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) return fail(Errc::Io, "cannot write '{}'", path);
  return {};
}

Result<LaunchPlan> read_plan(const std::string& path) {
  KW_ASSIGN(const std::string text, read_file(path, kMaxPlanBytes));
  auto plan = parse_launch_plan(text);
  if (!plan) return wrap(plan.error(), path);
  return std::move(*plan);
}

Result<Subject> read_certificate(const std::string& path) {
  KW_ASSIGN(const std::string text, read_file(path, verify::kMaxCertificateBytes));
  auto certificate = verify::parse_certificate(text);
  if (!certificate) return wrap(certificate.error(), path);
  Subject subject;
  subject.task = certificate->task;
  subject.candidate.source = certificate->source;
  subject.candidate.plan = certificate->plan;
  subject.certificate = std::move(*certificate);
  return subject;
}

/// A bundle's files and its certificate must be of the same kernel, plan and task.
Status same_as_certified(const std::filesystem::path& bundle, const Subject& subject) {
  const auto refuse = [&](const char* file) {
    return fail(Errc::InvalidArgument,
                "{} is not what certificate.json certifies: one of them was changed",
                (bundle / file).string());
  };
  KW_ASSIGN(const std::string source, read_file(bundle / "kernel.cu", kMaxSourceBytes));
  if (source != subject.candidate.source) return refuse("kernel.cu");
  KW_ASSIGN(const LaunchPlan plan, read_plan(bundle / "plan.json"));
  if (to_json(plan) != to_json(subject.candidate.plan)) return refuse("plan.json");
  KW_ASSIGN(const Task task, load_task((bundle / "task.json").string(), false));
  if (to_json(task) != to_json(subject.task)) return refuse("task.json");
  return {};
}

std::string replay_text(const verify::Replay& replay) {
  std::string out = fmt::format("replayed: {} checks agree, {} differences{}\n",
                                replay.checks_agree, replay.differences.size(),
                                replay.same_device ? "" : " (another device: figures may differ)");
  for (const std::string& line : replay.differences) out += "  " + line + "\n";
  return out;
}

class VerifyCommand final : public Command {
 public:
  std::string name() const override { return "verify"; }
  std::string about() const override { return "judge a kernel that you have, or a verdict again"; }
  std::string examples() const override {
    return "  kernelwright verify kernel.cu --task kernelbench:1/19 --plan plan.json\n"
           "  kernelwright verify BUNDLE_DIRECTORY\n"
           "  kernelwright verify certificate.json\n"
           "  kernelwright verify kernel.cu --task task.json --plan plan.json --certificate "
           "out.json";
  }
  void declare(Arguments& a) override {
    a.positional("what", what_, "a .cu file, a certificate, or the directory of an exported bundle",
                 true);
    a.option("--task", task_, "the task it is for");
    a.option("--plan", plan_, "its launch plan (JSON)");
    a.option("--seed", seed_, "hexadecimal seed of an earlier verdict, to see it again");
    a.option("--certificate", certificate_, "write the certificate of an accept here");
    a.option("--junit", junit_, "write the checks here as a JUnit report");
    a.flag("--quick", quick_, "a first look instead of the whole battery");
  }

  Result<int> run(const Invocation& invocation) override {
    KW_ASSIGN(const std::string device, resolve_device(invocation.globals.device));
    KW_ASSIGN(const Subject subject, read_subject(device == "vm"));
    verify::JudgeOptions options;
    options.seed = subject.certificate ? subject.certificate->seed : random_seed();
    if (!seed_.empty()) {
      if (seed_.size() > 16 || seed_.find_first_not_of("0123456789abcdefABCDEF") != seed_.npos) {
        return fail(Errc::InvalidArgument, "--seed: '{}' is no hexadecimal number", seed_);
      }
      options.seed = std::stoull(seed_, nullptr, 16);
    }
    options.full = subject.certificate ? subject.certificate->full : !quick_;
    KW_ASSIGN(const auto compiler, make_compiler(nullptr));
    const auto judging = make_judging(*compiler);
    KW_ASSIGN(const DeviceInfo info, judging->device(device));
    options.timing = info.has_time;
    KW_ASSIGN(const Outcome outcome, judging->judge(device, subject.task, subject.candidate,
                                                    options, invocation.interrupted));
    KW_RETURN_IF_ERROR(write_files(subject, options, outcome));
    return show(invocation, subject, options.seed, outcome);
  }

 private:
  Result<Subject> read_subject(bool small) {
    std::error_code ec;
    if (std::filesystem::is_directory(what_, ec) || what_.ends_with(".json")) {
      if (!task_.empty() || !plan_.empty()) {
        return fail(Errc::InvalidArgument, "a bundle or certificate brings its own task and plan");
      }
      if (what_.ends_with(".json")) return read_certificate(what_);
      const std::filesystem::path bundle = what_;
      if (std::filesystem::exists(bundle / "certificate.json", ec)) {
        KW_ASSIGN(Subject subject, read_certificate(bundle / "certificate.json"));
        KW_RETURN_IF_ERROR(same_as_certified(bundle, subject));
        return subject;
      }
      what_ = bundle / "kernel.cu";
      plan_ = bundle / "plan.json";
      task_ = bundle / "task.json";
    } else if (task_.empty() || plan_.empty()) {
      return fail(Errc::InvalidArgument, "'{}' needs --task and --plan", what_);
    }
    Subject subject;
    KW_ASSIGN(subject.task, load_task(task_, small));
    KW_ASSIGN(subject.candidate.source, read_file(what_, kMaxSourceBytes));
    KW_ASSIGN(subject.candidate.plan, read_plan(plan_));
    return subject;
  }

  Status write_files(const Subject& subject, const verify::JudgeOptions& options,
                     const Outcome& outcome) const {
    if (!junit_.empty()) {
      KW_RETURN_IF_ERROR(write_text(junit_, verify::to_junit(subject.task.name, outcome)));
    }
    const auto* good = std::get_if<Passed>(&outcome);
    if (certificate_.empty() || good == nullptr) return {};
    KW_ASSIGN(const verify::Certificate certificate,
              verify::certify(subject.task, subject.candidate, *good, options.seed, options.full,
                              KW_VERSION));
    return write_text(certificate_, verify::to_json(certificate));
  }

  static Result<int> show(const Invocation& invocation, const Subject& subject, std::uint64_t drawn,
                          const Outcome& outcome) {
    const std::string seed = fmt::format("{:016x}", drawn);
    std::optional<verify::Replay> replay;
    if (subject.certificate) replay = verify::compare(*subject.certificate, outcome);
    if (invocation.globals.json) {
      Json out = {{"v", 1},
                  {"kind", "verify"},
                  {"task", subject.task.name},
                  {"seed", seed},
                  {"passed", passed(outcome)},
                  {"outcome", Json::parse(to_json(outcome), nullptr, false)}};
      if (replay) {
        out["replay"] = {{"same_verdict", replay->same_verdict},
                         {"same_device", replay->same_device},
                         {"checks_agree", replay->checks_agree},
                         {"differences", replay->differences}};
      }
      KW_RETURN_IF_ERROR(print(dump(out) + "\n"));
    } else {
      KW_RETURN_IF_ERROR(print(outcome_text(outcome) + "seed " + seed + "\n" +
                               (replay ? replay_text(*replay) : "")));
    }
    return passed(outcome) ? 0 : 1;
  }

  std::string what_, task_, plan_, seed_, certificate_, junit_;
  bool quick_ = false;
};

}  // namespace

std::unique_ptr<Command> make_verify_command() { return std::make_unique<VerifyCommand>(); }

}  // namespace kw::agent
