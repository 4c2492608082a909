#include <cstdlib>
#include <string_view>

#include "kw/search/simulate.h"

// What is read can be searched: every recorded configuration lies in the space that was read.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto cache = kw::search::parse_tuning_cache(text, "input");
  if (!cache) return 0;
  std::size_t valid = 0;
  for (const auto& [config, measurement] : cache->measurements) {
    if (!cache->space.allows(config)) std::abort();
    valid += measurement.objective.has_value() ? 1u : 0u;
  }
  if (valid != cache->valid || (valid > 0 && !(cache->optimum_us > 0))) std::abort();
  return 0;
}
