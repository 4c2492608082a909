#include "kw/codegen/generator.h"

#include <fmt/format.h>

#include <algorithm>

#include "cover/cover.h"
#include "emit/compose.h"

namespace kw::codegen {
namespace {

Result<std::vector<ParameterSpace>> spaces_of(Program& program, const Cover& cover,
                                              const Target& target) {
  std::vector<ParameterSpace> spaces;
  for (const Piece& piece : cover.pieces) {
    const Region region = make_region(program, piece.first, piece.last);
    spaces.push_back(piece.skeleton->space(program, region, piece.form, target));
  }
  return spaces;
}

Result<Candidate> with_heuristics(const Task& task, Program& program, const Cover& cover,
                                  const Target& target) {
  KW_ASSIGN(const std::vector<ParameterSpace> spaces, spaces_of(program, cover, target));
  std::vector<Config> configs;
  for (const ParameterSpace& space : spaces) configs.push_back(space.heuristic());
  return compose(task, program, cover, configs, target);
}

/// A space's expressions under the outer names: every symbol and parameter gets the prefix.
Result<Expr> prefixed(const Expr& expr, std::size_t piece) {
  const std::vector<std::string> names = expr.names();
  const std::string& text = expr.text();
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto is_name = [&](std::size_t at) {
      const char c = text[at];
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
             (at > i && ((c >= '0' && c <= '9') || c == '.'));
    };
    std::size_t end = i;
    while (end < text.size() && is_name(end)) ++end;
    if (end == i) {
      // Digits of a literal are copied whole, so that no name starts inside one.
      do {
        out += text[i++];
      } while (i < text.size() && text[i] >= '0' && text[i] <= '9' && out.back() >= '0' &&
               out.back() <= '9');
      continue;
    }
    const std::string word = text.substr(i, end - i);
    const bool known = std::find(names.begin(), names.end(), word) != names.end();
    out += known ? outer_name(piece, word) : word;
    i = end;
  }
  return Expr::parse(out);
}

}  // namespace

Target virtual_machine_target() {
  Target target;
  target.arch = "sm_80";
  target.sm_count = 4;
  target.shared_per_block = 99 * 1024;
  target.l2_bytes = 1 << 20;
  return target;
}

Result<std::vector<Candidate>> generate(const Task& task, const Target& target,
                                        int max_candidates) {
  KW_ASSIGN(Program program, import_task(task));
  if (program.stages.empty()) {
    return fail(Errc::Unsupported, "{}: the task computes nothing", task.name);
  }
  std::vector<Candidate> candidates;
  const auto known = [&](const std::string& cover) {
    return std::any_of(candidates.begin(), candidates.end(),
                       [&](const Candidate& c) { return c.cover == cover; });
  };
  const Cover fallback = fallback_cover(program, target);
  for (const Cover& cover : best_covers(program, target, std::max(max_candidates - 1, 0))) {
    if (cover.text() == fallback.text() || known(cover.text())) continue;
    if (static_cast<int>(candidates.size()) + 1 >= max_candidates) break;
    auto candidate = with_heuristics(task, program, cover, target);
    // A cover of too many different kernels is no candidate; a plainer one may be.
    if (!candidate && candidate.error().code == Errc::ResourceExhausted) continue;
    if (!candidate) return tl::unexpected(std::move(candidate).error());
    candidates.push_back(std::move(*candidate));
  }
  KW_ASSIGN(Candidate last, with_heuristics(task, program, fallback, target));
  candidates.push_back(std::move(last));
  return candidates;
}

Result<ParameterSpace> parameter_space(const Task& task, const Candidate& candidate,
                                       const Target& target) {
  KW_ASSIGN(Program program, import_task(task));
  KW_ASSIGN(const Cover cover, parse_cover(program, target, candidate.cover));
  KW_ASSIGN(const std::vector<ParameterSpace> spaces, spaces_of(program, cover, target));
  ParameterSpace whole;
  for (std::size_t i = 0; i < spaces.size(); ++i) {
    for (Parameter parameter : spaces[i].parameters) {
      parameter.name = outer_name(i, parameter.name);
      whole.parameters.push_back(std::move(parameter));
    }
    for (const auto& [name, value] : spaces[i].symbols) whole.symbols[outer_name(i, name)] = value;
    for (const Expr& constraint : spaces[i].constraints) {
      KW_ASSIGN(Expr renamed, prefixed(constraint, i));
      whole.constraints.push_back(std::move(renamed));
    }
  }
  return whole;
}

Result<Candidate> with_parameters(const Task& task, const Candidate& candidate,
                                  const Config& config, const Target& target) {
  KW_ASSIGN(Program program, import_task(task));
  KW_ASSIGN(const Cover cover, parse_cover(program, target, candidate.cover));
  KW_ASSIGN(const std::vector<ParameterSpace> spaces, spaces_of(program, cover, target));
  std::vector<Config> configs;
  std::size_t used = 0;
  for (std::size_t i = 0; i < spaces.size(); ++i) {
    Config inner = spaces[i].heuristic();
    for (auto& [name, value] : inner) {
      if (const auto it = config.find(outer_name(i, name)); it != config.end()) {
        value = it->second;
        ++used;
      }
    }
    if (!spaces[i].allows(inner)) {
      return fail(Errc::InvalidArgument, "region r{}: its constraints forbid this configuration",
                  i);
    }
    configs.push_back(std::move(inner));
  }
  if (used != config.size()) {
    return fail(Errc::InvalidArgument, "{} of {} parameters are none of this candidate's",
                config.size() - used, config.size());
  }
  KW_ASSIGN(Candidate made, compose(task, program, cover, configs, target));
  return made;
}

}  // namespace kw::codegen
