#include <cstdlib>
#include <string_view>

#include "kw/core/expr.h"

// Evaluation is total: a value or an error, the same both times.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto expr = kw::Expr::parse(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!expr) return 0;
  const kw::Symbols symbols{{"M", 4096}, {"N", -7}, {"sm_count", 132}};
  const auto first = expr->eval(symbols);
  const auto second = expr->eval(symbols);
  if (first.has_value() != second.has_value() || (first && *first != *second)) std::abort();
  return 0;
}
