// Enumerators and their spelling in JSON, one table each.

#include <array>
#include <utility>

#include "kw/agent/job.h"

namespace kw::agent {
namespace {

template <typename Enum, std::size_t N>
using Table = std::array<std::pair<Enum, std::string_view>, N>;

template <typename Enum, std::size_t N>
std::string_view name_in(const Table<Enum, N>& table, Enum value) noexcept {
  for (const auto& [each, name] : table) {
    if (each == value) return name;
  }
  return "unknown";
}

template <typename Enum, std::size_t N>
std::optional<Enum> value_in(const Table<Enum, N>& table, std::string_view text) noexcept {
  for (const auto& [each, name] : table) {
    if (name == text) return each;
  }
  return std::nullopt;
}

constexpr Table<JobStatus, 5> kStatuses{{{JobStatus::Solved, "solved"},
                                         {JobStatus::Unsolved, "unsolved"},
                                         {JobStatus::OutOfBudget, "out_of_budget"},
                                         {JobStatus::Failed, "failed"},
                                         {JobStatus::Cancelled, "cancelled"}}};

constexpr Table<FindingKind, 19> kFindings{
    {{FindingKind::Unauthorized, "unauthorized"},
     {FindingKind::RateLimited, "rate_limited"},
     {FindingKind::ServerError, "server_error"},
     {FindingKind::BadRequest, "bad_request"},
     {FindingKind::ConnectFailed, "connect_failed"},
     {FindingKind::Stalled, "stalled"},
     {FindingKind::CutStream, "cut_stream"},
     {FindingKind::ReplyTooLarge, "reply_too_large"},
     {FindingKind::MalformedReply, "malformed_reply"},
     {FindingKind::CutAnswer, "cut_answer"},
     {FindingKind::ProseOnly, "prose_only"},
     {FindingKind::MissingSource, "missing_source"},
     {FindingKind::MissingPlan, "missing_plan"},
     {FindingKind::TooManyBlocks, "too_many_blocks"},
     {FindingKind::HostCode, "host_code"},
     {FindingKind::BadPlan, "bad_plan"},
     {FindingKind::SourceTooLarge, "source_too_large"},
     {FindingKind::DuplicateCandidate, "duplicate_candidate"},
     {FindingKind::ProposerFailed, "proposer_failed"}}};

}  // namespace

std::string_view to_string(JobStatus status) noexcept { return name_in(kStatuses, status); }
std::optional<JobStatus> parse_job_status(std::string_view text) noexcept {
  return value_in(kStatuses, text);
}

std::string_view to_string(FindingKind kind) noexcept { return name_in(kFindings, kind); }
std::optional<FindingKind> parse_finding_kind(std::string_view text) noexcept {
  return value_in(kFindings, text);
}

bool ends_lanes(FindingKind kind) noexcept { return kind == FindingKind::Unauthorized; }

std::string_view kind_of(const StepBody& body) noexcept {
  static constexpr std::string_view kNames[] = {"propose", "model_request", "judge", "tune"};
  return kNames[body.index()];
}

std::string_view type_of(const Fact& fact) noexcept {
  static constexpr std::string_view kNames[] = {"job_created",   "proposed",    "judged",
                                                "tuned",         "step_failed", "budget_spent",
                                                "cancel_asked",  "steps_asked", "steps_cancelled",
                                                "winner_chosen", "accepted",    "finished"};
  static_assert(std::size(kNames) == std::variant_size_v<Fact>);
  return kNames[fact.index()];
}

std::optional<Input> as_input(const Fact& fact) {
  return std::visit(
      [](const auto& each) -> std::optional<Input> {
        if constexpr (requires { Input{each}; }) return Input{each};
        return std::nullopt;
      },
      fact);
}

Fact as_fact(const Input& input) {
  return std::visit([](const auto& each) { return Fact{each}; }, input);
}

}  // namespace kw::agent
