// The only file that includes Beast.

#include "server.h"

#include <utility>
// <utility> before Asio: Boost 1.74 uses std::exchange without including it.
#include <algorithm>
#include <atomic>
#include <boost/asio.hpp>
#include <boost/beast.hpp>
#include <cctype>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <thread>

namespace kw::agent {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = net::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kMaxHeaderBytes = 16 * 1024;
constexpr std::chrono::seconds kStreamPoll{
    5};  // the longest that a stream sleeps between two looks

class BeastServer;

/// One connection. Everything runs on its strand; the handler's work is posted to a pool and comes
/// back.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(BeastServer& server, tcp::socket socket)
      : server_(server), stream_(std::move(socket)), wake_(stream_.get_executor()) {}
  ~Connection();

  void start() {
    net::co_spawn(
        stream_.get_executor(), [self = shared_from_this()] { return run(self); },
        [self = shared_from_this()](std::exception_ptr) { self->close_now(); });
  }
  void wake() {
    net::post(stream_.get_executor(), [self = shared_from_this()] {
      self->woken_ = true;
      self->wake_.cancel();
    });
  }
  void close() {
    net::post(stream_.get_executor(), [self = shared_from_this()] {
      self->closing_ = true;
      self->wake_.cancel();
      self->close_now();
    });
  }

 private:
  using Self = std::shared_ptr<Connection>;

  static net::awaitable<void> run(Self self);
  static net::awaitable<bool> reply(Self self, const HttpReply& answer, unsigned version,
                                    bool keep_alive);
  static net::awaitable<void> refuse(Self self, error_code why);
  static net::awaitable<void> events(Self self, const EventStreamReply& from);
  // g++ 12 destroys closures that are temporaries of a co_await twice: work is named first, then
  // passed.
  static net::awaitable<Answer> answer_on_pool(Self self, const HttpRequest& request);
  static net::awaitable<StreamChunk> look_on_pool(Self self, const EventStreamReply& position);
  template <typename Value>
  static net::awaitable<void> on_pool(Self self, const std::function<Value()>& work,
                                      std::optional<Value>& into);

  void close_now() {
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
    stream_.socket().close(ignored);
  }

  BeastServer& server_;
  beast::tcp_stream stream_;
  net::steady_timer wake_;
  bool closing_ = false;
  bool woken_ = false;  // a wake that came while the stream was not asleep
};

class BeastServer final : public Server {
 public:
  BeastServer(const ServerOptions& options, ServerHandler handler)
      : options_(options),
        handler_(std::move(handler)),
        acceptor_(net::make_strand(io_)),
        pool_(static_cast<std::size_t>(std::max(1, options.handler_threads))) {}

  ~BeastServer() override {
    net::post(acceptor_.get_executor(), [this] {
      error_code ignored;
      acceptor_.close(ignored);
    });
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    for (const auto& connection : connections()) connection->close();
    work_.reset();
    // The pool last: what a connection has just given to it must still come back.
    if (thread_.joinable()) thread_.join();
    pool_.join();
  }

  Status listen() {
    error_code ec;
    const auto address = net::ip::make_address(options_.address, ec);
    if (ec)
      return fail(Errc::InvalidArgument, "'{}' is no IP address to listen on", options_.address);
    const tcp::endpoint endpoint(address, options_.port);
    acceptor_.open(endpoint.protocol(), ec);
    if (!ec) acceptor_.set_option(net::socket_base::reuse_address(true), ec);
    if (!ec) acceptor_.bind(endpoint, ec);
    if (!ec) acceptor_.listen(net::socket_base::max_listen_connections, ec);
    if (ec) {
      return fail(Errc::Unavailable, "listening on {}:{}: {}", options_.address, options_.port,
                  ec.message());
    }
    port_ = acceptor_.local_endpoint(ec).port();
    net::co_spawn(
        acceptor_.get_executor(), [this] { return accept(); }, net::detached);
    thread_ = std::thread([this] { io_.run(); });
    return {};
  }

  std::uint16_t port() const override { return port_; }
  void wake_streams() override {
    for (const auto& connection : connections()) connection->wake();
  }

  const ServerOptions& options() const { return options_; }
  const ServerHandler& handler() const { return handler_; }
  net::thread_pool& pool() { return pool_; }
  void left() { --open_; }

 private:
  net::awaitable<void> accept() {
    error_code ec;
    auto token = net::redirect_error(net::use_awaitable, ec);
    while (acceptor_.is_open()) {
      tcp::socket socket(net::make_strand(io_));
      co_await acceptor_.async_accept(socket, token);
      if (ec == net::error::operation_aborted || ec == net::error::bad_descriptor) co_return;
      if (ec) {  // no descriptors left: give connections time to end
        net::steady_timer pause(acceptor_.get_executor(), std::chrono::milliseconds(100));
        co_await pause.async_wait(token);
        continue;
      }
      if (open_ >= options_.max_connections) continue;  // closes the socket
      ++open_;
      auto connection = std::make_shared<Connection>(*this, std::move(socket));
      {
        const std::lock_guard lock(mutex_);
        if (stopping_) co_return;  // nobody would close this one
        std::erase_if(connections_, [](const auto& weak) { return weak.expired(); });
        connections_.push_back(connection);
      }
      connection->start();
    }
  }

  std::vector<std::shared_ptr<Connection>> connections() {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<Connection>> alive;
    for (const auto& weak : connections_) {
      if (auto connection = weak.lock()) alive.push_back(std::move(connection));
    }
    return alive;
  }

  const ServerOptions options_;
  const ServerHandler handler_;
  net::io_context io_{1};
  std::optional<net::executor_work_guard<net::io_context::executor_type>> work_{io_.get_executor()};
  tcp::acceptor acceptor_;
  net::thread_pool pool_;
  std::uint16_t port_ = 0;
  std::atomic<std::size_t> open_ = 0;
  std::mutex mutex_;
  std::list<std::weak_ptr<Connection>> connections_;  // guarded by mutex_
  bool stopping_ = false;                             // guarded by mutex_
  std::thread thread_;
};

Connection::~Connection() { server_.left(); }

/// Runs blocking work on the pool and resumes on the connection's strand. Both references live in
/// the caller's frame, which waits.
template <typename Value>
net::awaitable<void> Connection::on_pool(Self self, const std::function<Value()>& work,
                                         std::optional<Value>& into) {
  auto done = std::make_shared<net::steady_timer>(self->stream_.get_executor(),
                                                  net::steady_timer::time_point::max());
  net::post(self->server_.pool(), [self, &work, &into, done] {
    into.emplace(work());
    net::post(self->stream_.get_executor(), [done] { done->cancel(); });
  });
  error_code ec;
  auto token = net::redirect_error(net::use_awaitable, ec);
  co_await done->async_wait(token);
}

net::awaitable<Answer> Connection::answer_on_pool(Self self, const HttpRequest& request) {
  std::optional<Answer> answer;
  const std::function<Answer()> work = [&self, &request] {
    return self->server_.handler().answer(request);
  };
  co_await on_pool(self, work, answer);
  co_return std::move(*answer);
}

net::awaitable<StreamChunk> Connection::look_on_pool(Self self, const EventStreamReply& position) {
  std::optional<StreamChunk> chunk;
  const std::function<StreamChunk()> work = [&self, &position] {
    return self->server_.handler().stream(position);
  };
  co_await on_pool(self, work, chunk);
  co_return std::move(*chunk);
}

HttpRequest translate(const http::request<http::string_body>& message, bool& valid) {
  HttpRequest request;
  request.method = std::string(message.method_string());
  valid = parse_target({message.target().data(), message.target().size()}, request);
  for (const auto& field : message) {
    std::string name(field.name_string());
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    request.headers[name] = std::string(field.value());
  }
  request.body = message.body();
  return request;
}

void common_headers(http::fields& fields) {
  fields.set(http::field::server, "kernelwright");
  fields.set("X-Content-Type-Options", "nosniff");
  fields.set("Cache-Control", "no-store");
}

HttpReply bad_target() {
  HttpReply reply;
  reply.status = 400;
  reply.body = R"({"v":1,"kind":"error","code":"invalid_argument","message":"bad request target"})";
  return reply;
}

net::awaitable<void> Connection::run(Self self) {
  beast::flat_buffer buffer;
  error_code ec;
  auto token = net::redirect_error(net::use_awaitable, ec);
  const ServerOptions& options = self->server_.options();
  while (!self->closing_) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(options.max_body_bytes);
    parser.header_limit(kMaxHeaderBytes);
    self->stream_.expires_after(options.idle);
    co_await http::async_read(self->stream_, buffer, parser, token);
    if (ec) {
      co_await refuse(self, ec);
      co_return;
    }
    const http::request<http::string_body> message = parser.release();
    bool valid = false;
    const HttpRequest request = translate(message, valid);
    const unsigned version = message.version();
    const bool keep_alive = message.keep_alive();
    Answer answer = bad_target();
    if (valid) {
      self->stream_.expires_never();
      answer = co_await answer_on_pool(self, request);
    }
    if (const auto* stream = std::get_if<EventStreamReply>(&answer)) {
      co_await events(self, *stream);
      co_return;
    }
    const HttpReply& plain = std::get<HttpReply>(answer);
    const bool go_on = co_await reply(self, plain, version, keep_alive);
    if (!go_on) co_return;
  }
}

net::awaitable<bool> Connection::reply(Self self, const HttpReply& answer, unsigned version,
                                       bool keep_alive) {
  http::response<http::string_body> message(static_cast<http::status>(answer.status), version);
  common_headers(message);
  message.set(http::field::content_type, answer.content_type);
  for (const auto& [name, value] : answer.headers) message.set(name, value);
  message.keep_alive(keep_alive);
  message.body() = answer.body;
  message.prepare_payload();
  error_code ec;
  auto token = net::redirect_error(net::use_awaitable, ec);
  self->stream_.expires_after(self->server_.options().idle);
  co_await http::async_write(self->stream_, message, token);
  co_return !ec && keep_alive;
}

/// A message that could not be read: say why when the peer still listens, then close.
net::awaitable<void> Connection::refuse(Self self, error_code why) {
  int status = 0;
  const char* what = "";
  if (why == http::error::body_limit) {
    status = 413, what = "the body is larger than this server takes";
  } else if (why == http::error::header_limit) {
    status = 431, what = "the headers are larger than this server takes";
  } else if (why.category() == make_error_code(http::error::end_of_stream).category() &&
             why != http::error::end_of_stream && why != http::error::partial_message) {
    status = 400, what = "not a valid HTTP request";
  }
  if (status == 0) co_return;
  HttpReply answer;
  answer.status = status;
  answer.body =
      std::string(R"({"v":1,"kind":"error","code":"invalid_argument","message":")") + what + "\"}";
  co_await reply(self, answer, 11, false);
}

/// Server-sent events until the job is over or the peer leaves. A peer that stops reading is
/// dropped at the write deadline; what it missed it asks for with Last-Event-ID.
net::awaitable<void> Connection::events(Self self, const EventStreamReply& from) {
  EventStreamReply stream = from;
  error_code ec;
  auto token = net::redirect_error(net::use_awaitable, ec);
  const auto idle = self->server_.options().idle;
  http::response<http::empty_body> head(http::status::ok, 11);
  common_headers(head);
  head.set(http::field::content_type, "text/event-stream");
  head.chunked(true);
  http::response_serializer<http::empty_body> serializer(head);
  self->stream_.expires_after(idle);
  co_await http::async_write_header(self->stream_, serializer, token);
  while (!ec && !self->closing_) {
    self->woken_ = false;
    const StreamChunk chunk = co_await look_on_pool(self, stream);
    stream.after = chunk.next;
    // A comment line keeps proxies awake and finds out that the peer is gone.
    const std::string text = chunk.text.empty() ? ": \n\n" : chunk.text;
    self->stream_.expires_after(idle);
    const auto piece = http::make_chunk(net::buffer(text));
    co_await net::async_write(self->stream_, piece, token);
    if (ec || chunk.last) break;
    if (!chunk.text.empty() || self->woken_ || self->closing_) continue;
    self->wake_.expires_after(kStreamPoll);
    error_code woken;
    auto woken_token = net::redirect_error(net::use_awaitable, woken);
    self->stream_.expires_never();
    co_await self->wake_.async_wait(woken_token);
  }
  if (ec) co_return;
  self->stream_.expires_after(idle);
  const auto end = http::make_chunk_last();
  co_await net::async_write(self->stream_, end, token);
}

}  // namespace

Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options, ServerHandler handler) {
  auto server = std::make_unique<BeastServer>(options, std::move(handler));
  if (auto status = server->listen(); !status) {
    return tl::unexpected<Error>(status.error());
  }
  return server;
}

}  // namespace kw::agent
