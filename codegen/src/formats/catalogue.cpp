// The shipped format descriptors, embedded at build time.

#include "emit/embedded.h"
#include "kw/codegen/generator.h"

namespace kw::codegen {

std::vector<std::string> format_names() {
  constexpr std::string_view kSuffix = ".json";
  std::vector<std::string> names;
  for (const EmbeddedFile& file : embedded_files()) {
    if (file.name.ends_with(kSuffix)) {
      names.emplace_back(file.name.substr(0, file.name.size() - kSuffix.size()));
    }
  }
  return names;
}

Result<Format> find_format(std::string_view name) {
  const std::string_view text = embedded_file(std::string(name) + ".json");
  if (text.empty()) {
    std::string known;
    for (const std::string& other : format_names()) known += (known.empty() ? "" : ", ") + other;
    return fail(Errc::NotFound, "no format '{}'; there are {}", name, known);
  }
  auto format = parse_format(text);
  if (!format) return wrap(std::move(format).error(), name);
  return format;
}

}  // namespace kw::codegen
