#include "daemon.h"

#include <fmt/format.h>

#include "kw/core/clock.h"
#include "kw/store/store.h"

namespace kw::agent {
namespace {

constexpr std::chrono::milliseconds kLook{1000};

void log(std::string_view text) { fmt::print(stderr, "kernelwright: {}\n", text); }

bool is_service_job(const store::Job& job) {
  const auto spec = parse_job_spec(job.spec);
  return spec && spec->origin == "service";
}

}  // namespace

Daemon::Daemon(Workshop& workshop, DaemonOptions options)
    : workshop_(workshop),
      options_(std::move(options)),
      api_(workshop, options_.api),
      busy_until_(system_clock().now()) {}

Daemon::~Daemon() = default;

Result<std::unique_ptr<Daemon>> Daemon::start(Workshop& workshop, DaemonOptions options) {
  std::unique_ptr<Daemon> daemon(new Daemon(workshop, std::move(options)));
  KW_RETURN_IF_ERROR(daemon->adopt_unfinished());
  ServerHandler handler{
      [d = daemon.get()](const HttpRequest& request) { return d->api_.answer(request); },
      [d = daemon.get()](const EventStreamReply& position) { return d->api_.stream(position); }};
  KW_ASSIGN(daemon->server_, Server::start(daemon->options_.server, std::move(handler)));
  return daemon;
}

std::uint16_t Daemon::port() const { return server_->port(); }

/// All that is not final, whoever holds its lease: the engine ends the leases of the dead, and
/// waits for those that it cannot see the end of.
Status Daemon::adopt_unfinished() {
  store::JobFilter filter;
  filter.states = {store::JobState::Queued, store::JobState::Running};
  filter.limit = 10'000;
  KW_ASSIGN(const auto jobs, workshop_.store().jobs(filter));
  std::size_t adopted = 0;
  for (auto job = jobs.rbegin(); job != jobs.rend(); ++job) {  // oldest first
    if (!is_service_job(*job)) continue;
    if (const auto status = workshop_.engine().adopt(job->id); status) {
      ++adopted;
    } else {
      log(fmt::format("job {} cannot go on: {}", job->id, status.error().message));
    }
  }
  if (adopted > 0)
    log(fmt::format("going on with {} unfinished job{}", adopted, adopted == 1 ? "" : "s"));
  return {};
}

void Daemon::forget_finished() {
  for (const std::string& id : workshop_.engine().active()) {
    const auto job = workshop_.store().job(id);
    if (job && store::is_final(job->state)) workshop_.engine().forget(id);
  }
}

void Daemon::retune_if_idle(std::chrono::steady_clock::time_point now) {
  if (!workshop_.engine().active().empty()) {
    busy_until_ = now;
    return;
  }
  if (!options_.retune || now - busy_until_ < options_.idle_before) return;
  busy_until_ = now;  // whatever comes of it: the next look is an idle time later
  const auto device = workshop_.judging().device(options_.api.device);
  if (!device || !device->has_time) return;
  const auto worth = workshop_.store().worth_most(device->identity.uuid, 2);
  if (!worth) return;
  for (const store::Worth& entry : *worth) {
    if (entry.candidate_id == retuned_ || entry.document.empty()) continue;
    const auto task = parse_task(entry.document);
    if (!task) continue;
    JobSpec wish = options_.api.defaults;
    wish.origin = "service";
    wish.device = options_.api.device;
    wish.objective = Objective::Best;
    wish.model.reset();
    wish.tune_evaluations = options_.retune_evaluations;
    wish.tune_s = options_.retune_s;
    const auto job = prepare_job(workshop_, *task, std::move(wish));
    if (!job) return;
    retuned_ = entry.candidate_id;
    if (const auto id = workshop_.engine().submit(*job)) {
      log(fmt::format("idle: tuning {} again ({:.0f} us above its floor), job {}", entry.task_name,
                      entry.worth_us, *id));
    }
    return;
  }
}

void Daemon::run(std::stop_token stop) {
  std::uint64_t seen = 0;
  while (!stop.stop_requested()) {
    const auto mark = workshop_.store().wait_for_change(seen, kLook, stop);
    if (!mark) {
      log(fmt::format("store: {}", mark.error().message));
      return;
    }
    if (*mark != seen) server_->wake_streams();
    seen = *mark;
    forget_finished();
    retune_if_idle(system_clock().now());
  }
}

}  // namespace kw::agent
