#pragma once
// Constant data inside a document: the bytes of a tensor as an LZ4 block (github.com/lz4/lz4,
// doc/lz4_Block_format.md) in base64 (RFC 4648). Masks and index tables shrink to a few lines.

#include <cstddef>
#include <string_view>
#include <vector>

#include "kw/core/result.h"

namespace kw {

/// Exactly `size` bytes. Errors: InvalidArgument for text that is not base64, sequences that reach
/// outside what was written, or another number of bytes.
Result<std::vector<std::byte>> unpack_data(std::string_view base64, std::size_t size);

}  // namespace kw
