#pragma once
// A launch plan with every expression evaluated: numbers only. The CUDA launcher and the virtual
// machine's runner walk the same one.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "kw/core/launch_plan.h"

namespace kw::launch {

/// A range inside one allocation.
struct BoundBuffer {
  std::string name;
  Role role = Role::Scratch;
  DType dtype = DType::F32;
  std::int64_t bytes = 0;
  std::size_t root = 0;  // index of the buffer that owns the storage; its own index if not an alias
  std::int64_t offset = 0;  // from the start of the root's storage
  BufferInit init = BufferInit::None;
  std::uint8_t fill = 0;
  bool persistent = false;  // setup touches it, or it is filled once: its bytes outlive a run
  int first_use = -1, last_use = -1;  // over the run's top-level nodes; -1: live all the time

  bool is_root(std::size_t index) const noexcept { return root == index; }
};

/// A device address: the storage of `buffer` (an index into BoundPlan::buffers, always a root) plus
/// an offset.
struct BoundPointer {
  std::size_t buffer = 0;
  std::int64_t offset = 0;
};

/// An 8-byte device address at `at` in a parameter's bytes.
struct PointerPatch {
  std::size_t at = 0;
  BoundPointer pointer;
};

struct BoundTensorMap {
  BoundPointer base;
  DType dtype = DType::F32;
  std::vector<std::uint64_t> dims;     // elements, innermost first
  std::vector<std::uint64_t> strides;  // bytes, of dims 1..
  std::vector<std::uint32_t> box;      // elements
  int swizzle = 0;
  bool fill_nan = false;
};

/// One kernel parameter: its bytes, into which addresses are written at launch. A tensor map is 128
/// bytes that only a driver can make.
struct BoundParameter {
  std::vector<std::byte> bytes;
  std::size_t align = 1;
  std::vector<PointerPatch> pointers;
  std::optional<BoundTensorMap> tensor_map;
};

using Extent3 = std::array<std::uint32_t, 3>;

struct BoundKernel {
  std::string kernel;
  Extent3 grid{1, 1, 1}, block{1, 1, 1}, cluster{1, 1, 1};
  std::uint32_t shared_bytes = 0;
  bool cooperative = false;
  bool programmatic = false;
  std::vector<BoundParameter> parameters;
};
struct BoundMemset {
  BoundPointer where;
  std::int64_t bytes = 0;
  std::uint8_t value = 0;
};
struct BoundNode;
/// `body` runs when the 32-bit word is not zero at that moment.
struct BoundPredicate {
  BoundPointer word;
  std::vector<BoundNode> body;
};
struct BoundNode {
  std::string place;  // "/run/3" in the plan, "/run/4/body/0 (i=7)" inside a loop; for messages
  std::variant<BoundKernel, BoundMemset, BoundPredicate> what;
};

/// Nodes are in an order that respects the DAG; loops are unrolled with their swaps applied; a
/// kernel whose grid is empty is left out.
struct BoundPlan {
  std::vector<BoundBuffer> buffers;
  std::vector<BoundNode> setup;
  std::vector<BoundNode> run;

  /// Index of a buffer by name.
  std::optional<std::size_t> find(const std::string& name) const;
};

inline constexpr std::size_t kMaxBoundNodes = 65536;

}  // namespace kw::launch
