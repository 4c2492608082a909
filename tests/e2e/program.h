#pragma once
// The real program as a child process.

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace kw::e2e {

struct Ended {
  int code = -1;  // exit code; -1 when a signal ended it
  int signal = 0;
  std::string out;  // stdout
  std::string err;
};

/// One run of `kernelwright`. Its output goes to files of a temporary directory, so that a killed
/// process blocks nobody. Killed with its object.
class Program {
 public:
  explicit Program(const std::vector<std::string>& arguments,
                   const std::vector<std::string>& environment = {});
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  pid_t pid() const { return pid_; }
  void signal(int number) const;
  /// Nothing when it is still running after `limit`.
  std::optional<Ended> wait(std::chrono::milliseconds limit);

 private:
  std::string directory_;
  pid_t pid_ = -1;
};

/// Runs to the end; a failure to end within two minutes shows as signal -1.
Ended run(const std::vector<std::string>& arguments,
          const std::vector<std::string>& environment = {});

/// Descendants of this process that are alive (zombies are not), by what /proc says.
std::vector<pid_t> living_descendants();

}  // namespace kw::e2e
