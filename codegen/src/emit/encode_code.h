#pragma once
// Device code that encodes a tensor into a Format, block by block, as the fallback does it.

#include <string>

#include "emit/functor.h"

namespace kw::codegen {

/// Units of work of an Encode stage: blocks, or the blocks that share a byte of zero points.
std::int64_t encode_units(const Stage& stage);
/// The body of a loop over units `i`: one thread encodes one unit, element by element. Needs
/// format_encode.cuh.
std::string encode_loop_text(const Program& program, const Stage& stage, Binding binding);

}  // namespace kw::codegen
