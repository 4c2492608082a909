#include "work.h"

#include <algorithm>

namespace kw::redteam {
namespace {

bool expects(const Case& c, std::initializer_list<RejectKind> kinds) {
  return std::ranges::any_of(
      c.kinds, [&](RejectKind kind) { return std::ranges::find(kinds, kind) != kinds.end(); });
}

bool has_any(std::string_view ptx, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(
      words, [&](std::string_view word) { return ptx.find(word) != std::string_view::npos; });
}

}  // namespace

Uses uses_of(std::string_view ptx) {
  return {.shared = has_any(ptx, {".shared"}),
          .barriers = has_any(ptx, {"bar.", "barrier.", "mbarrier.", "shfl.sync", "vote.sync",
                                    "match.", "redux.sync", "activemask"})};
}

bool is_sanitizer_case(const Case& c) {
  return expects(c, {RejectKind::OutOfBounds, RejectKind::Misaligned, RejectKind::Uninitialised,
                     RejectKind::Race, RejectKind::BarrierDivergence});
}

bool applies(std::string_view tool, const Case& c, const Uses& uses) {
  if (tool == "racecheck") return c.hostile ? expects(c, {RejectKind::Race}) : uses.shared;
  if (tool == "synccheck") {
    return c.hostile ? expects(c, {RejectKind::BarrierDivergence}) : uses.barriers;
  }
  if (tool == "initcheck") return !c.hostile || expects(c, {RejectKind::Uninitialised});
  return !c.hostile || expects(c, {RejectKind::OutOfBounds, RejectKind::Misaligned});
}

std::vector<Work> plan_work(const std::vector<const Case*>& cases,
                            const std::map<std::string, Uses>& uses,
                            const std::vector<std::string>& tools, const std::set<Run>& done,
                            std::size_t parallel) {
  std::vector<Work> works;
  for (const bool hostile : {true, false}) {
    for (const std::string& tool : tools) {
      std::vector<const Case*> chosen;
      for (const Case* c : cases) {
        const auto known = uses.find(c->name);
        if (c->hostile == hostile && known != uses.end() && applies(tool, *c, known->second) &&
            !done.contains({c->name, tool})) {
          chosen.push_back(c);
        }
      }
      const bool ends = hostile && tool == "memcheck";
      const std::size_t share = std::max<std::size_t>((chosen.size() + parallel - 1) / parallel, 1);
      const std::size_t batch = ends ? 1 : std::min<std::size_t>(share, 8);
      for (std::size_t i = 0; i < chosen.size(); i += batch) {
        const auto first = chosen.begin() + static_cast<std::ptrdiff_t>(i);
        const auto last =
            chosen.begin() + static_cast<std::ptrdiff_t>(std::min(i + batch, chosen.size()));
        works.push_back({tool, {first, last}});
      }
    }
  }
  return works;
}

}  // namespace kw::redteam
