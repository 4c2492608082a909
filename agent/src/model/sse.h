#pragma once
// Server-sent events (WHATWG HTML, section 9.2), as bytes arrive.

#include <functional>
#include <string>
#include <string_view>

#include "kw/core/result.h"

namespace kw::agent {

/// Feeds whole events to a callback. Only `data` matters to this protocol; comments and other
/// fields are skipped. Lines end in LF, CR LF or CR. Bounded: a line or event above the limit is an
/// error.
class SseParser {
 public:
  explicit SseParser(std::size_t max_event_bytes = 1u << 20) : limit_(max_event_bytes) {}

  using Event = std::function<Status(std::string_view data)>;
  Status feed(std::string_view bytes, const Event& event);

 private:
  Status line(const Event& event);

  std::size_t limit_;
  std::string line_;
  std::string data_;
  bool has_data_ = false;
  bool after_cr_ = false;
};

}  // namespace kw::agent
