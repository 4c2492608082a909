#pragma once
// Reading a gzipped or plain file, bounded.

#include <filesystem>
#include <string>

#include "kw/core/result.h"

namespace kw::search {

/// The file's text, inflated when it is gzipped. ResourceExhausted above `limit` bytes of text, so
/// that no file can inflate without end; Corrupt when the compressed data is damaged or cut off.
Result<std::string> read_text_file(const std::filesystem::path& path, std::size_t limit);

}  // namespace kw::search
