#pragma once
// The store in an SQLite file: one writer connection behind a mutex, readers beside it (WAL).

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "kw/store/store.h"
#include "sqlite.h"

namespace kw::store {

class SqliteStore final : public Store, private CompileCache {
 public:
  static Result<std::unique_ptr<Store>> open(const std::filesystem::path& path,
                                             const Options& options);

  Result<CreatedJob> create_job(const NewJob& job) override;
  Result<Job> job(const std::string& id) override;
  Result<std::vector<Job>> jobs(const JobFilter& filter) override;
  Result<std::vector<Event>> events(const std::string& job, std::uint64_t after,
                                    std::size_t limit) override;
  Result<DeciderLease> acquire_decider(const std::string& job, const std::string& worker,
                                       std::chrono::milliseconds lease) override;
  Result<DeciderLease> renew_decider(const std::string& job, std::uint64_t token,
                                     std::chrono::milliseconds lease) override;
  Status release_decider(const std::string& job, std::uint64_t token) override;
  Result<std::vector<std::string>> lease_holders(const std::string& job) override;
  Status end_leases(const std::string& job, const std::string& worker) override;
  Result<Appended> append(const Append& step) override;
  Result<bool> post_input(const std::string& job, const std::string& id, const std::string& kind,
                          const std::string& payload) override;
  Result<std::vector<Input>> inputs(const std::string& job) override;

  Result<std::optional<ClaimedEffect>> claim_effect(const ClaimFilter& filter) override;
  Result<std::int64_t> renew(const std::string& id, std::uint64_t token,
                             std::chrono::milliseconds lease) override;
  Status release_effect(const std::string& id, std::uint64_t token,
                        std::chrono::milliseconds delay) override;
  Result<Completion> complete_effect(const std::string& id, std::uint64_t token,
                                     const std::string& result) override;
  Result<std::size_t> cancel_effects(const std::string& job) override;
  Result<std::vector<Effect>> effects(const EffectFilter& filter) override;

  Result<Sending> record_request_sent(const NewRequest& request) override;
  Status record_request_refused(const std::string& id, const std::string& reason) override;
  Result<bool> record_request_answered(const std::string& id, const Answer& answer) override;
  Result<std::optional<Request>> request(const std::string& id) override;
  Result<std::optional<Answer>> request_answer(const std::string& id) override;
  Result<Spend> spend(const std::string& job) override;

  Status record_task(const TaskRecord& task) override;
  Result<std::optional<TaskRecord>> task(const std::string& task_key) override;
  Result<std::string> record_candidate(const Candidate& candidate,
                                       const std::string& task_key) override;
  Result<std::optional<Candidate>> candidate(const std::string& id) override;
  Result<bool> record_verdict(const VerdictRecord& verdict) override;
  Result<bool> record_timing(const TimingRecord& timing) override;
  Result<std::vector<VerdictRecord>> verdicts(const std::string& candidate) override;
  Result<std::vector<TimingRecord>> timings(const std::string& candidate) override;
  Result<std::vector<Known>> best_for(const BestQuery& query) override;
  Result<std::vector<RegistryEntry>> registry(const std::string& device_class,
                                              std::size_t limit) override;
  Result<std::vector<Worth>> worth_most(const std::string& device_uuid, std::size_t limit) override;

  Status record_sanity(const std::string& task_key, const std::string& judge,
                       const std::string& document) override;
  Result<std::optional<std::string>> sanity(const std::string& task_key,
                                            const std::string& judge) override;
  Status record_tuning(const TuningRecord& record) override;
  Result<std::vector<TuningRecord>> tuning(const std::string& space_key,
                                           const std::string& device_uuid) override;
  Result<std::string> add_lesson(const Lesson& lesson) override;
  Result<std::vector<Lesson>> search_lessons(const std::string& text, std::size_t limit,
                                             const std::string& semantic) override;
  Result<std::string> put_blob(std::string_view bytes) override;
  Result<std::string> get_blob(const std::string& id) override;
  CompileCache& compile_cache() override { return *this; }

  Result<std::uint64_t> wait_for_change(std::uint64_t seen, std::chrono::milliseconds timeout,
                                        std::stop_token stop) override;
  Result<StoreStats> stats() override;

 private:
  SqliteStore(std::filesystem::path path, const Options& options, Clock& clock, Database writer,
              Database watcher);

  std::optional<CompileResult> get(const std::string& key) override;
  void put(const std::string& key, const CompileResult& result) override;

  enum class Sync { Normal, Full };  // Full: on disk when the call returns

  /// Runs `body(Database&)`, which returns a Result or Status, as one transaction.
  template <typename Body>
  auto write(Sync sync, Body&& body) -> decltype(body(std::declval<Database&>())) {
    const std::scoped_lock lock(writer_mutex_);
    const std::int64_t changes = writer_.total_changes();
    KW_ASSIGN(Transaction tx, begin(sync));
    auto result = body(writer_);
    if (!result) return result;
    KW_RETURN_IF_ERROR(tx.commit());
    if (writer_.total_changes() != changes) announce();
    return result;
  }
  /// Runs `body(Database&)` on a connection of its own.
  template <typename Body>
  auto read(Body&& body) -> decltype(body(std::declval<Database&>())) {
    KW_ASSIGN(std::unique_ptr<Database> reader, take_reader());
    auto result = body(*reader);
    return_reader(std::move(reader));
    return result;
  }

  Result<bool> add_input(Database& db, const std::string& job, const std::string& id,
                         const std::string& kind, const std::string& payload);
  Result<Transaction> begin(Sync sync);  // holds writer_mutex_
  void announce();
  Result<std::unique_ptr<Database>> take_reader();
  void return_reader(std::unique_ptr<Database> reader);
  std::int64_t now_us() { return clock_.wall_us(); }

  const std::filesystem::path path_;
  const Options options_;
  Clock& clock_;

  std::mutex writer_mutex_;
  Database writer_;           // guarded by writer_mutex_
  Sync sync_ = Sync::Normal;  // of writer_; guarded by writer_mutex_

  std::mutex readers_mutex_;
  std::vector<std::unique_ptr<Database>> idle_readers_;  // guarded by readers_mutex_

  std::mutex watch_mutex_;
  Database watcher_;             // guarded by watch_mutex_
  std::uint64_t announced_ = 0;  // commits of this process; guarded by watch_mutex_
  std::condition_variable_any changed_;
};

}  // namespace kw::store
