#pragma once
// Files of this folder that travel inside the library (cmake/embed_files.cmake). Sorted by name.

#include <span>
#include <string_view>

namespace kw::bench {

struct EmbeddedFile {
  std::string_view name;  // relative, without the extension: "level1_19.small", "kw_bridge/export"
  std::string_view text;
};

/// tasks/*.json
std::span<const EmbeddedFile> embedded_tasks();
/// python/kw_bridge/*.py and the loader that imports them from memory, python/bootstrap.py
std::span<const EmbeddedFile> embedded_python();

}  // namespace kw::bench
