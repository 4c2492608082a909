#include "red_team.h"

#include "kw/agent/judging.h"
#include "kw/compile/service.h"
#include "kw/redteam/redteam.h"
#include "output.h"

namespace kw::agent {

Result<int> run_red_team(const Invocation& invocation, const std::string& filter, bool quick) {
  KW_ASSIGN(const std::string name, resolve_device(invocation.globals.device));
  KW_ASSIGN(const auto device, verify::open_device(name));
  compile::CompileService compiler({.processes = 1});
  KW_RETURN_IF_ERROR(compiler.info());
  verify::Judge judge(compiler, *device);
  KW_ASSIGN(const std::vector<redteam::Case> cases, redteam::cases());
  Progress progress(invocation.globals.progress);
  redteam::Options options;
  options.filter = filter;
  options.slow_too = !quick;
  options.progress = [&](const redteam::CaseResult& result, std::size_t done, std::size_t all) {
    progress.show(fmt::format("{}/{} {}: {}", done, all, result.which->name,
                              redteam::to_string(result.finding)));
  };
  KW_ASSIGN(const redteam::Report report,
            redteam::run(judge, cases, options, invocation.interrupted));
  progress.clear();
  if (report.results.empty()) {
    return fail(Errc::NotFound, "no case of the red team has '{}' in its name", filter);
  }
  KW_RETURN_IF_ERROR(print(invocation.globals.json
                               ? redteam::to_json(report, device->identity()) + "\n"
                               : fmt::format("on {} ({})\n", device->identity().name,
                                             device->identity().arch) +
                                     redteam::to_text(report)));
  return report.sound() ? 0 : 1;
}

}  // namespace kw::agent
