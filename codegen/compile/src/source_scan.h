#pragma once
// A first look at a candidate's text. Advisory: what it misses, the cage still denies.

#include <string>
#include <string_view>
#include <vector>

#include "kw/core/interfaces.h"

namespace kw::compile {

struct SourceInclude {
  std::string name;
  bool quoted = false;
  int line = 0;
};

struct SourceScan {
  std::vector<SourceInclude> includes;
  std::vector<Diagnostic> refusals;
};

/// Reads like a preprocessor would: spliced lines, comments, string and raw string literals,
/// digraphs. Refuses includes whose name is a macro, __has_include, _Pragma other than unrolling,
/// line directives, and __DATE__, __TIME__, __TIMESTAMP__.
SourceScan scan_source(std::string_view source);

}  // namespace kw::compile
