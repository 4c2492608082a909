#include "cuda_fault.h"

namespace kw::verify {

RunFault fault_of_execution(const cu::Table& api, cu::Result result) {
  RunFault fault;
  switch (result) {
    case 700:
      fault.kind = RejectKind::OutOfBounds;
      break;  // CUDA_ERROR_ILLEGAL_ADDRESS
    case 716:
      fault.kind = RejectKind::Misaligned;
      break;  // CUDA_ERROR_MISALIGNED_ADDRESS
    case 702:
      fault.kind = RejectKind::Timeout;
      break;  // CUDA_ERROR_LAUNCH_TIMEOUT
    default:
      fault.kind = RejectKind::LaunchError;
      break;
  }
  fault.reason = launch::driver_error(api, result, "running the plan").message;
  fault.witness["cuda_error"] = fmt::format("{}", result);
  return fault;
}

RunFault fault_of_launch(const Error& error) {
  const bool here = error.code == Errc::Unsupported || error.code == Errc::ResourceExhausted;
  return {here ? RejectKind::NotVerifiable : RejectKind::LaunchError, error.message, {}};
}

}  // namespace kw::verify
