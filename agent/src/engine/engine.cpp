#include "kw/agent/engine.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "job_decider.h"
#include "kw/core/json.h"
#include "worker_identity.h"
#include "workers.h"

namespace kw::agent {
namespace {

/// How soon the decider looks for inputs from other processes, and for leases that ran out.
constexpr std::chrono::milliseconds kLookAgain{200};

}  // namespace

std::string encode_input(const Input& input) {
  const Fact fact = as_fact(input);
  // The payload is a JSON object already; it is spliced in, not parsed and written again.
  return fmt::format(R"({{"fact":{},"type":"{}","v":1}})", payload_of(fact), type_of(fact));
}

Result<Input> decode_input(std::string_view json) {
  KW_ASSIGN(const Json doc, parse_json(json));
  KW_ASSIGN(JsonReader r, JsonReader::object(doc, ""));
  KW_ASSIGN(const std::int64_t version, r.integer("v", 1, 1));
  KW_ASSIGN(const std::string type, r.string("type"));
  KW_ASSIGN(const Json* payload, r.member("fact"));
  KW_ASSIGN(const Fact fact, parse_fact(type, static_cast<int>(version), dump(*payload)));
  const auto input = as_input(fact);
  if (!input) return fail(Errc::Corrupt, "'{}' is a decision, not an input", type);
  return *input;
}

struct Engine::Impl {
  Impl(store::Store& s, StepDoer& doer, Clock& c, EngineOptions o, Observer seen)
      : store(s),
        clock(c),
        options(named(std::move(o))),
        observer(std::move(seen)),
        workers(
            s, doer, options, [this] { notify(); },
            [this](const std::string& job, const Error& why) { stuck(job, why); }),
        thread([this](std::stop_token stop) { run(std::move(stop)); }) {}

  static EngineOptions named(EngineOptions o) {
    if (o.worker.empty()) o.worker = worker_name();
    return o;
  }

  struct Slot {
    std::optional<JobDecider> decider;  // of the decider thread alone
    std::optional<State> result;        // guarded by mutex
    std::optional<Error> error;         // guarded by mutex
    std::optional<Error> stuck;         // why its steps cannot go on here; guarded by mutex
    bool over() const { return result || error; }
  };

  void notify() {
    {
      const std::lock_guard lock(mutex);
      news = true;
    }
    wake.notify_all();
  }

  void run(std::stop_token stop) {
    while (!stop.stop_requested()) {
      auto due = clock.now() + kLookAgain;
      std::vector<std::pair<std::string, Slot*>> open;
      {
        const std::lock_guard lock(mutex);
        news = false;
        for (const std::string& job : finished) slots.erase(job);
        finished.clear();
        for (auto& [job, slot] : slots) {
          if (!slot.over()) open.emplace_back(job, &slot);
        }
      }
      for (auto& [job, slot] : open) {
        step(job, *slot);
        if (slot->decider && !slot->over()) due = std::min(due, slot->decider->due());
      }
      std::unique_lock lock(mutex);
      wake.wait_until(lock, stop, due, [this] { return news; });
    }
    for (auto& [job, slot] : slots) {
      if (slot.decider) slot.decider->release();
    }
  }

  void stuck(const std::string& job, const Error& why) {
    {
      const std::lock_guard lock(mutex);
      const auto slot = slots.find(job);
      if (slot != slots.end()) slot->second.stuck = why;
    }
    notify();
  }

  void step(const std::string& job, Slot& slot) {
    std::optional<Error> why;
    {
      const std::lock_guard lock(mutex);
      why = slot.stuck;
    }
    if (why) {
      if (slot.decider) slot.decider->release();
      return over(job, slot, std::move(*why));
    }
    if (!slot.decider) {
      bury_the_dead(job);
      auto opened = JobDecider::open(store, clock, options.worker, options.lease, job);
      if (!opened) {
        // Another worker decides for it, or died a moment ago: wait until its lease runs out. Its
        // workers are ours to help meanwhile.
        if (opened.error().code == Errc::Conflict) return help(job);
        return over(job, slot, opened.error());
      }
      slot.decider.emplace(std::move(*opened));
      if (slot.decider->state().seq > 0) workers.add_job(job, slot.decider->state().spec);
    }
    const bool first = slot.decider->state().seq == 0;
    auto advance = slot.decider->advance();
    if (!advance) {
      if (advance.error().code == Errc::Conflict) {
        slot.decider.reset();  // somebody else decided meanwhile: begin again from the store
      } else {
        slot.decider->release();
        over(job, slot, advance.error());
      }
      return;
    }
    const State& state = slot.decider->state();
    if (first) workers.add_job(job, state.spec);
    if (!advance->cancel.empty()) workers.stop_steps(advance->cancel);
    if (!advance->facts.empty()) {
      workers.wake();
      if (observer) observer(state, advance->facts);
    }
    if (state.status) {
      workers.remove_job(job);
      slot.decider->release();
      const std::lock_guard lock(mutex);
      slot.result = state;
      wake.notify_all();
    }
  }

  /// Leases of processes that died on this machine end now, not when they run out.
  void bury_the_dead(const std::string& job) {
    const auto holders = store.lease_holders(job);
    if (!holders) return;  // the decider will meet the same error and report it
    for (const std::string& holder : *holders) {
      if (is_dead(holder)) (void)store.end_leases(job, holder);
    }
  }

  /// Takes steps of a job that another process decides for.
  void help(const std::string& job) {
    const auto record = store.job(job);
    if (!record || is_final(record->state)) return;
    if (auto spec = parse_job_spec(record->spec)) workers.add_job(job, *spec);
  }

  /// Nobody decides for the job here any more: it is final, or it cannot go on in this process.
  void over(const std::string& job, Slot& slot, Error why) {
    workers.remove_job(job);
    const auto record = store.job(job);
    if (!record || !is_final(record->state)) return end(slot, std::move(why));
    auto state = store.events(job, 0, 10'000'000).and_then([&](const std::vector<Event>& events) {
      return restore(job, events);
    });
    if (!state) return end(slot, state.error());
    const std::lock_guard lock(mutex);
    slot.result = std::move(*state);
    wake.notify_all();
  }

  void end(Slot& slot, Error error) {
    const std::lock_guard lock(mutex);
    slot.error = std::move(error);
    wake.notify_all();
  }

  store::Store& store;
  Clock& clock;
  EngineOptions options;
  Observer observer;
  std::mutex mutex;
  std::condition_variable_any wake;
  bool news = false;                  // guarded by mutex
  std::map<std::string, Slot> slots;  // nodes stay put; the map itself is guarded by mutex
  std::vector<std::string> finished;  // to be forgotten by the decider thread; guarded by mutex
  Workers workers;
  std::jthread thread;
};

Engine::Engine(store::Store& store, StepDoer& doer, Clock& clock, EngineOptions options,
               Observer observer)
    : impl_(std::make_unique<Impl>(store, doer, clock, std::move(options), std::move(observer))) {}

Engine::~Engine() {
  impl_->thread.request_stop();
  impl_->thread.join();
}

Result<std::string> Engine::submit(const store::NewJob& job) {
  KW_ASSIGN(const store::CreatedJob created, impl_->store.create_job(job));
  if (!is_final(created.job.state)) KW_RETURN_IF_ERROR(adopt(created.job.id));
  return created.job.id;
}

Status Engine::adopt(const std::string& job) {
  KW_RETURN_IF_ERROR(impl_->store.job(job));
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->slots.try_emplace(job);
  }
  impl_->notify();
  return {};
}

void Engine::forget(const std::string& job) {
  const std::lock_guard lock(impl_->mutex);
  const auto slot = impl_->slots.find(job);
  if (slot != impl_->slots.end() && slot->second.over()) impl_->finished.push_back(job);
}

std::vector<std::string> Engine::active() const {
  std::vector<std::string> jobs;
  const std::lock_guard lock(impl_->mutex);
  for (const auto& [job, slot] : impl_->slots) {
    if (!slot.over()) jobs.push_back(job);
  }
  return jobs;
}

Result<State> Engine::wait(const std::string& job, std::stop_token stop) {
  std::unique_lock lock(impl_->mutex);
  const auto slot = impl_->slots.find(job);
  if (slot == impl_->slots.end()) {
    lock.unlock();
    KW_ASSIGN(const auto events, impl_->store.events(job));
    return restore(job, events);
  }
  if (!impl_->wake.wait(lock, stop, [&] { return slot->second.over(); })) {
    return fail(Errc::Cancelled, "interrupted while job {} was running", job);
  }
  if (slot->second.error) return tl::unexpected(*slot->second.error);
  return *slot->second.result;
}

Status Engine::cancel(const std::string& job, const std::string& reason) {
  const auto posted =
      impl_->store.post_input(job, "cancel", "cancel", dump(Json{{"reason", reason}}));
  if (!posted && posted.error().code != Errc::Cancelled) return tl::unexpected(posted.error());
  impl_->notify();
  return {};
}

}  // namespace kw::agent
