#include "schema.h"

#include <array>

namespace kw::store {

namespace {

// "KWst" in the file's header: tells a store from any other SQLite file.
constexpr std::int64_t kApplicationId = 0x4b577374;

constexpr Sql kStep1 = R"sql(
PRAGMA application_id = 0x4b577374;

CREATE TABLE meta(
  key TEXT PRIMARY KEY, value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Jobs -------------------------------------------------------------------------------------------

CREATE TABLE job(
  id TEXT PRIMARY KEY,
  idempotency_key TEXT UNIQUE,
  kind TEXT NOT NULL,
  parent TEXT REFERENCES job(id),
  task_key TEXT NOT NULL,
  spec TEXT NOT NULL
    CONSTRAINT job_spec_is_a_json_object
    CHECK(CASE WHEN json_valid(spec) THEN json_type(spec) = 'object' ELSE 0 END),
  state TEXT NOT NULL CHECK(state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
  summary TEXT NOT NULL
    CONSTRAINT job_summary_is_a_json_object
    CHECK(CASE WHEN json_valid(summary) THEN json_type(summary) = 'object' ELSE 0 END),
  last_seq INTEGER NOT NULL DEFAULT 0,
  decider TEXT,
  decider_until_us INTEGER NOT NULL DEFAULT 0,
  decider_token INTEGER NOT NULL DEFAULT 0,
  created_us INTEGER NOT NULL,
  updated_us INTEGER NOT NULL
) STRICT;
CREATE INDEX job_parent ON job(parent, id) WHERE parent IS NOT NULL;
CREATE INDEX job_task ON job(task_key, kind) WHERE task_key <> '';
CREATE INDEX job_open ON job(id) WHERE state IN ('queued', 'running');

CREATE TABLE event(
  job TEXT NOT NULL REFERENCES job(id),
  seq INTEGER NOT NULL,
  type TEXT NOT NULL,
  v INTEGER NOT NULL,
  payload TEXT NOT NULL
    CONSTRAINT event_payload_is_a_json_object
    CHECK(CASE WHEN json_valid(payload) THEN json_type(payload) = 'object' ELSE 0 END),
  time_us INTEGER NOT NULL,
  PRIMARY KEY(job, seq)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER event_is_final BEFORE UPDATE ON event
  BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;

CREATE TABLE effect(
  id TEXT PRIMARY KEY,
  job TEXT NOT NULL REFERENCES job(id),
  seq INTEGER NOT NULL,
  i INTEGER NOT NULL,
  kind TEXT NOT NULL,
  payload TEXT NOT NULL
    CONSTRAINT effect_payload_is_a_json_object
    CHECK(CASE WHEN json_valid(payload) THEN json_type(payload) = 'object' ELSE 0 END),
  priority INTEGER NOT NULL,
  state TEXT NOT NULL CHECK(state IN ('pending', 'leased', 'done', 'cancelled')),
  attempt INTEGER NOT NULL DEFAULT 0,
  owner TEXT,
  lease_until_us INTEGER NOT NULL DEFAULT 0,
  token INTEGER NOT NULL DEFAULT 0,
  due_us INTEGER NOT NULL,
  created_us INTEGER NOT NULL,
  UNIQUE(job, seq, i)
) STRICT;
-- In the order of claiming; the other columns let a claim pass over an effect without reading it.
CREATE INDEX effect_open ON effect(
    priority DESC, created_us, job, seq, i, kind, state, due_us, lease_until_us)
  WHERE state IN ('pending', 'leased');

CREATE TABLE input(
  job TEXT NOT NULL REFERENCES job(id),
  n INTEGER NOT NULL,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  payload TEXT NOT NULL
    CONSTRAINT input_payload_is_a_json_object
    CHECK(CASE WHEN json_valid(payload) THEN json_type(payload) = 'object' ELSE 0 END),
  time_us INTEGER NOT NULL,
  consumed_seq INTEGER,
  PRIMARY KEY(job, n),
  UNIQUE(job, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX input_open ON input(job, n) WHERE consumed_seq IS NULL;

CREATE TABLE request(
  id TEXT PRIMARY KEY,
  job TEXT NOT NULL,
  model TEXT NOT NULL,
  body_hash TEXT NOT NULL,
  body TEXT NOT NULL,
  state TEXT NOT NULL CHECK(state IN ('sent', 'refused', 'answered')),
  sends INTEGER NOT NULL,
  possibly_charged INTEGER NOT NULL,
  refusal TEXT NOT NULL DEFAULT '',
  sent_us INTEGER NOT NULL,
  answered_us INTEGER,
  status INTEGER,
  answer TEXT,
  input_tokens INTEGER,
  output_tokens INTEGER,
  first_byte_us INTEGER,
  total_us INTEGER,
  CHECK((state = 'answered') = (answer IS NOT NULL))
) STRICT;
CREATE INDEX request_job ON request(job);

-- Kernels ----------------------------------------------------------------------------------------

CREATE TABLE task(
  shape TEXT PRIMARY KEY,
  semantic TEXT NOT NULL,
  name TEXT NOT NULL,
  extents TEXT NOT NULL,
  document TEXT NOT NULL,
  time_us INTEGER NOT NULL
) STRICT;
CREATE INDEX task_semantic ON task(semantic);

CREATE TABLE candidate(
  id TEXT PRIMARY KEY,
  document TEXT NOT NULL,
  proposer TEXT NOT NULL,
  generator TEXT NOT NULL,
  parent TEXT NOT NULL,
  time_us INTEGER NOT NULL
) STRICT;

CREATE TABLE candidate_task(
  candidate TEXT NOT NULL REFERENCES candidate(id),
  task_key TEXT NOT NULL REFERENCES task(shape),
  PRIMARY KEY(candidate, task_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE compile(
  key TEXT PRIMARY KEY,
  ptx BLOB NOT NULL,
  cubin BLOB NOT NULL,
  document TEXT NOT NULL,
  time_us INTEGER NOT NULL
) STRICT;

CREATE TABLE verdict(
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  candidate TEXT NOT NULL REFERENCES candidate(id),
  task_key TEXT NOT NULL REFERENCES task(shape),
  job TEXT NOT NULL,
  judge TEXT NOT NULL,
  policy TEXT NOT NULL,
  class TEXT NOT NULL,
  device TEXT NOT NULL,
  uuid TEXT NOT NULL,
  driver TEXT NOT NULL,
  arch TEXT NOT NULL,
  seed INTEGER NOT NULL,
  complete INTEGER NOT NULL,
  passed INTEGER NOT NULL,
  refutes INTEGER NOT NULL,
  kind TEXT NOT NULL,
  outcome TEXT NOT NULL,
  time_us INTEGER NOT NULL
) STRICT;
CREATE INDEX verdict_task ON verdict(task_key, class, passed);
CREATE INDEX verdict_candidate ON verdict(candidate, task_key, class);

-- A pass counts until it is refuted on the same device class and architecture: by a later judgement
-- or by the same judge. "refutes" is 0 where a rejection says nothing about the candidate.
CREATE VIEW standing AS
  SELECT p.* FROM verdict p
  WHERE p.passed = 1 AND p.complete = 1 AND NOT EXISTS(
    SELECT 1 FROM verdict r
    WHERE r.candidate = p.candidate AND r.task_key = p.task_key AND r.class = p.class
      AND r.arch = p.arch AND r.refutes = 1
      AND (r.n > p.n OR r.judge = p.judge));

CREATE TABLE timing(
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  candidate TEXT NOT NULL REFERENCES candidate(id),
  task_key TEXT NOT NULL REFERENCES task(shape),
  class TEXT NOT NULL,
  device TEXT NOT NULL,
  uuid TEXT NOT NULL,
  driver TEXT NOT NULL,
  arch TEXT NOT NULL,
  protocol TEXT NOT NULL,
  median_us REAL NOT NULL,
  min_us REAL NOT NULL,
  spread_us REAL NOT NULL,
  samples INTEGER NOT NULL,
  setup_us REAL NOT NULL,
  floor_us REAL NOT NULL,
  achieved_gbps REAL NOT NULL,
  time_us INTEGER NOT NULL
) STRICT;
CREATE INDEX timing_candidate ON timing(candidate, task_key, uuid);
CREATE INDEX timing_device ON timing(uuid);

CREATE TABLE blob(
  id TEXT PRIMARY KEY,
  bytes BLOB NOT NULL CHECK(length(bytes) <= 16777216),
  time_us INTEGER NOT NULL
) STRICT;

CREATE TRIGGER candidate_is_final BEFORE UPDATE ON candidate
  BEGIN SELECT RAISE(ABORT, 'candidates are append-only'); END;
CREATE TRIGGER compile_is_final BEFORE UPDATE ON compile
  BEGIN SELECT RAISE(ABORT, 'compiled modules are append-only'); END;
CREATE TRIGGER verdict_is_final BEFORE UPDATE ON verdict
  BEGIN SELECT RAISE(ABORT, 'verdicts are append-only'); END;
CREATE TRIGGER timing_is_final BEFORE UPDATE ON timing
  BEGIN SELECT RAISE(ABORT, 'timings are append-only'); END;
CREATE TRIGGER blob_is_final BEFORE UPDATE ON blob
  BEGIN SELECT RAISE(ABORT, 'blobs are append-only'); END;

-- Tuning and lessons -----------------------------------------------------------------------------

CREATE TABLE tuning(
  n INTEGER PRIMARY KEY,
  space_key TEXT NOT NULL,
  uuid TEXT NOT NULL,
  config TEXT NOT NULL,
  objective REAL,
  failure TEXT NOT NULL,
  cost_s REAL NOT NULL,
  time_us INTEGER NOT NULL
) STRICT;
CREATE INDEX tuning_space ON tuning(space_key, uuid, config);

CREATE TABLE lesson(
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  semantic TEXT NOT NULL,
  topic TEXT NOT NULL,
  text TEXT NOT NULL,
  candidate TEXT NOT NULL,
  time_us INTEGER NOT NULL
) STRICT;
CREATE VIRTUAL TABLE lesson_text USING fts5(
  topic, text, content = 'lesson', content_rowid = 'n', tokenize = 'porter unicode61');

PRAGMA user_version = 1;
)sql";

// What V14 said of a task, by judge version.
constexpr Sql kStep2 = R"sql(
CREATE TABLE sanity(
  task_key TEXT NOT NULL,
  judge TEXT NOT NULL,
  document TEXT NOT NULL,
  time_us INTEGER NOT NULL,
  PRIMARY KEY(task_key, judge)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 2;
)sql";

// Append-only: released stores already carry the earlier numbers. Each step ends by setting
// user_version to its own.
constexpr std::array kSchemaSteps = {kStep1, kStep2};
constexpr auto kWant = static_cast<std::int64_t>(kSchemaSteps.size());

Result<std::int64_t> version_of(Database& db) {
  KW_ASSIGN(const std::int64_t have, db.integer("PRAGMA user_version"));
  KW_ASSIGN(const std::int64_t application, db.integer("PRAGMA application_id"));
  KW_ASSIGN(const std::int64_t tables, db.integer("SELECT count(*) FROM sqlite_schema"));
  const bool ours = application == kApplicationId && have > 0;
  if (!ours && (tables > 0 || have != 0 || application != 0)) {
    return fail(Errc::Corrupt, "store {}: the file is an SQLite database of something else",
                db.path().string());
  }
  if (have > kWant) {
    return fail(Errc::Corrupt,
                "store {}: written by a newer release (schema {}, this release knows {}); upgrade "
                "Kernelwright or use another --store",
                db.path().string(), have, kWant);
  }
  return have;
}

}  // namespace

std::int64_t schema_version() { return kWant; }

Status migrate(Database& db) {
  KW_ASSIGN(Transaction tx, Transaction::begin(db));
  KW_ASSIGN(const std::int64_t have, version_of(db));  // under the lock: another may be first
  if (have == kWant) return {};                        // nothing to write
  for (std::int64_t i = have; i < kWant; ++i) {
    if (Status step = db.exec(kSchemaSteps[static_cast<std::size_t>(i)]); !step) {
      return wrap(step.error(), fmt::format("migrating to schema {}", i + 1));
    }
  }
  return tx.commit();
}

Status require_current_schema(Database& db) {
  KW_ASSIGN(const std::int64_t have, version_of(db));
  if (have == kWant) return {};
  return fail(Errc::Unavailable,
              "store {}: schema {} is older than this release's {}; open it once for writing",
              db.path().string(), have, kWant);
}

}  // namespace kw::store
