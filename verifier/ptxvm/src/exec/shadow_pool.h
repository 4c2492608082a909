#pragma once
// Room for the race checks' records, kept from launch to launch: stamps go on growing, so that old
// records mean nothing and nothing has to be cleared.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "exec/shadow.h"

namespace kw::ptxvm {

/// Pages that are zero when first touched.
class Pages {
 public:
  Pages() = default;
  explicit Pages(std::size_t bytes);  // throws std::bad_alloc
  std::byte* get() const noexcept { return bytes_.get(); }

 private:
  struct Unmap {
    std::size_t bytes;
    void operator()(std::byte* p) const noexcept;
  };
  std::unique_ptr<std::byte, Unmap> bytes_{nullptr, Unmap{0}};
};

/// Records for some number of granules.
struct ShadowRoom {
  std::size_t chunks = 0;
  Pages records, rows, strong_rows;

  Shadow shadow(std::uint64_t granules) const noexcept;
};

/// One host thread's.
class ShadowPool {
 public:
  ShadowRoom take(std::uint64_t granules);
  void give(ShadowRoom room) { used_.push_back(std::move(room)); }

  /// The first stamp of a new launch.
  Stamp begin_launch();
  /// `next` is unused. Rooms that this launch had no use for are freed.
  void end_launch(Stamp next);

 private:
  std::vector<ShadowRoom> free_, used_;
  Stamp next_ = 2;
};

}  // namespace kw::ptxvm
