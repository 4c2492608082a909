#pragma once
// Columns that hold JSON of ours.

#include <cstdint>
#include <string>
#include <vector>

#include "kw/core/interfaces.h"

namespace kw::store {

/// To bind where SQL says `IN (SELECT value FROM json_each(?))`.
std::string json_list(const std::vector<std::string>& values);

std::string extents_text(const std::vector<std::int64_t>& extents);
Result<std::vector<std::int64_t>> extents_from(const std::string& text);

/// Keys sorted, so that one configuration is one text.
std::string config_text(const Config& config);
Result<Config> config_from(const std::string& text);

}  // namespace kw::store
