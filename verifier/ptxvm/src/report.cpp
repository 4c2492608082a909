#include "kw/ptxvm/report.h"

namespace kw::ptxvm {

MemoryCounts& MemoryCounts::operator+=(const MemoryCounts& other) noexcept {
  global_requests += other.global_requests;
  global_sectors += other.global_sectors;
  global_bytes += other.global_bytes;
  shared_requests += other.shared_requests;
  shared_waves += other.shared_waves;
  shared_waves_ideal += other.shared_waves_ideal;
  return *this;
}

std::string_view to_string(Space space) noexcept {
  switch (space) {
    case Space::Global:
      return "global";
    case Space::Shared:
      return "shared";
    case Space::Local:
      return "local";
    case Space::Constant:
      return "constant";
    case Space::Parameter:
      return "parameter";
    case Space::Generic:
      return "generic";
  }
  return "?";
}

std::string_view to_string(FindingKind kind) noexcept {
  switch (kind) {
    case FindingKind::OutOfBounds:
      return "out_of_bounds";
    case FindingKind::Misaligned:
      return "misaligned";
    case FindingKind::InvalidAddress:
      return "invalid_address";
    case FindingKind::UninitialisedRead:
      return "uninitialised_read";
    case FindingKind::ReadOnlyWrite:
      return "read_only_write";
    case FindingKind::BarrierDivergence:
      return "barrier_divergence";
    case FindingKind::WarpDivergence:
      return "warp_divergence";
    case FindingKind::AsyncCopy:
      return "async_copy";
    case FindingKind::Race:
      return "race";
    case FindingKind::UninitialisedRegister:
      return "uninitialised_register";
    case FindingKind::IndexOverflow:
      return "index_overflow";
    case FindingKind::Trap:
      return "trap";
    case FindingKind::AssertFailed:
      return "assert_failed";
    case FindingKind::Watchdog:
      return "watchdog";
  }
  return "?";
}

std::string_view to_string(InstructionClass c) noexcept {
  switch (c) {
    case InstructionClass::Integer:
      return "integer";
    case InstructionClass::Float32:
      return "float32";
    case InstructionClass::Float64:
      return "float64";
    case InstructionClass::Half:
      return "half";
    case InstructionClass::SpecialFunction:
      return "special_function";
    case InstructionClass::Conversion:
      return "conversion";
    case InstructionClass::Move:
      return "move";
    case InstructionClass::Predicate:
      return "predicate";
    case InstructionClass::Control:
      return "control";
    case InstructionClass::Barrier:
      return "barrier";
    case InstructionClass::WarpOp:
      return "warp_op";
    case InstructionClass::LoadGlobal:
      return "load_global";
    case InstructionClass::StoreGlobal:
      return "store_global";
    case InstructionClass::LoadShared:
      return "load_shared";
    case InstructionClass::StoreShared:
      return "store_shared";
    case InstructionClass::LoadLocal:
      return "load_local";
    case InstructionClass::StoreLocal:
      return "store_local";
    case InstructionClass::LoadConstant:
      return "load_constant";
    case InstructionClass::Atomic:
      return "atomic";
    case InstructionClass::AsyncCopy:
      return "async_copy";
    case InstructionClass::Matrix:
      return "matrix";
    case InstructionClass::Other:
      return "other";
  }
  return "?";
}

}  // namespace kw::ptxvm
