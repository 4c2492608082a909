#include "kw/core/packed_data.h"

#include <cstdint>

namespace kw {
namespace {

int digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

Result<std::vector<std::byte>> from_base64(std::string_view text) {
  std::vector<std::byte> bytes;
  bytes.reserve(text.size() / 4 * 3);
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const int d = digit(c);
    if (d < 0) return fail(Errc::InvalidArgument, "data: not base64");
    bits = bits << 6 | static_cast<std::uint32_t>(d);
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes.push_back(static_cast<std::byte>(bits >> held & 0xFFu));
    }
  }
  return bytes;
}

/// The compressed block, read from the front.
class Block {
 public:
  explicit Block(const std::vector<std::byte>& bytes) : bytes_(bytes) {}
  bool empty() const { return at_ == bytes_.size(); }
  std::size_t left() const { return bytes_.size() - at_; }
  unsigned next() {
    short_ = short_ || empty();
    return short_ ? 0 : std::to_integer<unsigned>(bytes_[at_++]);
  }
  /// 15 in the token's nibble continues with bytes up to the first below 255.
  std::size_t length(unsigned nibble) {
    std::size_t n = nibble;
    for (unsigned more = nibble == 15 ? 255 : 0; more == 255 && !short_;) n += more = next();
    return n;
  }
  bool ran_out() const { return short_; }

 private:
  const std::vector<std::byte>& bytes_;
  std::size_t at_ = 0;
  bool short_ = false;
};

}  // namespace

Result<std::vector<std::byte>> unpack_data(std::string_view base64, std::size_t size) {
  KW_ASSIGN(const std::vector<std::byte> packed, from_base64(base64));
  std::vector<std::byte> out;
  out.reserve(size);
  Block block(packed);
  while (!block.empty()) {
    const unsigned token = block.next();
    const std::size_t literals = block.length(token >> 4);
    if (block.ran_out() || literals > block.left() || literals > size - out.size()) {
      return fail(Errc::InvalidArgument, "data: more literals than there is room for");
    }
    for (std::size_t i = 0; i < literals; ++i) out.push_back(static_cast<std::byte>(block.next()));
    if (block.empty()) break;  // the last sequence has no match
    const std::size_t low = block.next(), high = block.next();
    const std::size_t back = low | high << 8;
    const std::size_t match = 4 + block.length(token & 15u);
    if (block.ran_out() || back == 0 || back > out.size() || match > size - out.size()) {
      return fail(Errc::InvalidArgument, "data: a match reaches outside what was written");
    }
    for (std::size_t i = 0; i < match; ++i) out.push_back(out[out.size() - back]);
  }
  if (out.size() != size) {
    return fail(Errc::InvalidArgument, "data: {} bytes where {} belong", out.size(), size);
  }
  return out;
}

}  // namespace kw
