#pragma once
// The global memory of the virtual device: named allocations in a 64-bit address window of its own.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kw/core/result.h"
#include "kw/ptxvm/program.h"

namespace kw::ptxvm {

/// Device addresses of allocations lie in [kGlobalWindowBegin, kGlobalWindowEnd), 256-byte aligned.
inline constexpr std::uint64_t kGlobalWindowBegin = 0x0000'7000'0000'0000;
inline constexpr std::uint64_t kGlobalWindowEnd = 0x0000'8000'0000'0000;
/// Unmapped address space on both sides of every allocation. An access there is out of bounds.
inline constexpr std::uint64_t kGuardBytes = std::uint64_t{64} << 20;

/// One allocation. `bytes` and `initialised` live as long as the allocation does.
struct Allocation {
  std::string name;
  std::uint64_t address = 0;  // of the first byte, on the device
  std::uint64_t size = 0;
  bool read_only = false;  // a device write is a finding (ReadOnlyWrite)
  std::byte* bytes = nullptr;
  /// One byte per byte, 1 once written by the host or a kernel; the uninitialised-read check uses
  /// it.
  std::uint8_t* initialised = nullptr;
};

/// Not thread-safe, except that run() may use several host threads on one Memory within one call.
class Memory {
 public:
  Memory();
  ~Memory();
  Memory(Memory&&) noexcept;
  Memory& operator=(Memory&&) noexcept;

  /// A new allocation, uninitialised and filled with 0xff bytes (NaN as floating point). Returns
  /// its device address. size 0 is allowed: any access to it is out of bounds.
  Result<std::uint64_t> allocate(std::string name, std::uint64_t size);
  /// Same, holding a copy of `data`, initialised.
  Result<std::uint64_t> allocate_copy(std::string name, std::span<const std::byte> data);
  /// Frees the allocation that begins at `address`. Later accesses to it are out of bounds.
  Status release(std::uint64_t address);

  /// The allocation that holds `address` (its own bytes, not its guards), or nullptr.
  const Allocation* find(std::uint64_t address) const noexcept;
  /// The allocation whose bytes or guard zones hold `address`, or nullptr; for naming stray
  /// accesses.
  const Allocation* nearest(std::uint64_t address) const noexcept;
  std::vector<const Allocation*> allocations() const;

  /// The host's view of the whole allocation that begins at `address`; empty if there is none.
  std::span<std::byte> bytes(std::uint64_t address) noexcept;
  std::span<const std::byte> bytes(std::uint64_t address) const noexcept;
  /// Copies in (marks initialised) and out; the range must lie in one allocation.
  Status write(std::uint64_t address, std::span<const std::byte> data);
  Status read(std::uint64_t address, std::span<std::byte> data) const;
  Status set_initialised(std::uint64_t address, std::uint64_t size, bool initialised);
  /// True if every byte of the range is initialised.
  bool is_initialised(std::uint64_t address, std::uint64_t size) const noexcept;
  Status set_read_only(std::uint64_t address, bool read_only);

  /// The device address of a .global or .const variable of the program. The first use of a program
  /// with this memory creates its variables with their initial values, as loading a module does;
  /// they persist over launches. Errors: NotFound, ResourceExhausted.
  Result<std::uint64_t> symbol(const Program& program, std::string_view name);

 private:
  friend class ModuleVariables;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kw::ptxvm
