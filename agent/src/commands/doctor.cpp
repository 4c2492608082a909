#include <cstdlib>

#include "command.h"
#include "kw/agent/model_client.h"
#include "kw/agent/workshop.h"
#include "kw/compile/service.h"
#include "kw/core/json.h"
#include "kw/process/child.h"
#include "kw/verify/device.h"
#include "output.h"
#include "red_team.h"

namespace kw::agent {
namespace {

enum class Health { Good, Missing, Bad };  // Missing: works without it

struct Finding {
  std::string what;
  Health health = Health::Good;
  std::string text;
};

class DoctorCommand final : public Command {
 public:
  std::string name() const override { return "doctor"; }
  std::string about() const override { return "what works on this machine, and what to do"; }
  std::string examples() const override {
    return "  kernelwright doctor\n"
           "  kernelwright doctor --red-team\n"
           "  kernelwright doctor --endpoint http://127.0.0.1:8000/v1 --api-key-env MY_KEY";
  }
  void declare(Arguments& a) override {
    a.flag("--red-team", red_team_,
           "put the judge on trial: hostile kernels must be refused, honest ones must pass");
    a.option("--only", team_.filter, "with --red-team: cases whose name holds this");
    a.flag("--quick", team_.quick, "with --red-team: without those that take seconds each");
    a.option("--parallel", team_.parallel, 0, 256, "with --red-team: judgements at once; 0: all cores");
    a.option("--shard", team_.shard, "with --red-team: a part of the cases, as in 1/3");
    a.option("--lines", team_.lines,
             "with --red-team: a file of JSON lines to go on from and to add to");
    a.option("--table", team_.table,
             "with --red-team: judge nothing; the table of reports made by --json, as in a.json,b.json");
    a.option("--seconds", team_.seconds, 0, 1e6, "with --red-team: begin no case after these");
    a.option("--endpoint", endpoint_, "an OpenAI-compatible endpoint to try");
    a.option("--api-key-env", key_env_, "environment variable that holds its key");
  }

  Result<int> run(const Invocation& invocation) override {
    if (red_team_) return run_red_team(invocation, team_);
    std::vector<Finding> findings;
    compiler(findings);
    virtual_machine(findings);
    gpu(findings, invocation.globals.device);
    store(findings, invocation.globals);
    if (!endpoint_.empty()) endpoint(findings, invocation.interrupted);
    bool bad = false;
    Json list = Json::array();
    std::string text;
    for (const Finding& f : findings) {
      const char* health = f.health == Health::Good      ? "ok"
                           : f.health == Health::Missing ? "absent"
                                                         : "bad";
      bad = bad || f.health == Health::Bad;
      list.push_back({{"what", f.what}, {"health", health}, {"text", f.text}});
      text += fmt::format("{:<16} {:<7} {}\n", f.what, health, f.text);
    }
    KW_RETURN_IF_ERROR(print(invocation.globals.json
                                 ? dump({{"v", 1},
                                         {"kind", "doctor"},
                                         {"usable", !bad},
                                         {"version", KW_VERSION},
                                         {"checks", std::move(list)}}) +
                                       "\n"
                                 : text));
    return bad ? exit_code(Errc::Unavailable) : 0;
  }

 private:
  static void compiler(std::vector<Finding>& findings) {
    compile::CompileOptions options;
    options.processes = 1;
    compile::CompileService service(options);
    const auto info = service.info();
    if (!info) {
      findings.push_back({"compiler", Health::Bad, info.error().message});
      return;
    }
    findings.push_back({"compiler", Health::Good,
                        fmt::format("{} ({})", info->compiler, info->toolkit.origin)});
    // Without the filter a candidate is still compiled out of process, under limits.
    findings.push_back({"isolation", info->confined ? Health::Good : Health::Missing,
                        info->confined
                            ? "compile processes and runners may open, start and connect to nothing "
                              "(system-call filter)"
                            : "no system-call filter, so runners will not start and compile processes "
                              "have only their limits: " +
                                  info->confinement_detail});
    process::ChildOptions child;
    auto probe = process::Child::spawn_program("/bin/true", {}, child);
    if (probe) {
      findings.push_back({"process trees", Health::Good,
                          probe->in_namespace()
                              ? "killed whole, in PID namespaces"
                              : "killed by walking (no PID namespace allowed here)"});
    }
  }

  static void virtual_machine(std::vector<Finding>& findings) {
    const auto device = verify::open_device("vm");
    findings.push_back({"virtual machine", device ? Health::Good : Health::Bad,
                        device ? fmt::format("{}, {}", (*device)->identity().name,
                                             (*device)->identity().arch)
                               : device.error().message});
  }

  static void gpu(std::vector<Finding>& findings, const std::string& asked) {
    const bool wanted = asked.starts_with("cuda");
    const auto device = verify::open_device(wanted ? asked : "cuda");
    if (!device) {
      findings.push_back({"gpu", wanted ? Health::Bad : Health::Missing,
                          device.error().message + (wanted ? "" : " (not needed for --device vm)")});
      return;
    }
    const DeviceIdentity& id = (*device)->identity();
    findings.push_back({"gpu", Health::Good,
                        fmt::format("{} ({}), driver {}, {}", id.name, id.arch, id.driver, id.uuid)});
  }

  static void store(std::vector<Finding>& findings, const Globals& globals) {
    std::filesystem::path path = globals.store;
    if (path.empty()) {
      auto usual = default_store_path();
      if (!usual) return findings.push_back({"store", Health::Bad, usual.error().message});
      path = *usual;
    }
    auto opened = store::Store::open(path);
    if (!opened) {
      return findings.push_back(
          {"store", Health::Bad, fmt::format("{}: {}", path.string(), opened.error().message)});
    }
    const auto stats = (*opened)->stats();
    if (!stats) return findings.push_back({"store", Health::Bad, stats.error().message});
    findings.push_back(
        {"store", Health::Good,
         fmt::format("{}: schema {}, {} jobs, {} kernels, {} verdicts, {:.1f} MiB", path.string(),
                     stats->schema, stats->jobs, stats->candidates, stats->verdicts,
                     static_cast<double>(stats->file_bytes) / (1 << 20))});
  }

  void endpoint(std::vector<Finding>& findings, std::stop_token stop) const {
    std::string key;
    if (!key_env_.empty()) {
      const char* value = std::getenv(key_env_.c_str());
      if (!value || !*value) {
        return findings.push_back(
            {"endpoint", Health::Bad, fmt::format("environment variable {} is not set", key_env_)});
      }
      key = value;
    }
    const auto status = make_curl_client()->probe(endpoint_, key, std::move(stop));
    const bool good = status && *status == 200;
    findings.push_back({"endpoint", good ? Health::Good : Health::Bad,
                        status ? fmt::format("{}: HTTP {}", endpoint_, *status)
                               : fmt::format("{}: {}", endpoint_, status.error().message)});
  }

  std::string endpoint_, key_env_;
  bool red_team_ = false;
  RedTeamOptions team_;
};

}  // namespace

std::unique_ptr<Command> make_doctor_command() { return std::make_unique<DoctorCommand>(); }

}  // namespace kw::agent
