// The daemon under kills and under clients that behave badly, with jobs running.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "fakes/temp_dir.h"
#include "serve_harness.h"
#include "service.h"

namespace kw::e2e {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;
using namespace std::chrono_literals;

TEST(Serve, JobsEndOnceThoughTheDaemonIsKilledTwice) {
  const ServeRun run = serve_and_kill(1, 6, 2, 1500ms);
  std::printf("%d of 2 kills found unfinished jobs; all ended %lld ms after the last restart\n",
              run.struck, static_cast<long long>(run.settled.count()));
}

/// A connection that sends `text` and then neither sends nor reads.
class Stalled {
 public:
  Stalled(std::uint16_t port, std::string_view text)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int small = 1;  // the kernel's least: our side fills at once
    (void)::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    good_ =
        ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
        ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }
  ~Stalled() { ::close(fd_); }
  Stalled(const Stalled&) = delete;
  Stalled& operator=(const Stalled&) = delete;
  bool good() const { return good_; }

 private:
  int fd_;
  bool good_ = false;
};

TEST(Serve, StalledClientsAndHugeBodiesHarmNobodyWhileJobsRun) {
  const fakes::TempDir dir;
  Service service(dir / "s.sqlite");
  ASSERT_TRUE(service.start());
  std::vector<std::string> jobs;
  for (const char* task : {"1/19", "1/23", "1/25", "1/26", "1/36", "2/12"}) {
    const HttpAnswer answer = service.post(
        "/v1/jobs", Json{{"v", 1}, {"task", std::string("kernelbench:") + task}}.dump());
    ASSERT_EQ(answer.status, 202) << answer.body;
    jobs.push_back(Json::parse(answer.body)["jobs"][0]["id"].get<std::string>());
  }
  std::vector<std::unique_ptr<Stalled>> stalled;
  for (int i = 0; i < 30; ++i) {
    stalled.push_back(std::make_unique<Stalled>(
        service.port(),
        i % 3 == 0   ? "GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
        : i % 3 == 1 ? "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"
                     : "GET /v1/jo"));
    ASSERT_TRUE(stalled.back()->good());
  }
  const std::string huge(100u << 20, ' ');
  for (const auto& headers : {std::vector<std::string>{}, {"Transfer-Encoding: chunked"}}) {
    const auto begun = Clock::now();
    const HttpAnswer answer = service.post("/v1/jobs", huge, headers);
    // 413, or cut off before the client that only sends could read it.
    EXPECT_TRUE(answer.status == 413 || answer.status == 0) << answer.status << answer.body;
    EXPECT_LT(Clock::now() - begun, 10s);
  }
  std::vector<std::string> waiting = jobs;
  const auto until = Clock::now() + 60s;
  while (!waiting.empty() && Clock::now() < until) {
    const auto begun = Clock::now();
    const HttpAnswer answer = service.get("/v1/jobs/" + waiting.back());
    EXPECT_LT(Clock::now() - begun, 3s) << "an honest client waits";
    ASSERT_EQ(answer.status, 200) << answer.body;
    const std::string state = Json::parse(answer.body)["job"]["state"].get<std::string>();
    if (state == "done") waiting.pop_back();
    ASSERT_NE(state, "failed") << answer.body;
    std::this_thread::sleep_for(50ms);
  }
  EXPECT_TRUE(waiting.empty()) << "jobs stand still";
  const HttpAnswer kernels = service.get("/v1/kernels");
  ASSERT_EQ(kernels.status, 200) << kernels.body;
  EXPECT_EQ(Json::parse(kernels.body)["kernels"].size(), jobs.size()) << kernels.body;
  const HttpAnswer bundle = service.get("/v1/jobs/" + jobs.front() + "/bundle");
  ASSERT_EQ(bundle.status, 200) << bundle.body;
  EXPECT_FALSE(Json::parse(bundle.body)["evidence"].empty());
  EXPECT_EQ(service.interrupt(), 0) << "stalled clients hold up the end";
}

}  // namespace
}  // namespace kw::e2e
