// The outbox: claiming, renewing and completing effects.

#include "columns_json.h"
#include "names.h"
#include "sqlite_store.h"

namespace kw::store {

namespace {

struct Claim {
  std::string job;
  EffectState state;
  std::uint64_t token;
};

Result<Claim> claim_of(Database& db, const std::string& id) {
  KW_ASSIGN(Statement row, db.query("SELECT job, state, token FROM effect WHERE id = ?1", id));
  KW_ASSIGN(const bool found, row.step());
  if (!found) return fail(Errc::NotFound, "no effect {}", id);
  Claim claim;
  claim.job = row.text(0);
  KW_ASSIGN(claim.state, effect_state_from(row.text(1)));
  claim.token = row.unsigned_integer(2);
  return claim;
}

/// A lease that ran out stays good until somebody else claims the effect.
Status check_claim(const Claim& claim, const std::string& id, std::uint64_t token) {
  if (claim.state == EffectState::Cancelled) {
    return fail(Errc::Cancelled, "effect {} was cancelled", id);
  }
  if (claim.token != token)
    return fail(Errc::Conflict, "effect {} was claimed by another worker", id);
  if (claim.state != EffectState::Leased) {
    return fail(Errc::Conflict, "effect {} is not claimed but {}", id, to_string(claim.state));
  }
  return {};
}

/// The effect that is next in line, as it would be claimed; nothing when none is due.
Result<std::optional<ClaimedEffect>> next_in_line(Database& db, const ClaimFilter& filter,
                                                  std::int64_t now) {
  KW_ASSIGN(Statement row, db.query(R"sql(
      SELECT id, job, kind, payload, attempt, token FROM effect
      WHERE state IN ('pending', 'leased')
        AND (CASE state WHEN 'pending' THEN due_us ELSE lease_until_us END) <= ?1
        AND (?2 = '[]' OR kind IN (SELECT value FROM json_each(?2)))
        AND (?3 = '' OR job = ?3)
      ORDER BY priority DESC, created_us, job, seq, i LIMIT 1)sql",
                                    now, json_list(filter.kinds), filter.job));
  KW_ASSIGN(const bool found, row.step());
  if (!found) return std::nullopt;
  ClaimedEffect claimed;
  claimed.effect = {row.text(0), row.text(1),         row.text(2),
                    row.text(3), EffectState::Leased, static_cast<int>(row.integer(4)) + 1};
  claimed.token = row.unsigned_integer(5) + 1;
  claimed.until_us = now + std::chrono::microseconds(filter.lease).count();
  return claimed;
}

}  // namespace

Result<std::optional<ClaimedEffect>> SqliteStore::claim_effect(const ClaimFilter& filter) {
  // Idle workers ask often: without the write lock they do not hold up those who work.
  KW_ASSIGN(const auto seen,
            read([&](Database& db) { return next_in_line(db, filter, now_us()); }));
  if (!seen) return std::nullopt;
  return write(Sync::Normal, [&](Database& db) -> Result<std::optional<ClaimedEffect>> {
    KW_ASSIGN(auto claimed, next_in_line(db, filter, now_us()));
    if (!claimed) return std::nullopt;  // another worker was faster
    KW_RETURN_IF_ERROR(db.run(R"sql(
        UPDATE effect SET state = 'leased', attempt = ?2, token = ?3, owner = ?4,
                          lease_until_us = ?5 WHERE id = ?1)sql",
                              claimed->effect.id, claimed->effect.attempt, claimed->token,
                              filter.worker, claimed->until_us));
    return claimed;
  });
}

Result<std::int64_t> SqliteStore::renew(const std::string& id, std::uint64_t token,
                                        std::chrono::milliseconds lease) {
  return write(Sync::Normal, [&](Database& db) -> Result<std::int64_t> {
    KW_ASSIGN(const Claim claim, claim_of(db, id));
    KW_RETURN_IF_ERROR(check_claim(claim, id, token));
    const std::int64_t until = now_us() + std::chrono::microseconds(lease).count();
    KW_RETURN_IF_ERROR(db.run("UPDATE effect SET lease_until_us = ?2 WHERE id = ?1", id, until));
    return until;
  });
}

Status SqliteStore::release_effect(const std::string& id, std::uint64_t token,
                                   std::chrono::milliseconds delay) {
  return write(Sync::Normal, [&](Database& db) -> Status {
    KW_ASSIGN(const Claim claim, claim_of(db, id));
    KW_RETURN_IF_ERROR(check_claim(claim, id, token));
    const std::int64_t due = now_us() + std::chrono::microseconds(delay).count();
    KW_RETURN_IF_ERROR(db.run(
        "UPDATE effect SET state = 'pending', owner = NULL, due_us = ?2 WHERE id = ?1", id, due));
    return {};
  });
}

Result<std::vector<std::string>> SqliteStore::lease_holders(const std::string& job) {
  return read([&](Database& db) -> Result<std::vector<std::string>> {
    KW_ASSIGN(Statement row, db.query(R"sql(
        SELECT decider FROM job WHERE id = ?1 AND decider IS NOT NULL AND decider_until_us > ?2
        UNION
        SELECT owner FROM effect WHERE job = ?1 AND state = 'leased' AND lease_until_us > ?2)sql",
                                      job, now_us()));
    std::vector<std::string> holders;
    for (;;) {
      KW_ASSIGN(const bool more, row.step());
      if (!more) return holders;
      holders.emplace_back(row.text(0));
    }
  });
}

Status SqliteStore::end_leases(const std::string& job, const std::string& worker) {
  return write(Sync::Normal, [&](Database& db) -> Status {
    KW_RETURN_IF_ERROR(db.run(
        "UPDATE job SET decider = NULL, decider_until_us = 0 WHERE id = ?1 AND decider = ?2", job,
        worker));
    KW_RETURN_IF_ERROR(db.run(
        "UPDATE effect SET lease_until_us = 0 WHERE job = ?1 AND owner = ?2 AND state = 'leased'",
        job, worker));
    return {};
  });
}

Result<Completion> SqliteStore::complete_effect(const std::string& id, std::uint64_t token,
                                                const std::string& result) {
  return write(Sync::Normal, [&](Database& db) -> Result<Completion> {
    KW_ASSIGN(const Claim claim, claim_of(db, id));
    if (claim.state == EffectState::Done) return Completion::Duplicate;
    KW_RETURN_IF_ERROR(check_claim(claim, id, token));
    KW_RETURN_IF_ERROR(db.run("UPDATE effect SET state = 'done' WHERE id = ?1", id));
    KW_RETURN_IF_ERROR(add_input(db, claim.job, id, "effect_done", result));
    return Completion::Recorded;
  });
}

Result<std::vector<Effect>> SqliteStore::effects(const EffectFilter& filter) {
  std::vector<std::string> states;
  for (const EffectState state : filter.states) states.emplace_back(to_string(state));
  return read([&](Database& db) -> Result<std::vector<Effect>> {
    const std::string wanted = json_list(states);
    KW_ASSIGN(Statement row, filter.job.empty() ? db.query(R"sql(
        SELECT id, job, kind, payload, state, attempt FROM effect
        WHERE ?1 = '[]' OR state IN (SELECT value FROM json_each(?1))
        ORDER BY created_us, job, seq, i LIMIT ?2)sql",
                                                           wanted, filter.limit)
                                                : db.query(R"sql(
        SELECT id, job, kind, payload, state, attempt FROM effect
        WHERE job = ?3 AND (?1 = '[]' OR state IN (SELECT value FROM json_each(?1)))
        ORDER BY seq, i LIMIT ?2)sql",
                                                           wanted, filter.limit, filter.job));
    std::vector<Effect> effects;
    for (;;) {
      KW_ASSIGN(const bool more, row.step());
      if (!more) return effects;
      Effect& effect = effects.emplace_back();
      effect.id = row.text(0);
      effect.job = row.text(1);
      effect.kind = row.text(2);
      effect.payload = row.text(3);
      KW_ASSIGN(effect.state, effect_state_from(row.text(4)));
      effect.attempt = static_cast<int>(row.integer(5));
    }
  });
}

}  // namespace kw::store
