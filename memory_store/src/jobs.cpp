// Jobs and who may decide for them.

#include "columns_json.h"
#include "names.h"
#include "sqlite_store.h"

namespace kw::store {

namespace {

// Columns in the order job_from() reads them.
#define KW_JOB_COLUMNS                                                                     \
  "id, coalesce(idempotency_key, ''), kind, coalesce(parent, ''), task_key, spec, state, " \
  "summary, last_seq, created_us, updated_us"

#define KW_JOB_FILTER                                                            \
  " WHERE (?1 = '[]' OR state IN (SELECT value FROM json_each(?1)))"             \
  " AND (?2 IS NULL OR coalesce(parent, '') = ?2) AND (?3 IS NULL OR kind = ?3)" \
  " AND (?4 = '' OR id < ?4)"

Result<Job> job_from(const Statement& row) {
  Job job;
  job.id = row.text(0);
  job.idempotency_key = row.text(1);
  job.kind = row.text(2);
  job.parent = row.text(3);
  job.task_key = row.text(4);
  job.spec = row.text(5);
  KW_ASSIGN(job.state, job_state_from(row.text(6)));
  job.summary = row.text(7);
  job.last_seq = row.unsigned_integer(8);
  job.created_us = row.integer(9);
  job.updated_us = row.integer(10);
  return job;
}

Result<std::optional<Job>> one_job(Result<Statement> query) {
  if (!query) return tl::unexpected<Error>(query.error());
  KW_ASSIGN(const bool found, query->step());
  if (!found) return std::nullopt;
  KW_ASSIGN(Job job, job_from(*query));
  return job;
}

Result<std::optional<Job>> find_job(Database& db, const std::string& id) {
  return one_job(db.query("SELECT " KW_JOB_COLUMNS " FROM job WHERE id = ?1", id));
}

std::optional<std::string> null_if_empty(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return text;
}

struct DeciderRow {
  JobState state;
  std::string worker;
  std::int64_t until_us;
  std::uint64_t token;
};

Result<DeciderRow> decider_of(Database& db, const std::string& job) {
  KW_ASSIGN(Statement row, db.query("SELECT state, coalesce(decider, ''), decider_until_us, "
                                    "decider_token FROM job WHERE id = ?1",
                                    job));
  KW_ASSIGN(const bool found, row.step());
  if (!found) return fail(Errc::NotFound, "no job {}", job);
  DeciderRow decider;
  KW_ASSIGN(decider.state, job_state_from(row.text(0)));
  decider.worker = row.text(1);
  decider.until_us = row.integer(2);
  decider.token = row.unsigned_integer(3);
  return decider;
}

}  // namespace

Result<CreatedJob> SqliteStore::create_job(const NewJob& job) {
  return write(Sync::Full, [&](Database& db) -> Result<CreatedJob> {
    if (!job.idempotency_key.empty()) {
      KW_ASSIGN(auto known,
                one_job(db.query("SELECT " KW_JOB_COLUMNS " FROM job WHERE idempotency_key = ?1",
                                 job.idempotency_key)));
      if (known) {
        if (known->kind != job.kind || known->spec != job.spec) {
          return fail(Errc::Conflict,
                      "idempotency key \"{}\" was used for job {}, which asked for something else",
                      job.idempotency_key, known->id);
        }
        return CreatedJob{std::move(*known), false};
      }
    }
    const std::string id = make_job_id(clock_);
    const std::int64_t now = now_us();
    KW_RETURN_IF_ERROR(db.run(R"sql(
        INSERT INTO job(id, idempotency_key, kind, parent, task_key, spec, state, summary,
                        created_us, updated_us)
        VALUES(?1, ?2, ?3, ?4, ?5, ?6, 'queued', '{}', ?7, ?7))sql",
                              id, null_if_empty(job.idempotency_key), job.kind,
                              null_if_empty(job.parent), job.task_key, job.spec, now));
    KW_ASSIGN(auto created, find_job(db, id));
    return CreatedJob{std::move(*created), true};
  });
}

Result<Job> SqliteStore::job(const std::string& id) {
  return read([&](Database& db) -> Result<Job> {
    KW_ASSIGN(auto found, find_job(db, id));
    if (!found) return fail(Errc::NotFound, "no job {}", id);
    return std::move(*found);
  });
}

Result<std::vector<Job>> SqliteStore::jobs(const JobFilter& filter) {
  std::vector<std::string> states;
  for (const JobState state : filter.states) states.emplace_back(to_string(state));
  return read([&](Database& db) -> Result<std::vector<Job>> {
    const std::string wanted = json_list(states);
    KW_ASSIGN(
        Statement row,
        filter.needs_decider
            ? db.query("SELECT " KW_JOB_COLUMNS " FROM job" KW_JOB_FILTER
                       " AND state IN ('queued', 'running') AND decider_until_us <= ?6"
                       " ORDER BY id DESC LIMIT ?5",
                       wanted, filter.parent, filter.kind, filter.before, filter.limit, now_us())
            : db.query("SELECT " KW_JOB_COLUMNS " FROM job" KW_JOB_FILTER
                       " ORDER BY id DESC LIMIT ?5",
                       wanted, filter.parent, filter.kind, filter.before, filter.limit));
    std::vector<Job> jobs;
    for (;;) {
      KW_ASSIGN(const bool more, row.step());
      if (!more) return jobs;
      KW_ASSIGN(Job job, job_from(row));
      jobs.push_back(std::move(job));
    }
  });
}

Result<DeciderLease> SqliteStore::acquire_decider(const std::string& job, const std::string& worker,
                                                  std::chrono::milliseconds lease) {
  return write(Sync::Normal, [&](Database& db) -> Result<DeciderLease> {
    KW_ASSIGN(const DeciderRow decider, decider_of(db, job));
    if (is_final(decider.state)) {
      return fail(Errc::Cancelled, "job {} is {}", job, to_string(decider.state));
    }
    const std::int64_t now = now_us();
    if (decider.until_us > now && decider.worker != worker) {
      return fail(Errc::Conflict, "job {} is being decided by {}", job, decider.worker);
    }
    const DeciderLease granted{decider.token + 1, now + std::chrono::microseconds(lease).count()};
    KW_RETURN_IF_ERROR(db.run(
        "UPDATE job SET decider = ?2, decider_until_us = ?3, decider_token = ?4 WHERE id = ?1", job,
        worker, granted.until_us, granted.token));
    return granted;
  });
}

Result<DeciderLease> SqliteStore::renew_decider(const std::string& job, std::uint64_t token,
                                                std::chrono::milliseconds lease) {
  return write(Sync::Normal, [&](Database& db) -> Result<DeciderLease> {
    KW_ASSIGN(const DeciderRow decider, decider_of(db, job));
    if (decider.token != token) {
      return fail(Errc::Conflict, "job {} is being decided by {} now", job, decider.worker);
    }
    const DeciderLease renewed{token, now_us() + std::chrono::microseconds(lease).count()};
    KW_RETURN_IF_ERROR(
        db.run("UPDATE job SET decider_until_us = ?2 WHERE id = ?1", job, renewed.until_us));
    return renewed;
  });
}

Status SqliteStore::release_decider(const std::string& job, std::uint64_t token) {
  return write(Sync::Normal, [&](Database& db) -> Status {
    KW_RETURN_IF_ERROR(db.run(
        "UPDATE job SET decider = NULL, decider_until_us = 0 WHERE id = ?1 AND decider_token = ?2",
        job, token));
    return {};
  });
}

}  // namespace kw::store
