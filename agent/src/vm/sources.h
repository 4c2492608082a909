#pragma once
// Source lines for quoting.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "launch.h"

namespace kw::agent::vm {

/// The lines that a module's line table names. Of a .cu they are its own; those of a .ptx are read
/// from CUDA or C++ files that are where the line table says, or beside the PTX. A line that is not
/// to be had is left out.
class Sources {
 public:
  explicit Sources(const Module& module);

  /// The file as a reader knows it: the .cu as it was given.
  std::string shown(const std::string& file) const;
  /// White space at both ends taken off, cut to a screen's width.
  std::optional<std::string> line(const std::string& file, std::uint32_t number);

 private:
  const std::vector<std::string>& lines_of(const std::string& file);

  const Module& module_;
  std::map<std::string, std::vector<std::string>> files_;
};

}  // namespace kw::agent::vm
