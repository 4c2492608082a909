#pragma once
// Writing down what one warp executes. Without a trace nothing of this is in the way: tracing runs
// a copy of the code whose handlers are all one that notes the instruction and goes on to its own.

#include <vector>

#include "exec/context.h"

namespace kw::ptxvm {

/// The copy; `context.untraced` must point at the code it is made of.
std::vector<Ins> traced_code(const LaunchContext& context);

/// Puts what the workers noted into words. Only one of them ran the warp.
void collect_trace(const LaunchContext& context, const Workers& workers, Report& report);

}  // namespace kw::ptxvm
