#pragma once
// What commands print: results on stdout, everything else on stderr.

#include <string>
#include <string_view>
#include <vector>

#include "command.h"

namespace kw::agent {

/// One JSON object on stdout, or a line on stderr.
void print_error(const Error& error, std::string_view command, bool json);
/// stdout, flushed. Returns an Io error when nobody reads.
Status print(std::string_view text);

/// Columns padded to their widest cell; the first row is the heading.
std::string table(const std::vector<std::vector<std::string>>& rows);
/// "1.94 s", "310 ms"
std::string seconds_text(double seconds);
/// "12.3 us", "4.56 ms"
std::string microseconds_text(double us);

/// A line that replaces itself on a terminal; plain lines otherwise. Quiet unless asked for or a
/// terminal. Thread-safe.
class Progress {
 public:
  explicit Progress(bool forced);
  ~Progress();
  void show(std::string_view line);
  /// Ends the line for good, so that what follows starts on its own.
  void clear();
  bool enabled() const { return enabled_; }

 private:
  bool enabled_ = false;
  bool terminal_ = false;
  std::size_t width_ = 0;
};

}  // namespace kw::agent
