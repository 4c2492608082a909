#include "kw/core/interfaces.h"

#include <algorithm>

#include "kw/core/event.h"
#include "kw/core/json.h"

namespace kw {

std::string_view to_string(EffectState state) noexcept {
  switch (state) {
    case EffectState::Pending:
      return "pending";
    case EffectState::Leased:
      return "leased";
    case EffectState::Done:
      return "done";
    case EffectState::Cancelled:
      return "cancelled";
  }
  return "pending";
}

bool ParameterSpace::allows(const Config& config) const {
  Symbols all = symbols;
  for (const Parameter& parameter : parameters) {
    const auto it = config.find(parameter.name);
    if (it == config.end() ||
        !std::binary_search(parameter.domain.begin(), parameter.domain.end(), it->second)) {
      return false;
    }
    all[parameter.name] = it->second;
  }
  return std::all_of(constraints.begin(), constraints.end(), [&](const Expr& constraint) {
    const auto value = constraint.eval(all);
    return value && *value != 0;
  });
}

Config ParameterSpace::heuristic() const {
  Config config;
  for (const Parameter& parameter : parameters) config[parameter.name] = parameter.heuristic;
  return config;
}

std::string to_json(const ParameterSpace& space) {
  Json parameters = Json::array(), constraints = Json::array();
  for (const Parameter& parameter : space.parameters) {
    parameters.push_back({{"name", parameter.name},
                          {"domain", parameter.domain},
                          {"heuristic", parameter.heuristic}});
  }
  for (const Expr& constraint : space.constraints) constraints.push_back(constraint.text());
  return dump({{"v", 1},
               {"parameters", parameters},
               {"constraints", constraints},
               {"symbols", space.symbols}});
}

}  // namespace kw
