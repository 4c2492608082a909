#pragma once
// Device code of number formats, generated from the Format's fields: one struct of static functions
// per format and row length, used by Loaders (decode) and Storers (encode).

#include <string>

#include "ir/program.h"

namespace kw::codegen {

/// Whether the generated decoders know every field of a format.
bool decodable(const Format& format);

/// Whether format_encode.cuh has this format's rule.
bool encodable(const Format& format);

/// The struct that decodes this value: "KwMxfp4K4096". Its members, all static:
///   float element(codes, scales[, zeros][, tensor_scale], row, k)
///   void run<N>(codes, scales[, zeros][, tensor_scale], row, k, float (&out)[N])
///       N elements from k on; k is a multiple of N, N a power of two within one block.
///   and the parts that a GEMV loop needs one by one (format_decode.cuh documents them).
std::string format_struct(const Encoded& encoded);
/// Definition of that struct.
std::string format_struct_text(const Encoded& encoded);

}  // namespace kw::codegen
