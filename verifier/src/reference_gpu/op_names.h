#pragma once
// Names of operators as the reference on a GPU groups them.

#include <optional>
#include <string_view>

#include "arguments.h"

namespace kw::verify::gpu {

/// "aten.sum.dim_IntList" -> "sum", "aten.relu_.default" -> "relu".
std::string_view base_name(std::string_view op);
/// The function that kw_map applies, by name alone.
std::optional<Function> pointwise_function(std::string_view name);
bool is_pointwise(std::string_view name);
bool is_reshape(std::string_view name);
/// Reductions over named dimensions.
bool is_row_reduction(std::string_view name);
/// Matrix products.
bool is_product(std::string_view name);
bool is_convolution(std::string_view name);
bool is_pool(std::string_view name);
bool is_loss(std::string_view name);

}  // namespace kw::verify::gpu
