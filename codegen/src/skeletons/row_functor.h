#pragma once
// The struct that row_reduce's skeleton files are instantiated with.

#include <string>
#include <vector>

#include "emit/vector.h"
#include "skeletons/row_program.h"

namespace kw::codegen {

struct RowFunctorOptions {
  std::string name;
  std::string index = "int";
  RowLayout layout = RowLayout::AlongRow;
  std::int64_t width = 4;     // elements of a vector, along the layout's direction
  bool held = true;           // outputs are computed from what the phases read
  bool partials = false;      // has workspace pointers w0, w1, ... for the states of phases
  bool stream_loads = false;  // what the phases read is not read again
  bool stream_late = true;
  bool stream_stores = true;
};

struct RowFunctor {
  std::string text;
  std::vector<ScalarId> roots;  // every expression in it, for format structs
};

/// `rows` is the program over (r, q). Members: p0.. for `pointers` in order, then the workspaces.
RowFunctor row_functor(Program& program, const Region& region, const RowProgram& rows,
                       const std::vector<TensorId>& pointers, const RowFunctorOptions& options);

/// "KwSum": the state of a combiner.
std::string_view state_name(Combiner combiner);
std::int64_t state_bytes(Combiner combiner);

/// Along the layout's direction, what a vector of `width` elements does to the region's accesses:
/// true when every streamed access stays a vector.
bool vectorises(Program& program, const RowProgram& rows, RowLayout layout, std::int64_t width);

/// Distinct values that a thread holds for one element of the row (inputs of the phases).
int held_values(Program& program, const RowProgram& rows);

}  // namespace kw::codegen
