#pragma once
// Integer expressions of launch plans and parameter constraints: no code, only arithmetic.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kw/core/result.h"

namespace kw {

using Symbols = std::map<std::string, std::int64_t, std::less<>>;

/// Grammar: integer literals, names ([A-Za-z_][A-Za-z0-9_.]*), + - * / % (toward zero; by zero is
/// an error), unary -, comparisons == != < <= > >= and && || ! (0 or 1), parentheses, and the
/// functions ceil_div(a,b), round_up(a,b), min(a,b,...), max(a,b,...), pow2_ceil(a), log2(a),
/// select(c,a,b). Arithmetic is checked 64-bit: overflow is an error, never a wrap. Immutable,
/// cheap to copy.
class Expr {
 public:
  Expr();                      // the literal 0
  Expr(std::int64_t literal);  // NOLINT(google-explicit-constructor): literals read as numbers
  static Result<Expr> parse(std::string_view text);

  /// The value under these symbols; an error names an unknown symbol, an overflow, a division by
  /// zero.
  Result<std::int64_t> eval(const Symbols& symbols) const;
  /// Every name that occurs.
  std::vector<std::string> names() const;
  const std::string& text() const noexcept { return *text_; }
  bool operator==(const Expr& other) const { return text() == other.text(); }

  struct Tree;

 private:
  std::shared_ptr<const std::string> text_;
  std::shared_ptr<const Tree> tree_;
};

inline constexpr std::size_t kMaxExprBytes = 512;
inline constexpr int kMaxExprDepth = 32;

}  // namespace kw
