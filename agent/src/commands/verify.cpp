#include <filesystem>

#include "command.h"
#include "kw/agent/steps.h"
#include "kw/agent/task_source.h"
#include "kw/agent/workshop.h"
#include "kw/core/json.h"
#include "output.h"

namespace kw::agent {
namespace {

std::string outcome_text(const Outcome& outcome) {
  const auto evidence_text = [](const Evidence& evidence) {
    std::string out;
    for (const CheckRecord& check : evidence.checks) {
      out += fmt::format("  {:<6} {}", check.passed ? "ok" : "FAILED", check.check);
      for (const auto& [name, value] : check.figures) out += fmt::format("  {}={:.4g}", name, value);
      out += "\n";
    }
    return out + fmt::format("on {} ({}), {}, {}\n", evidence.device.name, evidence.device.arch,
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

class VerifyCommand final : public Command {
 public:
  std::string name() const override { return "verify"; }
  std::string about() const override { return "judge a kernel that you have"; }
  std::string examples() const override {
    return "  kernelwright verify kernel.cu --task kernelbench:1/19 --plan plan.json\n"
           "  kernelwright verify BUNDLE_DIRECTORY\n"
           "  kernelwright verify kernel.cu --task task.json --plan plan.json --seed 00c0ffee";
  }
  void declare(Arguments& a) override {
    a.positional("what", what_, "a .cu file, or the directory of an exported bundle", true);
    a.option("--task", task_, "the task it is for");
    a.option("--plan", plan_, "its launch plan (JSON)");
    a.option("--seed", seed_, "hexadecimal seed of an earlier verdict, to see it again");
    a.flag("--quick", quick_, "a first look instead of the whole battery");
  }

  Result<int> run(const Invocation& invocation) override {
    KW_ASSIGN(const std::string device, resolve_device(invocation.globals.device));
    std::error_code ec;
    if (std::filesystem::is_directory(what_, ec)) {
      if (!task_.empty() || !plan_.empty()) {
        return fail(Errc::InvalidArgument, "a bundle brings its own task and plan");
      }
      const std::filesystem::path bundle = what_;
      what_ = bundle / "kernel.cu";
      plan_ = bundle / "plan.json";
      task_ = bundle / "task.json";
    } else if (task_.empty() || plan_.empty()) {
      return fail(Errc::InvalidArgument, "'{}' needs --task and --plan", what_);
    }
    KW_ASSIGN(const Task task, load_task(task_, device == "vm"));
    Candidate candidate;
    KW_ASSIGN(candidate.source, read_file(what_, kMaxSourceBytes));
    KW_ASSIGN(const std::string plan, read_file(plan_, kMaxPlanBytes));
    auto parsed = parse_launch_plan(plan);
    if (!parsed) return wrap(parsed.error(), plan_);
    candidate.plan = std::move(*parsed);

    verify::JudgeOptions options;
    options.seed = random_seed();
    if (!seed_.empty()) {
      std::size_t used = 0;
      if (seed_.size() > 16 || seed_.find_first_not_of("0123456789abcdefABCDEF") != seed_.npos) {
        return fail(Errc::InvalidArgument, "--seed '{}' is no hexadecimal number", seed_);
      }
      options.seed = std::stoull(seed_, &used, 16);
    }
    options.full = !quick_;
    KW_ASSIGN(const auto compiler, make_compiler(nullptr));
    const auto judging = make_judging(*compiler);
    KW_ASSIGN(const DeviceInfo info, judging->device(device));
    options.timing = info.has_time;
    KW_ASSIGN(const Outcome outcome,
              judging->judge(device, task, candidate, options, invocation.interrupted));
    const std::string seed = fmt::format("{:016x}", options.seed);
    if (invocation.globals.json) {
      KW_RETURN_IF_ERROR(
          print(dump({{"v", 1},
                      {"kind", "verify"},
                      {"task", task.name},
                      {"seed", seed},
                      {"passed", passed(outcome)},
                      {"outcome", Json::parse(to_json(outcome), nullptr, false)}}) +
                "\n"));
    } else {
      KW_RETURN_IF_ERROR(print(outcome_text(outcome) + "seed " + seed + "\n"));
    }
    return passed(outcome) ? 0 : 1;
  }

 private:
  std::string what_, task_, plan_, seed_;
  bool quick_ = false;
};

}  // namespace

std::unique_ptr<Command> make_verify_command() { return std::make_unique<VerifyCommand>(); }

}  // namespace kw::agent
