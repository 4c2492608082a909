#include "retry_after.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <string>

namespace kw::agent {

using std::chrono::milliseconds;

std::optional<std::string_view> header_value(std::string_view line, std::string_view name) {
  const std::size_t colon = line.find(':');
  if (colon != name.size()) return std::nullopt;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = line[i];
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (lower != name[i]) return std::nullopt;
  }
  std::string_view value = line.substr(colon + 1);
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t first = value.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return std::string_view{};
  return value.substr(first, value.find_last_not_of(kBlank) - first + 1);
}

std::optional<milliseconds> parse_retry_after(std::string_view value, std::time_t now) {
  if (value.empty()) return std::nullopt;
  double seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (error == std::errc{} && end == value.data() + value.size()) {
    if (!(seconds >= 0 && seconds < 1e9)) return std::nullopt;
    return milliseconds(static_cast<std::int64_t>(seconds * 1000));
  }
  const std::time_t when = curl_getdate(std::string(value).c_str(), nullptr);
  if (when < 0) return std::nullopt;
  return milliseconds(std::max<std::int64_t>(0, when - now) * 1000);
}

milliseconds backoff(int attempt, double random, std::optional<milliseconds> retry_after) {
  constexpr milliseconds kLongest{30'000};
  constexpr milliseconds kLongestWish{120'000};
  if (retry_after) return std::min(*retry_after, kLongestWish);
  const auto doubled = milliseconds(500) * (1 << std::clamp(attempt, 0, 10));
  const double share = 0.5 + 0.5 * random;
  return milliseconds(
      static_cast<std::int64_t>(static_cast<double>(std::min(doubled, kLongest).count()) * share));
}

}  // namespace kw::agent
