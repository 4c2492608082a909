#pragma once
// The normal form of a region that reduces rows: every expression over two numbers, the row r and
// the place q within it.

#include <optional>
#include <vector>

#include "ir/region.h"

namespace kw::codegen {

struct RowPhase {
  Combiner combiner = Combiner::Sum;
  ScalarId body = -1;             // over (r, q) and the results of earlier phases
  std::vector<TensorId> results;  // what the combiner gives, in its order
  double divisor = 1;             // a Sum's result is divided by it (a mean)
};

struct RowOutput {
  TensorId tensor = kNoTensor;
  ScalarId value = -1;  // over (r, q) when mapped, over r otherwise; Loads of phase results stay
  Index offset;
};

struct RowProgram {
  std::int64_t rows = 1, columns = 1;
  std::vector<RowPhase> phases;
  std::vector<RowOutput> mapped;  // one element for each (r, q)
  std::vector<RowOutput> single;  // one element for each r

  bool is_result(const Scalars& scalars, ScalarId leaf) const;
  Shape extents() const { return {rows, columns}; }
};

/// Nothing when the region is no row program: other kinds of stages, reductions over different
/// spaces, outputs that do not follow the rows.
std::optional<RowProgram> row_program(Program& program, const Region& region);

/// Two-pass phases for rows that stay on chip: softmax as maximum then sum, Welford as mean then
/// squared deviations.
RowProgram two_pass(Program& program, const RowProgram& rows);

/// The same program over other variables: (r, q) = values.
RowProgram over(Program& program, const RowProgram& rows, const std::vector<Index>& values,
                const Shape& extents);

/// Whether neighbours in q lie next to each other in what the phases read (or, if not, in r).
enum class RowLayout { AlongRow, AcrossRows };
RowLayout layout_of(const Program& program, const RowProgram& rows);

}  // namespace kw::codegen
