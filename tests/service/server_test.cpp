// The HTTP server against real sockets: what a hostile or broken client may do to others.

#include "service/server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

namespace kw::agent {
namespace {

using namespace std::chrono_literals;

/// A blocking TCP client that gives up after a few seconds.
class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }
  bool send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  /// Until `mark` was read, the peer closed, or five seconds passed.
  std::string read_until(std::string_view mark) {
    std::string text;
    while (text.find(mark) == std::string::npos) {
      pollfd wait{fd_, POLLIN, 0};
      if (::poll(&wait, 1, 5000) <= 0) break;
      char buffer[4096];
      const ssize_t got = ::recv(fd_, buffer, sizeof buffer, 0);
      if (got <= 0) {
        closed_ = true;
        break;
      }
      text.append(buffer, static_cast<std::size_t>(got));
    }
    return text;
  }
  bool closed() const { return closed_; }

 private:
  int fd_;
  bool connected_ = false;
  bool closed_ = false;
};

class ServerTest : public ::testing::Test {
 protected:
  void start(std::chrono::seconds idle = 30s, std::size_t max_connections = 64) {
    ServerOptions options;
    options.port = 0;
    options.idle = idle;
    options.max_body_bytes = 1 << 20;
    options.max_connections = max_connections;
    ServerHandler handler;
    handler.answer = [this](const HttpRequest& request) -> Answer {
      if (request.path == "/stream")
        return EventStreamReply{"job", std::stoull("0" + request.header("last-event-id"))};
      return HttpReply{
          200,
          "text/plain",
          request.method + " " + request.path + " " + request.parameter("q") + " " + request.body,
          {}};
    };
    handler.stream = [this](const EventStreamReply& position) {
      const std::uint64_t have = events_;
      StreamChunk chunk{"", position.after, false};
      for (std::uint64_t i = position.after + 1; i <= have; ++i) {
        chunk.text += "id: " + std::to_string(i) + "\ndata: {}\n\n";
        chunk.next = i;
      }
      chunk.last = finished_ && chunk.text.empty();
      return chunk;
    };
    auto server = Server::start(options, handler);
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }

  std::string ask(const std::string& text, std::string_view mark = "\r\n\r\n") {
    Client client(server_->port());
    EXPECT_TRUE(client.send(text));
    return client.read_until(mark);
  }

  std::atomic<std::uint64_t> events_ = 0;
  std::atomic<bool> finished_ = false;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, AnswersSeveralRequestsOnOneConnection) {
  start();
  Client client(server_->port());
  ASSERT_TRUE(client.send("GET /a%20b?q=x%2By HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  EXPECT_NE(client.read_until("GET /a b x+y").find("200 OK"), std::string::npos);
  ASSERT_TRUE(client.send("POST /c HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"));
  EXPECT_NE(client.read_until("hello").find("POST /c"), std::string::npos);
}

TEST_F(ServerTest, RefusesABodyThatIsTooLargeWithoutReadingIt) {
  start();
  Client client(server_->port());
  ASSERT_TRUE(
      client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 104857600\r\n\r\n"));
  EXPECT_NE(client.read_until("larger than").find("413"), std::string::npos);
}

TEST_F(ServerTest, RefusesWhatIsNotHttp) {
  start();
  EXPECT_NE(ask("\x16\x03\x01 hello\r\n\r\n").find("400"), std::string::npos);
  EXPECT_NE(ask("GET relative HTTP/1.1\r\nHost: localhost\r\n\r\n").find("400"), std::string::npos);
  EXPECT_NE(ask("GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n").find("400"), std::string::npos);
  EXPECT_NE(ask("GET / HTTP/1.1\r\nX: " + std::string(20000, 'x') + "\r\n\r\n").find("431"),
            std::string::npos);
}

TEST_F(ServerTest, AStalledClientIsDroppedAndHarmsNobody) {
  start(1s);
  Client stalled(server_->port());
  ASSERT_TRUE(
      stalled.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf"));
  EXPECT_NE(ask("GET /other HTTP/1.1\r\nHost: localhost\r\n\r\n", "/other").find("200"),
            std::string::npos);
  const auto began = std::chrono::steady_clock::now();
  stalled.read_until("never");
  EXPECT_TRUE(stalled.closed());
  EXPECT_LT(std::chrono::steady_clock::now() - began, 4s);
}

TEST_F(ServerTest, AStreamDeliversWakesAtOnceAndResumes) {
  start();
  events_ = 2;
  Client client(server_->port());
  ASSERT_TRUE(client.send("GET /stream HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 1\r\n\r\n"));
  const std::string first = client.read_until("id: 2");
  EXPECT_EQ(first.find("id: 1\n"), std::string::npos);
  const auto began = std::chrono::steady_clock::now();
  events_ = 3;
  server_->wake_streams();
  EXPECT_NE(client.read_until("id: 3").find("id: 3"), std::string::npos);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 2s);
  finished_ = true;
  server_->wake_streams();
  client.read_until("0\r\n\r\n");
}

TEST_F(ServerTest, TurnsAwayWhatIsAboveItsLimitOfConnections) {
  start(30s, 2);
  Client a(server_->port()), b(server_->port());
  ASSERT_TRUE(a.send("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  a.read_until("GET /a");
  ASSERT_TRUE(b.send("GET /b HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  b.read_until("GET /b");
  Client c(server_->port());
  c.send("GET /c HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(c.read_until("GET /c"), "");
}

TEST_F(ServerTest, StopsAtOnceWithStreamsAndIdleConnectionsOpen) {
  start();
  Client idle(server_->port()), stream(server_->port());
  ASSERT_TRUE(stream.send("GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  stream.read_until("\r\n\r\n");
  const auto began = std::chrono::steady_clock::now();
  server_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - began, 2s);
}

TEST(Server, NamesTheAddressItCannotListenOn) {
  ServerOptions options;
  options.address = "not-an-address";
  const auto bad = Server::start(options, {});
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().message.find("not-an-address"), std::string::npos);
  options.address = "127.0.0.1";
  options.port = 0;
  const auto first = Server::start(options, {});
  ASSERT_TRUE(first);
  options.port = (*first)->port();
  const auto second = Server::start(options, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::Unavailable);
}

}  // namespace
}  // namespace kw::agent
