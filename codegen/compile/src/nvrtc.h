#pragma once
// NVRTC through dlopen. Used in compile processes only: the process that decides never loads it.

#include <string>
#include <utility>
#include <vector>

#include "kw/core/result.h"

namespace kw::compile {

struct NvrtcInput {
  std::string source;
  std::vector<std::string> options;
  std::vector<std::pair<std::string, std::string>> headers;  // name, text
};
struct NvrtcOutput {
  bool ok = false;
  std::string log;    // at most kMaxLogBytes
  std::string ptx;    // also after a failed assembly, for the line numbers of its messages
  std::string cubin;  // when ok
};

inline constexpr std::size_t kMaxLogBytes = 64u << 10;
/// The name every source is compiled under: it reaches the line table and so the PTX.
inline constexpr const char* kVirtualName = "candidate.cu";

/// Not thread-safe.
class Nvrtc {
 public:
  /// `library` as in Toolkit::nvrtc.
  static Result<Nvrtc> load(const std::string& library);

  /// An Error only when NVRTC itself does not work.
  Result<NvrtcOutput> compile(const NvrtcInput& input) const;
  /// "13.0"
  const std::string& version() const noexcept { return version_; }

 private:
  struct Table;
  explicit Nvrtc(const Table* table) : table_(table) {}

  const Table* table_;  // lives as long as the process: the library is never unloaded
  std::string version_;
};

}  // namespace kw::compile
