#pragma once
// How a graph is evaluated piece by piece: along one dimension that its operators treat row by row,
// so that 6 GB tensors fit beside their double-precision reference.

#include <cstdint>
#include <optional>
#include <vector>

#include "kw/core/graph.h"

namespace kw::verify::gpu {

/// Which dimension of each value runs with the slices; -1: the value is needed whole.
struct Slicing {
  std::vector<int> dim;     // per value
  std::int64_t extent = 1;  // of the sliced dimension
};

/// A task graph in two parts. `head` is evaluated slice by slice; its outputs are the task's, or,
/// when a full reduction stands near the end, the one tensor that is reduced. Then `tail` (scalars
/// only) is evaluated once from the reduction's result.
struct Parts {
  Graph head;
  std::optional<std::size_t> reduction;  // node of the original graph: a sum or mean of everything
  ValueId reduced = kNoValue;            // the tensor it reduces
  Graph tail;                            // empty without a reduction
};
/// Losses with a reduction become the unreduced loss and a mean or sum (a node that is not in the
/// graph, but means the same).
Parts split(const Graph& graph);

/// Dimension 0 of every output, followed back to the inputs; nullopt when some operator mixes rows
/// or two users want different slices.
std::optional<Slicing> find_slicing(const Graph& head);

/// The graph with the sliced dimension cut to `rows`.
Graph cut(const Graph& head, const Slicing& slicing, std::int64_t rows);

}  // namespace kw::verify::gpu
