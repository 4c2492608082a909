#include "fakes/scripted_endpoint.h"

// clang-format off: Asio 1.74 needs <utility> before it
#include <utility>
#include <boost/asio.hpp>
// clang-format on

#include <atomic>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

namespace kw::fakes {
namespace {

namespace net = boost::asio;
using net::ip::tcp;
using Json = nlohmann::json;

std::string header_of(const std::string& head, const std::string& name) {
  std::size_t at = 0;
  while ((at = head.find("\r\n", at)) != std::string::npos) {
    at += 2;
    bool same = head.size() > at + name.size() && head[at + name.size()] == ':';
    for (std::size_t i = 0; same && i < name.size(); ++i) {
      same = std::tolower(static_cast<unsigned char>(head[at + i])) ==
             std::tolower(static_cast<unsigned char>(name[i]));
    }
    if (!same) continue;
    const std::size_t begin = head.find_first_not_of(' ', at + name.size() + 1);
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
  return {};
}

std::string event(const Json& data) { return "data: " + data.dump() + "\n\n"; }

Json delta(const std::string& text, const Json& finish) {
  return {{"choices", {{{"index", 0}, {"delta", {{"content", text}}}, {"finish_reason", finish}}}}};
}

Json usage_of(const Reply& reply) {
  return {{"prompt_tokens", 100}, {"completion_tokens", reply.text.size() / 4}};
}

}  // namespace

struct ScriptedEndpoint::Impl {
  explicit Impl(Script s)
      : script(std::move(s)), acceptor(io, {net::ip::make_address("127.0.0.1"), 0}) {
    net::co_spawn(io, accept(), net::detached);
    thread = std::thread([this] { io.run(); });
  }
  ~Impl() {
    io.stop();
    thread.join();
  }

  net::awaitable<void> accept() {
    boost::system::error_code ec;
    auto token = net::redirect_error(net::use_awaitable, ec);
    for (;;) {
      tcp::socket socket = co_await acceptor.async_accept(token);
      if (ec) co_return;
      net::co_spawn(io, serve(std::move(socket)), net::detached);
    }
  }

  net::awaitable<void> serve(tcp::socket socket) {
    ++open;
    co_await answer(socket);
    boost::system::error_code ignored;
    socket.shutdown(tcp::socket::shutdown_both, ignored);
    socket.close(ignored);
    --open;
  }

  net::awaitable<void> answer(tcp::socket& socket) {
    boost::system::error_code ec;
    auto token = net::redirect_error(net::use_awaitable, ec);
    std::string buffer;
    const std::size_t head_bytes =
        co_await net::async_read_until(socket, net::dynamic_buffer(buffer), "\r\n\r\n", token);
    if (ec) co_return;
    const std::string head = buffer.substr(0, head_bytes);
    std::string body = buffer.substr(head_bytes);
    if (head.starts_with("GET")) {
      const std::string models =
          "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n"
          "Connection: close\r\n\r\n{\"data\":[]}";
      co_await net::async_write(socket, net::buffer(models), token);
      co_return;
    }
    const std::string length = header_of(head, "Content-Length");
    const std::size_t total = length.empty() ? 0 : std::stoul(length);
    if (body.size() < total) {
      co_await net::async_read(socket, net::dynamic_buffer(body),
                               net::transfer_exactly(total - body.size()), token);
      if (ec) co_return;
    }
    std::size_t n = 0;
    {
      const std::lock_guard lock(mutex);
      n = received.size();
      received.push_back({body, header_of(head, "Authorization"), false, false, {}});
    }
    const Reply reply = script(n, body);
    const bool whole = co_await write_reply(socket, reply);
    const std::lock_guard lock(mutex);
    received[n].answered = whole && !reply.cut && !reply.stall && !reply.mute;
    received[n].abandoned = !whole;
    received[n].ended = std::chrono::steady_clock::now();
  }

  net::awaitable<bool> pause(tcp::socket& socket, std::chrono::milliseconds time) {
    // A client that goes away makes its socket readable.
    if (time.count() == 0) co_return true;
    boost::system::error_code ec;
    auto token = net::redirect_error(net::use_awaitable, ec);
    auto timer = std::make_shared<net::steady_timer>(io, time);
    bool gone = false;
    auto alive = std::make_shared<bool>(true);
    socket.async_wait(tcp::socket::wait_read,
                      [timer, &gone, alive](const boost::system::error_code& error) {
                        if (!*alive || error) return;
                        gone = true;
                        timer->cancel();
                      });
    co_await timer->async_wait(token);
    *alive = false;
    boost::system::error_code ignored;
    socket.cancel(ignored);
    co_return !gone;
  }

  net::awaitable<bool> write(tcp::socket& socket, const std::string& bytes) {
    boost::system::error_code ec;
    auto token = net::redirect_error(net::use_awaitable, ec);
    co_await net::async_write(socket, net::buffer(bytes), token);
    co_return !ec;
  }

  net::awaitable<bool> write_reply(tcp::socket& socket, const Reply& reply) {
    using namespace std::chrono_literals;
    if (!co_await pause(socket, reply.mute ? 1h : reply.delay)) co_return false;
    std::string head =
        "HTTP/1.1 " + std::to_string(reply.status) + " Scripted\r\nConnection: close\r\n";
    for (const std::string& header : reply.headers) head += header + "\r\n";
    if (reply.status != 200) {
      head += "Content-Length: " + std::to_string(reply.text.size()) + "\r\n\r\n";
      co_return co_await write(socket, head + reply.text);
    }
    if (!reply.chunked) {
      const Json doc = {{"choices",
                         {{{"index", 0},
                           {"message", {{"role", "assistant"}, {"content", reply.text}}},
                           {"finish_reason", reply.finish_reason}}}},
                        {"usage", usage_of(reply)}};
      const std::string body = doc.dump();
      head += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size());
      co_return co_await write(socket, head + "\r\n\r\n" + body);
    }
    head += "Content-Type: text/event-stream\r\n\r\n";
    if (!co_await write(socket, head)) co_return false;
    if (reply.stall && !co_await pause(socket, 1h)) co_return false;
    const std::size_t end = reply.cut ? reply.text.size() / 2 : reply.text.size();
    for (std::size_t at = 0; at < end; at += reply.piece) {
      const std::string piece = reply.text.substr(at, std::min(reply.piece, end - at));
      if (!co_await write(socket, event(delta(piece, nullptr)))) co_return false;
      if (!co_await pause(socket, reply.piece_delay)) co_return false;
    }
    if (reply.cut) co_return true;
    std::string tail = event(delta("", reply.finish_reason));
    if (reply.usage) tail += event({{"choices", Json::array()}, {"usage", usage_of(reply)}});
    co_return co_await write(socket, tail + "data: [DONE]\n\n");
  }

  Script script;
  net::io_context io{1};
  tcp::acceptor acceptor;
  mutable std::mutex mutex;
  std::vector<Received> received;  // guarded by mutex
  std::atomic<int> open = 0;
  std::thread thread;
};

ScriptedEndpoint::ScriptedEndpoint(Script script)
    : impl_(std::make_unique<Impl>(std::move(script))) {}
ScriptedEndpoint::~ScriptedEndpoint() = default;

std::string ScriptedEndpoint::url() const {
  return "http://127.0.0.1:" + std::to_string(impl_->acceptor.local_endpoint().port()) + "/v1";
}

std::vector<Received> ScriptedEndpoint::log() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->received;
}

int ScriptedEndpoint::open_connections() const { return impl_->open; }

std::string good_answer(const std::string& source, const std::string& plan) {
  return "Here is the kernel.\n\n```cuda\n" + source + "\n```\n\nAnd its plan:\n\n```json\n" +
         plan + "\n```\n";
}

}  // namespace kw::fakes
