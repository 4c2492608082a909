#pragma once
// The skeleton files and format descriptors that are part of the program.

#include <span>
#include <string_view>

#include "kw/core/embedded.h"

namespace kw::codegen {

/// Everything under codegen/skeletons and codegen/formats: "stream.cuh", "mxfp4.json".
std::span<const EmbeddedFile> embedded_files();
/// The text of a file; empty when there is none.
std::string_view embedded_file(std::string_view name);

}  // namespace kw::codegen
