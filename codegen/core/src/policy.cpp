#include "kw/core/policy.h"

#include <array>

namespace kw {
namespace {

constexpr std::array<PolicyClass, 4> kClasses{PolicyClass::Ieee, PolicyClass::Tf32,
                                              PolicyClass::Half, PolicyClass::Exact};
struct Member {
  std::string_view name;
  PolicyClass Policy::*member;
};
constexpr std::array<Member, 4> kMembers{{{"contraction", &Policy::contraction},
                                          {"convolution", &Policy::convolution},
                                          {"recurrence", &Policy::recurrence},
                                          {"other", &Policy::other}}};

}  // namespace

Numerics numerics_of(PolicyClass policy) noexcept {
  switch (policy) {
    case PolicyClass::Ieee:
      return {-20, 128, DType::F32, DType::F32};
    case PolicyClass::Tf32:
      return {-11, 0, DType::F32, DType::F32};
    case PolicyClass::Half:
      return {-11, 0, DType::F32, DType::F16};
    case PolicyClass::Exact:
      return {-53, 0, DType::F64, DType::F32};
  }
  return {};
}

std::string_view to_string(PolicyClass policy) noexcept {
  switch (policy) {
    case PolicyClass::Ieee:
      return "ieee";
    case PolicyClass::Tf32:
      return "tf32";
    case PolicyClass::Half:
      return "half";
    case PolicyClass::Exact:
      return "exact";
  }
  return "ieee";
}

std::optional<PolicyClass> parse_policy_class(std::string_view text) noexcept {
  for (const PolicyClass policy : kClasses) {
    if (to_string(policy) == text) return policy;
  }
  return std::nullopt;
}

Policy preset(PolicyClass policy) noexcept { return {policy, policy, policy, policy}; }

std::string to_string(const Policy& policy) {
  if (policy == preset(policy.contraction)) return std::string(to_string(policy.contraction));
  std::string text;
  for (const Member& m : kMembers) {
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", m.name, to_string(policy.*m.member));
  }
  return text;
}

Result<Policy> parse_policy(std::string_view text) {
  if (const auto whole = parse_policy_class(text)) return preset(*whole);
  Policy policy;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    const std::size_t equals = item.find('=');
    const auto value =
        equals == item.npos ? std::nullopt : parse_policy_class(item.substr(equals + 1));
    bool known = false;
    for (const Member& m : kMembers) {
      if (value && item.substr(0, equals) == m.name) policy.*m.member = *value, known = true;
    }
    if (!known) {
      return fail(
          Errc::InvalidArgument,
          "policy '{}': '{}' is neither a preset (ieee, tf32, half, exact) nor class=preset with a "
          "class of contraction, convolution, recurrence, other",
          text, item);
    }
  }
  if (text.empty()) return fail(Errc::InvalidArgument, "empty policy");
  return policy;
}

}  // namespace kw
