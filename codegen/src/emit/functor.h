#pragma once
// C++ device text of scalar expressions: the Loader, Prologue, Epilogue and Storer slots of every
// skeleton are made here.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ir/program.h"

namespace kw::codegen {

/// "int" or "long long": the narrowest type that holds every offset of these tensors.
std::string index_type(const Program& program, const std::vector<TensorId>& tensors);
/// "float", "double", "int", "long long", "bool": what a DType is computed in.
std::string_view compute_name(DType type) noexcept;
/// "float", "__half", "__nv_bfloat16", "unsigned char", ...: how it is stored.
std::string_view storage_name(DType type) noexcept;
/// A literal that reads back bit-equal: "0.0446999997f", "KW_INF", "KW_NAN".
std::string literal(double value, DType type);

/// Text that converts a computed value to what is stored: "__float2half_rn(t3)".
std::string stored_value(const std::string& value, DType stored);
/// Index arithmetic is 32-bit while every offset, and a margin for the last tile's overshoot, fits.
inline constexpr std::int64_t kLastInt32 = 0x7fffffff - (1 << 22);
/// The tensors of an encoded value, in the order in which its device functions take them.
std::vector<TensorId> tensors_of(const Encoded& encoded);
/// Tensors that expressions read, once each, in first-use order.
std::vector<TensorId> tensors_under(const Program& program, const std::vector<ScalarId>& roots);

/// What the leaves of an expression are called where it is emitted.
struct Binding {
  std::vector<std::string> variables;  // C++ names of v0, v1, ...
  /// Text for a leaf, or "" to let the emitter write the access itself: `<pointer>[<offset>]`,
  /// converted to the compute type.
  std::function<std::string(ScalarId leaf)> leaf;
  /// C++ name of the pointer to a tensor.
  std::function<std::string(TensorId tensor)> pointer;
  std::string indent = "  ";
  std::string prefix = "t";  // of the temporaries
  NumberText number = {};    // text of the constants of indices; empty: literals
};

struct Body {
  std::string statements;           // `const float t0 = ...;` lines, one per DAG node
  std::vector<std::string> values;  // C++ expression of each root
};
Body emit_body(const Program& program, const std::vector<ScalarId>& roots, const Binding& binding);

/// A struct whose operator() evaluates one expression:
///   struct NAME {
///     const float* __restrict__ p0;  ...
///     __device__ __forceinline__ float operator()(INDEX v0, INDEX v1, ...[, float acc]) const;
///   };
/// `result` (kNoTensor: none) is a tensor whose Loads read the argument `acc`: the epilogue of a
/// contraction.
struct Functor {
  std::string name;
  std::string text;
  std::vector<TensorId> pointers;  // members p0, p1, ... in this order: kernel arguments
};
Functor emit_functor(const Program& program, ScalarId root, std::string name, int variables,
                     const std::string& index_type, TensorId result = kNoTensor);

}  // namespace kw::codegen
