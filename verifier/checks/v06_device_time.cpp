// V6: what two events on the launcher's stream say against the host's clock around a synchronisation of
// the whole device. Work that hides from the stream shows up there.

#include "checks.h"

namespace kw::verify {
namespace {

constexpr double kRatio = 1.25;
constexpr double kSlackUs = 200;  // launching and waiting cost the host something

}  // namespace

Checked check_device_time(Session& session, const RunReply& reply) {
  if (!reply.timing || !session.asked("V6")) return std::nullopt;
  const auto stream = reply.counters.find("time.stream_us");
  const auto device = reply.counters.find("time.device_us");
  CheckRecord& record = session.record("V6.device_time", false, 0);
  if (stream == reply.counters.end() || device == reply.counters.end()) {
    return Verdict{"V6", RejectKind::NotVerifiable, "the runner measured no device-wide time", {}};
  }
  record.figures["stream_us"] = stream->second;
  record.figures["device_us"] = device->second;
  record.passed = device->second <= stream->second * kRatio + kSlackUs;
  if (record.passed) return std::nullopt;
  return Verdict{"V6", RejectKind::Quarantined,
                 fmt::format("the device was busy for {:.1f} us, the stream says {:.1f} us",
                             device->second, stream->second),
                 {}};
}

}  // namespace kw::verify
