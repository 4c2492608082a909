#pragma once
// What is to be run: which tool can say something about which case, and how cases share processes.

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kw/core/interfaces.h"
#include "kw/redteam/redteam.h"

namespace kw::redteam {

/// Facts of a case's PTX that say which tools can find anything at all.
struct Uses {
  bool shared = false;    // racecheck watches shared memory alone
  bool barriers = false;  // synccheck watches barriers and the shuffles' and votes' masks
};
Uses uses_of(std::string_view ptx);

/// Its fault is one of memory, initialisation, races or barriers.
bool is_sanitizer_case(const Case& c);

/// Whether `tool` can find something: of a hostile case, what its manifest expects; of an honest
/// one, whatever its code uses.
bool applies(std::string_view tool, const Case& c, const Uses& uses);

struct Work {
  std::string tool;
  std::vector<const Case*> cases;  // in one process
};
using Run = std::pair<std::string, std::string>;  // case, tool

/// Hostile cases first. A fault that memcheck stops ends its process, so these run alone; others
/// share one. `done` is left out.
std::vector<Work> plan_work(const std::vector<const Case*>& cases,
                            const std::map<std::string, Uses>& uses,
                            const std::vector<std::string>& tools, const std::set<Run>& done,
                            std::size_t parallel);

}  // namespace kw::redteam
