#pragma once
// The reply of /v1/chat/completions, streamed or whole, read as it arrives.

#include <string>
#include <string_view>

#include "kw/agent/model_client.h"
#include "sse.h"

namespace kw::agent {

/// Collects the text of choice 0, the finish reason and the usage. An endpoint that ignores
/// "stream" and answers with one JSON document is understood too.
class ChatStream {
 public:
  explicit ChatStream(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  /// Errors: ResourceExhausted (too large), Corrupt (not the protocol).
  Status feed(std::string_view bytes, bool event_stream);
  /// At the end of the transfer: the answer, or which fault it was.
  ModelReply finish(bool event_stream) const;
  /// The start of a body that is an error message, for the finding.
  std::string excerpt() const;

 private:
  Status event(std::string_view data);
  Status read_document(std::string_view text, std::string_view part);

  std::size_t max_bytes_;
  std::size_t seen_ = 0;
  SseParser sse_;
  std::string raw_;  // when not a stream
  ModelAnswer answer_;
  bool done_ = false;
};

}  // namespace kw::agent
