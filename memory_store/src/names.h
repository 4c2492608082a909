#pragma once
// How states are written in the tables.

#include <optional>
#include <string_view>

#include "kw/core/event.h"
#include "kw/core/result.h"
#include "kw/store/jobs.h"
#include "kw/store/requests.h"

namespace kw::store {

/// Corrupt when the text is no such name: a table's CHECK has been got around.
Result<JobState> job_state_from(std::string_view text);
Result<EffectState> effect_state_from(std::string_view text);
Result<RequestState> request_state_from(std::string_view text);

}  // namespace kw::store
