#pragma once
// The forms of row_reduce: when each applies, its parameters and heuristics, its cost, its kernels.

#include <string>
#include <vector>

#include "skeletons/row_functor.h"
#include "skeletons/skeleton.h"

namespace kw::codegen {

/// A region seen as rows, with what its forms ask about it.
struct RowContext {
  Program& program;
  const Region& region;
  const RowProgram& rows;  // over (r, q)
  RowLayout layout;
  const Target& target;

  std::int64_t widest() const;  // vector width that keeps every access a vector, at most 4
  double read_bytes() const;    // of what the phases read, once
  double late_bytes() const;    // of what only the outputs read
  double write_bytes() const;
  double elements() const {
    return static_cast<double>(rows.rows) * static_cast<double>(rows.columns);
  }
  double operations() const;  // of all phases and outputs, once each
  std::vector<TensorId> pointers() const;
  std::string index_type() const;
};

class RowForm {
 public:
  virtual ~RowForm() = default;
  virtual std::string_view name() const = 0;
  /// Microseconds, or nothing when the form does not apply.
  virtual std::optional<double> cost(const RowContext& context) const = 0;
  virtual ParameterSpace space(const RowContext& context) const = 0;
  virtual Fragment emit(const RowContext& context, const Config& config,
                        const EmitContext& emit) const = 0;
};

/// Rows along memory: held, shared, looped, split, woven. Rows across memory: columns_held,
/// columns_looped, columns_split.
const std::vector<const RowForm*>& along_row_forms();
const std::vector<const RowForm*>& across_rows_forms();
const RowForm& shared_row_form();
const RowForm& woven_row_form();

/// Time of a kernel that moves these bytes with this many threads: too few threads cannot keep
/// enough loads in flight.
double row_cost(const RowContext& context, double bytes, double operations, double threads,
                int launches);

/// A fragment with the files and formats of a functor, and its struct.
Fragment row_fragment(const RowContext& context, const RowFunctorOptions& options,
                      const RowProgram& rows, std::vector<std::string> files);
/// Adds an entry that makes the functor from its arguments and calls `call`, and its plan node.
/// Workspaces come after the pointers.
struct RowEntry {
  std::string name;  // "rows"
  std::string call;  // "kw_rows_held<...>({}, ...)": {} is the functor
  std::int64_t threads = 256;
  std::array<std::int64_t, 2> grid{1, 1};
  std::vector<std::pair<std::string, PlanArg>> workspaces;  // "KwSum* w0" and its buffer
};
PlanNode add_entry(const RowContext& context, const EmitContext& emit, const std::string& functor,
                   const RowEntry& entry, Fragment& fragment);

}  // namespace kw::codegen
