// What is derived from the facts: the best known kernel, the registry, and what is worth tuning.

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <tuple>

#include "columns_json.h"
#include "rows.h"
#include "sqlite_store.h"

namespace kw::store {

namespace {

constexpr std::size_t kMaxConsidered = 4096;

bool same_instance(Match match) {
  return match == Match::SameDevice || match == Match::SameArch || match == Match::OtherArch;
}

Match match_of(const BestQuery& query, const Known& known) {
  const bool same_arch = known.device.arch == query.arch;
  if (known.task_key != query.keys.shape) {
    return same_arch ? Match::NearestShape : Match::NearestElsewhere;
  }
  const bool same_device = !query.device_uuid.empty() && known.device.uuid == query.device_uuid;
  if (same_device) return Match::SameDevice;
  return same_arch ? Match::SameArch : Match::OtherArch;
}

double distance_between(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
  constexpr double kUnknown = std::numeric_limits<double>::infinity();
  if (a.empty() || a.size() != b.size()) return kUnknown;
  double distance = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] <= 0 || b[i] <= 0) return kUnknown;
    distance += std::abs(std::log2(static_cast<double>(a[i]) / static_cast<double>(b[i])));
  }
  return distance;
}

double median_of(const Known& known) {
  return known.timing ? known.timing->median_us : std::numeric_limits<double>::infinity();
}

/// Other shapes are ordered by nearness first; the same instance by speed.
auto rank_of(const Known& known) {
  return std::tuple(known.match, known.distance, median_of(known),
                    std::string_view(known.candidate_id));
}

/// The newest timing, on the asked device if there is one, else on its architecture.
Status add_timing(Database& db, const BestQuery& query, Known& known) {
  KW_ASSIGN(Statement row, db.query(R"sql(
      SELECT median_us, min_us, spread_us, samples, setup_us, floor_us, achieved_gbps, protocol,
             uuid
      FROM timing
      WHERE candidate = ?1 AND task_key = ?2 AND class = ?3 AND (?4 = '' OR protocol = ?4)
      ORDER BY (uuid = ?5 AND uuid <> '') DESC, (arch = ?6) DESC, n DESC LIMIT 1)sql",
                                    known.candidate_id, known.task_key, query.device_class,
                                    query.protocol, query.device_uuid, query.arch));
  KW_ASSIGN(const bool found, row.step());
  if (!found) return {};
  known.timing = timing_from(row, 0);
  const bool here = !query.device_uuid.empty() && row.text(8) == query.device_uuid;
  if (here && same_instance(known.match)) known.match = Match::SameDevice;
  return {};
}

/// Every standing pass of the semantic key, this instance first.
Result<std::vector<Known>> passes_for(Database& db, const BestQuery& query) {
  KW_ASSIGN(Statement row, db.query(R"sql(
      SELECT p.candidate, p.task_key, t.extents, p.class, p.device, p.uuid, p.driver, p.arch
      FROM task t JOIN standing p ON p.task_key = t.shape
      WHERE t.semantic = ?1 AND p.class = ?3 AND NOT EXISTS(
        SELECT 1 FROM verdict r
        WHERE r.candidate = p.candidate AND r.task_key = p.task_key AND r.class = p.class
          AND r.arch = ?4 AND r.refutes = 1 AND (r.n > p.n OR r.judge = p.judge))
      ORDER BY t.shape = ?2 DESC, p.n DESC LIMIT ?5)sql",
                                    query.keys.semantic, query.keys.shape, query.device_class,
                                    query.arch, kMaxConsidered));
  std::vector<Known> passes;
  for (;;) {
    KW_ASSIGN(const bool more, row.step());
    if (!more) return passes;
    Known& known = passes.emplace_back();
    known.candidate_id = row.text(0);
    known.task_key = row.text(1);
    known.device = device_from(row, 3);
    known.match = match_of(query, known);
    if (!same_instance(known.match)) {
      KW_ASSIGN(const std::vector<std::int64_t> extents, extents_from(row.text(2)));
      known.distance = distance_between(extents, query.extents);
    }
    KW_RETURN_IF_ERROR(add_timing(db, query, known));
  }
}

Status load_candidate(Database& db, Known& known) {
  KW_ASSIGN(Statement row,
            db.query("SELECT document FROM candidate WHERE id = ?1", known.candidate_id));
  KW_RETURN_IF_ERROR(row.step());
  auto candidate = parse_candidate(row.text(0));
  if (!candidate)
    return wrap(candidate.error(), fmt::format("stored candidate {}", known.candidate_id));
  known.candidate = std::move(*candidate);
  return {};
}

// The newest timing of each candidate on each device, joined with the passes that stand there,
// fastest first within a task and device (k = 1 is the best). ?1 is the device class.
#define KW_RANKED                                                                      \
  "WITH newest AS (SELECT *, row_number() OVER "                                       \
  "  (PARTITION BY candidate, task_key, uuid ORDER BY n DESC) AS age FROM timing),"    \
  " ranked AS (SELECT s.*, t.median_us, t.min_us, t.spread_us, t.samples, t.setup_us," \
  "  t.floor_us, t.achieved_gbps, t.protocol, t.time_us AS timed_us,"                  \
  "  row_number() OVER (PARTITION BY s.task_key, s.uuid, s.arch"                       \
  "   ORDER BY t.median_us IS NULL, t.median_us, s.n DESC) AS k"                       \
  "  FROM standing s LEFT JOIN newest t ON t.age = 1 AND t.candidate = s.candidate"    \
  "   AND t.task_key = s.task_key AND t.class = s.class AND t.uuid = s.uuid"           \
  "  WHERE s.class = ?1) "

}  // namespace

std::string_view to_string(Match match) noexcept {
  switch (match) {
    case Match::SameDevice:
      return "same_device";
    case Match::SameArch:
      return "same_arch";
    case Match::OtherArch:
      return "other_arch";
    case Match::NearestShape:
      return "nearest_shape";
    case Match::NearestElsewhere:
      return "nearest_elsewhere";
  }
  return "";
}

Result<std::vector<Known>> SqliteStore::best_for(const BestQuery& query) {
  return read([&](Database& db) -> Result<std::vector<Known>> {
    KW_ASSIGN(std::vector<Known> passes, passes_for(db, query));
    std::sort(passes.begin(), passes.end(),
              [](const Known& a, const Known& b) { return rank_of(a) < rank_of(b); });
    std::vector<Known> best;
    std::set<std::string> seen;
    for (Known& known : passes) {
      if (best.size() == query.limit) break;
      if (!seen.insert(known.candidate_id).second) continue;  // a worse match of the same candidate
      KW_RETURN_IF_ERROR(load_candidate(db, known));
      best.push_back(std::move(known));
    }
    return best;
  });
}

Result<std::vector<RegistryEntry>> SqliteStore::registry(const std::string& device_class,
                                                         std::size_t limit) {
  return read([&](Database& db) -> Result<std::vector<RegistryEntry>> {
    KW_ASSIGN(Statement row, db.query(KW_RANKED R"sql(
        SELECT r.task_key, t.semantic, t.name, r.candidate, c.generator, c.proposer, r.class,
               r.device, r.uuid, r.driver, r.arch, r.median_us, r.min_us, r.spread_us, r.samples,
               r.setup_us, r.floor_us, r.achieved_gbps, r.protocol, r.time_us
        FROM ranked r JOIN task t ON t.shape = r.task_key JOIN candidate c ON c.id = r.candidate
        WHERE r.k = 1 ORDER BY r.n DESC LIMIT ?2)sql",
                                      device_class, limit));
    std::vector<RegistryEntry> entries;
    for (;;) {
      KW_ASSIGN(const bool more, row.step());
      if (!more) return entries;
      RegistryEntry& entry = entries.emplace_back();
      entry.keys.shape = row.text(0);
      entry.keys.semantic = row.text(1);
      entry.task_name = row.text(2);
      entry.candidate_id = row.text(3);
      entry.generator = row.text(4);
      entry.proposer = parse_proposer_kind(row.text(5)).value_or(ProposerKind::User);
      entry.device = device_from(row, 6);
      if (!row.is_null(11)) entry.timing = timing_from(row, 11);
      entry.time_us = row.integer(19);
    }
  });
}

Result<std::vector<Worth>> SqliteStore::worth_most(const std::string& device_uuid,
                                                   std::size_t limit) {
  return read([&](Database& db) -> Result<std::vector<Worth>> {
    KW_ASSIGN(Statement row, db.query(KW_RANKED R"sql(
        , weighed AS (
          SELECT r.*, t.semantic, t.name, t.document,
            max(1, (SELECT count(*) FROM job j
                    WHERE j.task_key = r.task_key AND j.task_key <> '' AND j.kind <> 'tune'))
              AS asked,
            (SELECT count(*) FROM job j
             WHERE j.task_key = r.task_key AND j.task_key <> '' AND j.kind = 'tune'
               AND j.created_us >= r.timed_us) AS tried
          FROM ranked r JOIN task t ON t.shape = r.task_key
          WHERE r.k = 1 AND r.uuid = ?2 AND r.median_us > r.floor_us AND t.document <> '')
        SELECT task_key, semantic, name, document, candidate, median_us, min_us, spread_us, samples,
               setup_us, floor_us, achieved_gbps, protocol, asked, tried,
               (median_us - floor_us) * asked AS worth
        FROM weighed ORDER BY worth / (1 + tried) DESC, task_key LIMIT ?3)sql",
                                      "cuda", device_uuid, limit));
    std::vector<Worth> worths;
    for (;;) {
      KW_ASSIGN(const bool more, row.step());
      if (!more) return worths;
      Worth& worth = worths.emplace_back();
      worth.keys.shape = row.text(0);
      worth.keys.semantic = row.text(1);
      worth.task_name = row.text(2);
      worth.document = row.text(3);
      worth.candidate_id = row.text(4);
      worth.timing = timing_from(row, 5);
      worth.asked = row.integer(13);
      worth.tried = row.integer(14);
      worth.worth_us = row.real(15);
    }
  });
}

}  // namespace kw::store
