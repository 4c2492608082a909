#include "command.h"

namespace kw::agent {

std::vector<std::unique_ptr<Command>> all_commands() {
  std::vector<std::unique_ptr<Command>> commands;
  commands.push_back(make_doctor_command());
  commands.push_back(make_generate_command());
  commands.push_back(make_tune_command());
  commands.push_back(make_verify_command());
  commands.push_back(make_vm_command());
  commands.push_back(make_bench_command());
  commands.push_back(make_show_command());
  commands.push_back(make_export_command());
  commands.push_back(make_serve_command());
  commands.push_back(make_submit_command());
  commands.push_back(make_jobs_command());
  commands.push_back(make_watch_command());
  return commands;
}

}  // namespace kw::agent
