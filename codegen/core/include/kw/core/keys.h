#pragma once
// The four keys of a task, never one: memory looks up by falling through them and says how it
// matched.

#include <string>

#include "kw/core/candidate.h"
#include "kw/core/task.h"

namespace kw {

struct TaskKeys {
  std::string semantic;  // graph structure, attributes, dtypes, numerics; no extents
  std::string shape;     // semantic + every extent: the instance key
};
/// Names, provenance and draws' order are not hashed; the draws themselves, policy, determinism and
/// whether setup is timed are. Values are numbered in order of use, so renaming changes nothing.
TaskKeys keys_of(const Task& task);

/// Source, options, architecture and compiler build: what a compiled module depends on.
std::string toolchain_key(std::string_view compiler, std::string_view arch);
/// Content id of a candidate: source, plan, parameters. The proposer is not hashed.
std::string candidate_id(const Candidate& candidate);

/// Canonical text for hashing: keys sorted, no white space, doubles as 16 hex digits of their bits.
std::string canonical_json(std::string_view json);

}  // namespace kw
