#include "ptxvm/worker_pool.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <deque>

namespace kw::ptxvm {
namespace {

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Worker {
  pid_t pid = -1;
  int fd = -1;
  bool busy = false;
  Range range;
  std::uint64_t at = 0;  // program it is at
  std::string doing, unread;
  double heard_s = 0;
};

// Reads ranges from `fd` until there are no more.
[[noreturn]] void serve(int fd, const PoolHandlers& handlers) {
  std::FILE* const out = fdopen(fd, "w");
  const auto work = handlers.start(out);
  Range range;
  while (work && read(fd, &range, sizeof range) == sizeof range) {
    work(range);
    std::fputs("done\n", out);
    std::fflush(out);
  }
  _exit(work ? 0 : 3);
}

class Pool {
 public:
  Pool(const PoolSettings& settings, const PoolHandlers& handlers)
      : settings_(settings), handlers_(handlers), workers_(settings.workers) {}

  std::uint64_t run(std::uint64_t first, std::uint64_t count) {
    for (std::uint64_t at = first; at < first + count; at += settings_.batch)
      queue_.push_back({at, std::min(at + settings_.batch, first + count)});
    const double until = now_s() + settings_.limit_s;
    for (;;) {
      std::vector<pollfd> waits;
      std::vector<Worker*> whose;
      for (Worker& w : workers_) {
        if (!w.busy && !queue_.empty() && now_s() < until) give(w);
        if (!w.busy) continue;
        waits.push_back({w.fd, POLLIN, 0});
        whose.push_back(&w);
      }
      if (waits.empty()) break;
      poll(waits.data(), waits.size(), 500);
      for (std::size_t i = 0; i < waits.size(); ++i) {
        if (waits[i].revents != 0)
          hear(*whose[i]);
        else if (now_s() - whose[i]->heard_s > settings_.patience_s)
          lose(*whose[i],
               "no end after " + std::to_string(static_cast<int>(settings_.patience_s)) + " s of ");
      }
    }
    for (Worker& w : workers_) end(w);
    std::uint64_t left = 0;
    for (const Range& range : queue_) left += range.end - range.first;
    return left;
  }

 private:
  void give(Worker& w) {
    if (w.pid < 0) {
      int ends[2];
      if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return;
      std::fflush(nullptr);
      w.pid = fork();
      if (w.pid == 0) {
        close(ends[0]);
        for (const Worker& other : workers_) {
          if (other.fd >= 0) close(other.fd);
        }
        serve(ends[1], handlers_);
      }
      close(ends[1]);
      w.fd = ends[0];
      w.unread.clear();
    }
    w.range = queue_.front();
    queue_.pop_front();
    w.at = w.range.first;
    w.doing = "starting";
    w.heard_s = now_s();
    w.busy = true;
    if (write(w.fd, &w.range, sizeof w.range) != sizeof w.range) lose(w, "worker gone at ");
  }

  void hear(Worker& w) {
    char buffer[4096];
    const ssize_t n = read(w.fd, buffer, sizeof buffer);
    if (n <= 0) return lose(w, "the process died at ");
    w.heard_s = now_s();
    w.unread.append(buffer, static_cast<std::size_t>(n));
    for (std::size_t end; (end = w.unread.find('\n')) != std::string::npos;) {
      const std::string line = w.unread.substr(0, end);
      w.unread.erase(0, end + 1);
      if (line.starts_with("at ")) {
        const std::size_t blank = line.find(' ', 3);
        w.at = std::stoull(line.substr(3));
        w.doing = blank == std::string::npos ? "" : line.substr(blank + 1);
      } else if (line == "done") {
        w.busy = false;
      } else {
        handlers_.line(line);
      }
    }
  }

  // The program at hand is lost, unless several were at hand together: then each is tried alone.
  void lose(Worker& w, const std::string& why) {
    end(w);
    w.busy = false;
    const bool together = w.doing.starts_with("all") && w.range.end - w.at > 1;
    if (!together) handlers_.lost(w.at, why + w.doing);
    const std::uint64_t rest = together ? w.at : w.at + 1;
    if (together) {
      for (std::uint64_t n = w.range.end; n > rest; --n) queue_.push_front({n - 1, n});
    } else if (rest < w.range.end) {
      queue_.push_front({rest, w.range.end});
    }
  }

  static void end(Worker& w) {
    if (w.pid < 0) return;
    kill(w.pid, SIGKILL);
    close(w.fd);
    waitpid(w.pid, nullptr, 0);
    w.pid = w.fd = -1;
  }

  const PoolSettings& settings_;
  const PoolHandlers& handlers_;
  std::vector<Worker> workers_;
  std::deque<Range> queue_;
};

}  // namespace

std::uint64_t run_in_workers(std::uint64_t first, std::uint64_t count, const PoolSettings& settings,
                             const PoolHandlers& handlers) {
  signal(SIGPIPE, SIG_IGN);
  return Pool(settings, handlers).run(first, count);
}

}  // namespace kw::ptxvm
