// Opening a store, its connections, and waiting for changes.

#include <sys/stat.h>

#include <algorithm>
#include <thread>

#include "schema.h"
#include "sqlite_store.h"

namespace kw::store {

namespace {

using std::chrono::steady_clock;

constexpr std::size_t kIdleReaders = 8;
constexpr std::int64_t kCheckEveryUs = std::int64_t{24} * 3600 * 1'000'000;
/// Other processes cannot wake us, so their commits are looked for this often.
constexpr std::chrono::milliseconds kForeignPoll{50};

Status create_parent(const std::filesystem::path& path) {
  const std::filesystem::path parent = path.parent_path();
  if (parent.empty()) return {};
  std::error_code ec;
  std::filesystem::create_directories(parent, ec);
  if (ec)
    return fail(Errc::Io, "store {}: cannot create {}: {}", path.string(), parent.string(),
                ec.message());
  return {};
}

/// SQLite does not call the busy handler for this change, so two processes that create one store
/// at once are told apart here.
Status enter_wal(Database& db, std::chrono::milliseconds busy_timeout) {
  const auto deadline = steady_clock::now() + busy_timeout;
  for (;;) {
    Result<std::string> mode = db.text("PRAGMA journal_mode=WAL");
    if (mode && *mode == "wal") return {};
    if (mode) {
      return fail(Errc::Io,
                  "store {}: this file system gives journal mode \"{}\", not WAL; put the store on "
                  "a local disk",
                  db.path().string(), *mode);
    }
    if (mode.error().code != Errc::Unavailable || steady_clock::now() >= deadline) {
      return tl::unexpected<Error>(mode.error());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

bool is_small(const Database& db, const Options& options) {
  std::error_code ec;
  const std::uintmax_t bytes = std::filesystem::file_size(db.path(), ec);
  return ec || bytes <= options.always_check_bytes;
}

Result<bool> check_is_due(Database& db, std::int64_t now_us) {
  KW_ASSIGN(Statement last, db.query("SELECT value FROM meta WHERE key = 'checked_us'"));
  KW_ASSIGN(const bool row, last.step());
  return !row || last.integer(0) + kCheckEveryUs <= now_us || last.integer(0) > now_us;
}

/// A large store is not checked each time: reading gigabytes would delay every command.
Status check_integrity(Database& db, const Options& options, std::int64_t now_us) {
  const bool small = is_small(db, options);
  if (!small) {
    KW_ASSIGN(const bool due, check_is_due(db, now_us));
    if (!due) return {};
  }
  KW_ASSIGN(const std::string finding, db.text("PRAGMA quick_check(1)"));
  if (finding != "ok") {
    return fail(Errc::Corrupt,
                "store {} is damaged ({}); restore it from a backup, or move it away and start a "
                "new one",
                db.path().string(), finding);
  }
  if (small || options.read_only) return {};
  KW_RETURN_IF_ERROR(
      db.run("INSERT INTO meta VALUES('checked_us', ?1) ON CONFLICT(key) DO UPDATE SET value = ?1",
             now_us));
  return {};
}

Result<std::uint64_t> data_version(Database& db) {
  KW_ASSIGN(const std::int64_t version, db.integer("PRAGMA data_version"));
  return static_cast<std::uint64_t>(version) + 1;  // never 0, which means "nothing seen"
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const std::filesystem::path& path,
                                           const Options& options) {
  return SqliteStore::open(path, options);
}

Result<std::unique_ptr<Store>> SqliteStore::open(const std::filesystem::path& path,
                                                 const Options& options) {
  Clock& clock = options.clock != nullptr ? *options.clock : system_clock();
  const auto mode = options.read_only ? Database::Mode::ReadOnly : Database::Mode::ReadWrite;
  if (!options.read_only) KW_RETURN_IF_ERROR(create_parent(path));
  KW_ASSIGN(Database writer, Database::open(path, mode, options.busy_timeout));
  if (options.read_only) {
    KW_RETURN_IF_ERROR(require_current_schema(writer));
  } else {
    if (writer.read_only()) {
      return fail(Errc::Io, "store {}: the file cannot be written by this user", path.string());
    }
    KW_RETURN_IF_ERROR(enter_wal(writer, options.busy_timeout));
    KW_RETURN_IF_ERROR(writer.exec("PRAGMA synchronous=NORMAL"));
    KW_RETURN_IF_ERROR(migrate(writer));
  }
  KW_RETURN_IF_ERROR(check_integrity(writer, options, clock.wall_us()));
  KW_ASSIGN(Database watcher, Database::open(path, Database::Mode::ReadOnly, options.busy_timeout));
  return std::unique_ptr<Store>(
      new SqliteStore(path, options, clock, std::move(writer), std::move(watcher)));
}

SqliteStore::SqliteStore(std::filesystem::path path, const Options& options, Clock& clock,
                         Database writer, Database watcher)
    : path_(std::move(path)),
      options_(options),
      clock_(clock),
      writer_(std::move(writer)),
      watcher_(std::move(watcher)) {}

Result<Transaction> SqliteStore::begin(Sync sync) {
  if (sync != sync_) {  // not possible inside a transaction
    KW_RETURN_IF_ERROR(writer_.exec(sync == Sync::Full ? Sql("PRAGMA synchronous=FULL")
                                                       : Sql("PRAGMA synchronous=NORMAL")));
    sync_ = sync;
  }
  return Transaction::begin(writer_);
}

Result<std::unique_ptr<Database>> SqliteStore::take_reader() {
  {
    const std::scoped_lock lock(readers_mutex_);
    if (!idle_readers_.empty()) {
      auto reader = std::move(idle_readers_.back());
      idle_readers_.pop_back();
      return reader;
    }
  }
  KW_ASSIGN(Database reader,
            Database::open(path_, Database::Mode::ReadOnly, options_.busy_timeout));
  return std::make_unique<Database>(std::move(reader));
}

void SqliteStore::return_reader(std::unique_ptr<Database> reader) {
  const std::scoped_lock lock(readers_mutex_);
  if (idle_readers_.size() < kIdleReaders) idle_readers_.push_back(std::move(reader));
}

void SqliteStore::announce() {
  {
    const std::scoped_lock lock(watch_mutex_);
    ++announced_;
  }
  changed_.notify_all();
}

Result<std::uint64_t> SqliteStore::wait_for_change(std::uint64_t seen,
                                                   std::chrono::milliseconds timeout,
                                                   std::stop_token stop) {
  const auto deadline = steady_clock::now() + timeout;
  std::unique_lock lock(watch_mutex_);
  for (;;) {
    KW_ASSIGN(const std::uint64_t mark, data_version(watcher_));
    const auto now = steady_clock::now();
    if (mark != seen || now >= deadline || stop.stop_requested()) return mark;
    const std::uint64_t announced = announced_;
    changed_.wait_until(lock, stop, std::min(deadline, now + kForeignPoll),
                        [&] { return announced_ != announced; });
  }
}

Result<StoreStats> SqliteStore::stats() {
  return read([&](Database& db) -> Result<StoreStats> {
    KW_ASSIGN(Statement row, db.query(R"sql(
        SELECT (SELECT count(*) FROM job), (SELECT count(*) FROM event),
               (SELECT count(*) FROM effect WHERE state IN ('pending', 'leased')),
               (SELECT count(*) FROM task), (SELECT count(*) FROM candidate),
               (SELECT count(*) FROM verdict), (SELECT count(*) FROM timing),
               (SELECT count(*) FROM compile), (SELECT count(*) FROM lesson),
               (SELECT count(*) FROM blob), (SELECT count(*) FROM request))sql"));
    KW_RETURN_IF_ERROR(row.step());
    KW_ASSIGN(const std::int64_t pages, db.integer("PRAGMA page_count"));
    KW_ASSIGN(const std::int64_t page_bytes, db.integer("PRAGMA page_size"));
    StoreStats stats;
    stats.schema = schema_version();
    std::int64_t* const counts[] = {&stats.jobs,    &stats.events,     &stats.open_effects,
                                    &stats.tasks,   &stats.candidates, &stats.verdicts,
                                    &stats.timings, &stats.compiled,   &stats.lessons,
                                    &stats.blobs,   &stats.requests};
    int column = 0;
    for (std::int64_t* count : counts) *count = row.integer(column++);
    stats.file_bytes = pages * page_bytes;
    return stats;
  });
}

}  // namespace kw::store
