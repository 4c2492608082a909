#pragma once
// What every command of `kernelwright` is made of. Commands see neither the argument parser nor
// each other.

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "kw/core/result.h"

namespace kw::agent {

/// Where a command declares its arguments; the values are filled in before run().
class Arguments {
 public:
  virtual ~Arguments() = default;
  virtual void positional(const std::string& name, std::vector<std::string>& into,
                          const std::string& help, bool required) = 0;
  virtual void positional(const std::string& name, std::string& into, const std::string& help,
                          bool required) = 0;
  virtual void option(const std::string& name, std::string& into, const std::string& help) = 0;
  virtual void option(const std::string& name, std::vector<std::string>& into,
                      const std::string& help) = 0;
  /// Refuses values outside [low, high].
  virtual void option(const std::string& name, int& into, int low, int high,
                      const std::string& help) = 0;
  virtual void option(const std::string& name, double& into, double low, double high,
                      const std::string& help) = 0;
  virtual void flag(const std::string& name, bool& into, const std::string& help) = 0;
};

/// Options that every command has.
struct Globals {
  std::string store;            // path; empty: the default one
  std::string device = "auto";  // vm, cuda, cuda:N, auto
  bool json = false;            // one object on stdout, nothing else there
  bool progress = false;        // on stderr even when that is no terminal
};

struct Invocation {
  Globals globals;
  std::stop_token interrupted;  // Ctrl-C
};

class Command {
 public:
  virtual ~Command() = default;
  virtual std::string name() const = 0;
  virtual std::string about() const = 0;
  /// Shown under the options: command lines that work.
  virtual std::string examples() const = 0;
  virtual void declare(Arguments& arguments) = 0;
  /// The exit code 0 or 1 (the answer is no) or another of exit_code(); errors are printed and
  /// turned into their code by the caller.
  virtual Result<int> run(const Invocation& invocation) = 0;
};

std::unique_ptr<Command> make_doctor_command();
std::unique_ptr<Command> make_generate_command();
std::unique_ptr<Command> make_tune_command();
std::unique_ptr<Command> make_verify_command();
std::unique_ptr<Command> make_vm_command();
std::unique_ptr<Command> make_bench_command();
std::unique_ptr<Command> make_show_command();
std::unique_ptr<Command> make_export_command();
std::unique_ptr<Command> make_serve_command();
std::unique_ptr<Command> make_submit_command();
std::unique_ptr<Command> make_jobs_command();
std::unique_ptr<Command> make_watch_command();

/// Every command, in the order of the help text. One line each in commands.cpp.
std::vector<std::unique_ptr<Command>> all_commands();

}  // namespace kw::agent
