#pragma once
// A FillSpec as the flat structure that fill_element.cuh reads.

#include "kw/verify/fill.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wold-style-cast"
#include "fill_element.cuh"
#pragma GCC diagnostic pop

namespace kw::verify {

/// Errors: InvalidArgument for steps that make no sense (no source first, empty ranges, scales of a
/// format without scales), Unsupported for more transforms than the structure holds.
Result<KwFill> flatten(const FillSpec& spec);

}  // namespace kw::verify
