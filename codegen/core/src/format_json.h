#pragma once
// Conversions shared by the documents that contain a format.

#include <string>

#include "kw/core/format.h"
#include "kw/core/json.h"

namespace kw {

Result<Format> format_from_json(const Json& json, const std::string& pointer);
Json format_to_json(const Format& format);

}  // namespace kw
