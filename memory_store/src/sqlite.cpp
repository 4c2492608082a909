#include "sqlite.h"

namespace kw::store {

namespace {

Errc code_of(int rc) {
  if (rc == SQLITE_CONSTRAINT_CHECK) return Errc::InvalidArgument;
  if (rc == SQLITE_CONSTRAINT_FOREIGNKEY) return Errc::NotFound;
  switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Errc::Unavailable;
    case SQLITE_FULL:
    case SQLITE_READONLY:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return Errc::Io;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Errc::Corrupt;
    case SQLITE_TOOBIG:
      return Errc::ResourceExhausted;
    case SQLITE_CONSTRAINT:
      return Errc::Conflict;
    default:
      return Errc::Internal;
  }
}

std::string_view cure_of(int rc) {
  if (rc == SQLITE_CONSTRAINT_FOREIGNKEY) return " (it refers to something that is not stored)";
  switch (rc & 0xff) {
    case SQLITE_BUSY:
      return " (another process has held the store for longer than the timeout)";
    case SQLITE_FULL:
      return " (free space on its file system)";
    case SQLITE_READONLY:
      return " (the file or its directory cannot be written by this user)";
    case SQLITE_CANTOPEN:
      return " (check that the directory exists and can be written)";
    case SQLITE_NOTADB:
      return " (not a Kernelwright store)";
    case SQLITE_CORRUPT:
      return " (restore it from a backup, or move it away and start a new one)";
    default:
      return "";
  }
}

}  // namespace

// ---- Statement
// -----------------------------------------------------------------------------------

Statement::Statement(Statement&& other) noexcept
    : db_(other.db_), stmt_(std::exchange(other.stmt_, nullptr)), busy_(other.busy_) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  if (this != &other) {
    release();
    db_ = other.db_;
    stmt_ = std::exchange(other.stmt_, nullptr);
    busy_ = other.busy_;
  }
  return *this;
}

Statement::~Statement() { release(); }

void Statement::release() noexcept {
  if (stmt_ == nullptr) return;
  if (busy_ != nullptr) {
    // Their codes repeat the last step's error, which has been reported.
    (void)sqlite3_reset(stmt_);
    (void)sqlite3_clear_bindings(stmt_);
    *busy_ = false;
  } else {
    sqlite3_finalize(stmt_);
  }
  stmt_ = nullptr;
}

Status Statement::check(int rc) const {
  if (rc == SQLITE_OK) return {};
  return tl::unexpected<Error>(db_->error(rc));
}

Status Statement::bind_integer(int index, std::int64_t value) {
  return check(sqlite3_bind_int64(stmt_, index, value));
}
Status Statement::bind(int index, double value) {
  return check(sqlite3_bind_double(stmt_, index, value));
}
Status Statement::bind(int index, std::nullptr_t) { return check(sqlite3_bind_null(stmt_, index)); }
Status Statement::bind(int index, std::string_view value) {
  // An empty view may have a null pointer, which would bind NULL.
  const char* data = value.empty() ? "" : value.data();
  return check(
      sqlite3_bind_text64(stmt_, index, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}
Status Statement::bind(int index, Blob value) {
  const char* data = value.bytes.empty() ? "" : value.bytes.data();
  return check(sqlite3_bind_blob64(stmt_, index, data, value.bytes.size(), SQLITE_TRANSIENT));
}

Result<bool> Statement::step() {
  const int rc = sqlite3_step(stmt_);
  if (rc == SQLITE_ROW) return true;
  if (rc == SQLITE_DONE) return false;
  return tl::unexpected<Error>(db_->error(rc));
}

std::string Statement::text(int column) const {
  // The pointer first: asking for the length may convert the value.
  const void* data = sqlite3_column_blob(stmt_, column);
  const int size = sqlite3_column_bytes(stmt_, column);
  if (data == nullptr) return {};
  return std::string(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

std::optional<std::string> Statement::optional_text(int column) const {
  if (is_null(column)) return std::nullopt;
  return text(column);
}

std::optional<double> Statement::optional_real(int column) const {
  if (is_null(column)) return std::nullopt;
  return real(column);
}

// ---- Database
// ------------------------------------------------------------------------------------

Result<Database> Database::open(const std::filesystem::path& path, Mode mode,
                                std::chrono::milliseconds busy_timeout) {
  sqlite3* raw = nullptr;
  const int flags =
      mode == Mode::ReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  const int rc = sqlite3_open_v2(path.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  Database db(raw, path);  // closes even a connection that failed to open
  if (rc != SQLITE_OK) return tl::unexpected<Error>(db.error(rc));
  sqlite3_extended_result_codes(raw, 1);
  if (const int timeout_rc = sqlite3_busy_timeout(raw, static_cast<int>(busy_timeout.count()))) {
    return tl::unexpected<Error>(db.error(timeout_rc));
  }
  KW_RETURN_IF_ERROR(db.exec("PRAGMA foreign_keys=ON;"));
  return db;
}

Database::Database(Database&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)),
      path_(std::move(other.path_)),
      prepared_(std::move(other.prepared_)) {}

Database::~Database() {
  for (auto& [literal, prepared] : prepared_) sqlite3_finalize(prepared.stmt);
  sqlite3_close_v2(handle_);
}

Error Database::error(int rc) const {
  const char* text = handle_ != nullptr ? sqlite3_errmsg(handle_) : sqlite3_errstr(rc);
  const int extended = handle_ != nullptr ? sqlite3_extended_errcode(handle_) : rc;
  const int code = (extended & 0xff) == (rc & 0xff) ? extended : rc;
  return Error{code_of(code), fmt::format("store {}: {}{}", path_.string(), text, cure_of(code))};
}

Result<Statement> Database::prepare(Sql sql) {
  Prepared& slot = prepared_[sql.text];
  if (slot.stmt != nullptr && !slot.busy) {
    slot.busy = true;
    return Statement(this, slot.stmt, &slot.busy);
  }
  sqlite3_stmt* raw = nullptr;
  if (const int rc =
          sqlite3_prepare_v3(handle_, sql.text, -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr)) {
    return tl::unexpected<Error>(error(rc));
  }
  if (slot.stmt != nullptr) return Statement(this, raw, nullptr);  // the cached one is running
  slot = {raw, true};
  return Statement(this, raw, &slot.busy);
}

Status Database::exec(Sql script) {
  if (const int rc = sqlite3_exec(handle_, script.text, nullptr, nullptr, nullptr)) {
    return tl::unexpected<Error>(error(rc));
  }
  return {};
}

Result<std::int64_t> Database::integer(Sql sql) {
  KW_ASSIGN(Statement statement, query(sql));
  KW_ASSIGN(const bool row, statement.step());
  if (!row) return fail(Errc::Internal, "no row from: {}", sql.text);
  return statement.integer(0);
}

Result<std::string> Database::text(Sql sql) {
  KW_ASSIGN(Statement statement, query(sql));
  KW_ASSIGN(const bool row, statement.step());
  if (!row) return fail(Errc::Internal, "no row from: {}", sql.text);
  return statement.text(0);
}

bool Database::read_only() const { return sqlite3_db_readonly(handle_, "main") == 1; }

// ---- Transaction
// ---------------------------------------------------------------------------------

Result<Transaction> Transaction::begin(Database& db) {
  KW_RETURN_IF_ERROR(db.run("BEGIN IMMEDIATE"));
  return Transaction(db);
}

Status Transaction::commit() {
  KW_RETURN_IF_ERROR(db_->run("COMMIT"));
  db_ = nullptr;
  return {};
}

Transaction::~Transaction() {
  // Some errors (disk full) have rolled back already; then this one is refused, harmlessly.
  if (db_ != nullptr) (void)db_->run("ROLLBACK");
}

}  // namespace kw::store
