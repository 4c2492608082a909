#include "front/scope.h"

#include "front/parser.h"

namespace kw::ptxvm {

void Scopes::open() {
  scopes_.push_back({current_, {}, {}, {}, {}, {}});
  current_ = static_cast<int>(scopes_.size()) - 1;
}

bool Scopes::close() {
  if (scopes_[static_cast<std::size_t>(current_)].parent < 0) return false;
  current_ = scopes_[static_cast<std::size_t>(current_)].parent;
  return true;
}

Status Scopes::declare_registers(std::string_view name, Type type, std::uint64_t count,
                                 bool range) {
  if (count > kMaxRegisters || function_.registers.size() + count > kMaxRegisters) {
    return fail(Errc::ResourceExhausted, "more than {} registers in one function", kMaxRegisters);
  }
  Scope& scope = scopes_[static_cast<std::size_t>(current_)];
  const std::string key(name);
  if (range ? scope.ranges.contains(key) : scope.registers.contains(key)) {
    return fail(Errc::InvalidArgument, "register {} is declared twice", name);
  }
  const int first = static_cast<int>(function_.registers.size());
  function_.registers.insert(function_.registers.end(), static_cast<std::size_t>(count), type);
  if (range) {
    scope.ranges[key] = {first, count};
  } else {
    scope.registers[key] = first;
  }
  return {};
}

int Scopes::find_register(std::string_view name) const {
  std::size_t digits = name.size();
  while (digits > 0 && name[digits - 1] >= '0' && name[digits - 1] <= '9') --digits;
  const std::string whole(name);
  for (int s = current_; s >= 0; s = scopes_[static_cast<std::size_t>(s)].parent) {
    const Scope& scope = scopes_[static_cast<std::size_t>(s)];
    if (const auto it = scope.registers.find(whole); it != scope.registers.end()) return it->second;
    // "%r12" may belong to a range named "%r" or "%r1": try every split of the trailing digits.
    for (std::size_t cut = digits; cut < name.size() && name.size() - cut <= 9; ++cut) {
      if (cut == 0 || (name[cut] == '0' && cut + 1 < name.size())) continue;
      const auto it = scope.ranges.find(whole.substr(0, cut));
      if (it == scope.ranges.end()) continue;
      const auto index = std::stoull(whole.substr(cut));
      if (index < it->second.count) return it->second.first + static_cast<int>(index);
    }
  }
  return -1;
}

Result<int> Scopes::declare_variable(Variable variable) {
  const int index = static_cast<int>(function_.variables.size());
  auto& here = scopes_[static_cast<std::size_t>(current_)].variables;
  if (!here.try_emplace(variable.name, index).second) {
    return fail(Errc::InvalidArgument, "PTX line {}: {} is declared twice", variable.ptx_line,
                variable.name);
  }
  function_.variables.push_back(std::move(variable));
  return index;
}

int Scopes::find_variable(std::string_view name) const {
  const std::string key(name);
  for (int s = current_; s >= 0; s = scopes_[static_cast<std::size_t>(s)].parent) {
    const auto& variables = scopes_[static_cast<std::size_t>(s)].variables;
    if (const auto it = variables.find(key); it != variables.end()) return it->second;
  }
  return -1;
}

int Scopes::use_label(const std::string& name) {
  const std::string key = std::to_string(current_) + ' ' + name;
  const auto [it, fresh] = use_numbers_.try_emplace(key, static_cast<int>(uses_.size()));
  if (fresh) uses_.push_back({name, current_});
  return it->second;
}

bool Scopes::define_label(const std::string& name, std::uint32_t position) {
  return scopes_[static_cast<std::size_t>(current_)].labels.try_emplace(name, position).second;
}

void Scopes::define_table(const std::string& name, std::vector<int> labels) {
  scopes_[static_cast<std::size_t>(current_)].tables[name] = std::move(labels);
}

const std::vector<int>* Scopes::find_table(const std::string& name) const {
  for (int s = current_; s >= 0; s = scopes_[static_cast<std::size_t>(s)].parent) {
    const auto& tables = scopes_[static_cast<std::size_t>(s)].tables;
    if (const auto it = tables.find(name); it != tables.end()) return &it->second;
  }
  return nullptr;
}

std::string Scopes::resolve_labels() {
  function_.labels.assign(uses_.size(), 0);
  for (std::size_t use = 0; use < uses_.size(); ++use) {
    bool found = false;
    for (int s = uses_[use].scope; s >= 0 && !found;
         s = scopes_[static_cast<std::size_t>(s)].parent) {
      const auto& labels = scopes_[static_cast<std::size_t>(s)].labels;
      if (const auto it = labels.find(uses_[use].name); it != labels.end()) {
        function_.labels[use] = it->second;
        found = true;
      }
    }
    if (!found) return uses_[use].name;
  }
  return {};
}

}  // namespace kw::ptxvm
