#pragma once
// Which operands of mma.sync a run has decoded before (exec/product_run.h).

#include "exec/lowered.h"

namespace kw::ptxvm {

/// Sets Ins::x of every mma that the handlers run together with its neighbours.
void plan_product_runs(LoweredKernel& kernel);

}  // namespace kw::ptxvm
