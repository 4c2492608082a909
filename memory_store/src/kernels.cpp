// Tasks, candidates, verdicts and timings: facts, recorded once and never changed.

#include <cmath>

#include "columns_json.h"
#include "rows.h"
#include "sqlite_store.h"

namespace kw::store {

namespace {

constexpr std::size_t kMaxTaskDocument = 16u << 20;

Status check_finite(const Timing& timing, const std::string& id) {
  for (const double figure : {timing.median_us, timing.min_us, timing.spread_us, timing.setup_us,
                              timing.floor_us, timing.achieved_gbps}) {
    if (!std::isfinite(figure))
      return fail(Errc::InvalidArgument, "timing {}: a figure is not finite", id);
  }
  return {};
}

const Evidence& evidence_of(const Outcome& outcome) {
  if (const auto* passed = std::get_if<Passed>(&outcome)) return passed->evidence;
  return std::get<Rejected>(outcome).evidence;
}

std::string_view kind_of(const Outcome& outcome) {
  if (const auto* rejected = std::get_if<Rejected>(&outcome)) return to_string(rejected->kind);
  return "passed";
}

/// Being unable to judge says nothing against a candidate.
bool refutes(const Outcome& outcome) {
  const auto* rejected = std::get_if<Rejected>(&outcome);
  return rejected != nullptr && rejected->kind != RejectKind::NotVerifiable;
}

}  // namespace

Status SqliteStore::record_task(const TaskRecord& task) {
  if (task.keys.shape.empty() || task.keys.semantic.empty()) {
    return fail(Errc::InvalidArgument, "a task needs its keys");
  }
  if (task.document.size() > kMaxTaskDocument) {
    return fail(Errc::ResourceExhausted, "task {}: {} bytes are too many to remember", task.name,
                task.document.size());
  }
  return write(Sync::Normal, [&](Database& db) -> Status {
    KW_RETURN_IF_ERROR(db.run(R"sql(
        INSERT INTO task(shape, semantic, name, extents, document, time_us)
        VALUES(?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT(shape) DO UPDATE SET
          name = CASE name WHEN '' THEN excluded.name ELSE name END,
          extents = CASE extents WHEN '[]' THEN excluded.extents ELSE extents END,
          document = CASE document WHEN '' THEN excluded.document ELSE document END
        WHERE name = '' OR extents = '[]' OR document = '')sql",
                              task.keys.shape, task.keys.semantic, task.name,
                              extents_text(task.extents), task.document, now_us()));
    return {};
  });
}

Result<std::optional<TaskRecord>> SqliteStore::task(const std::string& task_key) {
  return read([&](Database& db) -> Result<std::optional<TaskRecord>> {
    KW_ASSIGN(
        Statement row,
        db.query("SELECT semantic, name, extents, document FROM task WHERE shape = ?1", task_key));
    KW_ASSIGN(const bool found, row.step());
    if (!found) return std::nullopt;
    TaskRecord task;
    task.keys.shape = task_key;
    task.keys.semantic = row.text(0);
    task.name = row.text(1);
    KW_ASSIGN(task.extents, extents_from(row.text(2)));
    task.document = row.text(3);
    return task;
  });
}

Result<std::string> SqliteStore::record_candidate(const Candidate& candidate,
                                                  const std::string& task_key) {
  if (candidate.source.size() > kMaxSourceBytes) {
    return fail(Errc::ResourceExhausted, "a candidate's source has {} bytes, {} are allowed",
                candidate.source.size(), kMaxSourceBytes);
  }
  const std::string id = candidate_id(candidate);
  return write(Sync::Normal, [&](Database& db) -> Result<std::string> {
    KW_RETURN_IF_ERROR(db.run(R"sql(
        INSERT INTO candidate(id, document, proposer, generator, parent, time_us)
        VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(id) DO NOTHING)sql",
                              id, to_json(candidate), to_string(candidate.proposer),
                              candidate.generator, candidate.parent, now_us()));
    KW_RETURN_IF_ERROR(db.run(
        "INSERT INTO candidate_task(candidate, task_key) VALUES(?1, ?2) ON CONFLICT DO NOTHING", id,
        task_key));
    return id;
  });
}

Result<std::optional<Candidate>> SqliteStore::candidate(const std::string& id) {
  return read([&](Database& db) -> Result<std::optional<Candidate>> {
    KW_ASSIGN(Statement row, db.query("SELECT document FROM candidate WHERE id = ?1", id));
    KW_ASSIGN(const bool found, row.step());
    if (!found) return std::nullopt;
    auto candidate = parse_candidate(row.text(0));
    if (!candidate) return wrap(candidate.error(), fmt::format("stored candidate {}", id));
    return std::move(*candidate);
  });
}

Result<bool> SqliteStore::record_verdict(const VerdictRecord& verdict) {
  const Evidence& evidence = evidence_of(verdict.outcome);
  if (evidence.device.klass.empty() || evidence.judge_version.empty()) {
    return fail(Errc::InvalidArgument, "verdict {}: it does not say which device and judge",
                verdict.id);
  }
  return write(Sync::Full, [&](Database& db) -> Result<bool> {
    KW_ASSIGN(
        const std::int64_t added,
        db.run(R"sql(
        INSERT INTO verdict(id, candidate, task_key, job, judge, policy, class, device, uuid,
                            driver, arch, seed, complete, passed, refutes, kind, outcome, time_us)
        VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
        ON CONFLICT(id) DO NOTHING)sql",
               verdict.id, verdict.candidate, verdict.task_key, verdict.job, evidence.judge_version,
               verdict.policy, evidence.device.klass, evidence.device.name, evidence.device.uuid,
               evidence.device.driver, evidence.device.arch, verdict.seed, verdict.full,
               passed(verdict.outcome), refutes(verdict.outcome), kind_of(verdict.outcome),
               to_json(verdict.outcome), now_us()));
    return added == 1;
  });
}

Result<std::vector<VerdictRecord>> SqliteStore::verdicts(const std::string& candidate) {
  return read([&](Database& db) -> Result<std::vector<VerdictRecord>> {
    KW_ASSIGN(Statement row, db.query("SELECT id, task_key, job, policy, seed, complete, outcome, "
                                      "time_us FROM verdict WHERE candidate = ?1 ORDER BY n",
                                      candidate));
    std::vector<VerdictRecord> verdicts;
    for (;;) {
      KW_ASSIGN(const bool more, row.step());
      if (!more) return verdicts;
      VerdictRecord& verdict = verdicts.emplace_back();
      verdict.id = row.text(0);
      verdict.candidate = candidate;
      verdict.task_key = row.text(1);
      verdict.job = row.text(2);
      verdict.policy = row.text(3);
      verdict.seed = row.unsigned_integer(4);
      verdict.full = row.boolean(5);
      auto outcome = parse_outcome(row.text(6));
      if (!outcome) return wrap(outcome.error(), fmt::format("stored verdict {}", verdict.id));
      verdict.outcome = std::move(*outcome);
      verdict.time_us = row.integer(7);
    }
  });
}

Result<bool> SqliteStore::record_timing(const TimingRecord& record) {
  KW_RETURN_IF_ERROR(check_finite(record.timing, record.id));
  const DeviceIdentity& device = record.device;
  const Timing& timing = record.timing;
  return write(Sync::Normal, [&](Database& db) -> Result<bool> {
    KW_ASSIGN(const std::int64_t added,
              db.run(R"sql(
        INSERT INTO timing(id, candidate, task_key, class, device, uuid, driver, arch, protocol,
                           median_us, min_us, spread_us, samples, setup_us, floor_us,
                           achieved_gbps, time_us)
        VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
        ON CONFLICT(id) DO NOTHING)sql",
                     record.id, record.candidate, record.task_key, device.klass, device.name,
                     device.uuid, device.driver, device.arch, timing.protocol, timing.median_us,
                     timing.min_us, timing.spread_us, timing.samples, timing.setup_us,
                     timing.floor_us, timing.achieved_gbps, now_us()));
    return added == 1;
  });
}

Result<std::vector<TimingRecord>> SqliteStore::timings(const std::string& candidate) {
  return read([&](Database& db) -> Result<std::vector<TimingRecord>> {
    KW_ASSIGN(Statement row, db.query(R"sql(
        SELECT id, task_key, class, device, uuid, driver, arch, median_us, min_us, spread_us,
               samples, setup_us, floor_us, achieved_gbps, protocol, time_us
        FROM timing WHERE candidate = ?1 ORDER BY n)sql",
                                      candidate));
    std::vector<TimingRecord> timings;
    for (;;) {
      KW_ASSIGN(const bool more, row.step());
      if (!more) return timings;
      TimingRecord& record = timings.emplace_back();
      record.id = row.text(0);
      record.candidate = candidate;
      record.task_key = row.text(1);
      record.device = device_from(row, 2);
      record.timing = timing_from(row, 7);
      record.time_us = row.integer(15);
    }
  });
}

}  // namespace kw::store
