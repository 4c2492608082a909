#include <cstdlib>
#include <string_view>

#include "kw/core/launch_plan.h"

// What parses must survive a round trip; what does not must be an error, never a crash.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = kw::parse_launch_plan(text);
  if (!parsed) return 0;
  const std::string once = kw::to_json(*parsed);
  const auto again = kw::parse_launch_plan(once);
  if (!again || kw::to_json(*again) != once) std::abort();
  return 0;
}
