// V9: faster than the hardware is impossible. It is quarantined, not celebrated.

#include "checks.h"
#include "kw/verify/roofline.h"

namespace kw::verify {

Checked check_roofline(Session& session, Timing& timing) {
  const Roofline r = roofline(session.task, session.device.identity());
  timing.floor_us = r.floor_us();
  if (timing.median_us > 0) timing.achieved_gbps = r.bytes / timing.median_us * 1e-3;
  // Inputs and outputs that fit in L2 need not come from memory in a warm run; the floor is that of
  // cold runs, which is how the launcher times.
  const bool possible = timing.median_us >= timing.floor_us;
  CheckRecord& record = session.record("V9.roofline", possible, 0);
  record.figures["median_us"] = timing.median_us;
  record.figures["floor_us"] = timing.floor_us;
  record.figures["bytes"] = r.bytes;
  record.figures["operations"] = r.operations;
  if (possible || !session.asked("V9")) return std::nullopt;
  return Verdict{"V9", RejectKind::Impossible,
                 fmt::format("{:.2f} us is below the roofline floor of {:.2f} us", timing.median_us,
                             timing.floor_us),
                 {{"median_us", fmt::format("{:.3f}", timing.median_us)},
                  {"floor_us", fmt::format("{:.3f}", timing.floor_us)},
                  {"protocol", timing.protocol}}};
}

}  // namespace kw::verify
