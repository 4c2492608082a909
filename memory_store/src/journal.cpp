// Events, and the append that makes one step of a job atomic.

#include <algorithm>
#include <limits>

#include "kw/core/sha256.h"
#include "names.h"
#include "sqlite_store.h"

namespace kw::store {

namespace {

/// SQLite counts in signed 64 bits.
std::int64_t row_limit(std::size_t limit) {
  constexpr auto kMost = static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max());
  return static_cast<std::int64_t>(std::min(limit, kMost));
}

struct Head {
  JobState state;
  std::uint64_t last_seq;
  std::uint64_t token;
};

Result<Head> head_of(Database& db, const std::string& job) {
  KW_ASSIGN(Statement row,
            db.query("SELECT state, last_seq, decider_token FROM job WHERE id = ?1", job));
  KW_ASSIGN(const bool found, row.step());
  if (!found) return fail(Errc::NotFound, "no job {}", job);
  Head head;
  KW_ASSIGN(head.state, job_state_from(row.text(0)));
  head.last_seq = row.unsigned_integer(1);
  head.token = row.unsigned_integer(2);
  return head;
}

Status check_step(const Append& step, const Head& head) {
  if (step.events.empty()) {
    return fail(Errc::InvalidArgument, "job {}: an append needs an event", step.job);
  }
  if (step.state && is_final(*step.state) && !step.effects.empty()) {
    return fail(Errc::InvalidArgument, "job {}: a final step asks for more work", step.job);
  }
  if (is_final(head.state)) {
    return fail(Errc::Cancelled, "job {} is {}", step.job, to_string(head.state));
  }
  if (step.token != head.token) {
    return fail(Errc::Conflict, "job {}: fencing token {} is outdated, {} decides now", step.job,
                step.token, head.token);
  }
  if (step.expected_seq != head.last_seq) {
    return fail(Errc::Conflict, "job {}: decided after event {}, but {} is there", step.job,
                step.expected_seq, head.last_seq);
  }
  return {};
}

Status insert_events(Database& db, const Append& step, std::int64_t now) {
  std::uint64_t seq = step.expected_seq;
  for (const NewEvent& event : step.events) {
    KW_RETURN_IF_ERROR(db.run(
        "INSERT INTO event(job, seq, type, v, payload, time_us) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
        step.job, ++seq, event.type, event.version, event.payload, now));
  }
  return {};
}

Result<std::vector<std::string>> insert_effects(Database& db, const Append& step, std::uint64_t seq,
                                                std::int64_t now) {
  std::vector<std::string> ids;
  for (const NewEffect& effect : step.effects) {
    const std::size_t i = ids.size();
    ids.push_back(effect_id(step.job, seq, i));
    KW_RETURN_IF_ERROR(db.run(R"sql(
        INSERT INTO effect(id, job, seq, i, kind, payload, priority, state, due_us, created_us)
        VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, 'pending', ?8, ?9))sql",
                              ids.back(), step.job, seq, i, effect.kind, effect.payload,
                              effect.priority, now + effect.delay.count(), now));
  }
  return ids;
}

Status consume_inputs(Database& db, const Append& step, std::uint64_t seq) {
  for (const std::uint64_t n : step.consumed) {
    KW_ASSIGN(
        const std::int64_t changed,
        db.run(
            "UPDATE input SET consumed_seq = ?3 WHERE job = ?1 AND n = ?2 AND consumed_seq IS NULL",
            step.job, n, seq));
    if (changed != 1) {
      return fail(Errc::Conflict, "job {}: input {} is not there, or was dealt with before",
                  step.job, n);
    }
  }
  return {};
}

Status cancel_named(Database& db, const Append& step) {
  for (const std::string& id : step.cancel) {
    KW_RETURN_IF_ERROR(
        db.run("UPDATE effect SET state = 'cancelled' WHERE id = ?1 AND job = ?2 AND state IN "
               "('pending', 'leased')",
               id, step.job));
  }
  return {};
}

Result<std::int64_t> cancel_open(Database& db, const std::string& job) {
  return db.run(
      "UPDATE effect SET state = 'cancelled' WHERE job = ?1 AND state IN ('pending', 'leased')",
      job);
}

Status update_head(Database& db, const Append& step, std::uint64_t seq, std::int64_t now) {
  std::optional<std::string> state;
  if (step.state) state = std::string(to_string(*step.state));
  KW_RETURN_IF_ERROR(db.run(R"sql(
      UPDATE job SET last_seq = ?2, updated_us = ?3, state = coalesce(?4, state),
                     summary = coalesce(?5, summary) WHERE id = ?1)sql",
                            step.job, seq, now, state, step.summary));
  return {};
}

}  // namespace

std::string effect_id(std::string_view job, std::uint64_t seq, std::size_t i) {
  return content_id("kw:effect:v1", fmt::format("{} {} {}", job, seq, i));
}

Result<Appended> SqliteStore::append(const Append& step) {
  const Sync sync = step.durable ? Sync::Full : Sync::Normal;
  return write(sync, [&](Database& db) -> Result<Appended> {
    KW_ASSIGN(const Head head, head_of(db, step.job));
    KW_RETURN_IF_ERROR(check_step(step, head));
    const std::int64_t now = now_us();
    Appended appended;
    appended.last_seq = head.last_seq + step.events.size();
    KW_RETURN_IF_ERROR(insert_events(db, step, now));
    KW_RETURN_IF_ERROR(consume_inputs(db, step, appended.last_seq));
    KW_RETURN_IF_ERROR(cancel_named(db, step));
    KW_ASSIGN(appended.effect_ids, insert_effects(db, step, appended.last_seq, now));
    if (step.state && is_final(*step.state)) KW_RETURN_IF_ERROR(cancel_open(db, step.job));
    KW_RETURN_IF_ERROR(update_head(db, step, appended.last_seq, now));
    return appended;
  });
}

Result<std::vector<Event>> SqliteStore::events(const std::string& job, std::uint64_t after,
                                               std::size_t limit) {
  return read([&](Database& db) -> Result<std::vector<Event>> {
    KW_ASSIGN(Statement row, db.query("SELECT seq, type, v, payload, time_us FROM event WHERE job "
                                      "= ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
                                      job, after, row_limit(limit)));
    std::vector<Event> events;
    for (;;) {
      KW_ASSIGN(const bool more, row.step());
      if (!more) return events;
      Event& event = events.emplace_back();
      event.job = job;
      event.seq = row.unsigned_integer(0);
      event.type = row.text(1);
      event.version = static_cast<int>(row.integer(2));
      event.payload = row.text(3);
      event.time_us = row.integer(4);
    }
  });
}

Result<bool> SqliteStore::post_input(const std::string& job, const std::string& id,
                                     const std::string& kind, const std::string& payload) {
  return write(Sync::Full, [&](Database& db) -> Result<bool> {
    KW_ASSIGN(const Head head, head_of(db, job));
    if (is_final(head.state)) {
      return fail(Errc::Cancelled, "job {} is {}", job, to_string(head.state));
    }
    KW_ASSIGN(const bool added, add_input(db, job, id, kind, payload));
    return added;
  });
}

Result<bool> SqliteStore::add_input(Database& db, const std::string& job, const std::string& id,
                                    const std::string& kind, const std::string& payload) {
  KW_ASSIGN(const std::int64_t added, db.run(R"sql(
      INSERT INTO input(job, n, id, kind, payload, time_us)
      SELECT ?1, (SELECT coalesce(max(n), 0) + 1 FROM input WHERE job = ?1), ?2, ?3, ?4, ?5
      WHERE true ON CONFLICT(job, id) DO NOTHING)sql",
                                             job, id, kind, payload, now_us()));
  return added == 1;
}

Result<std::vector<Input>> SqliteStore::inputs(const std::string& job) {
  return read([&](Database& db) -> Result<std::vector<Input>> {
    KW_ASSIGN(Statement row, db.query("SELECT n, id, kind, payload, time_us FROM input WHERE job = "
                                      "?1 AND consumed_seq IS NULL ORDER BY n",
                                      job));
    std::vector<Input> inputs;
    for (;;) {
      KW_ASSIGN(const bool more, row.step());
      if (!more) return inputs;
      Input& input = inputs.emplace_back();
      input.n = row.unsigned_integer(0);
      input.id = row.text(1);
      input.kind = row.text(2);
      input.payload = row.text(3);
      input.time_us = row.integer(4);
    }
  });
}

Result<std::size_t> SqliteStore::cancel_effects(const std::string& job) {
  return write(Sync::Normal, [&](Database& db) -> Result<std::size_t> {
    KW_RETURN_IF_ERROR(head_of(db, job));
    KW_ASSIGN(const std::int64_t cancelled, cancel_open(db, job));
    return static_cast<std::size_t>(cancelled);
  });
}

}  // namespace kw::store
