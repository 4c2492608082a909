#pragma once
// What happens before what: logical time for the race checks.
//
// A block counts stamps; the count moves on at every synchronisation, so that (thread, stamp) names
// a stretch of a thread's accesses between two of them. A thread's view says, for every other
// thread, up to which stamp its accesses are ordered before what the thread does now. Threads that
// synchronise join their views. Views are shared and copied when they change.

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace kw::ptxvm {

/// Even; the odd number above it marks a shadow slot (exec/shadow.h). 0: never.
using Stamp = std::uint32_t;

/// What is known of one block's threads.
struct BlockSeen {
  struct Lane {
    std::uint32_t thread;  // warp * 32 + lane
    Stamp until;
  };
  std::vector<Stamp> warps;  // all lanes of a warp, up to here
  std::vector<Lane> lanes;   // single lanes, further; sorted by thread

  bool knows(std::uint32_t warp, std::uint32_t lane, Stamp t) const noexcept;
  void learn(std::uint32_t thread, Stamp until);
  void join(const BlockSeen& other);
};

/// What is known of other blocks, by their position in the launch order.
using ForeignSeen = std::vector<std::pair<std::uint32_t, std::shared_ptr<const BlockSeen>>>;

/// What was known when a fence was passed. A thread that is ordered after the fence may publish it
/// by a plain strong write, also where the fence was another thread's.
struct Fenced {
  BlockSeen own;
  std::shared_ptr<const ForeignSeen> foreign;
};

struct View {
  BlockSeen own;
  std::shared_ptr<const ForeignSeen> foreign;  // nullptr: nothing
  std::shared_ptr<const Fenced> fenced[2];     // by a fence of the block's or the device's scope
  std::shared_ptr<const ForeignSeen> pending;  // read, but no fence has followed yet

  void join(const View& other);
};

std::shared_ptr<const ForeignSeen> joined(const std::shared_ptr<const ForeignSeen>& a,
                                          const std::shared_ptr<const ForeignSeen>& b);
/// `to` without what it knows of the block at `own`, with `seen` of the block at `position`.
std::shared_ptr<const ForeignSeen> with_block(const std::shared_ptr<const ForeignSeen>& to,
                                              std::uint32_t position, const BlockSeen& seen);
/// nullptr if nothing is known of that block.
const BlockSeen* find_block(const ForeignSeen* foreign, std::uint32_t position) noexcept;

}  // namespace kw::ptxvm
