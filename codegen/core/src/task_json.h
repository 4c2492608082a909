#pragma once
// Parts of a task's document that its keys hash too.

#include <string_view>

#include "kw/core/json.h"
#include "kw/core/task.h"

namespace kw {

/// {"x": [["uniform",0,1]]} by value name.
Json draws_json(const Task& task);
std::string_view to_string(Determinism determinism) noexcept;

}  // namespace kw
