#pragma once
// Lowered code: an array of fixed-size instructions, each carrying the handler that runs it for a
// whole warp. Included by handlers that are built for several instruction sets: no inline functions
// with static storage, no standard containers.

#include <cstdint>

namespace kw::ptxvm {

struct Warp;
struct Ins;

/// Runs one instruction for the active lanes and returns where to go on; nullptr gives control back
/// to the scheduler (Warp::stop says why).
using Handler = const Ins* (*)(Warp& warp, const Ins* ins);

/// Operand locations d, a, b, c are byte offsets: even ones into the warp's registers, odd ones
/// (less one) into the launch's constant pool. The meaning of the other fields is the handler's.
struct Ins {
  Handler run;
  std::uint32_t d, a, b, c;
  std::uint64_t imm;
  std::uint32_t x, y;
  std::uint32_t source;  // index into Code::sources
  std::uint32_t extra;   // first of more operands in Code::extra
  std::uint32_t cache;   // memory instructions: slot of the region cache
  std::uint32_t z;
};
static_assert(sizeof(Ins) == 56);

/// Bytes per lane of each operand; 0 absent, 1 a lane mask.
struct Signature {
  std::uint8_t d, a, b, c;
};

/// Ins::y of memory instructions.
struct AccessBits {
  std::uint32_t bits;

  static constexpr std::uint32_t kStore = 1u << 12, kSigned = 1u << 13, kAddress32 = 1u << 14;
  // Memory order: kStrong for all but weak accesses; kAtomic reads and writes at once.
  static constexpr std::uint32_t kStrong = 1u << 15, kVolatile = 1u << 16, kAcquire = 1u << 17,
                                 kRelease = 1u << 18, kAtomic = 1u << 19, kBlockScope = 1u << 20;

  // element bytes 1..16, vector length 1..8, space (kw::ptxvm::Space as a number)
  static constexpr std::uint32_t pack(std::uint32_t bytes, std::uint32_t count, std::uint32_t space,
                                      std::uint32_t flags) {
    return bytes | count << 5 | space << 9 | flags;
  }
  constexpr std::uint32_t bytes() const { return bits & 31u; }
  constexpr std::uint32_t count() const { return bits >> 5 & 15u; }
  constexpr std::uint32_t space() const { return bits >> 9 & 7u; }
  constexpr bool store() const { return (bits & kStore) != 0; }
  constexpr bool is_signed() const { return (bits & kSigned) != 0; }
  constexpr bool strong() const { return (bits & kStrong) != 0; }
  constexpr bool is_volatile() const { return (bits & kVolatile) != 0; }
  constexpr bool address32() const { return (bits & kAddress32) != 0; }
};

}  // namespace kw::ptxvm
