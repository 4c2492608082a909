#include "sse.h"

namespace kw::agent {

Status SseParser::feed(std::string_view bytes, const Event& event) {
  for (const char c : bytes) {
    if (after_cr_ && c == '\n') {
      after_cr_ = false;
      continue;
    }
    after_cr_ = c == '\r';
    if (c == '\n' || c == '\r') {
      KW_RETURN_IF_ERROR(line(event));
      continue;
    }
    if (line_.size() >= limit_) {
      return fail(Errc::ResourceExhausted, "a line of the stream is longer than {} bytes", limit_);
    }
    line_.push_back(c);
  }
  return {};
}

Status SseParser::line(const Event& event) {
  if (line_.empty()) {  // a blank line ends the event
    if (!has_data_) return {};
    const std::string data = std::move(data_);
    data_.clear();
    has_data_ = false;
    return event(data);
  }
  std::string_view text = line_;
  if (text.starts_with("data")) {
    text.remove_prefix(4);
    if (text.empty() || text.front() == ':') {
      if (!text.empty()) text.remove_prefix(1);
      if (!text.empty() && text.front() == ' ') text.remove_prefix(1);
      if (has_data_) data_.push_back('\n');
      if (data_.size() + text.size() > limit_) {
        return fail(Errc::ResourceExhausted, "an event of the stream is longer than {} bytes",
                    limit_);
      }
      data_ += text;
      has_data_ = true;
    }
  }
  line_.clear();
  return {};
}

}  // namespace kw::agent
