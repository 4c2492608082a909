#pragma once

#include <cstdint>
#include <memory>
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
  std::vector<FunctionInfo> functions;
  std::vector<VariableInfo> variables;
};

}  // namespace kw::ptxvm
