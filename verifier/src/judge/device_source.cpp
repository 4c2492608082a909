#include "device_source.h"

#include <algorithm>
#include <cstdlib>
#include <span>

#include "kw/core/embedded.h"

namespace kw::verify {

std::span<const EmbeddedFile> embedded_device_sources();

std::string device_source(std::initializer_list<std::string_view> names) {
  std::string joined;
  const auto files = embedded_device_sources();
  for (const std::string_view name : names) {
    const auto file = std::find_if(files.begin(), files.end(),
                                   [&](const EmbeddedFile& f) { return f.name == name; });
    if (file == files.end()) std::abort();
    std::string_view rest = file->text;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find('\n'), rest.size() - 1) + 1;
      const std::string_view line = rest.substr(0, end);
      rest.remove_prefix(end);
      if (!line.starts_with("#include ")) joined += line;
    }
  }
  return joined;
}

}  // namespace kw::verify
