// Appends to a store until it is killed, telling on stdout what was acknowledged: "job seq\n".
// usage: store_crash_child STORE IDEMPOTENCY_KEY

#include <unistd.h>

#include <cstdio>

#include "kw/core/sha256.h"
#include "kw/store/store.h"

namespace kw::store {
namespace {

std::string payload_of(std::uint64_t seq) {
  const std::string text(static_cast<std::size_t>(seq % 97) * 61, 'x');
  return fmt::format(R"({{"text":"{}","sum":"{}"}})", text, sha256_hex(text));
}

Status append_for_ever(const char* path, const char* key) {
  KW_ASSIGN(const auto store, Store::open(path));
  NewJob job;
  job.idempotency_key = key;
  job.kind = "crash";
  job.spec = "{}";
  KW_ASSIGN(CreatedJob created, store->create_job(job));
  KW_ASSIGN(const DeciderLease lease,
            store->acquire_decider(created.job.id, key, std::chrono::hours(1)));
  std::uint64_t seq = created.job.last_seq;
  for (;;) {
    Append append;
    append.job = created.job.id;
    append.expected_seq = seq;
    append.token = lease.token;
    append.durable = seq % 8 == 0;
    append.events.push_back({"first", 1, payload_of(seq + 1)});
    append.events.push_back({"second", 1, payload_of(seq + 2)});
    append.effects.push_back({"work", payload_of(seq)});
    KW_ASSIGN(const Appended appended, store->append(append));
    seq = appended.last_seq;
    const std::string line = fmt::format("{}\n", seq);
    if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) return {};
  }
}

}  // namespace
}  // namespace kw::store

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto status = kw::store::append_for_ever(argv[1], argv[2]);
  if (!status) std::fprintf(stderr, "%s\n", status.error().message.c_str());
  return 1;
}
