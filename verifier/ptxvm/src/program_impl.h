#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "exec/lowered.h"
#include "front/ast.h"
#include "kw/ptxvm/program.h"

namespace kw::ptxvm {

struct Program::Impl {
  std::uint64_t id = 0;  // never used twice in a process
  Module module;
  std::vector<KernelInfo> kernels;
  std::vector<std::unique_ptr<FlatKernel>> flat;        // by kernel; owns synthesized instructions
  std::vector<std::unique_ptr<LoweredKernel>> lowered;  // by kernel; nullptr if refused
  /// Kernel `k` with the instructions of the value checks; made at first use.
  const LoweredKernel& checked(std::size_t k) const;
  std::vector<FunctionInfo> functions;
  std::vector<VariableInfo> variables;

 private:
  mutable std::mutex mutex_;
  mutable std::map<std::size_t, std::unique_ptr<LoweredKernel>> checked_;  // guarded by mutex_
};

}  // namespace kw::ptxvm
