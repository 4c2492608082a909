#pragma once
// What a command leaves of its accepts: a certificate each, and what judging them cost.

#include <filesystem>
#include <optional>
#include <string>

#include "kw/agent/workshop.h"
#include "kw/core/outcome.h"
#include "run_tasks.h"

namespace kw::agent {

/// The verdict that a run's winner was accepted on: of the whole battery, the last one.
/// Nothing where the run has no winner.
Result<std::optional<store::VerdictRecord>> accept_of(store::Store& store, const TaskRun& run);

/// Where certificates go when nobody says: "certificates" beside the store.
Result<std::filesystem::path> default_certificates(const std::string& store);

/// Writes DIRECTORY/TASK-KERNEL.json, a document that `kernelwright verify` replays, and returns
/// its path. `task` is what was solved. An Io error names the path.
Result<std::filesystem::path> write_certificate(store::Store& store, const Task& task,
                                                const store::VerdictRecord& verdict,
                                                const std::filesystem::path& directory);

/// The same of an accept that no store holds; its seed is the one that its evidence records.
Result<std::filesystem::path> write_certificate(const Task& task, const Candidate& candidate,
                                                const Passed& accept, bool full,
                                                const std::filesystem::path& directory);

/// Seconds by check, the dearest first.
std::vector<std::pair<std::string, double>> judging_costs(const Evidence& evidence);
/// "judging 0.31 s: V11 48 %, V16 20 %, compile 12 %, ..."; empty where nothing was measured.
std::string judging_text(const Evidence& evidence);

}  // namespace kw::agent
