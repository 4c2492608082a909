#pragma once
// The ledger of model requests: an answered request is never sent again; one that was sent but not
// answered may have been charged.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kw::store {

enum class RequestState {
  Sent,      // on its way, or lost in a crash
  Refused,   // known not to have been worked on (connection refused, 429, 5xx): send again freely
  Answered,  // final
};
std::string_view to_string(RequestState state) noexcept;

struct NewRequest {
  std::string id;  // the effect's id
  std::string job;
  std::string model;
  std::string body_hash;  // hash of the body alone: no URL, no key
  std::string body;       // JSON, at most 16 MiB; never holds a credential
};

struct Answer {
  int status = 0;  // HTTP
  std::string body;
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  std::int64_t first_byte_us = 0;  // after sending
  std::int64_t total_us = 0;
};

struct Request {
  NewRequest request;
  RequestState state = RequestState::Sent;
  int sends = 0;             // how often it was sent
  int possibly_charged = 0;  // sends that were neither answered nor refused when the next one began
  std::string refusal;       // the last one
  std::optional<Answer> answer;
  std::int64_t sent_us = 0;      // the last time
  std::int64_t answered_us = 0;  // 0: not yet
};

/// What the ledger says before a request leaves.
enum class Sending {
  First,     // send it
  Again,     // send it: it was refused
  Repeated,  // send it: it was sent before a crash, and may be charged twice
  Answered,  // do not send: request(id)->answer is there
};

struct Spend {
  std::int64_t requests = 0;
  std::int64_t answered = 0;
  std::int64_t possibly_charged = 0;  // sends without an answer, open ones included
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
};

}  // namespace kw::store
