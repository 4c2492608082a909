#include "http.h"

namespace kw::agent {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool decode(std::string_view text, bool plus_is_space, std::string& into) {
  into.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      into += ' ';
    } else if (text[i] != '%') {
      into += text[i];
    } else {
      if (i + 2 >= text.size()) return false;
      const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return false;
      into += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return into.find('\0') == std::string::npos;
}

}  // namespace

std::string HttpRequest::header(std::string_view name) const {
  const auto it = headers.find(std::string(name));
  return it == headers.end() ? std::string{} : it->second;
}

std::string HttpRequest::parameter(const std::string& name) const {
  const auto it = query.find(name);
  return it == query.end() ? std::string{} : it->second;
}

bool parse_target(std::string_view target, HttpRequest& into) {
  if (target.empty() || target.front() != '/') return false;
  const std::size_t mark = target.find('?');
  if (!decode(target.substr(0, mark), false, into.path)) return false;
  std::string_view rest = mark == target.npos ? std::string_view{} : target.substr(mark + 1);
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    const std::size_t equals = item.find('=');
    std::string key, value;
    if (!decode(item.substr(0, equals), true, key)) return false;
    if (equals != item.npos && !decode(item.substr(equals + 1), true, value)) return false;
    if (!key.empty()) into.query[key] = value;
  }
  return true;
}

}  // namespace kw::agent
