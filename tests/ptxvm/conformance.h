#pragma once
// The conformance suite: one small kernel per instruction, type and modifier, run on the same 2048
// records of edge and random values by the virtual machine and by a GPU.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace kw::ptxvm::conformance {

struct Case {
  std::string name;    // the instruction with its modifiers (and immediate, if any)
  std::string inputs;  // the type whose records it reads
  std::size_t result_bytes = 4;
  std::string ptx;  // a module with the kernel k(in, out)
  bool approximate = false;
};

/// Every lane reads a record of 64 bytes (four operands of 16) and writes 8 bytes, of which
/// result_bytes count.
inline constexpr std::size_t kLanes = 2048, kRecordBytes = 64, kResultBytes = 16;

/// All cases, in a fixed order.
const std::vector<Case>& cases();

/// kLanes records for operands of a type ("s32", "f16x2"), or "mma A C" for fragments of these
/// element and accumulator types; the same on every machine.
std::vector<std::byte> inputs(const std::string& type);

/// mma.sync in all supported shapes (conformance_matrix.cpp).
std::vector<Case> matrix_cases();
std::vector<std::byte> matrix_inputs(const std::string& element, const std::string& accumulator);

/// A module with the kernel k whose body has the record's address in %rd1 and the result's in %rd2.
std::string module_of(const std::string& body);

/// FNV-1a of the counting bytes of all results.
std::uint64_t digest(const Case& c, const std::vector<std::byte>& results);

/// The results of the virtual machine; empty if it refuses the kernel (message in *refusal).
std::vector<std::byte> run_on_vm(const Case& c, std::string* refusal);

}  // namespace kw::ptxvm::conformance
