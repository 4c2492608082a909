#pragma once
// Files of this folder that travel inside the library, called by their path without the ending:
// "level1_19.small", "kw_bridge/export".

#include <span>

#include "kw/core/embedded.h"

namespace kw::bench {

/// tasks/*.json
std::span<const EmbeddedFile> embedded_tasks();
/// python/bridge: the package kw_bridge and the loader that imports it from memory, bootstrap
std::span<const EmbeddedFile> embedded_python();

}  // namespace kw::bench
