#include "kw/process/role.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cstdio>
#include <exception>

#include "role_hello.h"

namespace kw::process {

namespace {

constexpr int kChannelFd = 3;

bool is_socket(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

}  // namespace

std::optional<int> run_role_if_asked(int argc, char** argv, std::span<const Role> roles) {
  if (argc != 3 || std::string_view(argv[1]) != kRoleArgument) return std::nullopt;
  const std::string_view name = argv[2];
  if (!is_socket(kChannelFd)) {
    std::fputs("roles are started by Kernelwright itself, not by hand\n", stderr);
    return 2;
  }
  for (const Role& role : roles) {
    if (role.name != name) continue;
    ::fcntl(kChannelFd, F_SETFD, FD_CLOEXEC);
    try {
      Channel channel{Fd(kChannelFd)};
      if (!channel.send(kHello, {})) return 3;
      return role.serve(channel);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "role %.*s: %s\n", static_cast<int>(name.size()), name.data(),
                   error.what());
      return 3;
    }
  }
  std::fprintf(stderr, "this program has no role '%.*s'\n", static_cast<int>(name.size()),
               name.data());
  return 2;
}

}  // namespace kw::process
