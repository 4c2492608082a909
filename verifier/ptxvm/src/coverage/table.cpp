#include <map>

#include "kw/ptxvm/coverage.h"

namespace kw::ptxvm {
namespace {

struct Group {
  std::string pattern;
  std::vector<const InstructionForm*> forms;
};
struct Family {
  std::string name;
  std::vector<Group> groups;
};

std::vector<Family> by_family(const std::vector<InstructionForm>& forms) {
  std::vector<Family> out;
  for (const InstructionForm& form : forms) {
    if (out.empty() || out.back().name != form.family) out.push_back({form.family, {}});
    std::vector<Group>& groups = out.back().groups;
    if (groups.empty() || groups.back().pattern != form.group) groups.push_back({form.group, {}});
    groups.back().forms.push_back(&form);
  }
  return out;
}

void append(std::string& cell, const std::string& code) {
  // A bar would end the cell.
  cell += (cell.empty() ? "`" : ", `") + code + "`";
}

}  // namespace

std::string coverage_table() {
  const std::vector<InstructionForm> forms = coverage();
  std::string out = "| family | forms | runs | refused |\n| --- | ---: | --- | --- |\n";
  for (const Family& family : by_family(forms)) {
    std::string runs, refused;
    std::size_t count = 0, good = 0;
    for (const Group& group : family.groups) {
      std::size_t running = 0;
      for (const InstructionForm* form : group.forms) running += form->runs() ? 1u : 0u;
      count += group.forms.size();
      good += running;
      if (running == group.forms.size()) {
        append(runs, group.pattern);
      } else if (running == 0) {
        append(refused, group.pattern);
      } else {
        for (const InstructionForm* form : group.forms) {
          append(form->runs() ? runs : refused, form->name);
        }
      }
    }
    out += fmt::format("| {} | {} of {} | {} | {} |\n", family.name, good, count, runs, refused);
  }
  return out;
}

}  // namespace kw::ptxvm
