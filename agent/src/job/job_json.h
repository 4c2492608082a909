#pragma once
// JSON of specs, findings and steps, shared by the documents that contain them.

#include "kw/agent/job.h"
#include "kw/core/json.h"

namespace kw::agent {

Json spec_json(const JobSpec& spec);
Result<JobSpec> read_spec(const Json& value, const std::string& pointer);
Json finding_json(const Finding& finding);
Result<Finding> read_finding(const Json& value, const std::string& pointer);
Json step_json(const StepBody& body);
Result<StepBody> read_step(std::string_view kind, const Json& value, const std::string& pointer);
Result<int> read_int(JsonReader& reader, std::string_view key, std::int64_t low, std::int64_t high);
/// 64-bit seeds are written as 16 hex digits: JSON numbers lose their low bits in other readers.
std::string seed_text(std::uint64_t seed);
Result<std::uint64_t> read_seed(std::string_view text);

}  // namespace kw::agent
