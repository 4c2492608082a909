#include "cuda_trial.h"

#include <algorithm>

#include "cuda_fault.h"

namespace kw::verify {

namespace {

using launch::BoundBuffer;

constexpr std::uint64_t kGuard = 64 * 1024;  // at least, on either side
constexpr std::uint64_t kMoves = 256;        // places 256 bytes apart
constexpr std::uint8_t kGuardByte = 0xA5;

bool is_read_only(Role role) { return role == Role::Input || role == Role::Weight; }
bool is_output(Role role) { return role == Role::Output || role == Role::State; }

}  // namespace

Result<RunnerReply> CudaTrials::run() {
  if (const Status allocated = allocate(); !allocated) {
    if (allocated.error().code != Errc::ResourceExhausted) {
      return tl::unexpected(allocated.error());
    }
    reply_.fault = fault_of_launch(allocated.error());
    return std::move(reply_);
  }
  for (std::size_t i = 0; i < request_.trials.size(); ++i) {
    auto summary = run_trial(i);
    if (reply_.fault) {
      reply_.fault->witness["trial"] = fmt::format("{}", i);
      break;
    }
    if (!summary) return tl::unexpected(summary.error());
    reply_.trials.push_back(std::move(*summary));
    for (const auto& [kernel, count] : launcher_->launched()) {
      reply_.counters["launched." + kernel] += static_cast<double>(count);
    }
  }
  return std::move(reply_);
}

Status CudaTrials::allocate() {
  slots_.resize(plan_.buffers.size());
  for (std::size_t i = 0; i < plan_.buffers.size(); ++i) {
    const BoundBuffer& buffer = plan_.buffers[i];
    if (!buffer.is_root(i)) continue;
    Slot& slot = slots_[i];
    slot.data.bytes = static_cast<std::uint64_t>(buffer.bytes);
    slot.capacity = slot.data.bytes + 2 * kGuard + 256 * kMoves;
    auto memory = launch::allocate(session_.api(), slot.capacity);
    if (!memory) return wrap(memory.error(), fmt::format("buffer '{}'", buffer.name));
    slot.memory = std::move(*memory);
  }
  return {};
}

DeviceRange CudaTrials::low_guard(const Slot& slot) const {
  const cu::DevicePtr begin = launch::address(slot.memory);
  return {begin, slot.data.begin - begin};
}
DeviceRange CudaTrials::high_guard(const Slot& slot) const {
  const cu::DevicePtr begin = slot.data.begin + slot.data.bytes;
  return {begin, launch::address(slot.memory) + slot.capacity - begin};
}

/// Every trial sees its buffers at other addresses, between fresh guards. The memory is the same:
/// at full shapes there is no room for a second copy.
Status CudaTrials::place(std::size_t index) {
  RandomStream random(request_.seed, purpose("runner.placement") + index);
  launch::Addresses addresses(plan_.buffers.size(), 0);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (!slot.memory) continue;
    slot.data.begin = launch::address(slot.memory) + kGuard + 256 * random.below(kMoves);
    addresses[i] = slot.data.begin;
    KW_RETURN_IF_ERROR(session_.fill_bytes(low_guard(slot), kGuardByte));
    KW_RETURN_IF_ERROR(session_.fill_bytes(high_guard(slot), kGuardByte));
  }
  auto launcher = launch::Launcher::prepare(session_.api(), plan_, kernels_, addresses);
  if (!launcher) {
    reply_.fault = fault_of_launch(launcher.error());
    return tl::unexpected(launcher.error());
  }
  launcher_.emplace(std::move(*launcher));
  return {};
}

Status CudaTrials::fill_inputs(std::size_t index, bool state_only) {
  const Trial& trial = request_.trials[index];
  for (std::size_t f = 0; f < trial.fills.size(); ++f) {
    const BufferFill& fill = trial.fills[f];
    const auto buffer = plan_.find(fill.buffer);
    if (!buffer) continue;  // an input that the candidate does not use
    if (state_only && plan_.buffers[*buffer].role != Role::State) continue;
    const DeviceRange to = slots_[*buffer].data;
    const std::int64_t given = request_.given_offsets[index][f];
    if (given >= 0) {
      KW_RETURN_IF_ERROR(session_.copy_in(
          to.begin, task_.given.bytes().subspan(static_cast<std::size_t>(given),
                                                static_cast<std::size_t>(to.bytes))));
    } else {
      KW_RETURN_IF_ERROR(session_.fill(fill.spec, to.begin));
    }
  }
  return {};
}

Status CudaTrials::poison(std::uint8_t value, bool persistent_too) {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const BoundBuffer& buffer = plan_.buffers[i];
    const bool ours = buffer.role == Role::Output || buffer.role == Role::Scratch;
    if (!slots_[i].memory || !ours || (buffer.persistent && !persistent_too)) continue;
    KW_RETURN_IF_ERROR(session_.fill_bytes(slots_[i].data, value));
  }
  return {};
}

std::vector<DeviceRange> CudaTrials::ranges_of(bool outputs) const {
  std::vector<DeviceRange> ranges;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Role role = plan_.buffers[i].role;
    if (slots_[i].memory && (outputs ? is_output(role) : is_read_only(role))) {
      ranges.push_back(slots_[i].data);
    }
  }
  return ranges;
}

Result<TrialSummary> CudaTrials::run_trial(std::size_t index) {
  const Trial& trial = request_.trials[index];
  KW_RETURN_IF_ERROR(place(index));
  KW_RETURN_IF_ERROR(fill_inputs(index, /*state_only=*/false));
  KW_RETURN_IF_ERROR(poison(trial.poison, /*persistent_too=*/true));
  const std::vector<DeviceRange> inputs = ranges_of(/*outputs=*/false);
  const std::vector<DeviceRange> outputs = ranges_of(/*outputs=*/true);
  KW_ASSIGN(const std::vector<std::uint64_t> before, session_.hash(inputs));
  KW_RETURN_IF_ERROR(run_setup());
  TrialSummary summary;
  for (int repeat = 0; repeat < trial.repeats; ++repeat) {
    if (repeat > 0) {
      KW_RETURN_IF_ERROR(fill_inputs(index, /*state_only=*/true));
      KW_RETURN_IF_ERROR(poison(trial.poison, /*persistent_too=*/false));
    }
    KW_RETURN_IF_ERROR(run_once());
    KW_ASSIGN(std::vector<std::uint64_t> hashes, session_.hash(outputs));
    if (repeat > 0 && hashes != output_hashes_) summary.repeats_equal = false;
    output_hashes_ = std::move(hashes);
    if (repeat + 1 == trial.repeats) KW_RETURN_IF_ERROR(keep_outputs(index));
  }
  KW_ASSIGN(const std::vector<std::uint64_t> after, session_.hash(inputs));
  std::size_t input = 0;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].memory || !is_read_only(plan_.buffers[i].role)) continue;
    if (before[input] != after[input]) summary.modified_inputs.push_back(plan_.buffers[i].name);
    ++input;
  }
  KW_ASSIGN(summary.broken_guards, broken_guards());
  return summary;
}

Status CudaTrials::run_setup() {
  const cu::Table& api = session_.api();
  KW_ASSIGN(const launch::Event begin, launch::make_event(api));
  KW_ASSIGN(const launch::Event end, launch::make_event(api));
  KW_RETURN_IF_ERROR(
      launch::check(api, api.event_record(begin.get(), session_.stream()), "cuEventRecord"));
  if (const Status enqueued = launcher_->enqueue_setup(session_.stream()); !enqueued) {
    reply_.fault = fault_of_launch(enqueued.error());
    return enqueued;
  }
  KW_RETURN_IF_ERROR(
      launch::check(api, api.event_record(end.get(), session_.stream()), "cuEventRecord"));
  if (const cu::Result rc = session_.synchronize()) {
    reply_.fault = fault_of_execution(api, rc);
    return launch::check(api, rc, "cuStreamSynchronize");
  }
  float milliseconds = 0;
  KW_RETURN_IF_ERROR(launch::check(api, api.event_elapsed_ms(&milliseconds, begin.get(), end.get()),
                                   "cuEventElapsedTime"));
  setup_us_ = plan_.setup.empty() ? 0 : 1e3 * static_cast<double>(milliseconds);
  return {};
}

Status CudaTrials::run_once() {
  if (const Status enqueued = launcher_->enqueue_run(session_.stream()); !enqueued) {
    reply_.fault = fault_of_launch(enqueued.error());
    return enqueued;
  }
  if (const cu::Result rc = session_.synchronize()) {
    reply_.fault = fault_of_execution(session_.api(), rc);
    return launch::check(session_.api(), rc, "cuStreamSynchronize");
  }
  return {};
}

Status CudaTrials::keep_outputs(std::size_t index) {
  for (std::size_t i = 0; i < task_.output_buffers.size(); ++i) {
    KW_RETURN_IF_ERROR(
        session_.copy_out(slots_[task_.output_buffers[i]].data, task_.output(index, i)));
  }
  return {};
}

Result<std::vector<std::string>> CudaTrials::broken_guards() {
  std::vector<DeviceRange> ranges;
  std::vector<std::size_t> owners;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].memory) continue;
    ranges.push_back(low_guard(slots_[i]));
    ranges.push_back(high_guard(slots_[i]));
    owners.push_back(i);
  }
  KW_ASSIGN(const std::vector<bool> broken, session_.differs(ranges, kGuardByte));
  std::vector<std::string> names;
  for (std::size_t i = 0; i < owners.size(); ++i) {
    if (broken[2 * i] || broken[2 * i + 1]) names.push_back(plan_.buffers[owners[i]].name);
  }
  return names;
}

Status CudaTrials::poison_outputs(std::uint8_t value) {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].memory || plan_.buffers[i].role != Role::Output) continue;
    KW_RETURN_IF_ERROR(session_.fill_bytes(slots_[i].data, value));
  }
  return {};
}

Result<bool> CudaTrials::outputs_as_judged() {
  KW_ASSIGN(const std::vector<std::uint64_t> now, session_.hash(ranges_of(/*outputs=*/true)));
  return now == output_hashes_;
}

double CudaTrials::buffer_bytes() const {
  double bytes = 0;
  for (const Slot& slot : slots_) bytes += static_cast<double>(slot.data.bytes);
  return bytes;
}

bool CudaTrials::has_state() const {
  return std::ranges::any_of(plan_.buffers,
                             [](const BoundBuffer& b) { return b.role == Role::State; });
}

}  // namespace kw::verify
