#pragma once
// What every store promises, whatever it is kept in. A backend joins by instantiating the suite.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "fakes/manual_clock.h"
#include "fakes/temp_dir.h"
#include "kw/store/store.h"

namespace kw::store {

/// Opens the store that lives in a directory; a second time, the same one.
struct Backend {
  std::string name;
  std::function<Result<std::unique_ptr<Store>>(const std::filesystem::path& directory,
                                               const Options& options)>
      open;
};

inline void PrintTo(const Backend& backend, std::ostream* out) { *out << backend.name; }

class StoreContract : public ::testing::TestWithParam<Backend> {
 protected:
  StoreContract() { reopen(); }
  void reopen() {
    store.reset();
    Options options;
    options.clock = &clock;
    auto opened = GetParam().open(directory.path(), options);
    if (!opened) throw std::runtime_error(opened.error().message);
    store = std::move(*opened);
  }
  std::string new_job(const std::string& key = {}) {
    NewJob job;
    job.idempotency_key = key;
    job.kind = "generate";
    job.spec = R"({"task":"kernelbench:1/1"})";
    return store->create_job(job).value().job.id;
  }
  std::uint64_t decide(const std::string& job) {
    return store->acquire_decider(job, "d1", std::chrono::seconds(30)).value().token;
  }
  /// One event and effects of these kinds.
  Append step(const std::string& job, std::uint64_t seq, std::uint64_t token,
              const std::vector<std::string>& effects = {}) {
    Append append;
    append.job = job;
    append.expected_seq = seq;
    append.token = token;
    append.events.push_back({"stepped", 1, R"({"n":1})"});
    for (const std::string& kind : effects) append.effects.push_back({kind, R"({"lane":0})"});
    return append;
  }
  ClaimFilter by(const std::string& worker, const std::vector<std::string>& kinds = {}) {
    ClaimFilter filter;
    filter.worker = worker;
    filter.kinds = kinds;
    filter.lease = std::chrono::seconds(10);
    return filter;
  }

  fakes::TempDir directory;
  fakes::ManualClock clock;
  std::unique_ptr<Store> store;
};

template <typename T>
Errc code_of(const Result<T>& result) {
  return result ? Errc::Internal : result.error().code;
}

#define KW_EXPECT_OK(...)                                \
  do {                                                   \
    const auto kw_result = (__VA_ARGS__);                \
    EXPECT_TRUE(kw_result) << kw_result.error().message; \
  } while (false)

}  // namespace kw::store
