#include "service.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <thread>

namespace kw::e2e {
namespace {

using namespace std::chrono_literals;

struct Curl {
  Curl() : easy(curl_easy_init()) { curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L); }
  ~Curl() {
    curl_slist_free_all(headers);
    curl_easy_cleanup(easy);
  }
  Curl(const Curl&) = delete;
  Curl& operator=(const Curl&) = delete;
  void header(const std::string& line) { headers = curl_slist_append(headers, line.c_str()); }

  CURL* easy;
  curl_slist* headers = nullptr;
};

std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool good = ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  ::close(fd);
  if (!good) throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

std::size_t append(char* data, std::size_t size, std::size_t count, void* into) {
  static_cast<std::string*>(into)->append(data, size * count);
  return size * count;
}

HttpAnswer perform(Curl& curl, const std::string& url) {
  HttpAnswer answer;
  curl_easy_setopt(curl.easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.easy, CURLOPT_TIMEOUT_MS, 20'000L);
  curl_easy_setopt(curl.easy, CURLOPT_HTTPHEADER, curl.headers);
  curl_easy_setopt(curl.easy, CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(curl.easy, CURLOPT_WRITEDATA, &answer.body);
  const CURLcode code = curl_easy_perform(curl.easy);
  curl_easy_getinfo(curl.easy, CURLINFO_RESPONSE_CODE, &answer.status);
  // An answer that came in whole counts, even when the server took no more of our body.
  if (code != CURLE_OK && code != CURLE_SEND_ERROR) answer.status = 0;
  return answer;
}

struct EventReader {
  const std::function<bool(const StreamEvent&)>& on_event;
  std::string text;

  bool take(std::string_view bytes) {
    text.append(bytes);
    for (std::size_t end; (end = text.find("\n\n")) != std::string::npos; text.erase(0, end + 2)) {
      StreamEvent event;
      for (std::size_t at = 0; at < end;) {
        const std::size_t newline = text.find('\n', at);
        const std::string line = text.substr(at, newline - at);
        if (line.starts_with("id: ")) event.id = std::strtoull(line.c_str() + 4, nullptr, 10);
        if (line.starts_with("event: ")) event.type = line.substr(7);
        if (line.starts_with("data: ")) event.data = line.substr(6);
        at = newline + 1;
      }
      if (!event.type.empty() && !on_event(event)) return false;
    }
    return true;
  }
};

std::size_t read_events(char* data, std::size_t size, std::size_t count, void* reader) {
  return static_cast<EventReader*>(reader)->take({data, size * count}) ? size * count : 0;
}

}  // namespace

Service::Service(std::string store) : store_(std::move(store)), port_(free_port()) {
  static const CURLcode kReady = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)kReady;
}

bool Service::start() {
  program_ = std::make_unique<Program>(std::vector<std::string>{
      "serve", "--device", "vm", "--port", std::to_string(port_), "--store", store_});
  const auto until = std::chrono::steady_clock::now() + 60s;
  while (std::chrono::steady_clock::now() < until) {
    if (get("/healthz").status == 200) return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

void Service::kill() {
  program_->signal(SIGKILL);
  (void)program_->wait(10s);
}

int Service::interrupt() {
  program_->signal(SIGINT);
  const auto ended = program_->wait(10s);
  return ended ? ended->code : -1;
}

std::string Service::url(const std::string& path) const {
  return "http://127.0.0.1:" + std::to_string(port_) + path;
}

HttpAnswer Service::get(const std::string& path) const {
  Curl curl;
  return perform(curl, url(path));
}

HttpAnswer Service::post(const std::string& path, const std::string& body,
                         const std::vector<std::string>& headers) const {
  Curl curl;
  curl.header("Content-Type: application/json");
  curl.header("Expect:");
  for (const std::string& each : headers) curl.header(each);
  curl_easy_setopt(curl.easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(curl.easy, CURLOPT_POSTFIELDS, body.data());
  return perform(curl, url(path));
}

void Service::stream(const std::string& path, std::uint64_t after,
                     const std::function<bool(const StreamEvent&)>& on_event) const {
  Curl curl;
  curl.header("Accept: text/event-stream");
  if (after > 0) curl.header("Last-Event-ID: " + std::to_string(after));
  EventReader reader{on_event, {}};
  const std::string where = url(path);
  curl_easy_setopt(curl.easy, CURLOPT_URL, where.c_str());
  curl_easy_setopt(curl.easy, CURLOPT_TIMEOUT_MS, 120'000L);
  curl_easy_setopt(curl.easy, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl.easy, CURLOPT_HTTPHEADER, curl.headers);
  curl_easy_setopt(curl.easy, CURLOPT_WRITEFUNCTION, read_events);
  curl_easy_setopt(curl.easy, CURLOPT_WRITEDATA, &reader);
  (void)curl_easy_perform(curl.easy);
}

}  // namespace kw::e2e
