#include "kw/core/occupancy.h"

#include <algorithm>
#include <array>

namespace kw {
namespace {

constexpr std::uint32_t kKiB = 1u << 10;
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint32_t kWarpThreads = 32;
constexpr std::uint32_t kPartitions = 4;  // of a multiprocessor; a block's warps are spread evenly
constexpr std::uint32_t kRegisterUnit = 256;  // registers of a warp are rounded up to this

constexpr std::array kTables{
    SmTable{.arch = "sm_75",
            .device = "T4",
            .warps = 32,
            .blocks = 16,
            .shared_bytes = 64 * kKiB,
            .shared_per_block = 64 * kKiB,
            .shared_unit = 256,
            .l1_bytes = 96 * kKiB,
            .l2_bytes = 4 * kMiB,
            .multiprocessors = 40},
    SmTable{.arch = "sm_80",
            .device = "A100",
            .warps = 64,
            .blocks = 32,
            .shared_bytes = 164 * kKiB,
            .shared_per_block = 163 * kKiB,
            .shared_reserved = kKiB,
            .l1_bytes = 192 * kKiB,
            .l2_bytes = 40 * kMiB,
            .multiprocessors = 108},
    SmTable{.arch = "sm_86",
            .device = "RTX 3090",
            .warps = 48,
            .blocks = 16,
            .shared_bytes = 100 * kKiB,
            .shared_per_block = 99 * kKiB,
            .shared_reserved = kKiB,
            .l1_bytes = 128 * kKiB,
            .l2_bytes = 6 * kMiB,
            .multiprocessors = 82},
    SmTable{.arch = "sm_87",
            .device = "AGX Orin",
            .warps = 48,
            .blocks = 16,
            .shared_bytes = 164 * kKiB,
            .shared_per_block = 163 * kKiB,
            .shared_reserved = kKiB,
            .l1_bytes = 192 * kKiB,
            .l2_bytes = 4 * kMiB,
            .multiprocessors = 16},
    SmTable{.arch = "sm_89",
            .device = "RTX 4090",
            .warps = 48,
            .blocks = 24,
            .shared_bytes = 100 * kKiB,
            .shared_per_block = 99 * kKiB,
            .shared_reserved = kKiB,
            .l1_bytes = 128 * kKiB,
            .l2_bytes = 72 * kMiB,
            .multiprocessors = 128},
    SmTable{.arch = "sm_90",
            .device = "H100",
            .warps = 64,
            .blocks = 32,
            .shared_bytes = 228 * kKiB,
            .shared_per_block = 227 * kKiB,
            .shared_reserved = kKiB,
            .l1_bytes = 256 * kKiB,
            .l2_bytes = 50 * kMiB,
            .multiprocessors = 132},
};

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

}  // namespace

std::span<const SmTable> sm_tables() noexcept { return kTables; }

const SmTable* find_sm_table(std::string_view arch) noexcept {
  for (const std::string_view prefix : {"compute_", "sm_"}) {
    if (!arch.starts_with(prefix)) continue;
    arch.remove_prefix(prefix.size());
    if (arch.ends_with('a') || arch.ends_with('f')) arch.remove_suffix(1);
    for (const SmTable& row : kTables) {
      if (row.arch.substr(3) == arch) return &row;
    }
  }
  return nullptr;
}

std::string_view to_string(OccupancyLimit limit) noexcept {
  switch (limit) {
    case OccupancyLimit::Warps:
      return "warps";
    case OccupancyLimit::Blocks:
      return "blocks";
    case OccupancyLimit::Registers:
      return "registers";
    case OccupancyLimit::SharedMemory:
      return "shared_memory";
  }
  return "?";
}

Result<Occupancy> occupancy(const SmTable& sm, const BlockNeeds& needs) {
  if (needs.threads == 0) return fail(Errc::InvalidArgument, "a block of no threads");
  const std::uint64_t warps = (std::uint64_t{needs.threads} + kWarpThreads - 1) / kWarpThreads;
  std::array<std::uint64_t, 4> most{};  // by OccupancyLimit
  most[0] = sm.warps / warps;
  most[1] = sm.blocks;
  constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};
  most[2] = kNoLimit;
  if (needs.registers > sm.registers_per_thread) {
    most[2] = 0;
  } else if (needs.registers > 0) {
    const std::uint64_t per_warp =
        round_up(std::uint64_t{needs.registers} * kWarpThreads, kRegisterUnit);
    // A launch is refused unless all partitions could take the block's largest share at once.
    const bool fits = round_up(warps, kPartitions) * per_warp <= sm.registers;
    most[2] = fits ? sm.registers / kPartitions / per_warp * kPartitions / warps : 0;
  }
  most[3] = kNoLimit;
  if (needs.shared_bytes > sm.shared_per_block) {
    most[3] = 0;
  } else if (const std::uint64_t taken =
                 round_up(std::uint64_t{needs.shared_bytes} + sm.shared_reserved, sm.shared_unit);
             taken > 0) {
    most[3] = sm.shared_bytes / taken;
  }
  const auto least = std::min_element(most.begin(), most.end());
  Occupancy out;
  out.blocks = static_cast<std::uint32_t>(*least);
  out.warps = static_cast<std::uint32_t>(*least * warps);
  out.fraction = static_cast<double>(out.warps) / sm.warps;
  out.limit = static_cast<OccupancyLimit>(least - most.begin());
  return out;
}

}  // namespace kw
