#pragma once
// Making the child process itself.

#include <sys/types.h>

#include <string>
#include <vector>

#include "kw/core/result.h"
#include "kw/process/child.h"

namespace kw::process {

struct CloneRequest {
  std::string path;
  std::vector<std::string> arguments;  // with argv[0]
  std::vector<std::string> environment;
  int channel_fd = -1;  // becomes descriptor 3
  const ChildOptions* options = nullptr;
};
struct Cloned {
  Fd pidfd;
  pid_t pid = -1;
  bool in_namespace = false;
};

/// Clones and executes. PDEATHSIG fires when the *thread* that cloned ends, so this work is done by
/// a thread that lives as long as the program. Returns after a successful exec. Thread-safe.
Result<Cloned> clone_and_exec(const CloneRequest& request);

}  // namespace kw::process
