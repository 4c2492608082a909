#pragma once
// HTTP as the API sees it: plain values. The server (server.cpp) turns sockets into these.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kw::agent {

struct HttpRequest {
  std::string method;                          // "GET"
  std::string path;                            // "/v1/jobs/0190...", percent-decoded
  std::map<std::string, std::string> query;    // percent-decoded
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  std::string header(std::string_view name) const;
  std::string parameter(const std::string& name) const;
};

/// Splits and decodes a request target ("/v1/jobs?state=running"). False when it is malformed.
bool parse_target(std::string_view target, HttpRequest& into);

struct HttpReply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

/// A stream of server-sent events instead of a body: the events of one job from `after` on, or a
/// notice of every change when `job` is empty.
struct EventStreamReply {
  std::string job;
  std::uint64_t after = 0;
};

}  // namespace kw::agent
