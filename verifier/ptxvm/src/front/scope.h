#pragma once
// Names of registers, variables and labels in the nested blocks of one function.

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "front/ast.h"
#include "kw/core/result.h"

namespace kw::ptxvm {

class Scopes {
 public:
  explicit Scopes(Function& function) : function_(function) { open(); }

  void open();
  bool close();  // false if only the function's own scope is left

  /// `%r<10>` declares %r0 .. %r9. Errors: InvalidArgument (declared in this scope before),
  /// ResourceExhausted (the bound on registers).
  Status declare_registers(std::string_view name, Type type, std::uint64_t count, bool range);
  int find_register(std::string_view name) const;  // -1: none

  /// Its index in Function::variables. Errors: InvalidArgument (declared in this scope before).
  Result<int> declare_variable(Variable variable);
  int find_variable(std::string_view name) const;  // index into Function::variables, -1: none

  /// The label's number in this scope, created at first mention (use or definition).
  int use_label(const std::string& name);
  bool define_label(const std::string& name, std::uint32_t position);  // false: defined before
  void define_table(const std::string& name, std::vector<int> labels);
  const std::vector<int>* find_table(const std::string& name) const;
  /// Binds uses to the nearest enclosing definition; returns the name of an undefined label, or "".
  std::string resolve_labels();

 private:
  struct Range {
    int first;
    std::uint64_t count;
  };
  struct Scope {
    int parent;
    std::unordered_map<std::string, Range> ranges;
    std::unordered_map<std::string, int> registers;
    std::unordered_map<std::string, int> variables;
    std::unordered_map<std::string, std::uint32_t> labels;
    std::unordered_map<std::string, std::vector<int>> tables;
  };
  struct LabelUse {
    std::string name;
    int scope;
  };

  Function& function_;
  std::vector<Scope> scopes_;
  std::vector<LabelUse> uses_;  // by label number
  std::unordered_map<std::string, int> use_numbers_;
  int current_ = -1;
};

}  // namespace kw::ptxvm
