#include "kw/process/child.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "clone.h"
#include "kw/process/role.h"
#include "role_hello.h"
#include "tree.h"

namespace kw::process {

namespace {

std::vector<std::string> environment_of(const ChildOptions& options) {
  std::vector<std::string> out = options.environment;
  for (const std::string& name : options.inherit) {
    // The only read of our environment, for names the caller listed.
    if (const char* value = std::getenv(name.c_str())) out.push_back(name + "=" + value);
  }
  return out;
}

/// Leaves a zombie to be reaped when `peek`. False while the child lives (only without blocking).
bool wait_child(int pidfd, int flags, siginfo_t& info) noexcept {
  info = {};
  for (;;) {
    if (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd), &info,
                 WEXITED | flags) == 0) {
      return info.si_pid != 0;
    }
    if (errno != EINTR) return true;  // ECHILD: SIGCHLD is ignored and the kernel has reaped it
  }
}

Exit exit_of(const siginfo_t& info) noexcept {
  if (info.si_code == CLD_EXITED) return {info.si_status, 0};
  return {0, info.si_status};
}

}  // namespace

std::string to_string(const Exit& exit) {
  if (exit.signal == 0) return fmt::format("exit code {}", exit.code);
  const char* name = ::strsignal(exit.signal);
  return fmt::format("killed by signal {} ({})", exit.signal, name != nullptr ? name : "unknown");
}

Result<Child> Child::start(const std::string& path, std::vector<std::string> arguments,
                           std::vector<std::string> environment, const ChildOptions& options) {
  KW_ASSIGN(auto ends, Channel::pair(options.max_message_bytes));
  KW_ASSIGN(Cloned cloned, clone_and_exec({path, std::move(arguments), std::move(environment),
                                           ends.second.fd(), &options}));
  Child child;
  child.channel_ = std::move(ends.first);
  child.pidfd_ = std::move(cloned.pidfd);
  child.pid_ = cloned.pid;
  child.in_namespace_ = cloned.in_namespace;
  return child;
}

Result<Child> Child::spawn_role(std::string_view role, const ChildOptions& options) {
  if (std::getenv(kRoleVariable) != nullptr) {
    return fail(Errc::Internal,
                "a role process may not start '{}': does main() call run_role_if_asked first?",
                role);
  }
  std::vector<std::string> environment = environment_of(options);
  environment.push_back(fmt::format("{}={}", kRoleVariable, role));
  KW_ASSIGN(Child child,
            start("/proc/self/exe", {"kernelwright", std::string(kRoleArgument), std::string(role)},
                  std::move(environment), options));
  const auto hello = child.channel().receive(Wait::within(options.start_timeout));
  if (!hello || hello->type != kHello) {
    const Exit exit = child.kill();
    return fail(Errc::Unavailable, "role '{}' did not start ({}; {})", role, to_string(exit),
                hello ? "it said something else first" : hello.error().message);
  }
  return child;
}

Result<Child> Child::spawn_program(const std::string& path,
                                   const std::vector<std::string>& arguments,
                                   const ChildOptions& options) {
  std::vector<std::string> all{path};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return start(path, std::move(all), environment_of(options), options);
}

Child::Child(Child&& other) noexcept
    : channel_(std::move(other.channel_)),
      pidfd_(std::move(other.pidfd_)),
      pid_(std::exchange(other.pid_, -1)),
      in_namespace_(other.in_namespace_),
      exit_(other.exit_) {}

Child& Child::operator=(Child&& other) noexcept {
  if (this == &other) return *this;
  kill();
  channel_ = std::move(other.channel_);
  pidfd_ = std::move(other.pidfd_);
  pid_ = std::exchange(other.pid_, -1);
  in_namespace_ = other.in_namespace_;
  exit_ = other.exit_;
  return *this;
}

Child::~Child() { kill(); }

std::uint64_t Child::resident_bytes() const {
  if (pid_ < 0 || exit_) return 0;
  std::FILE* file = std::fopen(fmt::format("/proc/{}/statm", pid_).c_str(), "re");
  if (file == nullptr) return 0;
  unsigned long long total = 0, resident = 0, shared = 0;
  const int fields = std::fscanf(file, "%llu %llu %llu", &total, &resident, &shared);
  std::fclose(file);
  if (fields != 3 || shared > resident) return 0;
  return (resident - shared) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

Result<Exit> Child::wait(const Wait& wait) {
  if (exit_) return *exit_;
  if (pid_ < 0) return fail(Errc::Internal, "waiting for a process that was moved away");
  Waiter waiter(wait);
  KW_RETURN_IF_ERROR(waiter.until(pidfd_.get(), POLLIN));
  reap();
  return *exit_;
}

Exit Child::kill() noexcept {
  if (exit_) return *exit_;
  if (pid_ < 0) return {};
  siginfo_t info;
  if (!in_namespace_ && !wait_child(pidfd_.get(), WNOHANG | WNOWAIT, info)) kill_tree(pid_);
  (void)::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
  reap();
  channel_.close();
  return *exit_;
}

void Child::reap() noexcept {
  siginfo_t info;
  // As long as the zombie is there, its PID, which is also its session, belongs to nobody else. In
  // a namespace the kernel has killed the rest before the child counts as dead.
  wait_child(pidfd_.get(), WNOWAIT, info);
  if (!in_namespace_) kill_tree(pid_);
  wait_child(pidfd_.get(), 0, info);
  exit_ = exit_of(info);
  pidfd_.reset();
}

}  // namespace kw::process
