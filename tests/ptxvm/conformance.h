#pragma once
// The conformance suite: one small kernel per instruction, type and modifier, run on the same 2048
// records of edge and random values by the virtual machine and by a GPU.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kw/ptxvm/run.h"

namespace kw::ptxvm::conformance {

struct Case {
  std::string name;    // the instruction with its modifiers (and immediate, if any)
  std::string inputs;  // the type whose records it reads
  std::size_t result_bytes = 4;
  std::string ptx;  // a module with the kernel k(in, out)
  bool approximate = false;
};

/// Every lane reads a record of 64 bytes (four operands of 16) and writes to 64 bytes of its
/// own, of which the first result_bytes count.
inline constexpr std::size_t kLanes = 2048, kRecordBytes = 64, kResultBytes = 64;

/// All cases, in a fixed order.
const std::vector<Case>& cases();

/// kLanes records for operands of a type ("s32", "f16x2"), or "mma A C" for fragments of these
/// element and accumulator types; the same on every machine.
std::vector<std::byte> inputs(const std::string& type);

/// mma.sync in all supported shapes (conformance_matrix.cpp).
std::vector<Case> matrix_cases();
std::vector<std::byte> matrix_inputs(const std::string& element, const std::string& accumulator);

/// What the first cases leave out (a file each): rarer conversions and packed forms; loads, stores
/// and atomics; operations between lanes; barriers, copies and address arithmetic; wmma.
std::vector<Case> narrow_cases();
std::vector<Case> memory_cases();
std::vector<Case> warp_cases();
std::vector<Case> scene_cases();
std::vector<Case> wmma_cases();

/// Per warp 1024 bytes of elements, then 1024 of accumulators ("wmma A C").
std::vector<std::byte> whole_matrix_inputs(const std::string& element,
                                           const std::string& accumulator);

/// A module with the kernel k whose body has the record's address in %rd1 and the result's in %rd2.
std::string module_of(const std::string& body);

/// Of an approximate case: the largest error in units of what the PTX ISA allows there, over the
/// operands for which it states a bound, and where that was.
struct Deviation {
  double worst = 0;
  std::size_t lane = 0, checked = 0;
};
Deviation deviation(const Case& c, const std::vector<std::byte>& results);

/// FNV-1a of the counting bytes of all results.
std::uint64_t digest(const Case& c, const std::vector<std::byte>& results);

/// The results of the virtual machine; empty if it refuses the kernel (message in *refusal).
std::vector<std::byte> run_on_vm(const Case& c, std::string* refusal, const Options& options = {});

}  // namespace kw::ptxvm::conformance
