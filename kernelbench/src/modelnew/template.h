#pragma once
// Texts with holes: "@NAME@".

#include <map>
#include <string>
#include <string_view>

#include "kw/core/result.h"

namespace kw::bench {

using Holes = std::map<std::string, std::string, std::less<>>;

/// The embedded template with every hole filled. Internal for a template or hole that does not
/// exist.
Result<std::string> fill_template(std::string_view file, const Holes& holes);

}  // namespace kw::bench
