#include "runner_process.h"

#include <poll.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <set>

namespace kw::verify {

namespace {

using process::Child;
using process::SharedMemory;
using process::Wait;
using namespace std::chrono_literals;

constexpr std::size_t kMaxFiles = 512;  // descriptors of ours that one request may hold
constexpr std::size_t kFilesPerMessage = 200;
constexpr std::chrono::seconds kStartAllowance{60};      // a GPU context may take seconds
constexpr std::chrono::seconds kLockAllowance{30 * 60};  // another process may be timing
constexpr std::chrono::milliseconds kWatchPeriod{100};

/// One output in the file of its trial.
class OutputFile final : public SharedBytes {
 public:
  OutputFile(std::shared_ptr<const SharedMemory> memory, ByteRange place)
      : memory_(std::move(memory)), place_(place) {}
  std::span<const std::byte> view() const override {
    return memory_->bytes().subspan(place_.first, place_.count);
  }
  int fd() const override { return memory_->fd(); }
  std::size_t first() const override { return place_.first; }
  std::size_t file_bytes() const override { return memory_->bytes().size(); }

 private:
  std::shared_ptr<const SharedMemory> memory_;
  ByteRange place_;
};

/// Where each output lies in a trial's file, page by page.
std::vector<ByteRange> places_of(const launch::BoundPlan& plan,
                                 const std::vector<std::size_t>& outputs) {
  constexpr std::size_t kPage = 4096;
  std::vector<ByteRange> places;
  std::size_t end = 0;
  for (const std::size_t buffer : outputs) {
    const auto bytes = static_cast<std::size_t>(plan.buffers[buffer].bytes);
    places.push_back({end, bytes});
    end += (bytes + kPage - 1) / kPage * kPage;
  }
  return places;
}
std::size_t file_bytes(const std::vector<ByteRange>& places) {
  return places.empty() ? 0 : places.back().first + places.back().count;
}

/// Puts all given bytes into one memory file and notes where each lies.
Result<SharedMemory> gather_given(const RunRequest& request, RunnerRequest& out) {
  std::uint64_t total = 0;
  for (const Trial& trial : request.trials) {
    std::vector<std::int64_t> offsets;
    for (const BufferFill& fill : trial.fills) {
      offsets.push_back(fill.bytes ? static_cast<std::int64_t>(total) : -1);
      if (fill.bytes) total += (fill.bytes->size() + 63) / 64 * 64;
    }
    out.given_offsets.push_back(std::move(offsets));
  }
  out.given_bytes = total;
  KW_ASSIGN(SharedMemory memory, SharedMemory::create("kw-given", total));
  for (std::size_t i = 0; i < request.trials.size(); ++i) {
    for (std::size_t f = 0; f < request.trials[i].fills.size(); ++f) {
      const auto& bytes = request.trials[i].fills[f].bytes;
      if (!bytes || bytes->empty()) continue;
      std::memcpy(memory.bytes().data() + out.given_offsets[i][f], bytes->data(), bytes->size());
    }
  }
  return memory;
}

/// Inputs, weights and state are all filled, with exactly their bytes. A fill of something that the
/// plan does not have is skipped: a candidate need not use every input.
Status check_fills(const RunRequest& request, const launch::BoundPlan& plan) {
  for (const Trial& trial : request.trials) {
    if (trial.repeats < 1 || trial.repeats > 1000) {
      return fail(Errc::InvalidArgument, "{} repeats are not in 1..1000", trial.repeats);
    }
    std::set<std::size_t> filled;
    for (const BufferFill& fill : trial.fills) {
      const auto index = plan.find(fill.buffer);
      if (!index) continue;
      filled.insert(*index);
      const launch::BoundBuffer& buffer = plan.buffers[*index];
      if (buffer.role == Role::Output || buffer.role == Role::Scratch) {
        return fail(Errc::InvalidArgument, "'{}' is not filled: its role is {}", fill.buffer,
                    to_string(buffer.role));
      }
      const std::int64_t bytes =
          fill.bytes ? static_cast<std::int64_t>(fill.bytes->size())
                     : fill.spec.elements * static_cast<std::int64_t>(size_of(fill.spec.dtype));
      if (bytes != buffer.bytes) {
        return fail(Errc::InvalidArgument, "the fill of '{}' has {} bytes, the buffer {}",
                    fill.buffer, bytes, buffer.bytes);
      }
    }
    for (std::size_t i = 0; i < plan.buffers.size(); ++i) {
      const Role role = plan.buffers[i].role;
      if (role == Role::Output || role == Role::Scratch || filled.contains(i)) continue;
      return fail(Errc::InvalidArgument, "'{}' has no fill, its role is {}", plan.buffers[i].name,
                  to_string(role));
    }
  }
  return {};
}

RunFault death_fault(const RunnerSetup& setup, const std::string& how) {
  return {setup.death, fmt::format("the runner process ended early: {}", how), {}};
}

/// What came of waiting for the runner.
struct Ending {
  std::optional<RunnerReply> reply;
  std::optional<RunFault> fault;
};

class Conversation {
 public:
  Conversation(Child& child, const RunnerSetup& setup, const RunRequest& request,
               const std::stop_token& stop)
      : child_(child),
        setup_(setup),
        start_allowance_(request.timing ? kLockAllowance : kStartAllowance),
        limit_(request.deadline),
        stop_(stop) {}

  /// Waits for the start, then, under the request's deadline, for the answer.
  Result<Ending> run() {
    KW_ASSIGN(auto started, next(std::chrono::steady_clock::now() + start_allowance_));
    if (started.fault && started.fault->kind == RejectKind::Timeout) {
      return fail(Errc::Unavailable, "the runner was not ready within {} s",
                  start_allowance_.count());
    }
    if (started.fault) return Ending{{}, std::move(started.fault)};
    if (started.message.type != kStarted) return finish(std::move(started.message));
    KW_ASSIGN(auto done, next(std::chrono::steady_clock::now() + limit_));
    if (done.fault) return Ending{{}, std::move(done.fault)};
    return finish(std::move(done.message));
  }

 private:
  struct Next {
    process::Message message;
    std::optional<RunFault> fault;
  };

  Result<Ending> finish(process::Message message) {
    if (message.type == kBroken) return fail(Errc::Unavailable, "{}", message.body);
    if (message.type != kDone) return Ending{{}, death_fault(setup_, "it sent no reply")};
    auto reply = decode_reply(message.body);
    if (!reply) return Ending{{}, death_fault(setup_, reply.error().message)};
    return Ending{std::move(*reply), {}};
  }

  Result<Next> next(process::Deadline deadline) {
    for (;;) {
      const auto now = std::chrono::steady_clock::now();
      if (now >= deadline) {
        child_.kill();
        return Next{
            {},
            RunFault{
                RejectKind::Timeout, fmt::format("not finished within {} ms", limit_.count()), {}}};
      }
      const Wait slice{std::min(deadline, now + kWatchPeriod), stop_};
      const Status ready = process::Waiter(slice).until(child_.channel().fd(), POLLIN);
      if (!ready && ready.error().code == Errc::DeadlineExceeded) {
        if (auto fault = watch_memory()) return Next{{}, std::move(fault)};
        continue;
      }
      auto message = ready ? child_.channel().receive({deadline, stop_})
                           : Result<process::Message>(tl::unexpected(ready.error()));
      if (message) return Next{std::move(*message), {}};
      if (message.error().code == Errc::Cancelled) return fail(Errc::Cancelled, "cancelled");
      if (message.error().code == Errc::DeadlineExceeded) continue;
      return Next{{}, death_fault(setup_, to_string(child_.kill()))};
    }
  }

  std::optional<RunFault> watch_memory() {
    if (setup_.resident_limit == 0) return std::nullopt;
    const std::uint64_t resident = child_.resident_bytes();
    if (resident <= setup_.resident_limit) return std::nullopt;
    child_.kill();
    return RunFault{RejectKind::LaunchError,
                    fmt::format("the runner took {} MiB of host memory, {} are allowed",
                                resident >> 20, setup_.resident_limit >> 20),
                    {}};
  }

  Child& child_;
  const RunnerSetup& setup_;
  std::chrono::seconds start_allowance_;
  std::chrono::milliseconds limit_;
  std::stop_token stop_;
};

}  // namespace

RunFault fault_of_plan(const Error& error) {
  const bool here = error.code == Errc::Unsupported || error.code == Errc::ResourceExhausted;
  return {here ? RejectKind::NotVerifiable : RejectKind::LaunchError,
          "launch plan: " + error.message,
          {}};
}

Result<Child> start_runner(const RunnerSetup& setup) {
  KW_ASSIGN(Child child, Child::spawn_role(setup.role, setup.child));
  if (!setup.greeting.empty()) {
    KW_RETURN_IF_ERROR(child.channel().send(kOpen, setup.greeting, Wait::within(30s)));
  }
  return child;
}

namespace {

Status send_request(Child& child, const std::vector<int>& fds, const std::string& body,
                    const std::stop_token& stop) {
  const Wait sending = Wait::within(30s, stop);
  for (std::size_t i = 0; i < fds.size(); i += kFilesPerMessage) {
    const auto first = fds.begin() + static_cast<std::ptrdiff_t>(i);
    const auto count = static_cast<std::ptrdiff_t>(std::min(kFilesPerMessage, fds.size() - i));
    KW_RETURN_IF_ERROR(child.channel().send(kFiles, {}, {first, first + count}, sending));
  }
  return child.channel().send(kRun, body, sending);
}

}  // namespace

Result<RunReply> run_in_process(const RunRequest& request, const RunnerSetup& setup,
                                const std::stop_token& stop) {
  RunReply out;
  out.device = setup.identity;
  if (request.trials.empty()) return fail(Errc::InvalidArgument, "a run without a trial");
  const auto plan = launch::bind(request.plan, {.limits = setup.limits});
  if (!plan) {
    out.fault = fault_of_plan(plan.error());
    return out;
  }
  KW_RETURN_IF_ERROR(check_fills(request, *plan));
  const std::vector<std::size_t> outputs = output_buffers(*plan);
  if (request.trials.size() >= kMaxFiles) {
    return fail(Errc::InvalidArgument, "{} trials are more than {} files", request.trials.size(),
                kMaxFiles);
  }

  RunnerRequest message;
  message.code = setup.wants_cubin ? request.module.cubin : request.module.ptx;
  message.plan_json = to_json(request.plan);
  message.limits = setup.limits;
  message.trials = request.trials;
  message.timing = request.timing;
  message.seed = request.seed;
  message.sanitize = request.sanitize;
  message.protect_inputs = request.protect_inputs;
  message.timing_limit_ms = static_cast<std::uint64_t>(request.deadline.count()) / 2;
  if (request.timing) {
    const double most = std::max(0.0, request.timing->max_total_ms);
    message.timing_limit_ms = std::min(message.timing_limit_ms, static_cast<std::uint64_t>(most));
  }
  KW_ASSIGN(const SharedMemory given, gather_given(request, message));
  std::vector<int> fds{given.fd()};
  std::vector<std::vector<OutputBytes>> files(request.trials.size());
  const std::vector<ByteRange> places = places_of(*plan, outputs);
  for (std::vector<OutputBytes>& trial : files) {
    KW_ASSIGN(SharedMemory memory, SharedMemory::create("kw-output", file_bytes(places)));
    const auto file = std::make_shared<const SharedMemory>(std::move(memory));
    fds.push_back(file->fd());
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      trial.push_back(
          {plan->buffers[outputs[i]].name, std::make_shared<const OutputFile>(file, places[i])});
    }
  }

  const std::string body = encode(message);
  std::optional<Child> waiting;
  if (setup.spare != nullptr) waiting = std::exchange(*setup.spare, std::nullopt);
  if (waiting) {
    const Status sent = send_request(*waiting, fds, body, stop);
    if (!sent && sent.error().code != Errc::Unavailable) return tl::unexpected(sent.error());
    if (!sent) waiting.reset();  // it ended while it waited
  }
  if (!waiting) {
    KW_ASSIGN(waiting, start_runner(setup));
    KW_RETURN_IF_ERROR(send_request(*waiting, fds, body, stop));
  }
  Child& child = *waiting;
  // A runner that cannot confine itself refuses to start (kBroken).
  out.cage = {true, child.in_namespace()};
  Conversation conversation(child, setup, request, stop);
  KW_ASSIGN(Ending ending, conversation.run());
  child.kill();  // before anything is read: the outputs cannot change any more

  out.fault = std::move(ending.fault);
  if (!ending.reply) return out;
  RunnerReply& reply = *ending.reply;
  if (reply.trials.size() > files.size()) {
    out.fault = death_fault(setup, "it claims more trials than it was given");
    return out;
  }
  out.fault = std::move(reply.fault);
  out.timing = std::move(reply.timing);
  out.counters = std::move(reply.counters);
  for (std::size_t i = 0; i < reply.trials.size(); ++i) {
    TrialResult result{std::move(files[i]), std::move(reply.trials[i].modified_inputs),
                       std::move(reply.trials[i].broken_guards), reply.trials[i].repeats_equal};
    out.trials.push_back(std::move(result));
  }
  return out;
}

Result<RunnerTask> receive_task(process::Channel& channel, process::Message message) {
  std::vector<process::Fd> fds;
  while (message.type == kFiles) {
    std::ranges::move(message.fds, std::back_inserter(fds));
    KW_ASSIGN(message, channel.receive());
  }
  if (message.type != kRun) return fail(Errc::Internal, "a runner got message {}", message.type);
  RunnerTask task;
  KW_ASSIGN(task.request, decode_request(message.body));
  KW_ASSIGN(task.plan, parse_launch_plan(task.request.plan_json));
  // Sizes of buffers cannot depend on occupancy, which is not known yet.
  KW_ASSIGN(const launch::BoundPlan sizes,
            launch::bind(task.plan, {.limits = task.request.limits}));
  task.output_buffers = output_buffers(sizes);
  task.places = places_of(sizes, task.output_buffers);
  if (fds.size() != 1 + task.request.trials.size()) {
    return fail(Errc::Internal, "a runner got {} files", fds.size());
  }
  auto next = fds.begin();
  KW_ASSIGN(task.given,
            SharedMemory::attach(std::move(*next++),
                                 static_cast<std::size_t>(task.request.given_bytes), false));
  for (std::size_t i = 0; i < task.request.trials.size(); ++i) {
    KW_ASSIGN(SharedMemory file,
              SharedMemory::attach(std::move(*next++), file_bytes(task.places), true));
    task.outputs.push_back(std::move(file));
  }
  return task;
}

}  // namespace kw::verify
