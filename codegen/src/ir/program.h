#pragma once
// A task's graph after import: tensors that are worth a buffer, and stages that fill them. A stage
// is an iteration space, a scalar body over accessors, and a combiner over its reduced dimensions.

#include <cstdint>
#include <string>
#include <vector>

#include "ir/scalar.h"
#include "kw/core/graph.h"
#include "kw/core/policy.h"
#include "kw/core/task.h"

namespace kw::codegen {

/// How the values of the reduced dimensions become one. Results of a stage, in order:
///   None              the body itself                Sum, Prod, Max, Min      the combination
///   ArgMax, ArgMin    value, index (I64)             Welford      mean, sum of squared deviations
///   OnlineSoftmax     max, sum of exp(x - max)
enum class Combiner { None, Sum, Prod, Max, Min, ArgMax, ArgMin, Welford, OnlineSoftmax };
std::string_view to_string(Combiner combiner) noexcept;

using kw::to_string;  // of dtypes and shapes, beside the one above

/// One step of a recurrent layer: what becomes of h (and c) given the gates' part that comes from
/// the input. Gate order is PyTorch's: i, f, g, o and r, z, n.
struct Cell {
  enum class Kind { Lstm, Gru, Tanh, Relu } kind = Kind::Lstm;
  std::int64_t steps = 1, batch = 1, hidden = 1;
  bool reverse = false;  // the last step comes first

  int gates() const { return kind == Kind::Lstm ? 4 : kind == Kind::Gru ? 3 : 1; }
};

struct Tensor {
  std::string name;  // of the graph's value; temporaries are called ws_*
  DType dtype = DType::F32;
  Shape shape;
  Shape strides;  // in elements; contiguous unless the task's value says otherwise
  Role role = Role::Scratch;
  bool is_output = false;    // of the task
  int producer = -1;         // stage that writes it; -1: given by the caller
  std::vector<int> readers;  // stages that read it, ascending
};

struct Stage {
  /// Scan: the last dimension is walked in order, and every step stores the combination so far.
  /// Recurrence, Join: operators of their own, which have no body (cell and operands, pieces).
  enum class Kind { Map, Reduce, Contract, Encode, Scan, Recurrence, Join };
  Kind kind = Kind::Map;
  int node = -1;     // index into Graph::nodes, for messages
  Shape extents;     // parallel dimensions, then reduced ones. Extents of 1 do not occur
  int parallel = 0;  // how many of them are parallel
  Combiner combiner = Combiner::None;
  PolicyClass numerics = PolicyClass::Ieee;  // Contract: what its products may be computed in
  ScalarId body = -1;  // over v0..; Contract: Mul(lhs, rhs), each of lhs, rhs one leaf
  std::vector<TensorId> results;
  std::vector<Index> store;   // coordinates of the results in v0..v(parallel-1), one per dimension;
                              // Scan: over all variables
  Encoded encoded;            // Encode: format and result tensors; body is the value at (row, k)
  ScalarId tensor_amax = -1;  // Encode with a tensor scale: the largest magnitude of the tensor
  Cell cell;                  // Recurrence
  /// Recurrence: gates [T, B, G*H], weight [G*H, H], bias [G*H] or none, h0 [B, H], c0 [B, H] or
  /// none; results are y [T, B, H] and for an LSTM the last c [B, H]. Join: the pieces, contiguous.
  std::vector<TensorId> operands;
  std::vector<std::int64_t> widths;  // Join: of each piece's row

  Shape parallel_extents() const;
  Shape reduced_extents() const;
};

struct Program {
  std::string task;
  Policy policy;
  std::vector<Tensor> tensors;
  std::vector<Stage> stages;       // in topological order
  std::vector<std::string> nodes;  // "aten.relu#3": names of graph nodes for messages
  Scalars scalars;

  const Tensor& tensor(TensorId id) const { return tensors[static_cast<std::size_t>(id)]; }
  /// The stage that produces a tensor, or -1.
  int producer(TensorId id) const { return tensor(id).producer; }
};

/// Drops stages whose results nobody reads, and fills in producers and readers.
void finish(Program& program);

/// Elements of a shape; shapes of a valid program do not overflow.
std::int64_t count_of(const Shape& shape);
/// Offset in elements of a leaf's access (Load).
Index offset_of(const Program& program, const Scalar& load);

/// ATen graph -> stages. Views, transposes, expands, slices and reshapes become accessors. An
/// unknown operator is an error that names it and its node.
Result<Program> import_task(const Task& task);

}  // namespace kw::codegen
