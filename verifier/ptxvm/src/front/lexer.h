#pragma once
// Splits PTX text into tokens, one at a time.

#include <cstdint>
#include <string_view>

namespace kw::ptxvm {

struct Token {
  enum class Kind : std::uint8_t {
    End,
    Word,     // add  %r1  $L__BB0_2  my_kernel
    DotWord,  // .s32  .shared::cta   (text without the dot)
    Integer,  // value
    Float32,  // 0f3F800000: bits in value
    Float64,  // 0d... or a decimal fraction: bits in value
    String,   // text without quotes
    Punct,    // one character in text
    Bad,      // a character or literal that PTX does not have
  };
  Kind kind = Kind::End;
  std::string_view text;
  std::uint64_t value = 0;
  std::uint32_t line = 1;
  const char* begin = nullptr;
  bool glued = false;  // no white space before it

  bool is(char punct) const noexcept { return kind == Kind::Punct && text[0] == punct; }
};

class Lexer {
 public:
  explicit Lexer(std::string_view text) noexcept;

  const Token& peek() const noexcept { return token_; }
  /// Returns the current token and moves on.
  Token take() noexcept;

 private:
  void skip_space() noexcept;
  void scan() noexcept;
  void scan_number() noexcept;

  const char* at_;
  const char* end_;
  std::uint32_t line_ = 1;
  Token token_;
};

}  // namespace kw::ptxvm
