#pragma once
// Message bodies: fixed-width little-endian fields, written and read in the same order by two
// copies of one executable.

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace kw::process {

static_assert(std::endian::native == std::endian::little, "messages hold native bytes");

class Writer {
 public:
  template <typename T>
  requires std::is_arithmetic_v<T> || std::is_enum_v<T> Writer& put(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Writer& text(std::string_view value) {
    put(static_cast<std::uint64_t>(value.size()));
    bytes_.append(value);
    return *this;
  }
  template <typename List, typename Each>
  Writer& list(const List& items, Each&& each) {
    put(static_cast<std::uint64_t>(items.size()));
    for (const auto& item : items) each(*this, item);
    return *this;
  }
  const std::string& bytes() const noexcept { return bytes_; }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// Never reads past the end: after the first fault every further value is zero or empty and ok() is
/// false. Look at ok() before you trust anything.
class Reader {
 public:
  explicit Reader(std::string_view bytes) noexcept : left_(bytes) {}

  template <typename T>
  requires std::is_arithmetic_v<T> T get() {
    T value{};
    if (left_.size() < sizeof value) {
      broken_ = true;
      left_ = {};
      return value;
    }
    std::memcpy(&value, left_.data(), sizeof value);
    left_.remove_prefix(sizeof value);
    return value;
  }
  bool flag() { return get<std::uint8_t>() != 0; }
  /// An enumerator in [0, last].
  template <typename E>
  requires std::is_enum_v<E> E choice(E last) {
    const auto raw = get<std::underlying_type_t<E>>();
    if (raw < 0 || raw > static_cast<std::underlying_type_t<E>>(last)) {
      broken_ = true;
      return E{};
    }
    return static_cast<E>(raw);
  }
  std::string text() {
    const auto size = get<std::uint64_t>();
    if (size > left_.size()) {
      broken_ = true;
      left_ = {};
      return {};
    }
    std::string value(left_.substr(0, static_cast<std::size_t>(size)));
    left_.remove_prefix(static_cast<std::size_t>(size));
    return value;
  }
  /// The length of a list whose items take at least one byte each.
  std::size_t count() {
    const auto size = get<std::uint64_t>();
    if (size > left_.size()) {
      broken_ = true;
      return 0;
    }
    return static_cast<std::size_t>(size);
  }
  bool ok() const noexcept { return !broken_; }
  bool finished() const noexcept { return !broken_ && left_.empty(); }

 private:
  std::string_view left_;
  bool broken_ = false;
};

}  // namespace kw::process
