#pragma once
// What a CUDA error says about a candidate.

#include "cuda_session.h"

namespace kw::verify {

/// After a synchronisation: the kernels of the candidate ran, and one of them failed.
RunFault fault_of_execution(const cu::Table& api, cu::Result result);
/// A launch, a lookup or a preparation that the launcher refused.
RunFault fault_of_launch(const Error& error);

}  // namespace kw::verify
