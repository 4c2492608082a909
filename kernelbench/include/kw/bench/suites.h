#pragma once
// Named lists of tasks.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kw/core/result.h"

namespace kw::bench {

struct Suite {
  std::string name;                // as asked for: "first41@small"
  std::string summary;             // one line
  std::vector<std::string> tasks;  // names for find_task() or the format importer, each once
};

/// "kernelbench20", "formats21" or "first41" (both); with "@small" every task at its small size.
/// NotFound lists the nearest known ones.
Result<Suite> find_suite(std::string_view name);
std::vector<std::string> suite_names();

enum class FormatOp { Quantize, Dequantize, Gemv };
std::string_view to_string(FormatOp op) noexcept;

/// "format:nvfp4/gemv?m=1&n=4096&k=4096" in parts. Quantize and dequantize take rows and k; a
/// matrix product takes m (rows of activations), n (rows of the quantised weight) and k (its
/// columns).
struct FormatTaskName {
  std::string format;
  FormatOp op = FormatOp::Quantize;
  std::map<std::string, std::int64_t> sizes;  // complete: defaults are filled in
};

/// "@small" after the operator instead of sizes gives the small ones. Which formats exist is the
/// importer's business; an unknown operator or size, a size below 1 or above 2^31, or a size given
/// twice is refused here.
Result<FormatTaskName> parse_format_task_name(std::string_view name);
std::string to_string(const FormatTaskName& name);

}  // namespace kw::bench
