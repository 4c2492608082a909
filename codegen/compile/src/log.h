#pragma once
// From NVRTC's log to diagnostics in the candidate's lines.

#include <string>
#include <string_view>
#include <vector>

#include "kw/core/interfaces.h"

namespace kw::compile {

/// At most 64 diagnostics of 512 bytes, valid UTF-8, errors first. What is located in the candidate
/// is kept: its own lines, errors in one of `headers` (those it was given from memory; with the
/// candidate's line they were instantiated from where the log names it), and assembler errors,
/// whose PTX line is traced back through `ptx`. Messages about any other file are dropped.
std::vector<Diagnostic> parse_log(std::string_view log, std::string_view ptx,
                                  const std::vector<std::string>& headers = {});

/// Invalid bytes and control characters become '?'.
std::string clean_utf8(std::string_view text);

}  // namespace kw::compile
