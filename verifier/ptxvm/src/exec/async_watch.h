#pragma once
// Shared memory that an asynchronous copy is going to write: nobody may touch it before the wait.

#include <cstdint>
#include <vector>

namespace kw::ptxvm {

struct Block;
struct Ins;
struct Warp;

class AsyncWatch {
 public:
  /// shared_bytes 0: the check is off.
  void start(Block& block, std::uint32_t shared_bytes);
  bool on() const noexcept { return !granules_.empty(); }

  /// A lane's copy to `offset` is in flight from now on; it may hit another one.
  void issued(Warp& w, const Ins* copy, unsigned lane, std::uint64_t offset, std::uint32_t bytes);
  void landed(std::uint64_t offset, std::uint32_t bytes);
  /// An access to shared memory while copies are in flight: a finding if it touches one's
  /// destination.
  void touched(Warp& w, const Ins* ins, unsigned lane, std::uint64_t offset, std::uint32_t bytes,
               bool write);
  /// The source of a lane's copy changed between issue and wait.
  void source_changed(Warp& w, const Ins* copy, unsigned lane, std::uint64_t address,
                      std::uint32_t bytes);

 private:
  void show();  // tells the warps whether anything is in flight

  Block* block_ = nullptr;
  std::vector<std::uint32_t> granules_;  // by 4 bytes: 0, or who issued (exec/shadow.h) and kStrong
  std::uint64_t in_flight_ = 0;          // granules
};

/// A number that changes when the bytes do.
std::uint64_t fingerprint(const void* bytes, std::uint32_t count);

}  // namespace kw::ptxvm
