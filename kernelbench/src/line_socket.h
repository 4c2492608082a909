#pragma once
// Lines of text over a stream socket, with deadlines.

#include <string>
#include <string_view>

#include "kw/core/result.h"
#include "kw/process/fd.h"
#include "kw/process/wait.h"

namespace kw::bench {

/// Not thread-safe. A peer that is gone is Errc::Unavailable.
class LineSocket {
 public:
  LineSocket() = default;
  /// Both ends of a new connection; the second is for a child.
  static Result<std::pair<LineSocket, process::Fd>> make(std::size_t max_line_bytes);

  Status send(std::string_view line, const process::Wait& wait);
  Result<std::string> receive(const process::Wait& wait);

 private:
  process::Fd fd_;
  std::string buffer_;  // received and not yet returned
  std::size_t max_line_bytes_ = 0;
};

}  // namespace kw::bench
