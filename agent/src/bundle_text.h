#pragma once
// Files of capi/ that go into every bundle, embedded at build time.

#include <string_view>

namespace kw::agent {

extern const std::string_view kHeaderText;
extern const std::string_view kRunText;

}  // namespace kw::agent
