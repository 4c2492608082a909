// kernelwright: one binary, its commands and the roles of its child processes.

#include "kw/agent/cli.h"
#include "kw/agent/roles.h"
#include "kw/process/role.h"

int main(int argc, char** argv) {
  // Compile processes and runners are this executable again; they never see the command line.
  if (const auto code = kw::process::run_role_if_asked(argc, argv, kw::agent::process_roles())) {
    return *code;
  }
  const kw::agent::InterruptHandler interrupt;
  return kw::agent::run_command_line(argc, argv, interrupt.token());
}
