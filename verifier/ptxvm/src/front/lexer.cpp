#include "front/lexer.h"

#include <charconv>
#include <cstring>

namespace kw::ptxvm {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word_start(char c) { return is_letter(c) || c == '_' || c == '$' || c == '%'; }
bool is_word(char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '$' || c == '%'; }

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Lexer::Lexer(std::string_view text) noexcept : at_(text.data()), end_(text.data() + text.size()) {
  scan();
}

Token Lexer::take() noexcept {
  Token taken = token_;
  scan();
  return taken;
}

void Lexer::skip_space() noexcept {
  while (at_ < end_) {
    const char c = *at_;
    if (c == '\n') {
      ++line_;
      ++at_;
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v') {
      ++at_;
    } else if (c == '/' && at_ + 1 < end_ && at_[1] == '/') {
      while (at_ < end_ && *at_ != '\n') ++at_;
    } else if (c == '/' && at_ + 1 < end_ && at_[1] == '*') {
      at_ += 2;
      while (at_ < end_ && !(*at_ == '*' && at_ + 1 < end_ && at_[1] == '/')) {
        if (*at_ == '\n') ++line_;
        ++at_;
      }
      at_ = at_ + 2 <= end_ ? at_ + 2 : end_;
    } else {
      return;
    }
  }
}

void Lexer::scan() noexcept {
  const char* before = at_;
  skip_space();
  token_ = Token{};
  token_.glued = before == at_;
  token_.line = line_;
  token_.begin = at_;
  if (at_ >= end_) return;
  const char* start = at_;
  const char c = *at_;
  if (is_word_start(c)) {
    while (at_ < end_ && is_word(*at_)) ++at_;
    token_.kind = Token::Kind::Word;
    token_.text = {start, static_cast<std::size_t>(at_ - start)};
  } else if (c == '.' && at_ + 1 < end_ && is_word(at_[1])) {
    ++at_;
    while (at_ < end_ &&
           (is_word(*at_) || (*at_ == ':' && at_ + 2 < end_ && at_[1] == ':' && is_word(at_[2])))) {
      at_ += *at_ == ':' ? 2 : 1;
    }
    token_.kind = Token::Kind::DotWord;
    token_.text = {start + 1, static_cast<std::size_t>(at_ - start - 1)};
  } else if (is_digit(c)) {
    scan_number();
  } else if (c == '"') {
    ++at_;
    while (at_ < end_ && *at_ != '"' && *at_ != '\n')
      at_ += (*at_ == '\\' && at_ + 1 < end_) ? 2 : 1;
    if (at_ > end_) at_ = end_;
    token_.kind = at_ < end_ && *at_ == '"' ? Token::Kind::String : Token::Kind::Bad;
    token_.text = {start + 1, static_cast<std::size_t>(at_ - start - 1)};
    if (at_ < end_) ++at_;
  } else {
    ++at_;
    token_.kind = std::strchr(",;{}[]()<>@!|+-:=~*&^?/", c) != nullptr && c != '\0'
                      ? Token::Kind::Punct
                      : Token::Kind::Bad;
    token_.text = {start, 1};
  }
}

void Lexer::scan_number() noexcept {
  const char* start = at_;
  const auto finish = [&](Token::Kind kind, std::uint64_t value) {
    token_.kind = kind;
    token_.value = value;
    token_.text = {start, static_cast<std::size_t>(at_ - start)};
  };
  const char marker = at_ + 1 < end_ && *at_ == '0' ? at_[1] : '\0';
  if (marker == 'f' || marker == 'F' || marker == 'd' || marker == 'D') {
    const int digits = (marker | 0x20) == 'f' ? 8 : 16;
    at_ += 2;
    std::uint64_t bits = 0;
    int seen = 0;
    while (at_ < end_ && hex_value(*at_) >= 0 && seen < digits) {
      bits = bits << 4 | static_cast<std::uint64_t>(hex_value(*at_++));
      ++seen;
    }
    finish(seen != digits ? Token::Kind::Bad
           : digits == 8  ? Token::Kind::Float32
                          : Token::Kind::Float64,
           bits);
    return;
  }
  int base = 10;
  if (marker == 'x' || marker == 'X') {
    base = 16;
    at_ += 2;
  } else if (marker == 'b' || marker == 'B') {
    base = 2;
    at_ += 2;
  } else if (is_digit(marker)) {
    base = 8;
    at_ += 1;
  }
  const char* digits = at_;
  while (at_ < end_ && (base == 16 ? hex_value(*at_) >= 0 : is_digit(*at_))) ++at_;
  if (base == 10 && at_ + 1 < end_ && *at_ == '.' && is_digit(at_[1])) {
    double value = 0;
    const auto [end, ec] = std::from_chars(start, end_, value);
    at_ = end;
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    finish(ec == std::errc{} ? Token::Kind::Float64 : Token::Kind::Bad, bits);
    return;
  }
  std::uint64_t value = 0;
  const auto [end, ec] = std::from_chars(digits, at_, value, base);
  const bool good = ec == std::errc{} && end == at_;
  if (at_ < end_ && *at_ == 'U') ++at_;
  finish(good ? Token::Kind::Integer : Token::Kind::Bad, value);
}

}  // namespace kw::ptxvm
