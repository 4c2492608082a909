#pragma once
// `kernelwright serve` as a child process that a test may kill and start again on the same port and
// store, and a client of it.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "program.h"

namespace kw::e2e {

struct HttpAnswer {
  long status = 0;  // 0: no answer (refused, cut, timed out)
  std::string body;
};

struct StreamEvent {
  std::uint64_t id = 0;  // 0: without one
  std::string type;
  std::string data;
};

class Service {
 public:
  explicit Service(std::string store);

  /// Returns when it answers; false when it does not within a minute.
  bool start();
  /// SIGKILL, and waits until the process is gone.
  void kill();
  /// Ctrl-C; the exit code, -1 when it did not end within ten seconds.
  int interrupt();

  std::uint16_t port() const { return port_; }
  HttpAnswer get(const std::string& path) const;
  HttpAnswer post(const std::string& path, const std::string& body,
                  const std::vector<std::string>& headers = {}) const;
  /// Reads server-sent events after `after` until `on_event` says false or the connection ends.
  void stream(const std::string& path, std::uint64_t after,
              const std::function<bool(const StreamEvent&)>& on_event) const;

 private:
  std::string url(const std::string& path) const;

  std::string store_;
  std::uint16_t port_;
  std::unique_ptr<Program> program_;
};

}  // namespace kw::e2e
