#pragma once
// The private side of Memory, shared with the launch code.

#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "exec/shadow_pool.h"
#include "kw/ptxvm/memory.h"

namespace kw::ptxvm {

struct FreeBytes {
  void operator()(std::byte* p) const noexcept;
};

struct Backing {
  Allocation view;
  std::unique_ptr<std::byte, FreeBytes> bytes;
  std::unique_ptr<std::uint8_t[]> initialised;
  bool complete = false;  // all of it was found initialised, and stays so
};

struct Memory::State {
  std::map<std::uint64_t, Backing> by_address;
  std::uint64_t next = kGlobalWindowBegin + kGuardBytes;
  // Addresses of a program's variables, by Program::Impl::id; one per VariableInfo, 0 for .shared.
  std::unordered_map<std::uint64_t, std::vector<std::uint64_t>> modules;
  std::vector<ShadowPool> shadow_pools;  // by host thread of a launch
};

/// Creates and finds the module-scope variables of a program in a Memory.
class ModuleVariables {
 public:
  /// Device addresses, one for each of Program::variables() (0 for .shared ones).
  static Result<std::vector<std::uint64_t>> addresses(Memory& memory, const Program& program);
  static Memory::State& state(Memory& memory) noexcept { return *memory.state_; }
};

}  // namespace kw::ptxvm
