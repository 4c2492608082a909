#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "kw/bench/suites.h"
#include "nearest.h"

namespace kw::bench {
namespace {

constexpr std::string_view kPrefix = "format:";
constexpr std::string_view kSmall = "@small";
constexpr std::int64_t kLargestSize = std::int64_t{1} << 31;

struct SizeRule {
  std::string_view name;
  std::int64_t full;   // more than any L2 holds, together
  std::int64_t small;  // several blocks, several scale groups and a tail of each
};
struct OpRule {
  FormatOp op;
  std::string_view name;
  std::array<SizeRule, 3> sizes;  // an empty name ends the list
};
// 1056 = 33 * 32 and 2080 = 65 * 32: whole MX blocks, and a partial group of 128.
constexpr std::array<OpRule, 3> kRules{{
    {FormatOp::Quantize, "quantize", {{{"rows", 8192, 33}, {"k", 8192, 1056}, {}}}},
    {FormatOp::Dequantize, "dequantize", {{{"rows", 8192, 33}, {"k", 8192, 1056}, {}}}},
    {FormatOp::Gemv, "gemv", {{{"m", 1, 1}, {"n", 16384, 67}, {"k", 16384, 2080}}}},
}};

const OpRule& rule_of(FormatOp op) { return kRules[static_cast<std::size_t>(op)]; }

std::vector<std::string> op_names() {
  std::vector<std::string> names;
  for (const OpRule& rule : kRules) names.emplace_back(rule.name);
  return names;
}

bool is_format_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  });
}

/// The text before a separator, which is removed; all of it when there is none.
std::string_view cut(std::string_view& text, char separator) {
  const std::size_t at = text.find(separator);
  const std::string_view head = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return head;
}

Status set_size(FormatTaskName& result, std::string_view item, std::string_view whole) {
  const std::string_view key = cut(item, '=');
  const auto known = result.sizes.find(std::string(key));
  if (known == result.sizes.end()) {
    std::vector<std::string_view> keys;
    for (const auto& [name, _] : result.sizes) keys.push_back(name);
    return fail(Errc::InvalidArgument, "'{}': {} has no size '{}'; it has {}", whole,
                to_string(result.op), key, fmt::join(keys, ", "));
  }
  if (known->second != 0) {
    return fail(Errc::InvalidArgument, "'{}': size '{}' is given twice", whole, key);
  }
  const auto [end, error] = std::from_chars(item.data(), item.data() + item.size(), known->second);
  if (error != std::errc() || end != item.data() + item.size() || known->second < 1 ||
      known->second > kLargestSize) {
    return fail(Errc::InvalidArgument, "'{}': size '{}' must be in 1..{}", whole, key,
                kLargestSize);
  }
  return {};
}

}  // namespace

std::string_view to_string(FormatOp op) noexcept { return rule_of(op).name; }

Result<FormatTaskName> parse_format_task_name(std::string_view name) {
  if (!name.starts_with(kPrefix)) {
    return fail(Errc::InvalidArgument, "'{}' does not start with '{}'", name.substr(0, 128),
                kPrefix);
  }
  const std::string_view whole = name.substr(0, 256);
  std::string_view rest = whole.substr(kPrefix.size());
  FormatTaskName result;
  result.format = cut(rest, '/');
  if (!is_format_name(result.format)) {
    return fail(Errc::InvalidArgument, "'{}': expected format:NAME/OPERATOR?SIZE=VALUE", whole);
  }
  std::string_view op = cut(rest, '?');
  const bool small = op.ends_with(kSmall);
  if (small) op.remove_suffix(kSmall.size());
  const auto rule = std::find_if(kRules.begin(), kRules.end(),
                                 [&](const OpRule& known) { return known.name == op; });
  if (rule == kRules.end()) {
    return fail(Errc::NotFound, "'{}': no operator '{}'; nearest: {}", whole, op,
                fmt::join(nearest_names(op, op_names()), ", "));
  }
  result.op = rule->op;
  for (const SizeRule& size : rule->sizes) {
    if (!size.name.empty()) result.sizes.emplace(size.name, 0);
  }
  while (!rest.empty()) KW_RETURN_IF_ERROR(set_size(result, cut(rest, '&'), whole));
  for (const SizeRule& size : rule->sizes) {
    if (size.name.empty()) continue;
    std::int64_t& value = result.sizes[std::string(size.name)];
    if (value == 0) value = small ? size.small : size.full;
  }
  return result;
}

std::string to_string(const FormatTaskName& name) {
  std::vector<std::string> sizes;
  for (const SizeRule& size : rule_of(name.op).sizes) {
    const auto found = name.sizes.find(std::string(size.name));
    if (found != name.sizes.end()) sizes.push_back(fmt::format("{}={}", size.name, found->second));
  }
  return fmt::format("{}{}/{}?{}", kPrefix, name.format, to_string(name.op), fmt::join(sizes, "&"));
}

}  // namespace kw::bench
