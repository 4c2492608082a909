#include "kw/core/random.h"

#include <cmath>
#include <numbers>

namespace kw {

Philox4 philox(std::uint64_t seed, std::uint64_t purpose, std::uint64_t index) noexcept {
  Philox4 c{static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
            static_cast<std::uint32_t>(purpose), static_cast<std::uint32_t>(purpose >> 32)};
  std::uint32_t k0 = static_cast<std::uint32_t>(seed), k1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53} * c[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57} * c[2];
    c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<std::uint32_t>(p0)};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

std::uint64_t RandomStream::next_u64() {
  if (left_ == 0) {
    block_ = philox(seed_, purpose_, index_++);
    left_ = 2;
  }
  const std::size_t at = left_ == 2 ? 0 : 2;
  --left_;
  return block_[at] | (std::uint64_t{block_[at + 1]} << 32);
}

std::uint64_t RandomStream::below(std::uint64_t bound) {
  // Rejection of the incomplete last bucket keeps every value equally likely.
  const std::uint64_t limit = bound * (UINT64_MAX / bound);
  std::uint64_t draw = next_u64();
  while (draw >= limit) draw = next_u64();
  return draw % bound;
}

double RandomStream::uniform() { return static_cast<double>(next_u64() >> 11) * 0x1p-53; }

double RandomStream::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

}  // namespace kw
