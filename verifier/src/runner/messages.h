#pragma once
// What a runner process is told and what it answers.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kw/launch/bind.h"
#include "kw/process/wire.h"
#include "kw/verify/device.h"

namespace kw::verify {

enum MessageType : std::uint32_t { kProbe = 1, kFacts, kFiles, kRun, kStarted, kDone, kBroken, kOpen };

void put_limits(process::Writer& writer, const launch::PlanLimits& limits);
launch::PlanLimits get_limits(process::Reader& reader);

/// A run as it crosses to the runner. Descriptors come before it, in as many kFiles messages as
/// they need: the given bytes of fills, then, trial by trial, a memory file for each output.
struct RunnerRequest {
  std::string code;       // PTX for the virtual machine, cubin for a GPU
  std::string plan_json;  // bound again in the runner, where occupancy is known
  launch::PlanLimits limits;
  std::vector<Trial> trials;  // given bytes are replaced by given_offsets
  std::vector<std::vector<std::int64_t>> given_offsets;  // per trial and fill; -1: drawn
  std::uint64_t given_bytes = 0;
  std::optional<TimingRequest> timing;
  std::uint64_t seed = 0;
  bool sanitize = true, protect_inputs = true;
  std::uint64_t timing_limit_ms = 0;  // GPU: stop sampling after this long
};
std::string encode(const RunnerRequest& request);
Result<RunnerRequest> decode_request(std::string_view bytes);

/// What a trial says beside its outputs.
struct TrialSummary {
  std::vector<std::string> modified_inputs;
  std::vector<std::string> broken_guards;
  bool repeats_equal = true;
};
struct RunnerReply {
  std::vector<TrialSummary> trials;
  std::optional<RunFault> fault;
  std::optional<Timing> timing;
  std::map<std::string, double> counters;
};
std::string encode(const RunnerReply& reply);
Result<RunnerReply> decode_reply(std::string_view bytes);

/// The Output and State buffers of a plan, in order: indices into BoundPlan::buffers. Every trial
/// has one memory file of exactly the buffer's size for each.
std::vector<std::size_t> output_buffers(const launch::BoundPlan& plan);

}  // namespace kw::verify
