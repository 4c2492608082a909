#include "clone.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>

namespace kw::process {

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitizer = true;  // its run-time maps terabytes and sizes files of its own
#else
constexpr bool kSanitizer = false;
#endif

constexpr int kChannelFd = 3;
constexpr int kFirstFree = 16;  // sources are moved up here before 0..3 are overwritten

/// Everything the child needs, prepared before the clone: after it, only system calls are safe.
struct Prepared {
  const char* path;
  char* const* argv;
  char* const* envp;
  std::array<int, 4> sources;  // of descriptors 0..3; -1 is /dev/null
  int report_fd;               // errno of a failed step, close-on-exec
  const Limits* limits;
  pid_t parent;
  bool in_namespace;
};

__attribute__((no_sanitize("thread", "address"))) void set_limit(int what, std::uint64_t value) {
  const rlimit limit{value, value};
  // A limit above the hard limit is refused; the lower one that is in force is as good.
  (void)::setrlimit(static_cast<__rlimit_resource>(what), &limit);
}

/// In the child, between clone and exec: system calls only, no allocation, no locks.
[[noreturn]] __attribute__((no_sanitize("thread", "address"))) void become(const Prepared& p) {
  const auto give_up = [&] {
    const int error = errno;
    (void)!::write(p.report_fd, &error, sizeof error);
    ::_exit(127);
  };
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // Our parent may have died before the line above; inside a namespace it always reads as 0.
  if (!p.in_namespace && ::getppid() != p.parent) ::_exit(127);
  ::setsid();
  if (!p.in_namespace) ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  if (::chdir("/") != 0) give_up();

  std::array<int, 4> moved{};
  for (std::size_t i = 0; i < moved.size(); ++i) {
    const int source = p.sources[i];
    moved[i] = source < 0 ? ::open("/dev/null", O_RDWR | O_CLOEXEC)
                          : ::fcntl(source, F_DUPFD_CLOEXEC, kFirstFree);
    if (moved[i] < 0) give_up();
  }
  const int report = ::fcntl(p.report_fd, F_DUPFD_CLOEXEC, kFirstFree);
  if (report < 0) give_up();
  for (int i = 0; i < static_cast<int>(moved.size()); ++i) {
    if (moved[static_cast<std::size_t>(i)] == i) {
      (void)::fcntl(i, F_SETFD, 0);
    } else if (::dup2(moved[static_cast<std::size_t>(i)], i) < 0) {
      give_up();
    }
  }
  // Ours are all close-on-exec; this is for descriptors that other code left open.
  (void)::syscall(SYS_close_range, kChannelFd + 1, ~0U, CLOSE_RANGE_CLOEXEC);

  const Limits& limits = *p.limits;
  set_limit(RLIMIT_CORE, 0);
  if (!kSanitizer && limits.address_space_bytes != 0) {
    set_limit(RLIMIT_AS, limits.address_space_bytes);
  }
  if (limits.cpu_seconds != 0) set_limit(RLIMIT_CPU, limits.cpu_seconds);
  if (limits.open_files != 0) set_limit(RLIMIT_NOFILE, limits.open_files);
  if (!kSanitizer && limits.file_bytes) set_limit(RLIMIT_FSIZE, *limits.file_bytes);

  for (int sig = 1; sig < 32; ++sig) ::signal(sig, SIG_DFL);
  ::execve(p.path, p.argv, p.envp);
  give_up();
  ::_exit(127);
}

/// fork() without its handlers (the child only makes system calls), returning a pidfd as well.
__attribute__((no_sanitize("thread", "address"))) pid_t raw_clone(std::uint64_t flags, int* pidfd) {
  return static_cast<pid_t>(
      ::syscall(SYS_clone, flags | CLONE_PIDFD | SIGCHLD, nullptr, pidfd, nullptr, nullptr));
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

Result<Cloned> clone_here(const CloneRequest& request) {
  std::vector<std::string> arguments = request.arguments;
  std::vector<std::string> environment = request.environment;
  const std::vector<char*> argv = pointers(arguments);
  const std::vector<char*> envp = pointers(environment);
  std::array<int, 2> report{};
  if (::pipe2(report.data(), O_CLOEXEC) != 0) {
    return fail(Errc::Io, "pipe: {}", std::strerror(errno));
  }
  const Fd report_read(report[0]);
  Fd report_write(report[1]);

  const ChildOptions& options = *request.options;
  Prepared prepared{request.path.c_str(),
                    argv.data(),
                    envp.data(),
                    {options.stdin_fd, options.stdout_fd, options.stderr_fd, request.channel_fd},
                    report_write.get(),
                    &options.limits,
                    ::getpid(),
                    false};
  std::vector<std::uint64_t> attempts;
  if (options.tree == Tree::Namespace) {
    attempts.push_back(CLONE_NEWPID | (::geteuid() == 0 ? 0 : CLONE_NEWUSER));
  }
  attempts.push_back(0);

  // No signal handler of ours may run in the child before exec resets them.
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  Cloned cloned;
  int pidfd = -1;
  int error = 0;
  for (const std::uint64_t flags : attempts) {
    prepared.in_namespace = flags != 0;
    cloned.pid = raw_clone(flags, &pidfd);
    if (cloned.pid == 0) {
      ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
      become(prepared);
    }
    error = errno;
    if (cloned.pid > 0) break;
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (cloned.pid < 0) {
    return fail(Errc::ResourceExhausted, "starting a process: {}", std::strerror(error));
  }
  cloned.pidfd = Fd(pidfd);
  cloned.in_namespace = prepared.in_namespace;

  report_write.reset();
  int failed_with = 0;
  ssize_t got = 0;
  do {
    got = ::read(report_read.get(), &failed_with, sizeof failed_with);
  } while (got < 0 && errno == EINTR);
  if (got == sizeof failed_with) {
    siginfo_t info{};
    while (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd), &info, WEXITED) !=
               0 &&
           errno == EINTR) {
    }
    return fail(Errc::Unavailable, "starting {}: {}", request.path, std::strerror(failed_with));
  }
  return cloned;
}

/// One thread makes every child (see clone.h) and is joined when the program ends.
class Spawner {
 public:
  Result<Cloned> run(const CloneRequest& request) {
    Job job{&request, std::nullopt};
    std::unique_lock lock(mutex_);
    if (!thread_.joinable()) thread_ = std::jthread([this](std::stop_token stop) { loop(stop); });
    queue_.push_back(&job);
    changed_.notify_all();
    changed_.wait(lock, [&] { return job.answer.has_value(); });
    return std::move(*job.answer);
  }

 private:
  struct Job {
    const CloneRequest* request;
    std::optional<Result<Cloned>> answer;
  };

  void loop(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [&] { return !queue_.empty(); })) {
      Job* job = queue_.front();  // lives on the stack of run(), which waits for the answer
      queue_.pop_front();
      lock.unlock();
      Result<Cloned> answer = clone_here(*job->request);
      lock.lock();
      job->answer = std::move(answer);
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Job*> queue_;  // guarded by mutex_
  std::jthread thread_;     // last: joined before the rest goes
};

}  // namespace

Result<Cloned> clone_and_exec(const CloneRequest& request) {
  static Spawner spawner;
  return spawner.run(request);
}

}  // namespace kw::process
