#pragma once
// The recursive-descent parser; module level in parser.cpp, function bodies in parse_body.cpp.

#include <string>
#include <unordered_map>

#include "front/ast.h"
#include "front/lexer.h"
#include "front/parser.h"
#include "front/scope.h"

namespace kw::ptxvm {

class Parser {
 public:
  explicit Parser(std::string_view ptx) : lexer_(ptx) {}

  Result<Module> run();

 private:
  // Module level (parser.cpp).
  Status directive();
  Status function(bool entry, bool external);
  Status formals(Function& out, Scopes& scopes, std::vector<int>& list);
  Status tuning(Function& out);  // .maxntid and friends, up to the body or ';'
  Result<Variable> declarator(Variable::Space space, bool external);
  Status array_bounds(Variable& out);
  Status initialiser(Variable& out, int depth);
  Status skip_braces();
  void skip_to_line_end();
  Status file_directive();
  Status add_variable(Variable variable);  // to the module

  // Function bodies (parse_body.cpp).
  Status body(Function& out, Scopes& scopes);
  Status statement(Function& out, Scopes& scopes);
  Status body_directive(Function& out, Scopes& scopes);
  Status registers(Scopes& scopes);
  Status location();
  Status label(Function& out, Scopes& scopes, const std::string& name);
  Status instruction(Function& out, Scopes& scopes);
  Status call_operands(Instruction& out, Scopes& scopes);
  Result<std::vector<Operand>> operand_list(Scopes& scopes);
  Result<Operand> operand(Scopes& scopes);
  Result<Operand> memory_operand(Scopes& scopes);
  Result<Operand> vector_operand(Scopes& scopes);
  Result<std::uint64_t> signed_integer();

  // Tokens.
  bool accept(char punct);
  Status expect(char punct);
  Result<std::string> word(std::string_view what);
  Result<std::uint64_t> integer(std::string_view what);
  tl::unexpected<Error> unexpected(std::string_view wanted);

  Lexer lexer_;
  Module module_;
  std::uint64_t variable_bytes_ = 0;
  std::unordered_map<std::string, std::size_t> variable_numbers_;  // in Module::variables
  SourceLine source_;
  SourceLine inlined_at_;
};

}  // namespace kw::ptxvm
