#pragma once
// The daemon: takes up the service's unfinished jobs, answers HTTP, and when idle on a GPU tunes
// again what the store says is worth most.

#include <chrono>
#include <stop_token>
#include <string>

#include "api.h"
#include "server.h"

namespace kw::agent {

struct DaemonOptions {
  ServerOptions server;
  ApiOptions api;
  bool retune = true;  // only where the device has time
  std::chrono::seconds idle_before{60};
  int retune_evaluations = 60;
  double retune_s = 120;
};

class Daemon {
 public:
  /// Listens and goes on with what an earlier daemon left. The workshop outlives the daemon.
  static Result<std::unique_ptr<Daemon>> start(Workshop& workshop, DaemonOptions options);
  ~Daemon();
  std::uint16_t port() const;
  /// Until stop is requested.
  void run(std::stop_token stop);

 private:
  Daemon(Workshop& workshop, DaemonOptions options);
  Status adopt_unfinished();
  void forget_finished();
  void retune_if_idle(std::chrono::steady_clock::time_point now);

  Workshop& workshop_;
  DaemonOptions options_;
  Api api_;
  std::unique_ptr<Server> server_;
  std::chrono::steady_clock::time_point busy_until_;
  std::string retuned_;  // the last candidate that was tuned again without a better one
};

}  // namespace kw::agent
