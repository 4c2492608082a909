#pragma once
// One exchange with an OpenAI-compatible endpoint (POST <endpoint>/chat/completions, streamed).

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <variant>

#include "kw/agent/job.h"

namespace kw::agent {

struct Exchange {
  std::string url;   // of the endpoint, without "/chat/completions"
  std::string key;   // bearer token; empty: no Authorization header. Never logged or stored
  std::string body;  // JSON of the request
  std::chrono::milliseconds connect{10'000};
  std::chrono::milliseconds first_byte{60'000};  // also the longest silence later on
  std::chrono::milliseconds total{300'000};
  std::size_t max_reply_bytes = 8u << 20;
};

struct ModelAnswer {
  std::string text;
  std::string finish_reason;  // "stop", "length", ...
  bool usage_known = false;
  std::int64_t input_tokens = 0, output_tokens = 0;
  int http_status = 200;
  std::chrono::microseconds first_byte{0}, total{0};
};

/// Why there is no answer. `worked_on` says whether the endpoint may have done (and charged) work.
struct ModelFault {
  FindingKind kind = FindingKind::ConnectFailed;
  std::string text;
  int http_status = 0;
  bool worked_on = false;
  bool retriable = false;  // 429, 5xx, connections that failed
  std::optional<std::chrono::milliseconds> retry_after;
};

using ModelReply = std::variant<ModelAnswer, ModelFault>;

/// Thread-safe; blocks the caller, not the network.
class ModelClient {
 public:
  virtual ~ModelClient() = default;
  /// One send, no retries. Cancelled when stop is requested: the connection is closed at once.
  virtual Result<ModelReply> send(const Exchange& exchange, std::stop_token stop) = 0;
  /// GET <url>/models: "200", or what is wrong. For `doctor`.
  virtual Result<int> probe(const std::string& url, const std::string& key,
                            std::stop_token stop) = 0;
};

/// libcurl: one multi handle on one thread.
std::unique_ptr<ModelClient> make_curl_client();

}  // namespace kw::agent
