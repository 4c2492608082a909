#pragma once
// What is written after --arg, and the arrays it stands for.
//
//   i32:5  f16:1.5  u64:0x10  bool:true    a number of that type
//   5  1.5                                 a number of the parameter's type
//   hex:00ff..                             a structure by value, byte by byte
//   null                                   a null pointer
//   npy:PATH                               an array from a file
//   zeros:f32:64,128  ones:f32:64          filled arrays: TYPE:EXTENTS
//   const:f32:64:0.5  iota:i32:64          iota:...:start=0:step=1
//   uniform:f32:64:seed=1                  ...:low=0:high=1 (integers: 0 to 9, both included)
//   normal:f32:64:seed=1                   ...:mean=0:std=1
//   uninit:f32:64                          never written: reading it is a finding
//   out:PATH=f32:64                        the same, saved to PATH afterwards
//   arg:0  arg:0+256                       the array of argument 0, at a byte offset
//   ro:...                                 in front of an array: writing to it is a finding

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "element.h"
#include "kw/core/value.h"

namespace kw::agent::vm {

struct Number {
  const Element* element = nullptr;  // nullptr: whatever the parameter is
  std::string text;
};
struct Bytes {
  std::string bytes;
};
struct Null {};
struct SameArray {
  std::size_t argument = 0;
  std::uint64_t offset = 0;  // bytes
};
struct Array {
  enum class Source { File, Uninitialised, Constant, Iota, Uniform, Normal };
  Source source = Source::Uninitialised;
  const Element* element = nullptr;  // File: known once it is opened
  Shape shape;
  std::string path;                   // File
  double a = 0, b = 0;                // Constant: a. Iota: start, step. Uniform: low, high. Normal.
  std::string constant;               // Constant: the bytes of one element
  std::optional<std::uint64_t> seed;  // of the generators
  std::string save_to;                // "": nowhere
  bool read_only = false;
};

struct Argument {
  std::string text;  // as written
  std::variant<Number, Bytes, Null, SameArray, Array> what;
};

/// Errors: InvalidArgument, with what would be right; nothing is opened yet.
Result<Argument> parse_argument(std::string_view text);

/// Bytes of one array, and of all arrays of a launch together.
inline constexpr std::uint64_t kMaxArrayBytes = std::uint64_t{4} << 30;

/// The array's size in bytes; opens a File and learns its element and shape. Errors: those of
/// read_npy_header(), ResourceExhausted.
Result<std::uint64_t> open_array(Array& array);
/// Fills `to`, which has that size; Uninitialised arrays are left alone. The numbers of a generator
/// depend on its seed (`fallback_seed` if it has none) alone.
Status fill_array(const Array& array, std::uint64_t fallback_seed, std::span<std::byte> to);

}  // namespace kw::agent::vm
