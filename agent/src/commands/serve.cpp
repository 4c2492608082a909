#include <cstdlib>

#include "command.h"
#include "kw/agent/judging.h"
#include "kw/agent/workshop.h"
#include "output.h"
#include "service/daemon.h"

namespace kw::agent {
namespace {

bool is_loopback(const std::string& address) {
  return address == "::1" || address.starts_with("127.");
}

class ServeCommand final : public Command {
 public:
  std::string name() const override { return "serve"; }
  std::string about() const override {
    return "run jobs for others over HTTP; on loopback unless told otherwise";
  }
  std::string examples() const override {
    return "  kernelwright serve\n"
           "  kernelwright serve --port 9000 --device vm\n"
           "  KW_TOKEN=... kernelwright serve --listen 0.0.0.0 --token-env KW_TOKEN\n";
  }
  void declare(Arguments& arguments) override {
    arguments.option("--listen", listen_, "IP address (default 127.0.0.1)");
    arguments.option("--port", port_, 0, 65535, "TCP port; 0: any free one");
    arguments.option("--token-env", token_env_,
                     "environment variable with the bearer token that clients must send; needed "
                     "off loopback");
    arguments.option("--endpoint", endpoint_, "OpenAI-compatible endpoint that jobs may use");
    arguments.option("--model", model_, "its model");
    arguments.option("--api-key-env", key_env_, "environment variable with its key");
    arguments.option("--judges", judges_, 0, 1024,
                     "candidates judged at once; 0: the number of cores");
    arguments.flag("--no-retune", no_retune_, "leave known kernels alone when idle");
  }

  Result<int> run(const Invocation& invocation) override {
    KW_ASSIGN(DaemonOptions options, daemon_options());
    KW_ASSIGN(options.api.device, resolve_device(invocation.globals.device));
    WorkshopOptions workshop_options;
    workshop_options.store = invocation.globals.store;
    workshop_options.engine.judge_threads = judges_;
    KW_ASSIGN(const auto workshop, Workshop::open(std::move(workshop_options)));
    KW_ASSIGN(const auto daemon, Daemon::start(*workshop, options));
    const std::string url = fmt::format("http://{}:{}", options.server.address, daemon->port());
    KW_RETURN_IF_ERROR(print(
        invocation.globals.json
            ? fmt::format("{{\"v\":1,\"kind\":\"serving\",\"url\":\"{}\"}}\n", url)
            : fmt::format("serving on {} (device {}); Ctrl-C ends it\n", url, options.api.device)));
    daemon->run(invocation.interrupted);
    return 0;
  }

 private:
  Result<DaemonOptions> daemon_options() const {
    DaemonOptions options;
    options.server.address = listen_.empty() ? "127.0.0.1" : listen_;
    options.server.port = static_cast<std::uint16_t>(port_);
    options.api.loopback = is_loopback(options.server.address);
    options.retune = !no_retune_;
    if (!token_env_.empty()) {
      const char* token = std::getenv(token_env_.c_str());
      if (token == nullptr || *token == '\0') {
        return fail(Errc::InvalidArgument, "--token-env: {} is not set", token_env_);
      }
      options.api.token = token;
    } else if (!options.api.loopback) {
      return fail(Errc::InvalidArgument,
                  "listening on {} needs --token-env NAME: others can reach it",
                  options.server.address);
    }
    if (endpoint_.empty() != model_.empty()) {
      return fail(Errc::InvalidArgument, "--endpoint and --model go together");
    }
    if (!endpoint_.empty()) {
      ModelSpec model;
      model.endpoint = endpoint_;
      model.model = model_;
      model.key_env = key_env_;
      options.api.defaults.model = model;
    }
    return options;
  }

  std::string listen_, token_env_, endpoint_, model_, key_env_;
  int port_ = 8437, judges_ = 0;
  bool no_retune_ = false;
};

}  // namespace

std::unique_ptr<Command> make_serve_command() { return std::make_unique<ServeCommand>(); }

}  // namespace kw::agent
