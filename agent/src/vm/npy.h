#pragma once
// NumPy's .npy files, versions 1 to 3: little-endian, C order, the element types of element.h.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "element.h"
#include "kw/core/value.h"

namespace kw::agent::vm {

struct NpyHeader {
  const Element* element = nullptr;
  Shape shape;
  std::uint64_t data_offset = 0;  // of the first element in the file
  std::uint64_t data_bytes = 0;
};

/// More of a header than any array needs; a larger one is refused unread.
inline constexpr std::size_t kMaxNpyHeaderBytes = 64u << 10;

/// Reads the header at the start of a file of `file_bytes`; `head` is what of it was read, at least
/// min(file_bytes, kMaxNpyHeaderBytes). Refuses Fortran order, big-endian numbers, objects, records
/// and text by name (Unsupported), and what is no .npy or lacks bytes (InvalidArgument).
Result<NpyHeader> parse_npy_header(std::string_view head, std::uint64_t file_bytes);

/// Opens `path` and reads its header. NotFound, Io, and the errors of parse_npy_header().
Result<NpyHeader> read_npy_header(const std::string& path);
/// Fills `to`, which has header.data_bytes bytes. Io, also when the file has become shorter.
Status read_npy_data(const std::string& path, const NpyHeader& header, std::span<std::byte> to);

/// A version 1.0 file. Written beside and renamed, so that no half of one is ever seen.
Status write_npy(const std::string& path, const Element& element, const Shape& shape,
                 std::span<const std::byte> data);

}  // namespace kw::agent::vm
