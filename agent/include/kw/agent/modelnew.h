#pragma once
// A kernel that the store knows as a PyTorch module in one file.

#include <filesystem>
#include <string>

#include "kw/agent/bundle.h"
#include "kw/agent/judging.h"

namespace kw::agent {

/// Writes kw::bench::to_python() of a candidate that `verdict` accepted, bound for the device. `path`
/// and errors as below.
Result<std::string> write_modelnew(const Task& task, const Candidate& candidate,
                                   const std::string& kernel, const Passed& verdict,
                                   const DeviceInfo& device, const std::filesystem::path& path);

/// Writes kw::bench::to_python() of the bundle, bound for the device. `path` is the file when it
/// ends in ".py"; otherwise a folder, made when it is missing, and the file gets KernelBench's
/// name. A file that is there is replaced whole. Returns the file's path. Errors: those of
/// to_python(), and Io.
Result<std::string> write_modelnew(const Bundle& bundle, const DeviceInfo& device,
                                   const std::filesystem::path& path);

}  // namespace kw::agent
