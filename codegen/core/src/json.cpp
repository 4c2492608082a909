#include "kw/core/json.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace kw {
namespace {

/// First pass: counts and refuses before anything is built.
class LimitCheck final : public nlohmann::json_sax<Json> {
 public:
  LimitCheck(std::string_view text, const JsonLimits& limits) : text_(text), limits_(limits) {}
  std::string error;

  bool null() override { return count(); }
  bool boolean(bool) override { return count(); }
  bool number_integer(number_integer_t) override { return count(); }
  bool number_unsigned(number_unsigned_t) override { return count(); }
  bool number_float(number_float_t, const string_t&) override { return count(); }
  bool string(string_t&) override { return count(); }
  bool binary(binary_t&) override { return count(); }
  bool start_object(std::size_t) override {
    keys_.emplace_back();
    return open();
  }
  bool key(string_t& key) override {
    if (keys_.back().insert(key).second) return true;
    error = fmt::format("duplicate member '{}'", key.substr(0, 80));
    return false;
  }
  bool end_object() override {
    keys_.pop_back();
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override { return open(); }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& e) override {
    const std::size_t at = std::min(position, text_.size());
    const std::string_view before = text_.substr(0, at == 0 ? 0 : at - 1);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const std::size_t newline = before.rfind('\n');
    const std::size_t column = newline == before.npos ? before.size() + 1 : before.size() - newline;
    std::string what =
        e.what();  // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    if (const std::size_t colon = what.find(": "); colon != what.npos) what.erase(0, colon + 2);
    error = fmt::format("line {}, column {}: {}", line, column, what.substr(0, 200));
    return false;
  }

 private:
  bool count() {
    if (++nodes_ <= limits_.nodes) return true;
    error = fmt::format("more than {} values", limits_.nodes);
    return false;
  }
  bool open() {
    if (++depth_ > limits_.depth) {
      error = fmt::format("nested deeper than {}", limits_.depth);
      return false;
    }
    return count();
  }

  std::string_view text_;
  const JsonLimits& limits_;
  std::vector<std::set<std::string>> keys_;
  std::size_t nodes_ = 0;
  int depth_ = 0;
};

}  // namespace

Result<Json> parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes) {
    return fail(Errc::InvalidArgument, "JSON of {} bytes is larger than {}", text.size(),
                limits.bytes);
  }
  LimitCheck check(text, limits);
  if (!Json::sax_parse(text, &check)) return fail(Errc::InvalidArgument, "JSON: {}", check.error);
  Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) return fail(Errc::InvalidArgument, "JSON: not valid");
  return value;
}

JsonReader::JsonReader(const Json& value, std::string pointer)
    : value_(&value), pointer_(std::move(pointer)) {}

Result<JsonReader> JsonReader::object(const Json& value, std::string pointer) {
  if (!value.is_object()) {
    return fail(Errc::InvalidArgument, "{}: expected an object", pointer.empty() ? "/" : pointer);
  }
  return JsonReader(value, std::move(pointer));
}

std::string JsonReader::at(std::string_view key) const {
  return fmt::format("{}/{}", pointer_, key);
}

const Json* JsonReader::find(std::string_view key) {
  seen_.emplace_back(key);
  const auto it = value_->find(std::string(key));
  return it == value_->end() ? nullptr : &*it;
}

Result<const Json*> JsonReader::member(std::string_view key) {
  const Json* found = find(key);
  if (found == nullptr) return fail(Errc::InvalidArgument, "{}: missing", at(key));
  return found;
}

Result<const Json*> JsonReader::array(std::string_view key) {
  KW_ASSIGN(const Json* found, member(key));
  if (!found->is_array()) return fail(Errc::InvalidArgument, "{}: expected an array", at(key));
  return found;
}

Result<std::string> JsonReader::string(std::string_view key) {
  KW_ASSIGN(const Json* found, member(key));
  if (!found->is_string()) return fail(Errc::InvalidArgument, "{}: expected a string", at(key));
  return found->get<std::string>();
}

Result<std::string> JsonReader::string_or(std::string_view key, std::string fallback) {
  if (value_->contains(std::string(key))) return string(key);
  seen_.emplace_back(key);
  return fallback;
}

Result<std::int64_t> JsonReader::integer(std::string_view key, std::int64_t low,
                                         std::int64_t high) {
  KW_ASSIGN(const Json* found, member(key));
  if (!found->is_number_integer())
    return fail(Errc::InvalidArgument, "{}: expected an integer", at(key));
  if (found->is_number_unsigned() &&
      found->get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
    return fail(Errc::InvalidArgument, "{}: does not fit in 64 bits", at(key));
  }
  const auto value = found->get<std::int64_t>();
  if (value < low || value > high) {
    return fail(Errc::InvalidArgument, "{}: {} is not in {}..{}", at(key), value, low, high);
  }
  return value;
}

Result<std::int64_t> JsonReader::integer_or(std::string_view key, std::int64_t fallback,
                                            std::int64_t low, std::int64_t high) {
  if (value_->contains(std::string(key))) return integer(key, low, high);
  seen_.emplace_back(key);
  return fallback;
}

Result<double> JsonReader::number(std::string_view key) {
  KW_ASSIGN(const Json* found, member(key));
  return number_from(*found, at(key));
}

Result<double> JsonReader::number_or(std::string_view key, double fallback) {
  if (value_->contains(std::string(key))) return number(key);
  seen_.emplace_back(key);
  return fallback;
}

Result<bool> JsonReader::boolean_or(std::string_view key, bool fallback) {
  const Json* found = find(key);
  if (found == nullptr) return fallback;
  if (!found->is_boolean())
    return fail(Errc::InvalidArgument, "{}: expected true or false", at(key));
  return found->get<bool>();
}

Result<std::vector<std::int64_t>> JsonReader::integers(std::string_view key) {
  KW_ASSIGN(const Json* found, array(key));
  std::vector<std::int64_t> values;
  for (const Json& item : *found) {
    if (!item.is_number_integer() ||
        (item.is_number_unsigned() &&
         item.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX))) {
      return fail(Errc::InvalidArgument, "{}/{}: expected a 64-bit integer", at(key),
                  values.size());
    }
    values.push_back(item.get<std::int64_t>());
  }
  return values;
}

Status JsonReader::finish() const {
  for (const auto& [key, unused] : value_->items()) {
    if (std::find(seen_.begin(), seen_.end(), key) == seen_.end()) {
      return fail(Errc::InvalidArgument, "{}: unknown member", at(key));
    }
  }
  return {};
}

Json number_json(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

Result<double> number_from(const Json& value, std::string_view pointer) {
  if (value.is_number()) return value.get<double>();
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    if (text == "nan") return std::nan("");
    if (text == "inf") return HUGE_VAL;
    if (text == "-inf") return -HUGE_VAL;
  }
  return fail(Errc::InvalidArgument, "{}: expected a number", pointer);
}

std::string dump(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace kw
