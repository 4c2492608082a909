#pragma once
// Device code plus a declarative plan, and who proposed it.

#include <map>
#include <string>
#include <string_view>

#include "kw/core/launch_plan.h"

namespace kw {

enum class ProposerKind { Memory, Template, Model, Replay, User };
std::string_view to_string(ProposerKind kind) noexcept;
std::optional<ProposerKind> parse_proposer_kind(std::string_view text) noexcept;

struct Candidate {
  std::string source;  // CUDA device code, one translation unit, at most kMaxSourceBytes
  LaunchPlan plan;
  ProposerKind proposer = ProposerKind::User;
  std::string generator;  // "stream@1+contraction@2" for templates, the model's name otherwise
  std::string cover;      // which cover of the graph (templates)
  std::map<std::string, std::int64_t> parameters;  // schedule of a template, or declared parameters
  std::string parent;  // candidate id this one was derived from; empty at the start
};

inline constexpr std::size_t kMaxSourceBytes = 1u << 20;

Result<Candidate> parse_candidate(std::string_view json);
std::string to_json(const Candidate& candidate);

}  // namespace kw
