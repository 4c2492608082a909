#pragma once
// An OpenAI-compatible endpoint on a loopback port that does what a script says and remembers what
// happened to it.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace kw::fakes {

/// How one request is answered.
struct Reply {
  int status = 200;
  std::vector<std::string> headers = {};  // "Retry-After: 1"
  std::string text = {};                  // of the model, streamed in pieces; the body when not 200
  std::size_t piece = 64;                 // bytes of text per event
  std::chrono::milliseconds delay{0};     // before the first byte
  std::chrono::milliseconds piece_delay{0};  // between events
  bool stall = false;                        // headers, then silence until the client goes away
  bool mute = false;                         // not even headers
  bool cut = false;                          // the connection is dropped halfway through the text
  bool chunked = true;                       // false: one JSON document instead of a stream
  bool usage = true;
  std::string finish_reason = "stop";
};

struct Received {
  std::string body;
  std::string authorization;                      // the header's value
  bool answered = false;                          // the whole reply was written
  bool abandoned = false;                         // the client closed the connection before that
  std::chrono::steady_clock::time_point ended{};  // when the reply was written or given up
};

/// Thread-safe. One thread of its own serves every connection.
class ScriptedEndpoint {
 public:
  /// Called for each request, on the server's thread; `n` counts from 0.
  using Script = std::function<Reply(std::size_t n, const std::string& body)>;

  explicit ScriptedEndpoint(Script script);
  ~ScriptedEndpoint();

  std::string url() const;  // "http://127.0.0.1:PORT/v1"
  std::vector<Received> log() const;
  /// Connections that are open now.
  int open_connections() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// An answer with a ```cuda and a ```json block.
std::string good_answer(const std::string& source, const std::string& plan);

}  // namespace kw::fakes
