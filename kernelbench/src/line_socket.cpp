#include "line_socket.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace kw::bench {
namespace {

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

tl::unexpected<Error> gone() { return fail(Errc::Unavailable, "the process closed its end"); }

}  // namespace

Result<std::pair<LineSocket, process::Fd>> LineSocket::make(std::size_t max_line_bytes) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail(Errc::Io, "socketpair: {}", std::strerror(errno));
  }
  LineSocket ours;
  ours.fd_ = process::Fd(ends[0]);
  ours.max_line_bytes_ = max_line_bytes;
  return std::pair(std::move(ours), process::Fd(ends[1]));
}

Status LineSocket::send(std::string_view line, const process::Wait& wait) {
  std::string bytes(line);
  bytes += '\n';
  process::Waiter waiter(wait);
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const ssize_t sent = ::send(fd_.get(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      rest.remove_prefix(static_cast<std::size_t>(sent));
    } else if (sent < 0 && would_block()) {
      KW_RETURN_IF_ERROR(waiter.until(fd_.get(), POLLOUT));
    } else {
      return gone();
    }
  }
  return {};
}

Result<std::string> LineSocket::receive(const process::Wait& wait) {
  process::Waiter waiter(wait);
  std::array<char, 65536> chunk;
  std::size_t searched = 0;
  for (;;) {
    if (const std::size_t end = buffer_.find('\n', searched); end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    searched = buffer_.size();
    if (searched > max_line_bytes_) {
      return fail(Errc::ResourceExhausted, "a line is longer than {} bytes", max_line_bytes_);
    }
    const ssize_t got = ::recv(fd_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (got > 0) {
      buffer_.append(chunk.data(), static_cast<std::size_t>(got));
    } else if (got < 0 && would_block()) {
      KW_RETURN_IF_ERROR(waiter.until(fd_.get(), POLLIN));
    } else {
      return gone();
    }
  }
}

}  // namespace kw::bench
