#pragma once
// The normal form of a region that scans rows: every expression over two numbers, the row r and the
// place q within it.

#include <optional>
#include <vector>

#include "ir/region.h"

namespace kw::codegen {

struct ScanOutput {
  TensorId tensor = kNoTensor;
  ScalarId value = -1;  // over (r, q); Loads of the scan's results stay
  Index offset;
};

/// Elements of an output that no place of the row goes to: `count` a row, over (r, b).
struct ScanBorder {
  TensorId tensor = kNoTensor;
  ScalarId value = -1;
  Index offset;
  std::int64_t count = 0;
};

struct ScanProgram {
  std::int64_t rows = 1, columns = 1;
  Combiner combiner = Combiner::Sum;
  DType type = DType::F32;  // of the scanned values
  ScalarId body = -1;       // over (r, q)
  std::vector<TensorId> results;
  std::vector<ScanOutput> outputs;
  std::vector<ScanBorder> borders;

  bool is_result(const Scalars& scalars, ScalarId leaf) const;
  Shape extents() const { return {rows, columns}; }
};

/// Pointwise stages, one scan, and pointwise stages whose elements follow the scan's one to one (in
/// either direction, at any distance). Nothing when the region is anything else.
std::optional<ScanProgram> scan_program(Program& program, const Region& region);

/// The same program over other variables: (r, q) = values. Borders stay over (r, b).
ScanProgram over(Program& program, const ScanProgram& scan, const std::vector<Index>& values,
                 const Shape& extents);

/// How rows lie in memory. Backward: along it, from its end to its beginning.
enum class ScanLayout { Along, Backward, Across };
ScanLayout layout_of(const Program& program, const ScanProgram& scan);

}  // namespace kw::codegen
