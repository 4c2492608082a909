#pragma once
// The toolkit's headers, given to NVRTC from memory.

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source_scan.h"

namespace kw::compile {

struct Header {
  std::string name;  // as it is included: "cuda/std/cstdint"
  std::string text;  // its own relative includes rewritten to full names
  std::string hash;
  std::vector<std::string> includes;  // names that resolve
};

/// What one source can reach.
struct HeaderClosure {
  std::vector<const Header*> headers;  // sorted by name
  std::string hash;
  std::vector<Diagnostic> missing;  // includes of the candidate that name no available header
};

/// Headers are read on demand and kept. Only device headers of the toolkit can be named: no
/// absolute path, no "..", no host library. Thread-safe.
class HeaderSet {
 public:
  explicit HeaderSet(std::vector<std::filesystem::path> roots) : roots_(std::move(roots)) {}
  HeaderClosure closure(const std::vector<SourceInclude>& includes);

 private:
  const Header* find(const std::string& name);  // needs mutex_
  void rewrite_includes(Header& header);        // needs mutex_
  bool exists(const std::string& name);         // needs mutex_

  std::vector<std::filesystem::path> roots_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Header>> headers_;  // guarded by mutex_; null: absent
  std::map<std::string, bool> exists_;                      // guarded by mutex_
};

}  // namespace kw::compile
