#pragma once
// fill() as a CUDA kernel, for buffers that lie on a GPU. Same bytes as fill() on the CPU.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kw/verify/fill.h"

namespace kw::verify {

/// CUDA source with the one entry kFillKernel(KwFill by value, unsigned char* out).
std::string fill_kernel_source();
inline constexpr const char* kFillKernel = "kw_fill";

/// How to launch it for one specification. `parameters` is the parameter block: the structure, then
/// the pointer, with natural alignment; `sizes` are those of the two parameters.
struct FillLaunch {
  std::uint32_t grid = 1;
  std::uint32_t block = 256;
  std::vector<std::byte> parameters;
  std::array<std::size_t, 2> sizes{};
};
/// `out` is 16-byte aligned and holds elements * size_of(dtype) bytes.
Result<FillLaunch> fill_launch(const FillSpec& spec, std::uint64_t out);

}  // namespace kw::verify
