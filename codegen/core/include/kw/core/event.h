#pragma once
// A job's history, and the work its decisions ask for.

#include <cstdint>
#include <string>
#include <string_view>

#include "kw/core/result.h"

namespace kw {

/// A fact about a job. Appended once, never changed. `payload` is a JSON object, its schema named
/// by (type, version).
struct Event {
  std::string job;        // UUIDv7
  std::uint64_t seq = 0;  // 1, 2, ... within the job
  std::string type;       // "job_created", "candidate_proposed", "judged", ...
  int version = 1;
  std::string payload;
  std::int64_t time_us = 0;  // of the injected clock; shown, never decided on
};

enum class EffectState { Pending, Leased, Done, Cancelled };
std::string_view to_string(EffectState state) noexcept;

/// Work to be done at least once. `id` = H(job, seq, i): completions are deduplicated by it.
struct Effect {
  std::string id;
  std::string job;
  std::string kind;     // "propose", "compile", "judge", "time", "model_request"
  std::string payload;  // JSON object
  EffectState state = EffectState::Pending;
  int attempt = 0;
};

}  // namespace kw
