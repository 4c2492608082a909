#pragma once
// Framed messages over a local stream socket, with file descriptors.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kw/process/fd.h"
#include "kw/process/wait.h"

namespace kw::process {

struct Message {
  std::uint32_t type = 0;
  std::string body;     // bytes
  std::vector<Fd> fds;  // at most kMaxMessageFds
};

inline constexpr std::size_t kMaxMessageFds = 250;  // the kernel allows 253 in one sendmsg
inline constexpr std::size_t kDefaultMessageBytes = std::size_t{64} << 20;

/// One end of a socketpair. The peer may be hostile: sizes are capped, memory grows only as bytes
/// arrive, and descriptors that do not fit are closed. After any error but a deadline or a
/// cancellation that struck before the first byte, the stream has no known position: drop the
/// channel and its process. One thread may send while another receives; no more than that.
class Channel {
 public:
  Channel() = default;
  explicit Channel(Fd socket, std::size_t max_body_bytes = kDefaultMessageBytes)
      : socket_(std::move(socket)), max_body_bytes_(max_body_bytes) {}

  /// Two connected ends.
  static Result<std::pair<Channel, Channel>> pair(
      std::size_t max_body_bytes = kDefaultMessageBytes);

  /// The descriptors stay the caller's. Errors: Unavailable (the peer is gone),
  /// ResourceExhausted (too large), DeadlineExceeded, Cancelled, Io.
  Status send(std::uint32_t type, std::string_view body, const std::vector<int>& fds,
              const Wait& wait);
  Status send(std::uint32_t type, std::string_view body, const Wait& wait = {}) {
    return send(type, body, {}, wait);
  }
  /// The same errors; Unavailable is also the end of the stream, Corrupt a frame that is none.
  Result<Message> receive(const Wait& wait = {});

  int fd() const noexcept { return socket_.get(); }
  void close() noexcept { socket_.reset(); }

 private:
  Fd socket_;
  std::size_t max_body_bytes_ = kDefaultMessageBytes;
};

}  // namespace kw::process
