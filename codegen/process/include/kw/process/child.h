#pragma once
// Child processes that cannot outlive their owner.

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kw/process/channel.h"

namespace kw::process {

/// 0 leaves a limit as it is. CORE is always 0.
struct Limits {
  std::uint64_t address_space_bytes =
      0;                           // RLIMIT_AS; ignored under sanitizers, which map terabytes
  std::uint64_t cpu_seconds = 0;   // RLIMIT_CPU
  std::uint64_t open_files = 256;  // RLIMIT_NOFILE
  std::optional<std::uint64_t> file_bytes = 0;  // RLIMIT_FSIZE; nullopt leaves it
};

/// How a whole tree of descendants is found when it must die.
enum class Tree {
  Namespace,  // a PID namespace where the system allows one, otherwise Walk
  Walk,       // the child is a subreaper; its descendants are stopped, then killed. For programs
              // that need the outer PIDs, such as GPU drivers
};

struct ChildOptions {
  Limits limits{};
  Tree tree = Tree::Namespace;
  /// "NAME=VALUE"; the child gets nothing else.
  std::vector<std::string> environment{};
  /// Names copied from our own environment when set there.
  std::vector<std::string> inherit{};
  /// -1 is /dev/null. The descriptors stay the caller's.
  int stdin_fd = -1, stdout_fd = -1, stderr_fd = -1;
  std::size_t max_message_bytes = kDefaultMessageBytes;
  std::chrono::milliseconds start_timeout{30000};
};

struct Exit {
  int code = 0;    // of exit(), when signal is 0
  int signal = 0;  // that ended it
};
/// "exit code 3", "killed by signal 9 (Killed)"
std::string to_string(const Exit& exit);

/// One child and everything it starts. It dies with this object, and also when our process dies for
/// any reason. Sessions and process groups are its own, so a terminal's Ctrl-C does not reach it.
/// Spawning is thread-safe; one thread at a time owns a Child.
class Child {
 public:
  /// This executable again, as `role` (role.h); returns once the role has said hello. Roles may not
  /// start roles: one that tries gets an error, so that a forgotten dispatch in main() cannot
  /// become a fork bomb.
  static Result<Child> spawn_role(std::string_view role, const ChildOptions& options = {});
  /// Another program, looked up as an absolute path; `arguments` without argv[0]. Its channel is
  /// descriptor 3.
  static Result<Child> spawn_program(const std::string& path,
                                     const std::vector<std::string>& arguments,
                                     const ChildOptions& options = {});

  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();  // kill()

  Channel& channel() noexcept { return channel_; }
  pid_t pid() const noexcept { return pid_; }
  bool in_namespace() const noexcept { return in_namespace_; }
  /// Resident bytes of the child now that it shares with nobody; 0 once it is gone.
  std::uint64_t resident_bytes() const;

  /// Waits for the child itself to end, then takes down what it left behind.
  Result<Exit> wait(const Wait& wait = {});
  /// SIGKILL to the whole tree, then reaps it. Returns how the child ended (it may have been
  /// faster).
  Exit kill() noexcept;

 private:
  Child() = default;
  static Result<Child> start(const std::string& path, std::vector<std::string> arguments,
                             std::vector<std::string> environment, const ChildOptions& options);
  void reap() noexcept;

  Channel channel_;
  Fd pidfd_;
  pid_t pid_ = -1;
  bool in_namespace_ = false;
  std::optional<Exit> exit_;
};

}  // namespace kw::process
