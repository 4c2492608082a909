#pragma once
// Kernels of our own that a CUDA runner needs beside the candidate's: fills, hashes, guards, reads.

#include <string>

namespace kw::verify {

/// One translation unit: the fill kernel of the judge and the kernels below.
std::string helper_source();

/// kw_hash(const uint4* data, u64 quads, const unsigned char* tail, unsigned tail_bytes, u64* out):
/// adds a position-dependent mix of every 16 bytes and of the tail to *out, which starts at zero.
inline constexpr const char* kHashKernel = "kw_hash";
/// kw_guard(const unsigned* words, u64 count, unsigned value, unsigned* broken): sets *broken to 1
/// where a word differs from value.
inline constexpr const char* kGuardKernel = "kw_guard";
/// kw_read(const uint4* data, u64 quads, unsigned* sink): reads everything, so that it replaces
/// what the L2 cache held.
inline constexpr const char* kReadKernel = "kw_read";

}  // namespace kw::verify
