#include "facts_wire.h"

#include "messages.h"

namespace kw::verify {

std::string encode_ordinal(int ordinal) { return process::Writer().put(ordinal).take(); }

int decode_ordinal(std::string_view bytes) { return process::Reader(bytes).get<int>(); }

std::string encode_opening(const Opening& opening) {
  return process::Writer().put(opening.ordinal).text(opening.helper_cubin).take();
}

Opening decode_opening(std::string_view bytes) {
  process::Reader r(bytes);
  Opening opening;
  opening.ordinal = r.get<int>();
  opening.helper_cubin = r.text();
  return opening;
}

std::string encode(const launch::DeviceFacts& facts) {
  process::Writer w;
  w.put(facts.ordinal).text(facts.name).text(facts.uuid).text(facts.driver).text(facts.arch);
  w.put(facts.clock_khz).put(facts.l2_bytes).put(facts.pageable_memory_access);
  put_limits(w, facts.limits);
  return w.take();
}

Result<launch::DeviceFacts> decode_facts(std::string_view bytes) {
  process::Reader r(bytes);
  launch::DeviceFacts facts;
  facts.ordinal = r.get<int>();
  facts.name = r.text();
  facts.uuid = r.text();
  facts.driver = r.text();
  facts.arch = r.text();
  facts.clock_khz = r.get<int>();
  facts.l2_bytes = r.get<std::int64_t>();
  facts.pageable_memory_access = r.flag();
  facts.limits = get_limits(r);
  if (!r.finished()) return fail(Errc::Internal, "a runner described its GPU in another language");
  return facts;
}

}  // namespace kw::verify
