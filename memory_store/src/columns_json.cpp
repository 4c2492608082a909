#include "columns_json.h"

#include "kw/core/json.h"

namespace kw::store {

std::string json_list(const std::vector<std::string>& values) { return dump(Json(values)); }

std::string extents_text(const std::vector<std::int64_t>& extents) { return dump(Json(extents)); }

Result<std::vector<std::int64_t>> extents_from(const std::string& text) {
  KW_ASSIGN(const Json list, parse_json(text));
  std::vector<std::int64_t> extents;
  for (const Json& extent : list) {
    if (!extent.is_number_integer()) return fail(Errc::Corrupt, "store: an extent is no integer");
    extents.push_back(extent.get<std::int64_t>());
  }
  return extents;
}

std::string config_text(const Config& config) { return dump(Json(config)); }

Result<Config> config_from(const std::string& text) {
  KW_ASSIGN(const Json object, parse_json(text));
  Config config;
  for (const auto& [name, value] : object.items()) {
    if (!value.is_number_integer()) {
      return fail(Errc::Corrupt, "store: parameter {} is no integer", name);
    }
    config[name] = value.get<std::int64_t>();
  }
  return config;
}

}  // namespace kw::store
