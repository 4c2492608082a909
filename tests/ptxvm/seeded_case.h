#pragma once
// Kernels with one seeded bug and, under -DFIXED, their corrected twins: tests/ptxvm/corpus.

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "kw/core/result.h"
#include "kw/ptxvm/run.h"

namespace kw::ptxvm {

/// One parameter of the kernel k, from a line such as "// arg: float in[64] = ramp".
struct SeededArgument {
  enum class Fill {
    None,    // an array left uninitialised
    Zero,    // "= zero"
    Ramp,    // "= ramp": element i is i
    Values,  // "= values": passed by value, word i is i
    Null,    // "= null": a pointer to nothing
    Number,  // a scalar
  };
  std::string name;
  std::string type;  // without const
  bool read_only = false;
  std::uint32_t count = 0;  // elements of an array
  Fill fill = Fill::None;
  std::uint64_t number = 0;
};

/// A file of the corpus. Its head says how it is launched and what is found:
///   // launch: GRID BLOCK[,BLOCK_Y] [DYNAMIC_SHARED_BYTES]
///   // arg: ...                          one for each parameter, in order
///   // finds: KIND                       to_string(FindingKind)
/// A line that ends in "// BUG" is one that a finding may name.
struct SeededCase {
  std::string name;  // "race/warp_halves"
  std::string source;
  Dim3 grid, block;
  std::uint32_t dynamic_shared_bytes = 0;
  std::vector<SeededArgument> arguments;
  std::string finds;
  std::set<std::uint32_t> bug_lines;
};

/// Errors: InvalidArgument, naming the line that is not understood.
Result<SeededCase> read_seeded_case(const std::filesystem::path& file, const std::string& name);

/// Allocates the arguments in `memory` and packs the parameter block.
Result<Launch> make_launch(const SeededCase& seeded, Memory& memory);

}  // namespace kw::ptxvm
