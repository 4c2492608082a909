#pragma once
// What is remembered about kernels: append-only facts. "Best" is derived from them.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kw/core/candidate.h"
#include "kw/core/interfaces.h"
#include "kw/core/keys.h"
#include "kw/core/outcome.h"

namespace kw::store {

inline constexpr std::size_t kMaxBlobBytes = 16u << 20;

/// A task as memory knows it. Registered before candidates are recorded for it.
struct TaskRecord {
  TaskKeys keys;
  std::string name;                   // shown; the first name given stays
  std::vector<std::int64_t> extents;  // of the inputs in the graph's order; for "nearest shape"
  std::string document;               // the task's JSON, at most 16 MiB; empty: cannot be re-tuned
};

/// A verdict or timing is recorded once per `id`: give the effect's id, so that a step that ran
/// twice does not count twice.
struct VerdictRecord {
  std::string id;
  std::string candidate;
  std::string task_key;  // instance key
  std::string job;       // may be empty
  std::string policy;
  std::uint64_t seed = 0;
  bool full = true;          // the whole battery; only full verdicts make a candidate known as good
  Outcome outcome;           // device and judge version are in its evidence
  std::int64_t time_us = 0;  // set by the store
};

struct TimingRecord {
  std::string id;
  std::string candidate;
  std::string task_key;
  DeviceIdentity device;
  Timing timing;             // protocol included
  std::int64_t time_us = 0;  // set by the store
};

/// How an entry answers a question, best first.
enum class Match {
  SameDevice,       // this instance, passed or timed on this very device
  SameArch,         // this instance, passed on this architecture
  OtherArch,        // this instance, passed on another architecture
  NearestShape,     // same semantic key, other extents, this architecture
  NearestElsewhere  // same semantic key, other extents, another architecture
};
std::string_view to_string(Match match) noexcept;

struct BestQuery {
  TaskKeys keys;
  std::vector<std::int64_t> extents;  // for nearest shape; may be empty
  std::string device_class = "cuda";  // "ptxvm" answers only questions about itself
  std::string arch;                   // "sm_90"
  std::string device_uuid;            // may be empty
  std::string protocol;               // only timings by it count; empty: any
  std::size_t limit = 4;
};

struct Known {
  std::string candidate_id;
  Candidate candidate;
  Match match = Match::SameDevice;
  std::string task_key;          // the instance it was proven on
  double distance = 0;           // sum of |log2| of the extents' ratios; infinite when unknown
  DeviceIdentity device;         // of the verdict that passed
  std::optional<Timing> timing;  // newest one on the best matching device
};

/// One line of the registry: the best kernel of a task on a device.
struct RegistryEntry {
  TaskKeys keys;
  std::string task_name;
  std::string candidate_id;
  std::string generator;
  ProposerKind proposer = ProposerKind::User;
  DeviceIdentity device;
  std::optional<Timing> timing;
  std::int64_t time_us = 0;  // of the verdict
};

/// What re-tuning should take next: the time that its best kernel still wastes, (median - roofline
/// floor) x times asked for. Ordered by worth_us / (1 + tried), so that a task which does not yield
/// makes room for others.
struct Worth {
  TaskKeys keys;
  std::string task_name;
  std::string document;  // JSON of the task
  std::string candidate_id;
  Timing timing;
  std::int64_t asked = 0;  // jobs created for this instance, tuning jobs aside; at least 1
  std::int64_t tried = 0;  // jobs of kind "tune" created for it since that timing
  double worth_us = 0;
};

/// What failed and why, found again by its words.
struct Lesson {
  std::string id;         // set by the store: a content id, so the same lesson is kept once
  std::string semantic;   // semantic key; may be empty: general
  std::string topic;      // "race", "compile_error", "tuning", ...
  std::string text;       // at most 64 KiB
  std::string candidate;  // may be empty
  std::int64_t time_us = 0;
};

/// A measured configuration of a declared parameter space.
struct TuningRecord {
  std::string space_key;
  std::string device_uuid;
  Config config;
  Measurement measurement;
  std::int64_t time_us = 0;  // set by the store
};

struct StoreStats {
  std::int64_t schema = 0;
  std::int64_t jobs = 0, events = 0, open_effects = 0, tasks = 0, candidates = 0, verdicts = 0;
  std::int64_t timings = 0, compiled = 0, lessons = 0, blobs = 0, requests = 0;
  std::int64_t file_bytes = 0;
};

}  // namespace kw::store
