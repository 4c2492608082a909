#pragma once
// Counter-based random numbers: Philox4x32-10 (Salmon et al., SC11), keyed by (seed, purpose),
// addressed by index. The same number comes out on a CPU and on a GPU, in any order.

#include <array>
#include <cstdint>
#include <string_view>

namespace kw {

using Philox4 = std::array<std::uint32_t, 4>;
/// Ten rounds on counter {index, index>>32, purpose, purpose>>32} with the 64-bit key `seed`.
Philox4 philox(std::uint64_t seed, std::uint64_t purpose, std::uint64_t index) noexcept;

/// The stream of one purpose. Not thread-safe; copy it instead.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::uint64_t purpose) : seed_(seed), purpose_(purpose) {}
  std::uint64_t next_u64();
  /// Uniform in [0, bound), without bias; bound > 0.
  std::uint64_t below(std::uint64_t bound);
  /// Uniform in [0, 1), 53 bits.
  double uniform();
  /// Standard normal (Box-Muller).
  double normal();

 private:
  std::uint64_t seed_, purpose_, index_ = 0;
  Philox4 block_{};
  int left_ = 0;
};

/// A purpose from a name, by FNV-1a: purpose("judge.inputs").
constexpr std::uint64_t purpose(std::string_view name) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325ull;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return hash;
}

}  // namespace kw
