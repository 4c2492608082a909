// V1: every number that the judge draws follows from one seed, which is drawn after the candidate has
// compiled, is kept from it, and is recorded for replay.

#include <sys/random.h>

#include "checks.h"
#include "kw/core/random.h"

namespace kw::verify {
namespace {

// JSON numbers of every reader hold 53 bits.
constexpr int kDropped = 64 - 53;

}  // namespace

Result<std::uint64_t> draw_seed() {
  std::uint64_t seed = 0;
  if (::getrandom(&seed, sizeof seed, 0) != static_cast<ssize_t>(sizeof seed)) {
    return fail(Errc::Unavailable, "the system gives no random numbers");
  }
  return (seed >> kDropped) + 1;  // never 0, which asks for a fresh one
}

std::uint64_t Session::seed_for(std::string_view name, std::uint64_t index) const {
  const Philox4 w = philox(asked("V1") ? seed : kPublicSeed, purpose(name), index);
  return (w[0] | std::uint64_t{w[1]} << 32) >> kDropped;
}

void record_seed(Session& session, bool fresh) {
  CheckRecord& record = session.record("V1.seed", true, session.seed);
  record.notes["drawn"] = fresh ? "by the judge, after compiling" : "by the caller";
}

}  // namespace kw::verify
