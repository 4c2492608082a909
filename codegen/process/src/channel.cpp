#include "kw/process/channel.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace kw::process {

namespace {

struct Header {
  std::uint32_t magic;
  std::uint32_t type;
  std::uint32_t fds;
  std::uint32_t reserved;
  std::uint64_t bytes;
};
constexpr std::uint32_t kMagic = 0x6b77'4d31;  // "kwM1"
constexpr std::size_t kReadStep = std::size_t{1} << 20;

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

tl::unexpected<Error> gone() {
  return fail(Errc::Unavailable, "the process at the other end closed the channel");
}

/// Control buffer for as many descriptors as one message may carry.
struct ControlBuffer {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxMessageFds)> bytes{};
};

Status send_all(int socket, std::string_view bytes, const std::vector<int>& fds, Waiter& waiter) {
  ControlBuffer control;
  bool attach = !fds.empty();  // descriptors travel with the first byte that is accepted
  while (!bytes.empty()) {
    iovec part{const_cast<char*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (attach) {
      message.msg_control = control.bytes.data();
      message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
      cmsghdr* head = CMSG_FIRSTHDR(&message);
      head->cmsg_level = SOL_SOCKET;
      head->cmsg_type = SCM_RIGHTS;
      head->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
      std::memcpy(CMSG_DATA(head), fds.data(), sizeof(int) * fds.size());
    }
    const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      attach = false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EPIPE || errno == ECONNRESET) return gone();
    if (!would_block(errno)) return fail(Errc::Io, "sendmsg: {}", std::strerror(errno));
    KW_RETURN_IF_ERROR(waiter.until(socket, POLLOUT));
  }
  return {};
}

void take_fds(const msghdr& message, std::vector<Fd>& into) {
  msghdr copy = message;
  for (cmsghdr* head = CMSG_FIRSTHDR(&copy); head != nullptr; head = CMSG_NXTHDR(&copy, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof fd);
      into.emplace_back(fd);
    }
  }
}

/// Fills `out`; descriptors that arrive on the way are appended to `fds`, if it is wanted.
Status receive_all(int socket, char* out, std::size_t size, std::vector<Fd>* fds, Waiter& waiter) {
  ControlBuffer control;
  while (size > 0) {
    iovec part{out, size};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    const ssize_t got = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got > 0) {
      std::vector<Fd> dropped;  // closed at once: nobody asked for them
      take_fds(message, fds != nullptr ? *fds : dropped);
      if ((message.msg_flags & MSG_CTRUNC) != 0) {
        return fail(Errc::Corrupt, "a message carries more descriptors than allowed");
      }
      out += got;
      size -= static_cast<std::size_t>(got);
      continue;
    }
    if (got == 0 || errno == ECONNRESET) return gone();
    if (errno == EINTR) continue;
    if (!would_block(errno)) return fail(Errc::Io, "recvmsg: {}", std::strerror(errno));
    KW_RETURN_IF_ERROR(waiter.until(socket, POLLIN));
  }
  return {};
}

}  // namespace

Result<std::pair<Channel, Channel>> Channel::pair(std::size_t max_body_bytes) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail(Errc::Io, "socketpair: {}", std::strerror(errno));
  }
  return std::pair(Channel(Fd(ends[0]), max_body_bytes), Channel(Fd(ends[1]), max_body_bytes));
}

Status Channel::send(std::uint32_t type, std::string_view body, const std::vector<int>& fds,
                     const Wait& wait) {
  if (body.size() > max_body_bytes_ || fds.size() > kMaxMessageFds) {
    return fail(Errc::ResourceExhausted, "a message of {} bytes and {} descriptors is too large",
                body.size(), fds.size());
  }
  Waiter waiter(wait);
  const Header header{kMagic, type, static_cast<std::uint32_t>(fds.size()), 0, body.size()};
  std::array<char, sizeof header> raw{};
  std::memcpy(raw.data(), &header, sizeof header);
  KW_RETURN_IF_ERROR(send_all(fd(), {raw.data(), raw.size()}, fds, waiter));
  return send_all(fd(), body, {}, waiter);
}

Result<Message> Channel::receive(const Wait& wait) {
  Waiter waiter(wait);
  Message message;
  std::array<char, sizeof(Header)> raw{};
  KW_RETURN_IF_ERROR(receive_all(fd(), raw.data(), raw.size(), &message.fds, waiter));
  Header header{};
  std::memcpy(&header, raw.data(), sizeof header);
  if (header.magic != kMagic || header.reserved != 0) {
    return fail(Errc::Corrupt, "the channel holds something that is not a message");
  }
  if (header.bytes > max_body_bytes_) {
    return fail(Errc::Corrupt, "a message of {} bytes is above the cap of {}", header.bytes,
                max_body_bytes_);
  }
  if (header.fds != message.fds.size()) {
    return fail(Errc::Corrupt, "a message promised {} descriptors and carried {}", header.fds,
                message.fds.size());
  }
  message.type = header.type;
  const auto total = static_cast<std::size_t>(header.bytes);
  while (message.body.size() < total) {
    const std::size_t have = message.body.size();
    const std::size_t step = std::min(kReadStep, total - have);
    message.body.resize(have + step);
    KW_RETURN_IF_ERROR(receive_all(fd(), message.body.data() + have, step, nullptr, waiter));
  }
  return message;
}

}  // namespace kw::process
