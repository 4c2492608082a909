#pragma once
// The HTTP server: sockets, deadlines and limits. What is answered is the handler's.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "http.h"
#include "kw/core/result.h"

namespace kw::agent {

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8437;  // 0: any free one
  std::size_t max_connections = 256;
  std::size_t max_body_bytes = 34u << 20;  // a task document and its wrapping
  std::chrono::seconds idle{30};           // to send a request, or to take what we write
  int handler_threads = 4;
};

using Answer = std::variant<HttpReply, EventStreamReply>;

/// One text to send to a stream, already in the form of server-sent events, and where the next
/// begins.
struct StreamChunk {
  std::string text;
  std::uint64_t next = 0;
  bool last = false;  // the job is over: nothing will follow
};

/// Called on handler threads, which may block. Thread-safe.
struct ServerHandler {
  std::function<Answer(const HttpRequest&)> answer;
  /// What a stream has to say from a position on. An empty text: nothing new.
  std::function<StreamChunk(const EventStreamReply&)> stream;
};

class Server {
 public:
  /// Listens; an Error names the address when it is taken or not ours.
  static Result<std::unique_ptr<Server>> start(const ServerOptions& options, ServerHandler handler);
  /// Stops accepting, closes every connection, waits for running handlers.
  virtual ~Server() = default;
  virtual std::uint16_t port() const = 0;
  /// Something changed in the store: streams look again. Thread-safe.
  virtual void wake_streams() = 0;
};

}  // namespace kw::agent
