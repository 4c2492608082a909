#pragma once
// Random PTX kernels that are valid, end, and give one result on every machine: no data race, no
// approximate instruction, no order of atomics that shows. Made from a seed alone.

#include <cstdint>
#include <string>
#include <vector>

namespace kw::ptxvm::random {

/// One program: a kernel NAME(in, out, sums, n) and what it calls. Threads read kInBytes each from
/// `in`, own kOutBytes each of `out` (the last kPrivateBytes of them as memory of their own), and
/// add to the kSumBytes of `sums`.
struct Program {
  std::uint64_t seed = 0;
  std::string name;
  std::string text;  // functions and the kernel; needs header() before it, once per module
  std::uint32_t grid = 1, block = 32, n = 0;
  std::uint64_t statements = 0;
  std::string features;  // blank-separated kinds of statements, to sort differences by

  std::size_t threads() const { return std::size_t{grid} * block; }
};

inline constexpr std::size_t kInBytes = 256, kOutBytes = 320, kPrivateBytes = 64, kSumBytes = 256;

std::string header();
inline constexpr std::uint64_t kAll = ~std::uint64_t{0};
/// The program of a seed, or its beginning: the first `limit` statements, with the same start and
/// end.
Program generate(std::uint64_t seed, std::uint64_t limit = kAll);

/// The initial bytes of the three buffers; `out` and `sums` change, and are the result.
struct Buffers {
  std::vector<std::byte> in, out, sums;
};
Buffers buffers(const Program& program);

}  // namespace kw::ptxvm::random
