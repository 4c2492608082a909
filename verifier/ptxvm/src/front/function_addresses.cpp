#include "front/function_addresses.h"

#include <unordered_map>
#include <unordered_set>

namespace kw::ptxvm {
namespace {

class Addresses {
 public:
  explicit Addresses(Module& module) : module_(module) {
    for (const Function& f : module.functions) {
      if (!f.entry && f.has_body) functions_.emplace(f.name, f.ptx_line);
    }
    for (const Variable& v : module.variables) variables_.insert(v.name);
  }

  void take() {
    if (functions_.empty()) return;
    for (const Function& f : module_.functions) {
      for (const Instruction& in : f.code) {
        for (const auto* list : {&in.operands, &in.arguments}) {
          for (const Operand& op : *list) take(op);
        }
      }
    }
    const std::size_t given = module_.variables.size();
    for (std::size_t v = 0; v < given; ++v) {
      for (std::size_t i = 0; i < module_.variables[v].initial.size(); ++i)
        take(std::string(module_.variables[v].initial[i].symbol));
    }
  }

 private:
  void take(const Operand& op) {
    if (op.kind == Operand::Kind::Symbol && op.variable < 0) take(op.name);
    for (const Operand& element : op.elements) take(element);
  }
  void take(const std::string& name) {
    const auto f = functions_.find(name);
    if (f == functions_.end() || !variables_.insert(name).second) return;
    Variable address;
    address.name = name;
    address.function = true;
    address.size = address.align = 16;
    address.ptx_line = f->second;
    module_.variables.push_back(std::move(address));
  }

  Module& module_;
  std::unordered_map<std::string, std::uint32_t> functions_;
  std::unordered_set<std::string> variables_;
};

}  // namespace

void add_function_addresses(Module& module) { Addresses(module).take(); }

}  // namespace kw::ptxvm
