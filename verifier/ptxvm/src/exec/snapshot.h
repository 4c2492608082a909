#pragma once
// All of a Memory's contents at one moment.

#include <cstdint>
#include <string>
#include <vector>

#include "kw/ptxvm/memory.h"

namespace kw::ptxvm {

struct Snapshot {
  struct Part {
    std::uint64_t address = 0;
    std::string name;
    std::vector<std::byte> bytes;
    std::vector<std::uint8_t> initialised;
  };
  std::vector<Part> parts;  // by address

  explicit Snapshot(const Memory& memory);
  void restore(Memory& memory) const;
};

}  // namespace kw::ptxvm
