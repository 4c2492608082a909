#pragma once
// Everything that is remembered, as use cases rather than SQL. The one implementation keeps it in
// an SQLite file; the contract tests are written against this class alone.
//
// Errors: Conflict - another process or a newer fencing token won; NotFound - no such job, effect,
// candidate; Cancelled - the effect or job is no longer wanted; Corrupt - damaged, or written by a
// newer release; Io - disk full, read-only; Unavailable - locked for longer than the busy timeout;
// InvalidArgument - a document is not a JSON object or exceeds its bound.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "kw/core/clock.h"
#include "kw/core/interfaces.h"
#include "kw/store/jobs.h"
#include "kw/store/library.h"
#include "kw/store/requests.h"

namespace kw::store {

struct Options {
  Clock* clock = nullptr;  // null: system_clock(); outlives the store
  std::chrono::milliseconds busy_timeout{10'000};
  bool read_only = false;  // no file is created or migrated, every write is an Io error
  /// PRAGMA quick_check at every opening of a file up to this size, at most daily of a larger one.
  std::uintmax_t always_check_bytes = 64u << 20;
};

/// Thread-safe; several processes may have one store open. Close it last: no call may be running.
class Store {
 public:
  /// Creates the file and its parent directories when missing, and brings an older schema up to
  /// date. The file must be on a local disk (WAL needs shared memory).
  static Result<std::unique_ptr<Store>> open(const std::filesystem::path& path,
                                             const Options& options = {});
  virtual ~Store() = default;

  // ---- jobs ------------------------------------------------------------------------------------

  /// On disk when it returns. Same idempotency key, same job; Conflict if its kind or spec differ.
  virtual Result<CreatedJob> create_job(const NewJob& job) = 0;
  virtual Result<Job> job(const std::string& id) = 0;
  virtual Result<std::vector<Job>> jobs(const JobFilter& filter) = 0;
  /// Events with seq > after, in order; at most `limit`, all by default.
  virtual Result<std::vector<Event>> events(const std::string& job, std::uint64_t after = 0,
                                            std::size_t limit = SIZE_MAX) = 0;

  /// Conflict while another worker's lease is running. The same worker gets a new token.
  virtual Result<DeciderLease> acquire_decider(const std::string& job, const std::string& worker,
                                               std::chrono::milliseconds lease) = 0;
  /// Conflict when somebody acquired it since.
  virtual Result<DeciderLease> renew_decider(const std::string& job, std::uint64_t token,
                                             std::chrono::milliseconds lease) = 0;
  /// Ends the lease at once; does nothing when the token is no longer the newest.
  virtual Status release_decider(const std::string& job, std::uint64_t token) = 0;

  /// Who holds unexpired leases of a job: its decider's and those of its effects.
  virtual Result<std::vector<std::string>> lease_holders(const std::string& job) = 0;
  /// Ends every lease that `worker` holds on a job. For a worker that is known to be dead: nobody
  /// then waits for its leases to run out. One that lives after all is fenced off by its tokens.
  virtual Status end_leases(const std::string& job, const std::string& worker) = 0;

  virtual Result<Appended> append(const Append& step) = 0;

  /// Hands a job something from outside. True when it is new; an id is taken once per job.
  /// Cancelled when the job is final.
  virtual Result<bool> post_input(const std::string& job, const std::string& id,
                                  const std::string& kind, const std::string& payload) = 0;
  /// Inputs that no append has consumed, in order of arrival.
  virtual Result<std::vector<Input>> inputs(const std::string& job) = 0;

  // ---- effects ---------------------------------------------------------------------------------

  /// The pending or expired effect of highest priority, oldest first; nothing when there is none.
  virtual Result<std::optional<ClaimedEffect>> claim_effect(const ClaimFilter& filter) = 0;
  /// The new end of the lease. Cancelled or Conflict mean: stop working on it.
  virtual Result<std::int64_t> renew(const std::string& id, std::uint64_t token,
                                     std::chrono::milliseconds lease) = 0;
  /// Puts a claimed effect back, claimable after `delay`.
  virtual Status release_effect(const std::string& id, std::uint64_t token,
                                std::chrono::milliseconds delay = {}) = 0;
  /// Stores the result (JSON object) as an input of the job, of kind "effect_done" and with the
  /// effect's id. Conflict when another worker claimed it since, Cancelled when it was cancelled.
  virtual Result<Completion> complete_effect(const std::string& id, std::uint64_t token,
                                             const std::string& result) = 0;
  /// Every open effect of a job; how many there were. Workers learn of it at renew().
  virtual Result<std::size_t> cancel_effects(const std::string& job) = 0;
  virtual Result<std::vector<Effect>> effects(const EffectFilter& filter) = 0;

  // ---- model requests --------------------------------------------------------------------------

  /// Before sending; on disk when it returns. Conflict when the id is known with another body.
  virtual Result<Sending> record_request_sent(const NewRequest& request) = 0;
  /// It was certainly not worked on.
  virtual Status record_request_refused(const std::string& id, const std::string& reason) = 0;
  /// On disk when it returns. False when it had an answer already, which stays.
  virtual Result<bool> record_request_answered(const std::string& id, const Answer& answer) = 0;
  virtual Result<std::optional<Request>> request(const std::string& id) = 0;
  /// The answer alone; nothing when unknown or not answered.
  virtual Result<std::optional<Answer>> request_answer(const std::string& id) = 0;
  /// Of one job; of everything when empty.
  virtual Result<Spend> spend(const std::string& job) = 0;

  // ---- kernels ---------------------------------------------------------------------------------

  /// The first record of an instance key stays, but a missing document or name is filled in.
  virtual Status record_task(const TaskRecord& task) = 0;
  virtual Result<std::optional<TaskRecord>> task(const std::string& task_key) = 0;
  /// What trivial answers to a task would pass (a JSON object), by judge version; the newest stays.
  virtual Status record_sanity(const std::string& task_key, const std::string& judge,
                               const std::string& document) = 0;
  virtual Result<std::optional<std::string>> sanity(const std::string& task_key,
                                                    const std::string& judge) = 0;
  /// Its id (candidate_id()). Known candidates stay as first recorded. The task must be recorded.
  virtual Result<std::string> record_candidate(const Candidate& candidate,
                                               const std::string& task_key) = 0;
  virtual Result<std::optional<Candidate>> candidate(const std::string& id) = 0;
  /// False when the id was recorded before. On disk when it returns.
  virtual Result<bool> record_verdict(const VerdictRecord& verdict) = 0;
  virtual Result<bool> record_timing(const TimingRecord& timing) = 0;
  /// Oldest first.
  virtual Result<std::vector<VerdictRecord>> verdicts(const std::string& candidate) = 0;
  virtual Result<std::vector<TimingRecord>> timings(const std::string& candidate) = 0;

  /// Candidates that passed in full on the device class, by falling through the instance key to
  /// the semantic key; best match first, then the fastest, then (other shapes) the nearest. Left
  /// out: a candidate that a verdict on the same class and on the asked or the passing
  /// architecture rejected (other than NotVerifiable) after it passed, or by the same judge
  /// version. Entries are to be judged again before they are trusted.
  virtual Result<std::vector<Known>> best_for(const BestQuery& query) = 0;
  /// The best kernel of each task and device, newest first.
  virtual Result<std::vector<RegistryEntry>> registry(const std::string& device_class,
                                                      std::size_t limit = 100) = 0;
  virtual Result<std::vector<Worth>> worth_most(const std::string& device_uuid,
                                                std::size_t limit = 1) = 0;

  // ---- tuning, lessons, blobs ------------------------------------------------------------------

  /// The newest measurement of a configuration wins.
  virtual Status record_tuning(const TuningRecord& record) = 0;
  virtual Result<std::vector<TuningRecord>> tuning(const std::string& space_key,
                                                   const std::string& device_uuid) = 0;

  virtual Result<std::string> add_lesson(const Lesson& lesson) = 0;
  /// Lessons sharing words with `text`, best match first (BM25); those of `semantic` before others.
  virtual Result<std::vector<Lesson>> search_lessons(const std::string& text, std::size_t limit = 8,
                                                     const std::string& semantic = {}) = 0;

  /// Content id; ResourceExhausted above kMaxBlobBytes.
  virtual Result<std::string> put_blob(std::string_view bytes) = 0;
  /// NotFound; Corrupt when the bytes no longer match the id.
  virtual Result<std::string> get_blob(const std::string& id) = 0;

  /// Lives as long as the store. A cache that cannot be written forgets: no error reaches a
  /// compile.
  virtual CompileCache& compile_cache() = 0;

  // ---- watching --------------------------------------------------------------------------------

  /// Waits until something was written, by any process, since `seen` (from an earlier call; 0 at
  /// first returns at once), until `timeout` or until stop is requested. The new mark.
  virtual Result<std::uint64_t> wait_for_change(std::uint64_t seen,
                                                std::chrono::milliseconds timeout,
                                                std::stop_token stop = {}) = 0;
  virtual Result<StoreStats> stats() = 0;
};

}  // namespace kw::store
