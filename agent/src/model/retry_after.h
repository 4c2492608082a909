#pragma once
// HTTP headers that decide when to send again.

#include <chrono>
#include <ctime>
#include <optional>
#include <string_view>

namespace kw::agent {

/// The value of a header line whose name matches (names are given in lower case), trimmed.
std::optional<std::string_view> header_value(std::string_view line, std::string_view name);

/// Retry-After (RFC 9110, 10.2.3): seconds, or an HTTP date. Negative waits are zero; nonsense is
/// nothing.
std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view value, std::time_t now);

/// Exponential backoff with jitter: 0.5 s doubled per attempt up to 30 s, times 0.5..1 by
/// `random` in [0,1). A server's own wish goes first, up to 120 s.
std::chrono::milliseconds backoff(int attempt, double random,
                                  std::optional<std::chrono::milliseconds> retry_after);

}  // namespace kw::agent
