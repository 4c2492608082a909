#pragma once
// A kernel as a directory that stands alone: source, PTX, cubin, plan, task, evidence, and the
// launcher library with an example that runs it.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "kw/core/candidate.h"
#include "kw/core/interfaces.h"
#include "kw/core/task.h"
#include "kw/store/store.h"

namespace kw::agent {

struct Bundle {
  Task task;
  std::string candidate_id;
  Candidate candidate;
  CompiledModule module;
  std::optional<store::VerdictRecord> verdict;  // the last full one that passed
  std::vector<store::TimingRecord> timings;
};

/// What the store knows of a kernel, compiled for `arch`. NotFound when it never passed in full.
Result<Bundle> collect_bundle(store::Store& store, Compiler& compiler, const Task& task,
                              const std::string& candidate_id, const std::string& arch,
                              std::stop_token stop);

struct BundleFile {
  std::string name;
  std::string bytes;
};
/// kernel.cu, kernel.ptx, kernel.cubin, plan.json, task.json, evidence.json, certificate.json, README.md,
/// kernelwright.h, run.c. The library is added by write_bundle().
std::vector<BundleFile> bundle_files(const Bundle& bundle);

/// Writes into a new or empty directory; libkernelwright.so is copied from beside this executable.
/// InvalidArgument when the directory holds anything, Io when the disk is full.
Status write_bundle(const Bundle& bundle, const std::filesystem::path& directory);

}  // namespace kw::agent
