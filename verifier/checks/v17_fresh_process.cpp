// V17: a winner is timed again in a fresh process. A first time that the second cannot come near was a
// property of the process, not of the kernel.

#include "checks.h"

namespace kw::verify {
namespace {

constexpr double kRatio = 1.5;
constexpr double kSlackUs = 20;

}  // namespace

Checked check_retime(Session& session, const Timing& before, const Timing& after) {
  const bool agree = after.median_us <= before.median_us * kRatio + kSlackUs;
  CheckRecord& record = session.record("V17.fresh_process", agree, 0);
  record.figures["before_us"] = before.median_us;
  record.figures["after_us"] = after.median_us;
  if (agree) return std::nullopt;
  return Verdict{"V17", RejectKind::Quarantined,
                 fmt::format("{:.1f} us at first, {:.1f} us in a fresh process", before.median_us,
                             after.median_us),
                 {}};
}

}  // namespace kw::verify
