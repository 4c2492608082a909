#include "template.h"

#include <algorithm>
#include <span>

#include "kw/core/embedded.h"

namespace kw::bench {
/// python/modelnew/, embedded at build time.
std::span<const EmbeddedFile> embedded_modelnew();

Result<std::string> fill_template(std::string_view file, const Holes& holes) {
  const auto files = embedded_modelnew();
  const auto found = std::ranges::find(files, file, &EmbeddedFile::name);
  if (found == files.end()) return fail(Errc::Internal, "no template '{}'", file);
  std::string out;
  std::string_view rest = found->text;
  for (;;) {
    const std::size_t open = rest.find('@');
    out += rest.substr(0, open);
    if (open == std::string_view::npos) return out;
    const std::size_t close = rest.find('@', open + 1);
    const std::string_view name = rest.substr(open + 1, close - open - 1);
    const auto hole = holes.find(name);
    if (close == std::string_view::npos || hole == holes.end()) {
      return fail(Errc::Internal, "{}: nothing for '@{}@'", file, name);
    }
    out += hole->second;
    rest.remove_prefix(close + 1);
  }
}

}  // namespace kw::bench
