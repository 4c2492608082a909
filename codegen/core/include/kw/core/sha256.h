#pragma once
// SHA-256 (FIPS 180-4), for content ids.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace kw {

class Sha256 {
 public:
  Sha256();
  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);
  std::array<std::byte, 32> finish();

 private:
  void block(const std::byte* data);
  std::array<std::uint32_t, 8> state_;
  std::array<std::byte, 64> pending_{};
  std::size_t pending_size_ = 0;
  std::uint64_t total_ = 0;
};

/// Lower-case hex of SHA-256(tag, one 0x00 byte, text). The tag separates domains: "kw:task:v1".
std::string content_id(std::string_view tag, std::string_view text);
/// Lower-case hex of the plain SHA-256.
std::string sha256_hex(std::string_view text);

}  // namespace kw
