#include <array>

#include "kw/core/candidate.h"
#include "plan_json.h"

namespace kw {

std::string_view to_string(ProposerKind kind) noexcept {
  switch (kind) {
    case ProposerKind::Memory:
      return "memory";
    case ProposerKind::Template:
      return "template";
    case ProposerKind::Model:
      return "model";
    case ProposerKind::Replay:
      return "replay";
    case ProposerKind::User:
      return "user";
  }
  return "user";
}

std::optional<ProposerKind> parse_proposer_kind(std::string_view text) noexcept {
  for (const ProposerKind kind : {ProposerKind::Memory, ProposerKind::Template, ProposerKind::Model,
                                  ProposerKind::Replay, ProposerKind::User}) {
    if (to_string(kind) == text) return kind;
  }
  return std::nullopt;
}

Result<Candidate> parse_candidate(std::string_view text) {
  KW_ASSIGN(const Json json, parse_json(text, {.bytes = 8u << 20}));
  KW_ASSIGN(JsonReader reader, JsonReader::object(json, ""));
  KW_ASSIGN(const std::int64_t version, reader.integer("v"));
  if (version != 1)
    return fail(Errc::InvalidArgument, "/v: candidate version {} is not 1", version);
  Candidate candidate;
  KW_ASSIGN(candidate.source, reader.string("source"));
  if (candidate.source.size() > kMaxSourceBytes) {
    return fail(Errc::InvalidArgument, "/source: {} bytes are more than {}",
                candidate.source.size(), kMaxSourceBytes);
  }
  KW_ASSIGN(const Json* plan, reader.member("plan"));
  KW_ASSIGN(candidate.plan, plan_from_json(*plan, "/plan"));
  KW_ASSIGN(const std::string proposer, reader.string_or("proposer", "user"));
  const auto kind = parse_proposer_kind(proposer);
  if (!kind) return fail(Errc::InvalidArgument, "/proposer: unknown proposer '{}'", proposer);
  candidate.proposer = *kind;
  KW_ASSIGN(candidate.generator, reader.string_or("generator", ""));
  KW_ASSIGN(candidate.cover, reader.string_or("cover", ""));
  KW_ASSIGN(candidate.parent, reader.string_or("parent", ""));
  if (const Json* parameters = reader.find("parameters")) {
    KW_ASSIGN(JsonReader values, JsonReader::object(*parameters, "/parameters"));
    for (const auto& [name, unused] : parameters->items()) {
      KW_ASSIGN(const std::int64_t value, values.integer(name));
      candidate.parameters.emplace(name, value);
    }
  }
  KW_RETURN_IF_ERROR(reader.finish());
  return candidate;
}

std::string to_json(const Candidate& candidate) {
  return dump({{"v", 1},
               {"source", candidate.source},
               {"plan", plan_to_json(candidate.plan)},
               {"proposer", to_string(candidate.proposer)},
               {"generator", candidate.generator},
               {"cover", candidate.cover},
               {"parent", candidate.parent},
               {"parameters", candidate.parameters}});
}

}  // namespace kw
