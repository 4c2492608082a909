// What is particular to a store in an SQLite file: schema versions, damage, permissions, space.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "fakes/manual_clock.h"
#include "fakes/temp_dir.h"
#include "kw/store/store.h"

namespace kw::store {
namespace {

using ::testing::HasSubstr;

void sql(const std::filesystem::path& path, const char* script) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db, script, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
  sqlite3_close(db);
}

std::string error_of_opening(const std::filesystem::path& path, Errc code,
                             const Options& options = {}) {
  const auto opened = Store::open(path, options);
  EXPECT_FALSE(opened.has_value());
  if (opened) return "opened";
  EXPECT_EQ(to_string(opened.error().code), to_string(code)) << opened.error().message;
  return opened.error().message;
}

/// Runs `body` in a forked child; its exit status.
template <typename Body>
int in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

TEST(SqliteFile, CreatesItsParentDirectories) {
  fakes::TempDir directory;
  const auto path = directory / "a/b/c/store.db";
  EXPECT_TRUE(Store::open(path).has_value());
  EXPECT_TRUE(std::filesystem::exists(path));
  EXPECT_THAT(error_of_opening(path / "below-a-file/store.db", Errc::Io),
              HasSubstr("cannot create"));
}

TEST(SqliteFile, OpensASavedStoreOfSchema1) {
  fakes::TempDir directory;
  const auto path = directory / "store.db";
  std::filesystem::copy_file(KW_SOURCE_DIR "/tests/store/data/schema_1.db", path);
  const auto store = Store::open(path).value();
  const std::vector<Job> jobs = store->jobs({}).value();
  ASSERT_EQ(jobs.size(), 1u);
  EXPECT_EQ(jobs[0].idempotency_key, "saved");
  const std::vector<Event> events = store->events(jobs[0].id).value();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].payload, R"({"from":"schema 1"})");
  const std::vector<Effect> effects = store->effects({.job = jobs[0].id, .states = {}}).value();
  ASSERT_EQ(effects.size(), 1u);
  EXPECT_EQ(effects[0].id, effect_id(jobs[0].id, 1, 0));
  BestQuery query;
  query.keys = {"semantic", "shape"};
  query.arch = "sm_90";
  query.device_uuid = "GPU-saved";
  const std::vector<Known> known = store->best_for(query).value();
  ASSERT_EQ(known.size(), 1u);
  EXPECT_EQ(known[0].candidate.source, "extern \"C\" __global__ void k() {}");
  EXPECT_EQ(known[0].timing->median_us, 12.5);
  EXPECT_EQ(store->search_lessons("barrier").value().size(), 1u);
  EXPECT_EQ(store->get_blob(store->put_blob("saved blob").value()).value(), "saved blob");
  EXPECT_EQ(store->stats().value().blobs, 1);
  EXPECT_TRUE(store->compile_cache().get("key").has_value());
  EXPECT_EQ(store->tuning("space", "GPU-saved").value().size(), 1u);
  EXPECT_EQ(store->request_answer("request").value()->body, "{}");
}

TEST(SqliteFile, RefusesAStoreOfANewerRelease) {
  fakes::TempDir directory;
  const auto path = directory / "store.db";
  { EXPECT_TRUE(Store::open(path).has_value()); }
  sql(path, "PRAGMA user_version = 999");
  EXPECT_THAT(error_of_opening(path, Errc::Corrupt), HasSubstr("newer release (schema 999"));
  Options read_only;
  read_only.read_only = true;
  EXPECT_THAT(error_of_opening(path, Errc::Corrupt, read_only), HasSubstr("newer release"));
}

TEST(SqliteFile, RefusesFilesThatAreNoStore) {
  fakes::TempDir directory;
  const auto other = directory / "other.db";
  sql(other, "CREATE TABLE t(x)");
  EXPECT_THAT(error_of_opening(other, Errc::Corrupt), HasSubstr("something else"));
  const auto text = directory / "text.db";
  std::ofstream(text) << std::string(4096, 'x');
  EXPECT_THAT(error_of_opening(text, Errc::Corrupt), HasSubstr("not a Kernelwright store"));
  (void)error_of_opening(directory.path(), Errc::Io);
}

void fill_and_damage(const std::filesystem::path& path, const Options& options) {
  {
    const auto store = Store::open(path, options).value();
    for (int i = 0; i < 50; ++i) {
      ASSERT_TRUE(store->put_blob(std::string(5000, static_cast<char>('a' + i))).has_value());
    }
  }
  ASSERT_TRUE(Store::open(path, options).has_value());
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(std::filesystem::file_size(path)) - 20 * 4096);
  file << std::string(3 * 4096, '\x5a');
}

TEST(SqliteFile, NoticesADamagedFile) {
  fakes::TempDir directory;
  const auto path = directory / "store.db";
  fill_and_damage(path, {});
  EXPECT_THAT(error_of_opening(path, Errc::Corrupt), HasSubstr("restore it from a backup"));
}

TEST(SqliteFile, ChecksALargeFileOnceADay) {
  fakes::TempDir directory;
  fakes::ManualClock clock;
  Options options;
  options.clock = &clock;
  options.always_check_bytes = 100'000;  // this one is large
  const auto path = directory / "store.db";
  fill_and_damage(path, options);
  EXPECT_TRUE(Store::open(path, options).has_value());
  clock.advance(std::chrono::hours(25));
  (void)error_of_opening(path, Errc::Corrupt, options);
}

TEST(SqliteFile, NoticesABlobWhoseBytesChanged) {
  fakes::TempDir directory;
  const auto path = directory / "store.db";
  const auto store = Store::open(path).value();
  const std::string id = store->put_blob("bytes").value();
  sql(path, "DROP TRIGGER blob_is_final; UPDATE blob SET bytes = x'00'");
  const auto blob = store->get_blob(id);
  ASSERT_FALSE(blob.has_value());
  EXPECT_EQ(blob.error().code, Errc::Corrupt);
}

TEST(SqliteFile, KeepsFactsFromBeingChanged) {
  fakes::TempDir directory;
  const auto path = directory / "store.db";
  const auto store = Store::open(path).value();
  ASSERT_TRUE(store->put_blob("bytes").has_value());
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  EXPECT_NE(sqlite3_exec(db, "UPDATE blob SET bytes = x'00'", nullptr, nullptr, nullptr),
            SQLITE_OK);
  EXPECT_THAT(sqlite3_errmsg(db), HasSubstr("append-only"));
  sqlite3_close(db);
}

TEST(SqliteFile, ReadsButNeverWritesWhenOpenedReadOnly) {
  fakes::TempDir directory;
  const auto path = directory / "store.db";
  Options read_only;
  read_only.read_only = true;
  (void)error_of_opening(path, Errc::Io, read_only);
  EXPECT_FALSE(std::filesystem::exists(path));
  const auto writer = Store::open(path).value();
  const std::string id = writer->put_blob("x").value();
  const auto reader = Store::open(path, read_only).value();
  EXPECT_EQ(reader->get_blob(id).value(), "x");
  const auto refused = reader->put_blob("y");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::Io);
}

TEST(SqliteFile, SaysThatAFileCannotBeWritten) {
  fakes::TempDir directory;
  const auto path = directory / "store.db";
  { ASSERT_TRUE(Store::open(path).has_value()); }
  namespace fs = std::filesystem;
  fs::permissions(path, fs::perms(0444));
  fs::permissions(directory.path(), fs::perms(0755));
  const int status = in_child([&] {
    if (::geteuid() == 0 && ::setuid(65534) != 0) return 3;  // root may write anywhere
    const auto opened = Store::open(path);
    if (opened) return 1;
    const bool clear = opened.error().message.find("cannot be written") != std::string::npos;
    if (!clear) fmt::print(stderr, "{}\n", opened.error().message);
    return opened.error().code == Errc::Io && clear ? 0 : 2;
  });
  EXPECT_EQ(status, 0);
}

TEST(SqliteFile, StaysWholeWhenTheDiskIsFull) {
  fakes::TempDir directory;
  const auto path = directory / "store.db";
  { ASSERT_TRUE(Store::open(path).has_value()); }
  const int status = in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1u << 20, 1u << 20};  // as near to a full disk as a test can come
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 3;
    const auto store = Store::open(path).value();
    if (!store->put_blob("small").has_value()) return 1;
    const auto large = store->put_blob(std::string(4u << 20, 'x'));
    if (large || large.error().code != Errc::Io) return 2;
    return store->put_blob("another").has_value() ? 0 : 4;
  });
  EXPECT_EQ(status, 0);
  const auto store = Store::open(path).value();
  EXPECT_EQ(store->stats().value().blobs, 2);
}

TEST(SqliteFile, ReportsALockHeldForLongerThanTheTimeout) {
  fakes::TempDir directory;
  const auto path = directory / "store.db";
  Options options;
  options.busy_timeout = std::chrono::milliseconds(20);
  const auto store = Store::open(path, options).value();
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const auto blocked = store->put_blob("x");
  ASSERT_FALSE(blocked.has_value());
  EXPECT_EQ(blocked.error().code, Errc::Unavailable);
  EXPECT_TRUE(store->jobs({}).has_value());  // readers go on
  sqlite3_close(other);
  EXPECT_TRUE(store->put_blob("x").has_value());
}

}  // namespace
}  // namespace kw::store
