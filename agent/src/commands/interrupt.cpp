#include <sys/eventfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <thread>

#include "kw/agent/cli.h"

namespace kw::agent {
namespace {

constexpr std::uint64_t kQuit = std::uint64_t{1} << 32;

volatile int g_event = -1;
volatile std::sig_atomic_t g_count = 0;

void on_signal(int) {
  g_count = g_count + 1;
  if (g_count > 1) _exit(130);
  const std::uint64_t one = 1;
  (void)!write(g_event, &one, sizeof one);  // async-signal-safe; the thread does the rest
}

}  // namespace

struct InterruptHandler::Impl {
  int event = -1;
  std::stop_source stop;
  std::thread thread;
};

InterruptHandler::InterruptHandler() : impl_(new Impl) {
  impl_->event = eventfd(0, EFD_CLOEXEC);
  g_event = impl_->event;
  impl_->thread = std::thread([impl = impl_] {
    std::uint64_t value = 0;
    while (read(impl->event, &value, sizeof value) < 0 && errno == EINTR) {
    }
    if (value % kQuit != 0) impl->stop.request_stop();
  });
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

InterruptHandler::~InterruptHandler() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  const std::uint64_t quit = kQuit;
  (void)!write(impl_->event, &quit, sizeof quit);
  impl_->thread.join();
  close(impl_->event);
  delete impl_;
}

std::stop_token InterruptHandler::token() const { return impl_->stop.get_token(); }

}  // namespace kw::agent
