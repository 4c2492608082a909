#pragma once
// Conversions shared by the documents that contain a launch plan.

#include <string>

#include "kw/core/json.h"
#include "kw/core/launch_plan.h"

namespace kw {

Result<LaunchPlan> plan_from_json(const Json& json, const std::string& pointer);
Json plan_to_json(const LaunchPlan& plan);

}  // namespace kw
