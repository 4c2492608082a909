#pragma once
// The skeleton files and format descriptors that are part of the program.

#include <string_view>
#include <vector>

namespace kw::codegen {

struct EmbeddedFile {
  std::string_view name;  // "stream.cuh", "mxfp4.json"
  std::string_view text;
};
/// Everything under codegen/skeletons and codegen/formats, by name.
const std::vector<EmbeddedFile>& embedded_files();
/// The text of a file; empty when there is none.
std::string_view embedded_file(std::string_view name);

}  // namespace kw::codegen
