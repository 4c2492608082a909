#include "kw/process/wait.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>

#include "kw/process/fd.h"

namespace kw::process {

namespace {

/// Runs on the thread that asks to stop: makes the eventfd readable.
struct Wake {
  int fd;
  void operator()() const noexcept {
    const std::uint64_t one = 1;
    // A full counter is already readable, so a failed write changes nothing.
    [[maybe_unused]] const auto written = ::write(fd, &one, sizeof one);
  }
};

}  // namespace

Wait Wait::within(std::chrono::milliseconds time, std::stop_token stop_token) {
  return {std::chrono::steady_clock::now() + time, std::move(stop_token)};
}

struct Waiter::Impl {
  Deadline deadline;
  std::stop_token stop;
  Fd event;                                      // none when nobody can stop us
  std::optional<std::stop_callback<Wake>> wake;  // after `event`: goes first
};

Waiter::Waiter(const Wait& wait) : impl_(std::make_unique<Impl>()) {
  impl_->deadline = wait.deadline;
  impl_->stop = wait.stop;
  if (!wait.stop.stop_possible()) return;
  impl_->event = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (impl_->event) impl_->wake.emplace(impl_->stop, Wake{impl_->event.get()});
}

Waiter::~Waiter() = default;

Status Waiter::until(int fd, short events) {
  using std::chrono::milliseconds;
  for (;;) {
    if (impl_->stop.stop_requested()) return fail(Errc::Cancelled, "cancelled");
    int timeout_ms = -1;
    if (impl_->deadline != Deadline::max()) {
      const auto left =
          std::chrono::ceil<milliseconds>(impl_->deadline - std::chrono::steady_clock::now());
      if (left <= milliseconds::zero()) {
        return fail(Errc::DeadlineExceeded, "the deadline has passed");
      }
      timeout_ms = static_cast<int>(std::min<std::int64_t>(left.count(), 1 << 30));
    }
    std::array<pollfd, 2> polled{{{fd, events, 0}, {impl_->event.get(), POLLIN, 0}}};
    // A token that can stop but got no eventfd (descriptors ran out) is looked at every 50 ms.
    if (impl_->stop.stop_possible() && !impl_->event && (timeout_ms < 0 || timeout_ms > 50)) {
      timeout_ms = 50;
    }
    const int ready = ::poll(polled.data(), polled.size(), timeout_ms);
    if (ready < 0 && errno != EINTR) return fail(Errc::Io, "poll: {}", std::strerror(errno));
    if (ready > 0 && polled[0].revents != 0) return {};
  }
}

}  // namespace kw::process
