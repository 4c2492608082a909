#include "chat_stream.h"

#include "kw/core/json.h"

namespace kw::agent {
namespace {

const Json* member(const Json& value, const char* name) {
  if (!value.is_object()) return nullptr;
  const auto it = value.find(name);
  return it == value.end() || it->is_null() ? nullptr : &*it;
}

std::int64_t tokens(const Json& usage, const char* name) {
  const Json* value = member(usage, name);
  if (!value || !value->is_number_integer()) return 0;
  return std::max<std::int64_t>(0, value->get<std::int64_t>());
}

}  // namespace

Status ChatStream::feed(std::string_view bytes, bool event_stream) {
  seen_ += bytes.size();
  if (seen_ > max_bytes_) {
    return fail(Errc::ResourceExhausted, "the reply is larger than {} bytes", max_bytes_);
  }
  if (!event_stream) {
    raw_ += bytes;
    return {};
  }
  return sse_.feed(bytes, [this](std::string_view data) { return event(data); });
}

Status ChatStream::event(std::string_view data) {
  if (data == "[DONE]") {
    done_ = true;
    return {};
  }
  return read_document(data, "delta");
}

Status ChatStream::read_document(std::string_view text, std::string_view part) {
  auto doc = parse_json(text, {.bytes = max_bytes_, .depth = 32, .nodes = 1u << 16});
  if (!doc || !doc->is_object()) return fail(Errc::Corrupt, "the reply is not a JSON object");
  if (const Json* error = member(*doc, "error")) {
    return fail(Errc::Corrupt, "the endpoint reports: {}", dump(*error).substr(0, 500));
  }
  if (const Json* usage = member(*doc, "usage")) {
    answer_.usage_known = usage->is_object();
    answer_.input_tokens = tokens(*usage, "prompt_tokens");
    answer_.output_tokens = tokens(*usage, "completion_tokens");
  }
  const Json* choices = member(*doc, "choices");
  if (!choices || !choices->is_array()) return {};
  for (const Json& choice : *choices) {
    const Json* index = member(choice, "index");
    if (index && index->is_number_integer() && index->get<std::int64_t>() != 0) continue;
    if (const Json* message = member(choice, std::string(part).c_str())) {
      const Json* content = member(*message, "content");
      if (content && content->is_string()) answer_.text += content->get<std::string>();
    }
    const Json* reason = member(choice, "finish_reason");
    if (reason && reason->is_string()) answer_.finish_reason = reason->get<std::string>();
  }
  return {};
}

ModelReply ChatStream::finish(bool event_stream) const {
  ChatStream whole = *this;
  if (!event_stream) {
    if (const Status read = whole.read_document(raw_, "message"); !read) {
      return ModelFault{FindingKind::MalformedReply, read.error().message, 200, true, false, {}};
    }
    if (whole.answer_.finish_reason.empty()) whole.answer_.finish_reason = "stop";
    whole.done_ = true;
  }
  // Some servers leave out [DONE] and some the finish reason; a stream with neither was cut.
  if (!whole.done_ && whole.answer_.finish_reason.empty()) {
    return ModelFault{FindingKind::CutStream,
                      fmt::format("the stream ended after {} bytes of text without saying so",
                                  whole.answer_.text.size()),
                      200,
                      true,
                      false,
                      {}};
  }
  return whole.answer_;
}

std::string ChatStream::excerpt() const { return raw_.substr(0, 300); }

}  // namespace kw::agent
