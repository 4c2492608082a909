#pragma once

#include <string_view>

#include "front/ast.h"
#include "kw/core/result.h"

namespace kw::ptxvm {

/// Bounds on what load() accepts; far above what compilers emit.
inline constexpr std::size_t kMaxPtxBytes = std::size_t{256} << 20;
inline constexpr std::size_t kMaxRegisters = std::size_t{1} << 20;          // per function
inline constexpr std::uint64_t kMaxVariableBytes = std::uint64_t{1} << 31;  // of a module

/// Parses a module. Opcodes are not checked here; names of registers and labels are.
Result<Module> parse_module(std::string_view ptx);

}  // namespace kw::ptxvm
