// Writes the store that sqlite_file_test opens as "a saved store of schema N". Run once, when a
// schema is released: make_schema_data tests/store/data/schema_N.db

#include <fmt/format.h>

#include "fakes/manual_clock.h"
#include "kw/store/store.h"

namespace kw::store {
namespace {

Status fill(Store& store) {
  NewJob job{"saved", "generate", {}, "shape", R"({"task":"kernelbench:1/19"})"};
  KW_ASSIGN(const CreatedJob created, store.create_job(job));
  KW_ASSIGN(const DeciderLease lease,
            store.acquire_decider(created.job.id, "saver", std::chrono::seconds(1)));
  Append append;
  append.job = created.job.id;
  append.token = lease.token;
  append.events.push_back({"job_created", 1, R"({"from":"schema 1"})"});
  append.effects.push_back({"compile", "{}"});
  KW_RETURN_IF_ERROR(store.append(append));
  KW_RETURN_IF_ERROR(store.record_task({{"semantic", "shape"}, "relu", {16, 16384}, "{}"}));
  Candidate candidate;
  candidate.source = "extern \"C\" __global__ void k() {}";
  KW_ASSIGN(const std::string id, store.record_candidate(candidate, "shape"));
  const DeviceIdentity device{"cuda", "a device", "GPU-saved", "580", "sm_90"};
  Passed passed;
  passed.evidence.device = device;
  passed.evidence.judge_version = "1";
  KW_RETURN_IF_ERROR(store.record_verdict({"v", id, "shape", {}, "ieee", 1, true, passed}));
  KW_RETURN_IF_ERROR(
      store.record_timing({"t", id, "shape", device, {12.5, 12, 0.5, 30, 0, 10, 100, "event.v1"}}));
  KW_RETURN_IF_ERROR(store.add_lesson({{}, {}, "race", "A barrier was missing.", {}}));
  KW_RETURN_IF_ERROR(store.put_blob("saved blob"));
  store.compile_cache().put("key", CompileFailure{});
  KW_RETURN_IF_ERROR(store.record_tuning({"space", "GPU-saved", {{"block", 256}}, {9.0, "", 1}}));
  KW_RETURN_IF_ERROR(store.record_request_sent({"request", created.job.id, "m", "h", "{}"}));
  KW_RETURN_IF_ERROR(store.record_request_answered("request", {200, "{}"}));
  return {};
}

}  // namespace
}  // namespace kw::store

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  kw::fakes::ManualClock clock;
  kw::store::Options options;
  options.clock = &clock;
  auto store = kw::store::Store::open(argv[1], options);
  if (store) {
    if (const auto filled = kw::store::fill(**store); filled) return 0;
  }
  return 1;
}
