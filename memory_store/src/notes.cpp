// Tuning measurements, lessons and blobs.

#include <cmath>

#include "columns_json.h"
#include "kw/core/sha256.h"
#include "sqlite_store.h"

namespace kw::store {

namespace {

constexpr std::size_t kMaxLessonBytes = 64u << 10;
constexpr std::size_t kMaxQueryWords = 32;
constexpr std::string_view kBlobTag = "kw:blob:v1";

bool is_word(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}

/// Any text as an FTS5 query: its words, each quoted, any of them.
std::string match_any_word(std::string_view text) {
  std::string query;
  std::size_t words = 0;
  for (std::size_t i = 0; i < text.size() && words < kMaxQueryWords;) {
    const std::size_t begin = i;
    while (i < text.size() && is_word(static_cast<unsigned char>(text[i]))) ++i;
    if (i == begin) {
      ++i;
      continue;
    }
    query += fmt::format("{}\"{}\"", words == 0 ? "" : " OR ", text.substr(begin, i - begin));
    ++words;
  }
  return query;
}

}  // namespace

Status SqliteStore::record_sanity(const std::string& task_key, const std::string& judge,
                                  const std::string& document) {
  if (document.size() > kMaxLessonBytes || document.empty() || document.front() != '{') {
    return fail(Errc::InvalidArgument,
                "the sanity of task {}: not a JSON object of at most {} bytes", task_key,
                kMaxLessonBytes);
  }
  return write(Sync::Normal, [&](Database& db) -> Status {
    KW_RETURN_IF_ERROR(db.run(R"sql(
        INSERT INTO sanity(task_key, judge, document, time_us) VALUES(?1, ?2, ?3, ?4)
        ON CONFLICT DO UPDATE SET document = ?3, time_us = ?4)sql",
                              task_key, judge, document, now_us()));
    return {};
  });
}

Result<std::optional<std::string>> SqliteStore::sanity(const std::string& task_key,
                                                       const std::string& judge) {
  return read([&](Database& db) -> Result<std::optional<std::string>> {
    KW_ASSIGN(Statement row,
              db.query("SELECT document FROM sanity WHERE task_key = ?1 AND judge = ?2", task_key,
                       judge));
    KW_ASSIGN(const bool found, row.step());
    if (!found) return std::optional<std::string>();
    return std::optional<std::string>(row.text(0));
  });
}

Status SqliteStore::record_tuning(const TuningRecord& record) {
  const Measurement& measurement = record.measurement;
  if (!std::isfinite(measurement.objective.value_or(0)) || !std::isfinite(measurement.cost_s)) {
    return fail(Errc::InvalidArgument, "tuning {}: a measurement is not finite", record.space_key);
  }
  return write(Sync::Normal, [&](Database& db) -> Status {
    KW_RETURN_IF_ERROR(db.run(R"sql(
        INSERT INTO tuning(space_key, uuid, config, objective, failure, cost_s, time_us)
        VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7))sql",
                              record.space_key, record.device_uuid, config_text(record.config),
                              measurement.objective, measurement.failure, measurement.cost_s,
                              now_us()));
    return {};
  });
}

Result<std::vector<TuningRecord>> SqliteStore::tuning(const std::string& space_key,
                                                      const std::string& device_uuid) {
  return read([&](Database& db) -> Result<std::vector<TuningRecord>> {
    // SQLite takes the other columns from the row that holds max(n).
    KW_ASSIGN(Statement row, db.query(R"sql(
        SELECT config, objective, failure, cost_s, time_us, max(n) AS newest FROM tuning
        WHERE space_key = ?1 AND uuid = ?2 GROUP BY config ORDER BY newest)sql",
                                      space_key, device_uuid));
    std::vector<TuningRecord> records;
    for (;;) {
      KW_ASSIGN(const bool more, row.step());
      if (!more) return records;
      TuningRecord& record = records.emplace_back();
      record.space_key = space_key;
      record.device_uuid = device_uuid;
      KW_ASSIGN(record.config, config_from(row.text(0)));
      record.measurement.objective = row.optional_real(1);
      record.measurement.failure = row.text(2);
      record.measurement.cost_s = row.real(3);
      record.time_us = row.integer(4);
    }
  });
}

Result<std::string> SqliteStore::add_lesson(const Lesson& lesson) {
  if (lesson.text.empty() || lesson.text.size() > kMaxLessonBytes) {
    return fail(Errc::InvalidArgument, "a lesson has 1 to {} bytes, not {}", kMaxLessonBytes,
                lesson.text.size());
  }
  const std::string id = content_id(
      "kw:lesson:v1", fmt::format("{}\n{}\n{}", lesson.semantic, lesson.topic, lesson.text));
  return write(Sync::Normal, [&](Database& db) -> Result<std::string> {
    KW_ASSIGN(const std::int64_t added,
              db.run(R"sql(
        INSERT INTO lesson(id, semantic, topic, text, candidate, time_us)
        VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(id) DO NOTHING)sql",
                     id, lesson.semantic, lesson.topic, lesson.text, lesson.candidate, now_us()));
    if (added == 1) {
      KW_RETURN_IF_ERROR(
          db.run("INSERT INTO lesson_text(rowid, topic, text) SELECT n, topic, text FROM lesson "
                 "WHERE id = ?1",
                 id));
    }
    return id;
  });
}

Result<std::vector<Lesson>> SqliteStore::search_lessons(const std::string& text, std::size_t limit,
                                                        const std::string& semantic) {
  const std::string words = match_any_word(text);
  if (words.empty()) return std::vector<Lesson>{};
  return read([&](Database& db) -> Result<std::vector<Lesson>> {
    KW_ASSIGN(Statement row, db.query(R"sql(
        SELECT l.id, l.semantic, l.topic, l.text, l.candidate, l.time_us
        FROM lesson_text JOIN lesson l ON l.n = lesson_text.rowid
        WHERE lesson_text MATCH ?1
        ORDER BY (l.semantic = ?2 AND ?2 <> '') DESC, bm25(lesson_text), l.n DESC LIMIT ?3)sql",
                                      words, semantic, limit));
    std::vector<Lesson> lessons;
    for (;;) {
      KW_ASSIGN(const bool more, row.step());
      if (!more) return lessons;
      lessons.push_back(
          {row.text(0), row.text(1), row.text(2), row.text(3), row.text(4), row.integer(5)});
    }
  });
}

Result<std::string> SqliteStore::put_blob(std::string_view bytes) {
  if (bytes.size() > kMaxBlobBytes) {
    return fail(Errc::ResourceExhausted, "a blob has {} bytes, {} are allowed", bytes.size(),
                kMaxBlobBytes);
  }
  const std::string id = content_id(kBlobTag, bytes);
  return write(Sync::Normal, [&](Database& db) -> Result<std::string> {
    KW_RETURN_IF_ERROR(
        db.run("INSERT INTO blob(id, bytes, time_us) VALUES(?1, ?2, ?3) ON CONFLICT(id) DO NOTHING",
               id, Blob{bytes}, now_us()));
    return id;
  });
}

Result<std::string> SqliteStore::get_blob(const std::string& id) {
  return read([&](Database& db) -> Result<std::string> {
    KW_ASSIGN(Statement row, db.query("SELECT bytes FROM blob WHERE id = ?1", id));
    KW_ASSIGN(const bool found, row.step());
    if (!found) return fail(Errc::NotFound, "no blob {}", id);
    std::string bytes = row.text(0);
    if (content_id(kBlobTag, bytes) != id) {
      return fail(Errc::Corrupt, "blob {}: its bytes have changed", id);
    }
    return bytes;
  });
}

}  // namespace kw::store
