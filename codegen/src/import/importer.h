#pragma once
// The import of one task: a value of the graph becomes either a tensor that a stage fills or a lazy
// expression over its own coordinates (views, constants), and each operator has one builder.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/program.h"

namespace kw::codegen {

/// A value as an expression: variable i of `expr` is dimension i of `shape`.
struct Lazy {
  ScalarId expr = -1;
  Shape shape;
};

class Importer {
 public:
  /// Coordinates of a point and the extents of the variables that they are made of.
  struct Point {
    std::vector<Index> at;
    Shape extents;
  };
  using Body = std::function<Result<ScalarId>(const Point&)>;

  explicit Importer(const Task& task);
  Result<Program> run();

  // ---- what builders use; all speak of the node being imported --------------------------------
  const Node& node() const { return *node_; }
  std::string label() const;
  template <typename... Args>
  tl::unexpected<Error> refuse(fmt::format_string<Args...> format, Args&&... args) const {
    return fail(Errc::Unsupported, "{}: {}", label(),
                fmt::format(format, std::forward<Args>(args)...));
  }
  Scalars& scalars() { return program_.scalars; }
  const Policy& policy() const { return program_.policy; }
  Program& program() { return program_; }
  const Task& task() const { return task_; }

  bool has_input(std::size_t i) const;
  Result<Lazy> input(std::size_t i);
  bool has_output(std::size_t i) const;
  /// Of output i; where that is missing, of the first that is not.
  const Value& output_value(std::size_t i = 0) const;
  /// An output that is already filled or defined.
  Result<Lazy> output_lazy(std::size_t i) const;
  bool output_is_used(std::size_t i) const;

  /// The value of a lazy at coordinates; at_broadcast aligns the dimensions at the right and reads
  /// extents of 1 at coordinate 0.
  ScalarId at(const Lazy& lazy, const Point& point);
  ScalarId at_broadcast(const Lazy& lazy, const Point& point);

  /// Output i of the node is filled by a Map stage.
  Status map_output(std::size_t i, const Body& body);
  /// Output i of the node is this expression; nothing is computed yet.
  Status define(std::size_t i, Lazy lazy);
  /// A Map stage into a temporary.
  Result<Lazy> map_temporary(const Shape& shape, DType dtype, const Body& body);
  /// The same, when the expression is not yet one Load or Decode.
  Result<Lazy> as_leaf(const Lazy& lazy);

  /// Reduces `dims` of a space of this shape. Results (one per result of the combiner) are
  /// temporaries with the reduced dimensions kept as extents of 1; result i goes straight to output
  /// `direct[i]` of the node where that is >= 0 (its shape may drop the dimensions).
  Result<std::vector<Lazy>> reduce(const Shape& shape, const std::vector<std::int64_t>& dims,
                                   Combiner combiner, const Body& body,
                                   const std::vector<int>& direct = {});

  /// lhs[lhs_labels] * rhs[rhs_labels], summed over labels that out_labels lack. Labels are small
  /// integers; an extent of 1 broadcasts. Goes to output 0 when `direct`, otherwise to a temporary.
  Result<Lazy> contract(const Lazy& lhs, const std::vector<int>& lhs_labels, const Lazy& rhs,
                        const std::vector<int>& rhs_labels, const std::vector<int>& out_labels,
                        bool direct);

  /// A lazy as a tensor of this dtype, row-major in its shape: itself where it is one, else a copy.
  Result<TensorId> plain(const Lazy& lazy, DType dtype);
  /// The tensor of a graph value that is stored (an input, or the result of a stage).
  Result<TensorId> stored(std::size_t i);
  TensorId make_output(std::size_t i);
  TensorId make_temporary(const Shape& shape, DType dtype);
  void add_stage(Stage stage);
  Lazy load_of(TensorId tensor);
  void bind(std::size_t output, TensorId tensor);

  /// Variables for a shape's non-unit dimensions.
  static Point point_of(const Shape& shape);
  /// A dimension attribute in 0..rank-1.
  Result<std::int64_t> dim_in(std::int64_t dim, std::size_t rank) const;
  /// The "dim" attribute as sorted dimensions; all of them when it is absent or empty.
  Result<std::vector<std::int64_t>> dims_or_all(std::size_t rank, std::string_view name = "dim");

 private:
  Status import_node(const Node& node);
  Status finish_outputs();
  TensorId make_tensor(ValueId id);

  const Task& task_;
  const Graph& graph_;
  Program program_;
  std::vector<std::optional<Lazy>> lazies_;  // per graph value
  std::vector<TensorId> tensors_;            // per graph value; kNoTensor: not stored
  std::vector<int> uses_;                    // per graph value: consumers, and 1 for an output
  const Node* node_ = nullptr;
  int node_index_ = -1;
  int temporaries_ = 0;
};

/// Imports the importer's current node. The table maps "aten.relu" (no overload) to its builder.
using Builder = std::function<Status(Importer&, std::string_view overload)>;
using BuilderTable = std::map<std::string, Builder, std::less<>>;
void add_pointwise(BuilderTable& table);
void add_activations(BuilderTable& table);
void add_views(BuilderTable& table);
void add_creation(BuilderTable& table);
void add_reductions(BuilderTable& table);
void add_norms(BuilderTable& table);
void add_losses(BuilderTable& table);
void add_contractions(BuilderTable& table);
void add_convolutions(BuilderTable& table);
void add_pooling(BuilderTable& table);
void add_class_losses(BuilderTable& table);
void add_distances(BuilderTable& table);
void add_batch_norms(BuilderTable& table);
void add_rearrangements(BuilderTable& table);
void add_scatters(BuilderTable& table);
void add_scans(BuilderTable& table);
void add_gathers(BuilderTable& table);
void add_attention(BuilderTable& table);
void add_recurrences(BuilderTable& table);
void add_formats(BuilderTable& table);
const BuilderTable& builders();

/// One pointwise operator: `operands` are the node's tensor inputs at one point, cast to the type
/// of the arithmetic.
using Formula = std::function<Result<ScalarId>(Importer&, const std::vector<ScalarId>& operands)>;

}  // namespace kw::codegen
