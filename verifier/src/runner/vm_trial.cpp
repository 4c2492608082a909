#include "vm_trial.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "kw/core/random.h"

namespace kw::verify {

namespace {

using launch::BoundBuffer;
using launch::BoundKernel;
using launch::BoundMemset;
using launch::BoundNode;
using launch::BoundPointer;
using launch::BoundPredicate;

bool is_read_only(Role role) { return role == Role::Input || role == Role::Weight; }
bool is_poisoned(Role role) { return role == Role::Output || role == Role::Scratch; }

ptxvm::Dim3 dim3(const launch::Extent3& extent) { return {extent[0], extent[1], extent[2]}; }

std::string text_of(const ptxvm::Dim3& dim) {
  return fmt::format("({}, {}, {})", dim.x, dim.y, dim.z);
}

}  // namespace

RejectKind reject_kind(ptxvm::FindingKind kind) noexcept {
  switch (kind) {
    case ptxvm::FindingKind::OutOfBounds:
    case ptxvm::FindingKind::InvalidAddress:
    case ptxvm::FindingKind::IndexOverflow:
      return RejectKind::OutOfBounds;
    case ptxvm::FindingKind::Misaligned:
      return RejectKind::Misaligned;
    case ptxvm::FindingKind::UninitialisedRead:
    case ptxvm::FindingKind::UninitialisedRegister:
      return RejectKind::Uninitialised;
    case ptxvm::FindingKind::ReadOnlyWrite:
      return RejectKind::InputModified;
    case ptxvm::FindingKind::BarrierDivergence:
    case ptxvm::FindingKind::WarpDivergence:
      return RejectKind::BarrierDivergence;
    case ptxvm::FindingKind::AsyncCopy:
    case ptxvm::FindingKind::Race:
      return RejectKind::Race;
    case ptxvm::FindingKind::Trap:
    case ptxvm::FindingKind::AssertFailed:
      return RejectKind::LaunchError;
    case ptxvm::FindingKind::Watchdog:
      return RejectKind::Timeout;
  }
  return RejectKind::LaunchError;
}

Result<RunnerReply> VmTrials::run() {
  KW_RETURN_IF_ERROR(protect_variables());
  for (std::size_t i = 0; i < request_.trials.size(); ++i) {
    KW_ASSIGN(TrialSummary summary, run_trial(i));
    if (reply_.fault) {
      reply_.fault->witness["trial"] = fmt::format("{}", i);
      break;
    }
    reply_.trials.push_back(std::move(summary));
  }
  return std::move(reply_);
}

/// A module variable outlives a call and no plan declares it: it may hold a table, never state.
Status VmTrials::protect_variables() {
  if (!request_.protect_inputs) return {};
  for (const ptxvm::VariableInfo& variable : program_.variables()) {
    if (variable.space != ptxvm::Space::Global || variable.external) continue;
    KW_ASSIGN(const std::uint64_t address, memory_.symbol(program_, variable.name));
    KW_RETURN_IF_ERROR(memory_.set_read_only(address, true));
  }
  return {};
}

Result<TrialSummary> VmTrials::run_trial(std::size_t index) {
  const Trial& trial = request_.trials[index];
  schedule_seed_ = trial.schedule_seed;
  thorough_ = trial.thorough;
  KW_RETURN_IF_ERROR(place_buffers(index));
  KW_RETURN_IF_ERROR(fill_inputs(index, /*state_only=*/false));
  KW_RETURN_IF_ERROR(poison(trial.poison, /*persistent_too=*/true));
  KW_RETURN_IF_ERROR(apply_fills(BufferInit::Once));
  KW_RETURN_IF_ERROR(run_nodes(plan_.setup));
  TrialSummary summary;
  for (int repeat = 0; repeat < trial.repeats && !reply_.fault; ++repeat) {
    if (repeat > 0) {
      KW_RETURN_IF_ERROR(fill_inputs(index, /*state_only=*/true));
      KW_RETURN_IF_ERROR(poison(trial.poison, /*persistent_too=*/false));
      schedule_seed_ += purpose("runner.schedule");  // another order of warps and blocks
    }
    KW_RETURN_IF_ERROR(apply_fills(BufferInit::EachRun));
    KW_RETURN_IF_ERROR(run_nodes(plan_.run));
    if (reply_.fault) break;
    if (repeat > 0 && !outputs_equal(index)) summary.repeats_equal = false;
    KW_RETURN_IF_ERROR(keep_outputs(index));
  }
  return summary;
}

/// New buffers for every trial, allocated in another order and after a pad: no address survives. Module
/// variables do, as they would on a GPU.
Status VmTrials::place_buffers(std::size_t index) {
  RandomStream random(request_.seed, purpose("runner.placement") + index);
  for (const std::uint64_t address : addresses_) {
    if (address != 0) KW_RETURN_IF_ERROR(memory_.release(address));
  }
  addresses_.assign(plan_.buffers.size(), 0);
  std::vector<std::size_t> order(plan_.buffers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  KW_RETURN_IF_ERROR(memory_.allocate("(pad)", 256 * (1 + random.below(4096))));
  for (const std::size_t i : order) {
    const BoundBuffer& buffer = plan_.buffers[i];
    if (!buffer.is_root(i)) continue;
    KW_ASSIGN(addresses_[i],
              memory_.allocate(buffer.name, static_cast<std::uint64_t>(buffer.bytes)));
  }
  return {};
}

Status VmTrials::fill_inputs(std::size_t index, bool state_only) {
  const Trial& trial = request_.trials[index];
  for (std::size_t f = 0; f < trial.fills.size(); ++f) {
    const BufferFill& fill = trial.fills[f];
    const auto buffer = plan_.find(fill.buffer);
    if (!buffer) continue;  // an input that the candidate does not use
    const Role role = plan_.buffers[*buffer].role;
    if (state_only && role != Role::State) continue;
    const std::uint64_t address = addresses_[*buffer];
    const std::span<std::byte> bytes = memory_.bytes(address);
    const std::int64_t given = request_.given_offsets[index][f];
    if (given >= 0) {
      const auto from = task_.given.bytes().subspan(static_cast<std::size_t>(given), bytes.size());
      std::ranges::copy(from, bytes.begin());
    } else {
      KW_RETURN_IF_ERROR(verify::fill(fill.spec, bytes));
    }
    KW_RETURN_IF_ERROR(memory_.set_initialised(address, bytes.size(), true));
    if (is_read_only(role) && request_.protect_inputs) KW_RETURN_IF_ERROR(memory_.set_read_only(address, true));
  }
  return {};
}

Status VmTrials::poison(std::uint8_t value, bool persistent_too) {
  for (std::size_t i = 0; i < plan_.buffers.size(); ++i) {
    const BoundBuffer& buffer = plan_.buffers[i];
    if (!buffer.is_root(i) || !is_poisoned(buffer.role)) continue;
    if (buffer.persistent && !persistent_too) continue;
    const std::span<std::byte> bytes = memory_.bytes(addresses_[i]);
    std::ranges::fill(bytes, std::byte{value});
    KW_RETURN_IF_ERROR(memory_.set_initialised(addresses_[i], bytes.size(), false));
  }
  return {};
}

Status VmTrials::apply_fills(BufferInit when) {
  for (std::size_t i = 0; i < plan_.buffers.size(); ++i) {
    const BoundBuffer& buffer = plan_.buffers[i];
    if (buffer.init != when || !buffer.is_root(i)) continue;
    KW_RETURN_IF_ERROR(fill_range({i, 0}, buffer.bytes, buffer.fill));
  }
  return {};
}

Status VmTrials::fill_range(const BoundPointer& where, std::int64_t bytes, std::uint8_t value) {
  const std::uint64_t address = addresses_[where.buffer];
  const std::span<std::byte> all = memory_.bytes(address);
  const auto offset = static_cast<std::size_t>(where.offset);
  const auto size = static_cast<std::size_t>(bytes);
  std::ranges::fill(all.subspan(offset, size), std::byte{value});
  return memory_.set_initialised(address + offset, size, true);
}

Status VmTrials::run_nodes(const std::vector<BoundNode>& nodes) {
  for (const BoundNode& node : nodes) {
    if (reply_.fault) return {};
    if (const auto* kernel = std::get_if<BoundKernel>(&node.what)) {
      KW_RETURN_IF_ERROR(run_kernel(*kernel, node.place));
    } else if (const auto* memset = std::get_if<BoundMemset>(&node.what)) {
      KW_RETURN_IF_ERROR(fill_range(memset->where, memset->bytes, memset->value));
    } else {
      const auto& predicate = std::get<BoundPredicate>(node.what);
      const std::uint64_t address =
          addresses_[predicate.word.buffer] + static_cast<std::uint64_t>(predicate.word.offset);
      if (!memory_.is_initialised(address, 4)) {
        note(RejectKind::Uninitialised,
             fmt::format("{}: the predicate's word in '{}' was never written", node.place,
                         plan_.buffers[predicate.word.buffer].name));
        return {};
      }
      std::uint32_t word = 0;
      KW_RETURN_IF_ERROR(memory_.read(address, std::as_writable_bytes(std::span(&word, 1))));
      if (word != 0) KW_RETURN_IF_ERROR(run_nodes(predicate.body));
    }
  }
  return {};
}

Result<std::vector<std::byte>> VmTrials::parameter_block(const BoundKernel& kernel,
                                                         const ptxvm::KernelInfo& info) {
  if (info.parameters.size() != kernel.parameters.size()) {
    return fail(Errc::InvalidArgument, "'{}' takes {} parameters, the plan gives {}", kernel.kernel,
                info.parameters.size(), kernel.parameters.size());
  }
  std::vector<std::byte> block(info.parameter_bytes);
  for (std::size_t i = 0; i < info.parameters.size(); ++i) {
    const launch::BoundParameter& parameter = kernel.parameters[i];
    const ptxvm::ParameterInfo& slot = info.parameters[i];
    if (parameter.tensor_map) {
      return fail(Errc::Unsupported, "the virtual machine has no tensor maps");
    }
    if (parameter.bytes.size() != slot.size) {
      return fail(Errc::InvalidArgument, "'{}' takes {} bytes as parameter {}, the plan gives {}",
                  kernel.kernel, slot.size, i, parameter.bytes.size());
    }
    std::byte* at = block.data() + slot.offset;
    std::ranges::copy(parameter.bytes, at);
    for (const launch::PointerPatch& patch : parameter.pointers) {
      const std::uint64_t target =
          addresses_[patch.pointer.buffer] + static_cast<std::uint64_t>(patch.pointer.offset);
      std::memcpy(at + patch.at, &target, sizeof target);
    }
  }
  return block;
}

Status VmTrials::run_kernel(const BoundKernel& kernel, const std::string& place) {
  const ptxvm::KernelInfo* info = program_.find_kernel(kernel.kernel);
  if (info == nullptr) {
    note(RejectKind::LaunchError,
         fmt::format("{}: the module has no entry '{}'", place, kernel.kernel));
    return {};
  }
  if (info->refusal) {
    note(RejectKind::NotVerifiable, fmt::format("'{}': {}", kernel.kernel, info->refusal->message));
    return {};
  }
  auto block = parameter_block(kernel, *info);
  Result<ptxvm::Report> report = tl::unexpected(Error{});
  if (block) {
    ptxvm::Options options;
    options.check_uninitialised = request_.sanitize;
    if (request_.sanitize && thorough_) options = ptxvm::with_all_checks(options);
    options.threads = threads_;
    options.seed = schedule_seed_;
    options.schedule = schedule_seed_ == 0 ? ptxvm::Schedule::InOrder : ptxvm::Schedule::Shuffled;
    report = ptxvm::run(program_, memory_,
                        {kernel.kernel, dim3(kernel.grid), dim3(kernel.block), kernel.shared_bytes,
                         std::move(*block)},
                        options);
  }
  if (!block || !report) {
    const Error& error = block ? report.error() : block.error();
    const bool candidates = error.code == Errc::InvalidArgument || error.code == Errc::NotFound;
    note(candidates ? RejectKind::LaunchError : RejectKind::NotVerifiable,
         fmt::format("{}: {}", place, error.message));
    return {};
  }
  const ptxvm::Counters& counters = report->counters;
  const auto add = [&](const char* name, std::uint64_t count) {
    reply_.counters[name] += static_cast<double>(count);
  };
  add("launches", 1);
  add(("launched." + kernel.kernel).c_str(), 1);
  add("warp_instructions", counters.warp_instructions);
  add("lane_instructions", counters.lane_instructions);
  add("divergent_branches", counters.divergent_branches);
  add("barriers", counters.barriers);
  add("mma", counters.matrix_multiply_adds);
  if (!report->findings.empty() && (request_.sanitize || !report->completed)) {
    note(report->findings.front(), place);
  } else if (!report->completed) {
    note(RejectKind::NotVerifiable, fmt::format("{}: '{}' was stopped", place, kernel.kernel));
  }
  return {};
}

void VmTrials::note(RejectKind kind, std::string reason) {
  reply_.fault = RunFault{kind, std::move(reason), {}};
}

void VmTrials::note(const ptxvm::Finding& finding, const std::string& place) {
  const ptxvm::Site& site = finding.site;
  RunFault fault{reject_kind(finding.kind), finding.message, {}};
  fault.witness = {{"node", place},
                   {"kernel", site.kernel},
                   {"finding", std::string(to_string(finding.kind))},
                   {"block", text_of(site.block)},
                   {"warp", fmt::format("{}", site.warp)},
                   {"lane", fmt::format("{}", site.lane)},
                   {"instruction", site.instruction},
                   {"ptx_line", fmt::format("{}", site.ptx_line)},
                   {"schedule_seed", fmt::format("{}", schedule_seed_)}};
  if (site.source.line != 0) fault.witness["line"] = fmt::format("{}", site.source.line);
  if (!finding.allocation.empty()) {
    fault.witness["buffer"] = finding.allocation;
    fault.witness["offset"] = fmt::format("{}", finding.offset);
  }
  reply_.fault = std::move(fault);
}

Status VmTrials::keep_outputs(std::size_t index) {
  for (std::size_t i = 0; i < task_.output_buffers.size(); ++i) {
    const std::span<const std::byte> bytes = memory_.bytes(addresses_[task_.output_buffers[i]]);
    std::ranges::copy(bytes, task_.output(index, i).begin());
  }
  return {};
}

bool VmTrials::outputs_equal(std::size_t index) {
  for (std::size_t i = 0; i < task_.output_buffers.size(); ++i) {
    const std::span<const std::byte> bytes = memory_.bytes(addresses_[task_.output_buffers[i]]);
    if (!std::ranges::equal(bytes, task_.output(index, i))) return false;
  }
  return true;
}

}  // namespace kw::verify
