#pragma once
// Sliding windows of convolutions and pools: attribute lists, and accesses that may fall outside.

#include <vector>

#include "import/formula.h"

namespace kw::codegen {

/// Attribute `name` as one number per spatial dimension. A list of one holds for all; an absent or
/// empty list is `otherwise`.
Result<std::vector<std::int64_t>> window_list(const Importer& importer, std::string_view name,
                                              std::size_t dims,
                                              std::vector<std::int64_t> otherwise);

/// low <= index < high, folded where the variables' ranges decide it.
ScalarId in_range(Importer& importer, const Index& index, std::int64_t low, std::int64_t high,
                  const Shape& extents);
/// condition ? value : outside, folded when the condition is a constant.
ScalarId guarded(Importer& importer, ScalarId condition, ScalarId value, ScalarId outside);

/// x at a point whose coordinates may leave its shape: `outside` there, and x is not read.
ScalarId at_or(Importer& importer, const Lazy& x, const Importer::Point& point, double outside);

/// An index as an I32 number of an expression.
E coordinate(Importer& importer, const Index& index);

}  // namespace kw::codegen
