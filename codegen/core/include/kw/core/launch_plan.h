#pragma once
// LaunchPlan v1: everything the host does for a candidate, as data. There is no host code in a
// candidate.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "kw/core/dtype.h"
#include "kw/core/expr.h"
#include "kw/core/value.h"

namespace kw {

enum class BufferInit { None, Once, EachRun };

struct PlanBuffer {
  std::string name;           // task values keep their graph names; workspace starts with "ws_"
  Role role = Role::Scratch;  // Input, Weight, State, Output: bound by the caller; Scratch: ours
  DType dtype = DType::F32;
  Expr bytes;
  std::string alias_of;  // shares the storage of another buffer, from `alias_offset` bytes on
  Expr alias_offset;
  BufferInit init =
      BufferInit::None;   // Scratch only: filled with `fill` before the first or each run;
  std::uint8_t fill = 0;  // otherwise it is poisoned by the judge
  int first_use = -1;  // liveness over the run nodes, inclusive; -1: whole run. Used for packing.
  int last_use = -1;
};

/// A pointer to a buffer, `offset` bytes in.
struct BufferArg {
  std::string buffer;
  Expr offset;
};
/// An integer or float scalar. `type` is i32, u32, i64, u64, f32 or f64.
struct ScalarArg {
  std::string type;
  std::variant<Expr, double> value;
};
/// A by-value struct (__grid_constant__): its fields with natural alignment.
struct StructArg {
  std::vector<std::variant<BufferArg, ScalarArg>> fields;
};
/// A CUtensorMap, encoded by the launcher: base, extents (innermost first), byte strides of
/// dims 1.., box, swizzle bytes (0, 32, 64, 128), out-of-bounds fill ("zero" or "nan").
struct TensorMapArg {
  BufferArg base;
  DType dtype = DType::F32;
  std::vector<Expr> dims, strides, box;
  int swizzle = 0;
  std::string fill = "zero";
};
using PlanArg = std::variant<BufferArg, ScalarArg, StructArg, TensorMapArg>;

struct KernelNode {
  std::string kernel;  // an entry of the module
  std::array<Expr, 3> grid{1, 1, 1};
  std::array<Expr, 3> block{1, 1, 1};
  std::array<Expr, 3> cluster{1, 1, 1};
  Expr shared;  // dynamic shared memory, bytes
  bool cooperative = false;
  bool programmatic = false;  // programmatic dependent launch on the previous node
  std::vector<PlanArg> args;
};
struct MemsetNode {
  std::string buffer;
  Expr offset;
  Expr bytes;
  std::uint8_t value = 0;
};
struct PlanNode;
/// `body` runs `count` times with `variable` = 0,1,... visible to its expressions; each pair in
/// `swap` exchanges two buffers after every iteration.
struct LoopNode {
  std::string variable;
  Expr count;
  std::vector<std::pair<std::string, std::string>> swap;
  std::vector<PlanNode> body;
};
/// `body` runs when the 32-bit word at `offset` of `buffer` is not zero, decided on the device.
struct PredicateNode {
  std::string buffer;
  Expr offset;
  std::vector<PlanNode> body;
};

struct PlanNode {
  std::string id;
  std::vector<std::string> after;  // DAG edges; empty means after the node before it
  std::variant<KernelNode, MemsetNode, LoopNode, PredicateNode> what;
};

struct LaunchPlan {
  Symbols symbols;  // shapes and parameters the expressions may name; the device adds
                    // sm_count and occupancy.<kernel>
  std::vector<PlanBuffer> buffers;
  std::vector<PlanNode> setup;  // weights only; a weight's change runs it again
  std::vector<PlanNode> run;
};

inline constexpr std::size_t kMaxPlanBytes = 8u << 20;
inline constexpr std::size_t kMaxPlanNodes = 32768;
inline constexpr std::size_t kMaxPlanBuffers = 8192;

/// Refuses with the JSON pointer of the fault ("/run/3/args/0/buffer: no buffer named 'y2'").
Result<LaunchPlan> parse_launch_plan(std::string_view json);
std::string to_json(const LaunchPlan& plan);

}  // namespace kw
