// The only file that includes CLI11.

#include "kw/agent/cli.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "command.h"
#include "output.h"

namespace kw::agent {
namespace {

class CliArguments final : public Arguments {
 public:
  explicit CliArguments(CLI::App& app) : app_(app) {}

  void positional(const std::string& name, std::vector<std::string>& into, const std::string& help,
                  bool required) override {
    app_.add_option(name, into, help)->required(required)->type_name("");
  }
  void positional(const std::string& name, std::string& into, const std::string& help,
                  bool required) override {
    app_.add_option(name, into, help)->required(required)->type_name("");
  }
  void option(const std::string& name, std::string& into, const std::string& help) override {
    app_.add_option(name, into, help)->type_name("TEXT");
  }
  void option(const std::string& name, std::vector<std::string>& into,
              const std::string& help) override {
    app_.add_option(name, into, help)->type_name("TEXT");
  }
  void option(const std::string& name, int& into, int low, int high,
              const std::string& help) override {
    app_.add_option(name, into, help)->check(CLI::Range(low, high))->capture_default_str();
  }
  void option(const std::string& name, double& into, double low, double high,
              const std::string& help) override {
    app_.add_option(name, into, help)->check(CLI::Range(low, high))->capture_default_str();
  }
  void flag(const std::string& name, bool& into, const std::string& help) override {
    app_.add_flag(name, into, help);
  }

 private:
  CLI::App& app_;
};

void declare_globals(CLI::App& app, Globals& globals) {
  app.add_option("--store", globals.store,
                 "the store (default $XDG_DATA_HOME/kernelwright/store.sqlite)")
      ->type_name("PATH");
  app.add_option("--device", globals.device,
                 "vm (no GPU needed), cuda, cuda:N, or auto: a GPU if there is one")
      ->check(CLI::Validator(
          [](const std::string& text) {
            const bool numbered = text.rfind("cuda:", 0) == 0 && text.size() > 5 &&
                                  text.find_first_not_of("0123456789", 5) == std::string::npos;
            const bool known = text == "vm" || text == "cuda" || text == "auto" || numbered;
            return known ? std::string{} : "no device '" + text + "': vm, cuda, cuda:N or auto";
          },
          "vm|cuda[:N]|auto"))
      ->capture_default_str();
  app.add_flag("--json", globals.json, "print one JSON object on stdout");
  app.add_flag("--progress", globals.progress,
               "show progress on stderr even when it is not a terminal");
}

int run_parsed(Command& command, const Invocation& invocation) {
  Result<int> code = [&]() -> Result<int> {
    try {
      return command.run(invocation);
    } catch (const std::exception& error) {
      return fail(Errc::Internal, "{}", error.what());
    }
  }();
  if (code) return *code;
  print_error(code.error(), command.name(), invocation.globals.json);
  return exit_code(code.error().code);
}

}  // namespace

int run_command_line(int argc, char** argv, std::stop_token interrupted) {
  CLI::App app{
      "Kernelwright turns tensor programs into CUDA kernels that are judged, tuned and "
      "remembered.",
      "kernelwright"};
  app.require_subcommand(1);
  app.set_version_flag("--version", KW_VERSION);
  app.footer(
      "Run 'kernelwright COMMAND --help' for options and examples.\n"
      "Exit codes: 0 done, 1 the answer is no, 2 bad usage or input, 3 environment, "
      "4 budget or deadline, 130 interrupted.");

  Invocation invocation;
  invocation.interrupted = std::move(interrupted);
  auto commands = all_commands();
  std::vector<std::pair<CLI::App*, Command*>> declared;
  for (const auto& command : commands) {
    CLI::App* sub = app.add_subcommand(command->name(), command->about());
    declare_globals(*sub, invocation.globals);
    CliArguments arguments(*sub);
    command->declare(arguments);
    sub->footer("Examples:\n" + command->examples());
    declared.emplace_back(sub, command.get());
  }

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : exit_code(Errc::InvalidArgument);
  }
  for (const auto& [sub, command] : declared) {
    if (sub->parsed()) return run_parsed(*command, invocation);
  }
  return exit_code(Errc::InvalidArgument);
}

}  // namespace kw::agent
