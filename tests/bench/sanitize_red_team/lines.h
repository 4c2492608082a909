#pragma once
// The record: a line of JSON for each run of a tool on a case, written at once, read again by the
// next start.

#include <cstdio>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "kw/core/result.h"
#include "target.h"
#include "work.h"

namespace kw::redteam {

class Lines {
 public:
  /// Reads what `path` holds (a torn last line is cut off) and appends to it; empty: standard
  /// output alone. Errors: the file cannot be written, a line is not ours.
  static Result<Lines> open(const std::string& path);
  Lines(Lines&& other) noexcept;
  Lines& operator=(Lines&&) = delete;
  ~Lines();

  /// Thread-safe.
  void add(const Case& c, const std::string& tool, const Seen& seen);
  const std::set<Run>& done() const { return done_; }
  const std::set<Run>& unclean() const { return unclean_; }

 private:
  Lines() = default;
  Status take(const std::string& line);

  std::mutex mutex_;
  std::FILE* file_ = nullptr;     // guarded by mutex_; owned unless it is stdout
  std::set<Run> done_, unclean_;  // guarded by mutex_ while threads add
};

}  // namespace kw::redteam
