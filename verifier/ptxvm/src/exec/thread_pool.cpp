#include "exec/thread_pool.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace kw::ptxvm {
namespace {

using Work = std::function<void(unsigned)>;

class Helper {
 public:
  Helper() : thread_([this] { serve(); }) {}
  Helper(const Helper&) = delete;
  Helper& operator=(const Helper&) = delete;
  ~Helper() {
    start(nullptr, 0);
    thread_.join();
  }

  /// After wait(), if it was started before. nullptr: to end.
  void start(const Work* work, unsigned number) {
    work_ = work;
    number_ = number;
    started_.fetch_add(1);
    started_.notify_one();
  }
  void wait() {
    const unsigned wanted = started_;
    for (unsigned seen = done_; seen != wanted; seen = done_) done_.wait(seen);
  }

 private:
  void serve() {
    for (unsigned seen = 0;; ++seen) {
      started_.wait(seen);
      if (work_ == nullptr) return;
      (*work_)(number_);
      done_.fetch_add(1);
      done_.notify_one();
    }
  }

  const Work* work_ = nullptr;
  unsigned number_ = 0;
  std::atomic<unsigned> started_{0}, done_{0};
  std::thread thread_;  // last: it uses the others
};

class Pool {
 public:
  using Helpers = std::vector<std::unique_ptr<Helper>>;

  /// At most `count`.
  Helpers take(unsigned count) {
    Helpers taken;
    {
      const std::lock_guard lock(mutex_);
      while (taken.size() < count && !idle_.empty()) {
        taken.push_back(std::move(idle_.back()));
        idle_.pop_back();
      }
    }
    try {
      while (taken.size() < count) taken.push_back(std::make_unique<Helper>());
    } catch (const std::system_error&) {  // no more threads: fewer helpers
    }
    return taken;
  }
  void give_back(Helpers helpers) {
    static const std::size_t most = std::max(1u, std::thread::hardware_concurrency());
    const std::lock_guard lock(mutex_);
    while (!helpers.empty() && idle_.size() < most) {
      idle_.push_back(std::move(helpers.back()));
      helpers.pop_back();
    }
  }  // the rest end

 private:
  std::mutex mutex_;
  Helpers idle_;
};

/// The process's pool. A child of fork() has none of its parent's threads: it forgets the parent's
/// pool and makes its own.
class ProcessPool {
 public:
  ProcessPool() {
    pthread_atfork(nullptr, nullptr, [] { current.store(nullptr); });
  }
  ~ProcessPool() { delete current.exchange(nullptr); }

  Pool& get() {
    Pool* pool = current.load();
    if (pool != nullptr) return *pool;
    auto fresh = std::make_unique<Pool>();
    if (current.compare_exchange_strong(pool, fresh.get())) return *fresh.release();
    return *pool;
  }

 private:
  static inline std::atomic<Pool*> current{nullptr};
};

ProcessPool process_pool;

}  // namespace

void run_together(unsigned threads, const Work& work) {
  Pool::Helpers helpers;
  if (threads > 1) helpers = process_pool.get().take(threads - 1);
  const auto helped = static_cast<unsigned>(helpers.size());
  for (unsigned t = 0; t < helped; ++t) helpers[t]->start(&work, t + 1);
  work(0);
  for (const auto& helper : helpers) helper->wait();
  for (unsigned t = helped + 1; t < threads; ++t) work(t);
  if (helped != 0) process_pool.get().give_back(std::move(helpers));
}

}  // namespace kw::ptxvm
