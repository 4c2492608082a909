#pragma once
// Strict reading of JSON. Only *_json.cpp files and the edges include this header.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "kw/core/result.h"

namespace kw {

using Json = nlohmann::json;

struct JsonLimits {
  std::size_t bytes = 32u << 20;
  int depth = 64;
  std::size_t nodes = 4u << 20;
};

/// Parses within limits, which are enforced while reading. Errors give line and column; duplicate
/// keys are refused.
Result<Json> parse_json(std::string_view text, const JsonLimits& limits = {});

/// Reads one object: every access is checked for presence, type and range, and errors carry the
/// JSON pointer of the fault. finish() refuses members that nobody asked for.
class JsonReader {
 public:
  JsonReader(const Json& value, std::string pointer);
  static Result<JsonReader> object(const Json& value, std::string pointer);

  Result<std::string> string(std::string_view key);
  Result<std::string> string_or(std::string_view key, std::string fallback);
  Result<std::int64_t> integer(std::string_view key, std::int64_t low = INT64_MIN,
                               std::int64_t high = INT64_MAX);
  Result<std::int64_t> integer_or(std::string_view key, std::int64_t fallback,
                                  std::int64_t low = INT64_MIN, std::int64_t high = INT64_MAX);
  /// Accepts "nan", "inf", "-inf" as written by number_json().
  Result<double> number(std::string_view key);
  Result<double> number_or(std::string_view key, double fallback);
  Result<bool> boolean_or(std::string_view key, bool fallback);
  Result<std::vector<std::int64_t>> integers(std::string_view key);
  /// The member itself; null when absent.
  const Json* find(std::string_view key);
  Result<const Json*> array(std::string_view key);
  Result<const Json*> member(std::string_view key);
  std::string at(std::string_view key) const;  // pointer of a member
  const std::string& pointer() const { return pointer_; }
  Status finish() const;

 private:
  const Json* value_;
  std::string pointer_;
  std::vector<std::string> seen_;
};

/// A double as JSON: NaN and infinities as strings.
Json number_json(double value);
Result<double> number_from(const Json& value, std::string_view pointer);
/// dump() with sorted keys; invalid UTF-8 is replaced.
std::string dump(const Json& value, int indent = -1);

}  // namespace kw
