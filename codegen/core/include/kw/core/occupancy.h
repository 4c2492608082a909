#pragma once
// What one multiprocessor holds: tables of devices, and how many blocks of a kernel are resident.
// The limits are those of "Compute Capabilities" in the CUDA C++ Programming Guide; the rounding of
// registers, warps and shared memory is that of NVIDIA's occupancy calculator.

#include <cstdint>
#include <span>
#include <string_view>

#include "kw/core/result.h"

namespace kw {

/// One architecture and the device that stands for it in tables.
struct SmTable {
  std::string_view arch;    // "sm_80"
  std::string_view device;  // whose multiprocessor count and L2 cache the row has: "A100"
  std::uint32_t warps = 0;  // resident per multiprocessor
  std::uint32_t blocks = 0;
  std::uint32_t registers = 65536;           // 32-bit, per multiprocessor
  std::uint32_t registers_per_thread = 255;  // at most
  std::uint32_t shared_bytes = 0;            // per multiprocessor
  std::uint32_t shared_per_block = 0;        // with the opt-in attribute
  std::uint32_t shared_reserved = 0;         // taken by the system from every block
  std::uint32_t shared_unit = 128;           // shared memory of a block is rounded up to this
  std::uint32_t l1_bytes = 0;                // unified with shared memory
  std::uint64_t l2_bytes = 0;                // of the device
  std::uint32_t multiprocessors = 0;         // of the device
};

/// sm_75 to sm_90, ascending.
std::span<const SmTable> sm_tables() noexcept;
/// By "sm_80", "sm_90a" or "compute_80"; nullptr for an architecture without a row.
const SmTable* find_sm_table(std::string_view arch) noexcept;

struct BlockNeeds {
  std::uint32_t threads = 0;
  std::uint32_t registers = 0;     // per thread
  std::uint32_t shared_bytes = 0;  // static and dynamic
};

enum class OccupancyLimit { Warps, Blocks, Registers, SharedMemory };
std::string_view to_string(OccupancyLimit limit) noexcept;

struct Occupancy {
  std::uint32_t blocks = 0;  // resident per multiprocessor; 0: the launch fails there
  std::uint32_t warps = 0;
  double fraction = 0;  // of the resident warps that the multiprocessor could hold
  OccupancyLimit limit = OccupancyLimit::Warps;  // what allows no further block
};

/// InvalidArgument for a block of no threads.
Result<Occupancy> occupancy(const SmTable& sm, const BlockNeeds& needs);

}  // namespace kw
