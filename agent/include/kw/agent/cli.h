#pragma once
// The command line.

#include <stop_token>

namespace kw::agent {

/// Parses, runs one command and returns its exit code: 0 done, 1 the answer is no, 2 bad usage or
/// input, 3 environment, 4 budget or deadline, 130 interrupted.
int run_command_line(int argc, char** argv, std::stop_token interrupted);

/// Turns SIGINT and SIGTERM into a stop request; a second one ends the process at once with 130.
/// One object per process, made before any thread.
class InterruptHandler {
 public:
  InterruptHandler();
  ~InterruptHandler();
  InterruptHandler(const InterruptHandler&) = delete;
  InterruptHandler& operator=(const InterruptHandler&) = delete;
  std::stop_token token() const;

 private:
  struct Impl;
  Impl* impl_;
};

}  // namespace kw::agent
