#pragma once
// Scalar expressions: what one point of an iteration space computes. Nodes live in an arena that
// keeps equal nodes once, so common subexpressions are found by construction.

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "ir/index.h"
#include "kw/core/dtype.h"
#include "kw/core/format.h"

namespace kw::codegen {

using ScalarId = std::int32_t;
using TensorId = std::int32_t;
inline constexpr TensorId kNoTensor = -1;

enum class Op {
  // Leaves.
  Constant,    // number
  Load,        // tensor[at]
  Gather,      // tensor[at], where dimension gathered[i] is at args[i] instead: a number found in
               // memory. Outside the tensor nothing is read, and the value is NaN (0 of an integer)
  Decode,      // element (at[0] = row, at[1] = k) of a tensor stored in a Format
  Coordinate,  // at[0] as a number
  InRange,     // low <= at[0] < high, a Bool
  // Unary.
  Cast,
  Neg,
  Abs,
  Exp,
  Exp2,
  Expm1,
  Log,
  Log2,
  Log10,
  Log1p,
  Sqrt,
  Rsqrt,
  Reciprocal,
  Sin,
  Cos,
  Tan,
  Asin,
  Acos,
  Atan,
  Asinh,
  Acosh,
  Atanh,
  Sinh,
  Cosh,
  Tanh,
  Sigmoid,
  Erf,
  Erfc,
  Floor,
  Ceil,
  Round,  // ties to even
  Trunc,
  Sign,
  IsNan,
  IsInf,
  Not,
  // Binary. Max and Min propagate NaN, as PyTorch does and fmaxf does not.
  Add,
  Sub,
  Mul,
  Div,
  Max,
  Min,
  Pow,
  Fmod,
  Remainder,
  Atan2,
  Eq,
  Ne,
  Lt,
  Le,
  Gt,
  Ge,
  And,
  Or,
  Xor,
  // Ternary.
  Select,  // args[0] ? args[1] : args[2]; only the chosen side need be valid
};

/// The tensors of a value stored in a Format (Op::Decode): codes [rows, bytes], scales
/// [rows, blocks], zeros packed like codes (or none), one FP32 factor for the tensor (or none).
struct Encoded {
  Format format;
  std::int64_t k = 0;  // elements of a row, without padding
  TensorId codes = kNoTensor, scales = kNoTensor, zeros = kNoTensor, tensor_scale = kNoTensor;
};
/// A task carries its formats under unique names.
inline bool operator==(const Encoded& a, const Encoded& b) {
  return a.format.name == b.format.name && a.k == b.k && a.codes == b.codes &&
         a.scales == b.scales && a.zeros == b.zeros && a.tensor_scale == b.tensor_scale;
}

struct Scalar {
  Op op = Op::Constant;
  DType type = DType::F32;  // of the result: F32, F64, I64, I32 or Bool (narrow types are widened)
  std::vector<ScalarId> args;
  double number = 0;               // Constant of a floating type
  std::int64_t integer = 0;        // Constant of an integer type or Bool
  TensorId tensor = kNoTensor;     // Load, Gather
  std::vector<Index> at;           // Load, Gather, Decode, Coordinate, InRange
  std::vector<int> gathered;       // Gather: the dimension that each of args is a coordinate of
  std::int64_t low = 0, high = 0;  // InRange
  Encoded encoded;                 // Decode
};

/// Append-only arena. Not thread-safe.
class Scalars {
 public:
  /// The id of an equal node, or of a new one. Folds constants and neutral elements where the
  /// result is bit-identical.
  ScalarId add(Scalar scalar);
  const Scalar& operator[](ScalarId id) const { return nodes_[static_cast<std::size_t>(id)]; }
  std::size_t size() const { return nodes_.size(); }

  ScalarId constant(double value, DType type = DType::F32);
  ScalarId load(TensorId tensor, DType stored, std::vector<Index> at);
  ScalarId unary(Op op, ScalarId a);
  ScalarId binary(Op op, ScalarId a, ScalarId b);
  ScalarId select(ScalarId condition, ScalarId yes, ScalarId no);
  ScalarId cast(ScalarId a, DType type);
  ScalarId gather(TensorId tensor, DType stored, std::vector<Index> at, std::vector<int> gathered,
                  std::vector<ScalarId> coordinates);

 private:
  std::deque<Scalar> nodes_;  // references stay valid while the arena grows
  std::map<std::string, ScalarId> by_key_;
};

/// The type that a stored dtype is computed in: F16, BF16 -> F32; I8, U8, I16, I32 -> I32.
DType compute_type(DType stored) noexcept;
/// Every Load, Gather, Decode, Coordinate and InRange leaf below a root, in first-use order, once.
std::vector<ScalarId> leaves_of(const Scalars& scalars, ScalarId root);
/// Rough instructions for one evaluation (each node of the DAG once): the cost model's operations.
double operations_of(const Scalars& scalars, const std::vector<ScalarId>& roots);

}  // namespace kw::codegen
