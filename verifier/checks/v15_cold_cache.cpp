// V15: times are those of a cold L2. The cache is emptied by reading (a fill leaves dirty lines), the
// persisting window is taken back first, and the protocol that the runner names says so.

#include "checks.h"

namespace kw::verify {

Checked check_cold_cache(Session& session, const RunReply& reply) {
  if (!reply.timing || !session.asked("V15")) return std::nullopt;
  const auto figure = [&](const char* name) {
    const auto found = reply.counters.find(name);
    return found == reply.counters.end() ? 0.0 : found->second;
  };
  const double flushed = figure("time.flush_bytes"), held = figure("time.buffer_bytes");
  const double cache = static_cast<double>(session.device.limits().l2_bytes);
  const bool reset = figure("time.persisting_reset") > 0;
  // Buffers that fill the device leave no room to read from, and need none.
  const bool cold = flushed >= cache || held >= 2 * cache;
  CheckRecord& record = session.record("V15.cold_cache", cold && reset, 0);
  record.figures["flush_bytes"] = flushed;
  record.figures["buffer_bytes"] = held;
  record.figures["l2_bytes"] = cache;
  record.notes["protocol"] = reply.timing->protocol;
  record.notes["persisting_window"] = reset ? "reset" : "not reset";
  if (record.passed) return std::nullopt;
  return Verdict{"V15", RejectKind::Quarantined,
                 cold ? "timed with a persisting L2 window that was not reset"
                      : fmt::format("timed with a warm L2: {:.0f} bytes read before a run, the cache "
                                    "has {:.0f}",
                                    flushed, cache),
                 {{"protocol", reply.timing->protocol}}};
}

}  // namespace kw::verify
