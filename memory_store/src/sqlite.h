#pragma once
// SQLite as values: connections, statements that reset when their scope ends, transactions that
// roll back unless committed. Nothing outside this folder's sources includes this header.

#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "kw/core/result.h"

namespace kw::store {

/// SQL is a literal: values can only be bound.
struct Sql {
  consteval Sql(const char* literal) : text(literal) {}  // NOLINT: implicit by design
  const char* text;
};

/// Binds as BLOB; a plain string_view binds as TEXT.
struct Blob {
  std::string_view bytes;
};

class Database;

/// One execution of a prepared statement. Not thread-safe; lives shorter than its Database.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  ~Statement();

  /// True: a row can be read. False: done.
  Result<bool> step();

  std::int64_t integer(int column) const { return sqlite3_column_int64(stmt_, column); }
  std::uint64_t unsigned_integer(int column) const {
    return static_cast<std::uint64_t>(integer(column));
  }
  bool boolean(int column) const { return integer(column) != 0; }
  double real(int column) const { return sqlite3_column_double(stmt_, column); }
  std::string text(int column) const;  // or blob: the bytes
  bool is_null(int column) const { return sqlite3_column_type(stmt_, column) == SQLITE_NULL; }
  std::optional<std::string> optional_text(int column) const;
  std::optional<double> optional_real(int column) const;

 private:
  friend class Database;
  Statement(Database* db, sqlite3_stmt* stmt, bool* busy) : db_(db), stmt_(stmt), busy_(busy) {}
  void release() noexcept;

  Status bind(int index, std::string_view value);
  Status bind(int index, Blob value);
  Status bind(int index, double value);
  Status bind(int index, std::nullptr_t);
  Status bind_integer(int index, std::int64_t value);
  template <typename T>
  requires std::is_integral_v<T> Status bind(int index, T value) {
    return bind_integer(index, static_cast<std::int64_t>(value));  // u64 keeps its bits
  }
  Status bind(int index, const std::string& value) { return bind(index, std::string_view(value)); }
  Status bind(int index, const char* value) { return bind(index, std::string_view(value)); }
  template <typename T>
  Status bind(int index, const std::optional<T>& value) {
    return value ? bind(index, *value) : bind(index, nullptr);
  }
  Status check(int rc) const;

  Database* db_;
  sqlite3_stmt* stmt_;
  bool* busy_;  // of the cached slot it came from; null: its own, to be finalized
};

/// One connection with its prepared statements. Used by one thread at a time.
class Database {
 public:
  enum class Mode { ReadWrite, ReadOnly };
  static Result<Database> open(const std::filesystem::path& path, Mode mode,
                               std::chrono::milliseconds busy_timeout);
  Database(Database&& other) noexcept;
  Database& operator=(Database&&) = delete;
  ~Database();

  template <typename... Args>
  Result<Statement> query(Sql sql, const Args&... args) {
    KW_ASSIGN(Statement statement, prepare(sql));
    Status bound;
    int index = 0;
    (void)((bound = statement.bind(++index, args), bound.has_value()) && ...);
    if (!bound) return tl::unexpected<Error>(std::move(bound).error());
    return statement;
  }
  /// Runs to the end; the number of rows changed.
  template <typename... Args>
  Result<std::int64_t> run(Sql sql, const Args&... args) {
    KW_ASSIGN(Statement statement, query(sql, args...));
    for (;;) {
      KW_ASSIGN(const bool row, statement.step());
      if (!row) return static_cast<std::int64_t>(sqlite3_changes64(handle_));
    }
  }
  /// A script without parameters.
  Status exec(Sql script);
  Result<std::int64_t> integer(Sql sql);
  Result<std::string> text(Sql sql);
  bool read_only() const;
  /// Rows changed by this connection so far.
  std::int64_t total_changes() const { return sqlite3_total_changes64(handle_); }
  const std::filesystem::path& path() const { return path_; }
  Error error(int rc) const;

 private:
  friend class Statement;
  struct Prepared {
    sqlite3_stmt* stmt = nullptr;
    bool busy = false;
  };
  Database(sqlite3* handle, std::filesystem::path path) : handle_(handle), path_(std::move(path)) {}
  Result<Statement> prepare(Sql sql);

  sqlite3* handle_;
  std::filesystem::path path_;
  std::unordered_map<const char*, Prepared> prepared_;  // by literal
};

/// IMMEDIATE: the write lock is taken at begin, so nothing read inside can be outdated at commit.
class Transaction {
 public:
  static Result<Transaction> begin(Database& db);
  Transaction(Transaction&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Status commit();

 private:
  explicit Transaction(Database& db) : db_(&db) {}
  Database* db_;
};

}  // namespace kw::store
