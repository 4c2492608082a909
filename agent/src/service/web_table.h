#pragma once
// The files of agent/web; the table is generated at build time.

#include <span>

#include "kw/core/embedded.h"

namespace kw::agent {

std::span<const EmbeddedFile> embedded_web_files();

}  // namespace kw::agent
