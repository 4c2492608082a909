// Roles that misbehave in known ways, and the tests' main.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include "kw/process/child.h"
#include "kw/process/confine.h"
#include "kw/process/role.h"
#include "kw/process/shared_memory.h"

extern char** environ;

namespace {

using namespace kw::process;

/// Sends every message back, descriptors included.
int echo(Channel& channel) {
  for (;;) {
    auto message = channel.receive();
    if (!message) return 0;
    std::vector<int> fds;
    for (const Fd& fd : message->fds) fds.push_back(fd.get());
    if (!channel.send(message->type, message->body, fds, {})) return 0;
  }
}

/// Reports "environment|open descriptors above 3".
int report(Channel& channel) {
  std::string text;
  for (char** item = environ; *item != nullptr; ++item) text += std::string(*item) + ";";
  text += "|";
  for (int fd = 4; fd < 128; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) text += std::to_string(fd) + ";";
  }
  (void)channel.send(1, text);
  return 7;
}

/// Leaves a grandchild in a session of its own that holds `channel` open, then hangs.
int breed(Channel& channel) {
  if (::fork() == 0) {
    ::setsid();
    if (::fork() == 0) ::setsid();
    for (;;) ::pause();
  }
  (void)channel.send(1, "bred");
  for (;;) ::pause();
}

/// Same, but the child itself ends.
int orphan(Channel& channel) {
  if (::fork() == 0) {
    for (;;) ::pause();
  }
  (void)channel.send(1, "bred");
  return 0;
}

int spin(Channel&) {
  ::signal(SIGTERM, SIG_IGN);
  volatile bool for_ever = true;
  while (for_ever) {
  }
  return 0;
}

int grab(Channel& channel) {
  void* got = ::mmap(nullptr, std::size_t{8} << 30, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  (void)channel.send(1, got == MAP_FAILED ? "refused" : "granted");
  return 0;
}

int confined(Channel& channel) {
  if (const auto status = confine(Confinement::Compute); !status) {
    (void)channel.send(1, status.error().message);
    return 0;
  }
  std::string text;
  text += ::open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 ? "no open," : "OPEN,";
  text += ::socket(AF_UNIX, SOCK_STREAM, 0) < 0 ? "no socket," : "SOCKET,";
  text += ::fork() < 0 ? "no fork," : "FORK,";
  int threads = 0;
  std::thread([&] { threads = 1; }).join();
  text += threads == 1 ? "threads" : "NO THREADS";
  (void)channel.send(1, text);
  return 0;
}

int nested(Channel& channel) {
  const auto child = Child::spawn_role("echo");
  (void)channel.send(1, child ? "started" : child.error().message);
  return 0;
}

int garbage(Channel& channel) {
  const std::string noise(64, 'x');
  return ::write(channel.fd(), noise.data(), noise.size()) == 64 ? 0 : 1;
}

constexpr Role kRoles[] = {
    {"echo", echo},         {"report", report}, {"breed", breed},
    {"orphan", orphan},     {"spin", spin},     {"grab", grab},
    {"confined", confined}, {"nested", nested}, {"garbage", garbage},
};

}  // namespace

int main(int argc, char** argv) {
  if (const auto code = run_role_if_asked(argc, argv, kRoles)) return *code;
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
