#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
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
  /// Kernel `k` in another way than `lowered`; made at first use.
  const LoweredKernel& variant(std::size_t k, Variant wanted) const;
  std::vector<FunctionInfo> functions;
  std::vector<VariableInfo> variables;

 private:
  mutable std::mutex mutex_;
  mutable std::map<std::pair<std::size_t, Variant>, std::unique_ptr<LoweredKernel>>
      variants_;  // guarded by mutex_
};

}  // namespace kw::ptxvm
