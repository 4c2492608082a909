#include <curl/curl.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "chat_stream.h"
#include "kw/agent/model_client.h"
#include "retry_after.h"

namespace kw::agent {
namespace {

using Clock = std::chrono::steady_clock;

struct FreeEasy {
  void operator()(CURL* easy) const noexcept { curl_easy_cleanup(easy); }
};
struct FreeList {
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};

/// One transfer. Owned by the caller until it is handed to the thread, which fulfils `reply`.
struct Transfer {
  explicit Transfer(const Exchange& e) : exchange(e), stream(e.max_reply_bytes) {}

  Exchange exchange;
  bool probe = false;
  std::unique_ptr<CURL, FreeEasy> easy;
  std::unique_ptr<curl_slist, FreeList> headers;
  ChatStream stream;
  std::promise<Result<ModelReply>> reply;
  std::atomic<bool> cancelled = false;
  // Of the network thread from here on.
  Clock::time_point begun = Clock::now();
  std::optional<Clock::time_point> first_byte;
  Clock::time_point last_byte = Clock::now();
  long status = 0;
  bool event_stream = false;
  std::optional<Error> refused;  // by our own reader: too large, malformed
  std::optional<std::chrono::milliseconds> retry_after;
  bool sent_all = false;
};
using TransferPtr = std::shared_ptr<Transfer>;

long status_of(const Transfer& t) {
  long status = 0;
  curl_easy_getinfo(t.easy.get(), CURLINFO_RESPONSE_CODE, &status);
  return status;
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
  auto& t = *static_cast<Transfer*>(user);
  const std::string_view line(data, size * count);
  if (line.starts_with("HTTP/")) {  // a new response: what an earlier one said is void
    t.event_stream = false;
    t.retry_after.reset();
  }
  if (const auto value = header_value(line, "content-type")) {
    t.event_stream = value->find("text/event-stream") != std::string_view::npos;
  }
  if (const auto value = header_value(line, "retry-after")) {
    t.retry_after = parse_retry_after(*value, std::time(nullptr));
  }
  t.last_byte = Clock::now();
  return size * count;
}

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto& t = *static_cast<Transfer*>(user);
  const std::size_t bytes = size * count;
  t.last_byte = Clock::now();
  if (!t.first_byte) t.first_byte = t.last_byte;
  const bool good = status_of(t) == 200;
  const Status fed = t.stream.feed({data, bytes}, good && t.event_stream);
  if (fed) return bytes;
  t.refused = fed.error();
  return 0;  // ends the transfer with CURLE_WRITE_ERROR
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t total, curl_off_t sent) {
  auto& t = *static_cast<Transfer*>(user);
  t.sent_all = t.sent_all || (total > 0 && sent >= total);
  return t.cancelled ? 1 : 0;
}

template <typename Value>
void set(CURL* easy, CURLoption option, Value value) {
  curl_easy_setopt(easy, option, value);
}

Status prepare(Transfer& t) {
  t.easy.reset(curl_easy_init());
  if (!t.easy) return fail(Errc::Unavailable, "libcurl has no handle for us");
  CURL* easy = t.easy.get();
  std::string url = t.exchange.url;
  while (url.ends_with('/')) url.pop_back();
  url += t.probe ? "/models" : "/chat/completions";
  set(easy, CURLOPT_URL, url.c_str());
  set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  set(easy, CURLOPT_NOSIGNAL, 1L);
  set(easy, CURLOPT_FOLLOWLOCATION, 0L);  // a redirect would carry the key elsewhere
  set(easy, CURLOPT_FORBID_REUSE, 1L);    // no idle socket outlives its request
  set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(t.exchange.connect.count()));
  set(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(t.exchange.total.count()));
  set(easy, CURLOPT_HEADERFUNCTION, on_header);
  set(easy, CURLOPT_HEADERDATA, static_cast<void*>(&t));
  set(easy, CURLOPT_WRITEFUNCTION, on_body);
  set(easy, CURLOPT_WRITEDATA, static_cast<void*>(&t));
  set(easy, CURLOPT_NOPROGRESS, 0L);
  set(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
  set(easy, CURLOPT_XFERINFODATA, static_cast<void*>(&t));
  const auto header = [&t](const std::string& line) {
    curl_slist* longer = curl_slist_append(t.headers.get(), line.c_str());
    if (!longer) return;
    (void)t.headers.release();
    t.headers.reset(longer);
  };
  if (!t.exchange.key.empty()) header("Authorization: Bearer " + t.exchange.key);
  if (!t.probe) {
    header("Content-Type: application/json");
    header("Accept: text/event-stream, application/json");
    header("Expect:");
    set(easy, CURLOPT_POST, 1L);
    set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(t.exchange.body.size()));
    set(easy, CURLOPT_POSTFIELDS, t.exchange.body.data());
  }
  set(easy, CURLOPT_HTTPHEADER, t.headers.get());
  return {};
}

ModelFault http_fault(const Transfer& t, long status) {
  ModelFault fault;
  fault.http_status = static_cast<int>(status);
  fault.text = fmt::format("HTTP {}: {}", status, t.stream.excerpt());
  fault.retry_after = t.retry_after;
  if (status == 401 || status == 403) {
    fault.kind = FindingKind::Unauthorized;
  } else if (status == 429) {
    fault.kind = FindingKind::RateLimited;
    fault.retriable = true;
  } else if (status >= 500) {
    fault.kind = FindingKind::ServerError;
    fault.retriable = true;
  } else {
    fault.kind = FindingKind::BadRequest;
  }
  return fault;
}

ModelFault transport_fault(const Transfer& t, CURLcode code) {
  ModelFault fault;
  fault.http_status = static_cast<int>(t.status);
  // Whatever broke after the request was out may have been worked on, and charged.
  fault.worked_on = t.sent_all || t.status != 0;
  if (t.refused) {
    fault.kind = t.refused->code == Errc::ResourceExhausted ? FindingKind::ReplyTooLarge
                                                            : FindingKind::MalformedReply;
    fault.text = t.refused->message;
    return fault;
  }
  fault.text = curl_easy_strerror(code);
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      fault.kind = fault.worked_on ? FindingKind::Stalled : FindingKind::ConnectFailed;
      break;
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2_STREAM:
      fault.kind = FindingKind::CutStream;
      break;
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
      fault.kind = FindingKind::ConnectFailed;
      break;
    default:
      fault.kind = FindingKind::ConnectFailed;
      break;
  }
  fault.retriable = fault.kind == FindingKind::ConnectFailed && !fault.worked_on;
  return fault;
}

class CurlClient final : public ModelClient {
 public:
  CurlClient() {
    static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);
    (void)once;
    multi_ = curl_multi_init();
    thread_ = std::jthread([this](std::stop_token stop) { run(std::move(stop)); });
  }

  ~CurlClient() override {
    thread_.request_stop();
    curl_multi_wakeup(multi_);
    thread_.join();
    curl_multi_cleanup(multi_);
  }

  Result<ModelReply> send(const Exchange& exchange, std::stop_token stop) override {
    return exchange_with(exchange, false, std::move(stop));
  }

  Result<int> probe(const std::string& url, const std::string& key, std::stop_token stop) override {
    Exchange exchange;
    exchange.url = url;
    exchange.key = key;
    exchange.connect = std::chrono::seconds(5);
    exchange.first_byte = exchange.total = std::chrono::seconds(10);
    KW_ASSIGN(const ModelReply reply, exchange_with(exchange, true, std::move(stop)));
    if (const auto* fault = std::get_if<ModelFault>(&reply)) {
      if (fault->http_status != 0) return fault->http_status;
      return fail(Errc::Unavailable, "{}", fault->text);
    }
    return std::get<ModelAnswer>(reply).http_status;
  }

 private:
  Result<ModelReply> exchange_with(const Exchange& exchange, bool probe, std::stop_token stop) {
    auto transfer = std::make_shared<Transfer>(exchange);
    transfer->probe = probe;
    KW_RETURN_IF_ERROR(prepare(*transfer));
    auto reply = transfer->reply.get_future();
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(transfer);
    }
    curl_multi_wakeup(multi_);
    const std::stop_callback on_stop(stop, [this, &transfer] {
      transfer->cancelled = true;
      curl_multi_wakeup(multi_);
    });
    return reply.get();
  }

  void run(std::stop_token stop) {
    while (!stop.stop_requested()) {
      take_waiting();
      int running = 0;
      curl_multi_perform(multi_, &running);
      finish_transfers();
      enforce_deadlines();
      int poll_ms = 1000;
      if (!active_.empty()) poll_ms = 50;  // granularity of first-byte deadlines
      curl_multi_poll(multi_, nullptr, 0, poll_ms, nullptr);
    }
    while (!active_.empty()) end(active_.begin()->second, cancelled());
    const std::lock_guard lock(mutex_);
    for (const TransferPtr& each : waiting_) each->reply.set_value(cancelled());
    waiting_.clear();
  }

  static Result<ModelReply> cancelled() { return fail(Errc::Cancelled, "request cancelled"); }

  void take_waiting() {
    std::deque<TransferPtr> fresh;
    {
      const std::lock_guard lock(mutex_);
      fresh.swap(waiting_);
    }
    for (const TransferPtr& each : fresh) {
      each->begun = each->last_byte = Clock::now();
      active_[each->easy.get()] = each;
      curl_multi_add_handle(multi_, each->easy.get());
    }
  }

  void finish_transfers() {
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const auto it = active_.find(message->easy_handle);
      if (it == active_.end()) continue;
      const CURLcode code = message->data.result;
      const TransferPtr transfer = it->second;
      end(transfer, reply_of(*transfer, code));
    }
  }

  static Result<ModelReply> reply_of(Transfer& t, CURLcode code) {
    if (t.cancelled) return cancelled();
    t.status = status_of(t);
    if (t.status != 0 && t.status != 200) return http_fault(t, t.status);
    if (code != CURLE_OK) return transport_fault(t, code);
    if (t.probe) return ModelAnswer{};
    ModelReply reply = t.stream.finish(t.event_stream);
    if (auto* answer = std::get_if<ModelAnswer>(&reply)) {
      const auto since = [&t](Clock::time_point when) {
        return std::chrono::duration_cast<std::chrono::microseconds>(when - t.begun);
      };
      answer->first_byte = since(t.first_byte.value_or(t.last_byte));
      answer->total = since(Clock::now());
    }
    return reply;
  }

  /// libcurl knows no first-byte deadline; silence longer than it is a stall at any time.
  void enforce_deadlines() {
    std::vector<TransferPtr> over;
    const auto now = Clock::now();
    for (const auto& [easy, t] : active_) {
      if (t->cancelled || now - t->last_byte > t->exchange.first_byte) over.push_back(t);
    }
    for (const TransferPtr& t : over) {
      if (t->cancelled) {
        end(t, cancelled());
        continue;
      }
      ModelFault fault;
      fault.kind = FindingKind::Stalled;
      fault.http_status = static_cast<int>(status_of(*t));
      fault.worked_on = true;
      fault.text = fmt::format("no byte for {} ms", t->exchange.first_byte.count());
      end(t, ModelReply(fault));
    }
  }

  void end(const TransferPtr& owner, Result<ModelReply> reply) {
    const TransferPtr transfer = owner;  // `owner` may be the map's own
    curl_multi_remove_handle(multi_, transfer->easy.get());
    active_.erase(transfer->easy.get());
    transfer->easy.reset();  // closes the connection of a transfer that was not over
    transfer->reply.set_value(std::move(reply));
  }

  CURLM* multi_ = nullptr;
  std::mutex mutex_;
  std::deque<TransferPtr> waiting_;      // guarded by mutex_
  std::map<CURL*, TransferPtr> active_;  // of the network thread
  std::jthread thread_;
};

}  // namespace

std::unique_ptr<ModelClient> make_curl_client() { return std::make_unique<CurlClient>(); }

}  // namespace kw::agent
