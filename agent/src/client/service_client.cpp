#include "service_client.h"

#include <curl/curl.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <thread>

#include "kw/core/json.h"

namespace kw::agent {
namespace {

constexpr std::size_t kMaxReplyBytes = 64u << 20;
constexpr int kReconnects = 20;

struct FreeEasy {
  void operator()(CURL* easy) const noexcept { curl_easy_cleanup(easy); }
};
struct FreeList {
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, FreeEasy>;
using Headers = std::unique_ptr<curl_slist, FreeList>;

void add_header(Headers& list, const std::string& line) {
  list.reset(curl_slist_append(list.release(), line.c_str()));
}

Easy make_easy(const ServiceAddress& address, const std::string& path, Headers& headers) {
  static const CURLcode kReady = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)kReady;
  Easy easy(curl_easy_init());
  curl_easy_setopt(easy.get(), CURLOPT_URL, (address.url + path).c_str());
  curl_easy_setopt(easy.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy.get(), CURLOPT_CONNECTTIMEOUT_MS, 5000L);
  curl_easy_setopt(easy.get(), CURLOPT_NOSIGNAL, 1L);
  if (!address.token.empty()) add_header(headers, "Authorization: Bearer " + address.token);
  return easy;
}

std::size_t append_body(char* data, std::size_t size, std::size_t count, void* into) {
  auto& body = *static_cast<std::string*>(into);
  if (body.size() + size * count > kMaxReplyBytes) return 0;
  body.append(data, size * count);
  return size * count;
}

Errc code_of(std::string_view name, long status) {
  for (const Errc code : {Errc::InvalidArgument, Errc::NotFound, Errc::Unsupported, Errc::Corrupt,
                          Errc::Io, Errc::Unavailable, Errc::ResourceExhausted,
                          Errc::DeadlineExceeded, Errc::Cancelled, Errc::Conflict}) {
    if (to_string(code) == name) return code;
  }
  return status >= 500 ? Errc::Unavailable : Errc::InvalidArgument;
}

tl::unexpected<Error> reply_error(const ServiceAddress& address, long status,
                                  const std::string& body) {
  std::string code, message = fmt::format("status {}", status);
  if (const auto json = parse_json(body); json && json->is_object()) {
    code = json->value("code", "");
    message = json->value("message", message);
  }
  return fail(code_of(code, status), "{}: {}", address.url, message);
}

/// Cuts a stream of bytes into server-sent events.
class EventReader {
 public:
  EventReader(const std::function<bool(const ServiceEvent&)>& on_event, std::stop_token stop)
      : on_event_(on_event), stop_(std::move(stop)) {}

  bool ended = false;
  bool refused = false;  // the caller wants no more
  std::string last_id;
  std::string error_body;

  bool take(std::string_view bytes, long status) {
    if (stop_.stop_requested()) return false;
    if (status != 200) {
      error_body.append(bytes.substr(0, 4096));
      return true;
    }
    buffer_.append(bytes);
    for (std::size_t end; (end = buffer_.find("\n\n")) != std::string::npos;
         buffer_.erase(0, end + 2)) {
      ServiceEvent event{"message", "", ""};
      for (std::size_t at = 0; at < end;) {
        const std::size_t newline = std::min(buffer_.find('\n', at), end);
        const std::string_view line(buffer_.data() + at, newline - at);
        if (line.starts_with("event: ")) event.type = line.substr(7);
        if (line.starts_with("id: ")) event.id = line.substr(4);
        if (line.starts_with("data: ")) event.data += line.substr(6);
        at = newline + 1;
      }
      if (!event.id.empty()) last_id = event.id;
      if (event.data.empty()) continue;
      ended = ended || event.type == "end";
      if (!on_event_(event)) refused = true;
      if (ended || refused) return false;
    }
    return buffer_.size() <= kMaxReplyBytes;
  }
  bool stopped() const { return stop_.stop_requested(); }

 private:
  const std::function<bool(const ServiceEvent&)>& on_event_;
  std::stop_token stop_;
  std::string buffer_;
};

struct StreamState {
  CURL* easy;
  EventReader* reader;
};

std::size_t read_events(char* data, std::size_t size, std::size_t count, void* state) {
  auto& stream = *static_cast<StreamState*>(state);
  long status = 0;
  curl_easy_getinfo(stream.easy, CURLINFO_RESPONSE_CODE, &status);
  return stream.reader->take({data, size * count}, status) ? size * count : 0;
}

int stop_transfer(void* reader, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<EventReader*>(reader)->stopped() ? 1 : 0;
}

}  // namespace

Result<ServiceAddress> service_address(const std::string& server, const std::string& token_env) {
  ServiceAddress address;
  const char* url = std::getenv("KERNELWRIGHT_SERVER");
  if (!server.empty()) {
    address.url = server;
  } else if (url != nullptr && *url != '\0') {
    address.url = url;
  }
  while (address.url.ends_with('/')) address.url.pop_back();
  if (!address.url.starts_with("http://") && !address.url.starts_with("https://")) {
    return fail(Errc::InvalidArgument, "--server: '{}' is no http:// or https:// address",
                address.url);
  }
  const std::string variable = token_env.empty() ? "KERNELWRIGHT_TOKEN" : token_env;
  const char* token = std::getenv(variable.c_str());
  if (token != nullptr) address.token = token;
  if (!token_env.empty() && address.token.empty()) {
    return fail(Errc::InvalidArgument, "--token-env: {} is not set", token_env);
  }
  if (address.token.find_first_of("\r\n") != std::string::npos) {
    return fail(Errc::InvalidArgument, "{}: a token is one line", variable);
  }
  return address;
}

Result<std::string> service_request(const ServiceAddress& address, const std::string& method,
                                    const std::string& path, const std::string& body,
                                    const std::map<std::string, std::string>& extra) {
  Headers headers;
  const Easy easy = make_easy(address, path, headers);
  std::string reply;
  curl_easy_setopt(easy.get(), CURLOPT_TIMEOUT_MS, 60000L);
  curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, &append_body);
  curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &reply);
  if (method == "POST") {
    curl_easy_setopt(easy.get(), CURLOPT_POST, 1L);
    curl_easy_setopt(easy.get(), CURLOPT_POSTFIELDS, body.data());
    curl_easy_setopt(easy.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    add_header(headers, "Content-Type: application/json");
  }
  for (const auto& [name, value] : extra) add_header(headers, name + ": " + value);
  curl_easy_setopt(easy.get(), CURLOPT_HTTPHEADER, headers.get());
  const CURLcode code = curl_easy_perform(easy.get());
  if (code != CURLE_OK) {
    return fail(Errc::Unavailable, "{}: {} (is 'kernelwright serve' running there?)", address.url,
                curl_easy_strerror(code));
  }
  long status = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status < 200 || status > 299) return reply_error(address, status, reply);
  return reply;
}

Status follow_events(const ServiceAddress& address, const std::string& path,
                     const std::function<bool(const ServiceEvent&)>& on_event,
                     std::stop_token stop) {
  EventReader reader(on_event, stop);
  for (int attempt = 0; attempt < kReconnects; ++attempt) {
    Headers headers;
    const Easy easy = make_easy(address, path, headers);
    add_header(headers, "Accept: text/event-stream");
    if (!reader.last_id.empty()) add_header(headers, "Last-Event-ID: " + reader.last_id);
    const std::string before = reader.last_id;
    StreamState state{easy.get(), &reader};
    curl_easy_setopt(easy.get(), CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, &read_events);
    curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &state);
    curl_easy_setopt(easy.get(), CURLOPT_XFERINFOFUNCTION, &stop_transfer);
    curl_easy_setopt(easy.get(), CURLOPT_XFERINFODATA, &reader);
    curl_easy_setopt(easy.get(), CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy.get(), CURLOPT_LOW_SPEED_LIMIT,
                     1L);  // the daemon sends a comment every 5 s
    curl_easy_setopt(easy.get(), CURLOPT_LOW_SPEED_TIME, 60L);
    curl_easy_perform(easy.get());
    if (stop.stop_requested()) return fail(Errc::Cancelled, "interrupted");
    if (reader.ended || reader.refused) return {};
    long status = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status >= 400) return reply_error(address, status, reader.error_body);
    if (reader.last_id != before) attempt = 0;  // it is getting somewhere
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  return fail(Errc::Unavailable, "{}: the connection broke {} times", address.url, kReconnects);
}

}  // namespace kw::agent
