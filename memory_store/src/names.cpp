#include "names.h"

#include <array>

namespace kw::store {

namespace {

constexpr std::array kJobStates = {JobState::Queued, JobState::Running, JobState::Done,
                                   JobState::Failed, JobState::Cancelled};
constexpr std::array kEffectStates = {EffectState::Pending, EffectState::Leased, EffectState::Done,
                                      EffectState::Cancelled};
constexpr std::array kRequestStates = {RequestState::Sent, RequestState::Refused,
                                       RequestState::Answered};

}  // namespace

std::string_view to_string(JobState state) noexcept {
  switch (state) {
    case JobState::Queued:
      return "queued";
    case JobState::Running:
      return "running";
    case JobState::Done:
      return "done";
    case JobState::Failed:
      return "failed";
    case JobState::Cancelled:
      return "cancelled";
  }
  return "";
}

std::optional<JobState> parse_job_state(std::string_view text) noexcept {
  for (const JobState state : kJobStates) {
    if (to_string(state) == text) return state;
  }
  return std::nullopt;
}

bool is_final(JobState state) noexcept {
  return state == JobState::Done || state == JobState::Failed || state == JobState::Cancelled;
}

std::string_view to_string(RequestState state) noexcept {
  switch (state) {
    case RequestState::Sent:
      return "sent";
    case RequestState::Refused:
      return "refused";
    case RequestState::Answered:
      return "answered";
  }
  return "";
}

Result<JobState> job_state_from(std::string_view text) {
  if (const auto state = parse_job_state(text)) return *state;
  return fail(Errc::Corrupt, "store: unknown job state \"{}\"", text);
}

Result<EffectState> effect_state_from(std::string_view text) {
  for (const EffectState state : kEffectStates) {
    if (to_string(state) == text) return state;
  }
  return fail(Errc::Corrupt, "store: unknown effect state \"{}\"", text);
}

Result<RequestState> request_state_from(std::string_view text) {
  for (const RequestState state : kRequestStates) {
    if (to_string(state) == text) return state;
  }
  return fail(Errc::Corrupt, "store: unknown request state \"{}\"", text);
}

}  // namespace kw::store
