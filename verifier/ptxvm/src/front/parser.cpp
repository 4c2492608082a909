#include "front/parser.h"

#include <algorithm>

#include "front/function_addresses.h"
#include "front/parser_impl.h"

namespace kw::ptxvm {

Result<Module> parse_module(std::string_view ptx) {
  if (ptx.size() > kMaxPtxBytes) {
    return fail(Errc::ResourceExhausted, "PTX of {} bytes exceeds the limit of {}", ptx.size(),
                kMaxPtxBytes);
  }
  if (const auto end = ptx.find('\0'); end != std::string_view::npos) ptx = ptx.substr(0, end);
  return Parser(ptx).run();
}

bool Parser::accept(char punct) {
  if (!lexer_.peek().is(punct)) return false;
  lexer_.take();
  return true;
}

Status Parser::expect(char punct) {
  if (!accept(punct)) return unexpected(std::string{'\'', punct, '\''});
  return {};
}

tl::unexpected<Error> Parser::unexpected(std::string_view wanted) {
  const Token& token = lexer_.peek();
  const bool end = token.kind == Token::Kind::End;
  return fail(
      Errc::InvalidArgument, "PTX line {}: expected {}, found {}", token.line, wanted,
      end ? std::string("the end of the text") : fmt::format("'{}'", token.text.substr(0, 40)));
}

Result<std::string> Parser::word(std::string_view what) {
  if (lexer_.peek().kind != Token::Kind::Word) return unexpected(what);
  return std::string(lexer_.take().text);
}

Result<std::uint64_t> Parser::integer(std::string_view what) {
  if (lexer_.peek().kind != Token::Kind::Integer) return unexpected(what);
  return lexer_.take().value;
}

Result<std::uint64_t> Parser::signed_integer() {
  accept('+');
  const bool negative = accept('-');  // "[%rd1+-4]" is how compilers write it
  KW_ASSIGN(const std::uint64_t value, integer("an integer"));
  return negative ? ~value + 1 : value;
}

Result<Module> Parser::run() {
  while (lexer_.peek().kind != Token::Kind::End) KW_RETURN_IF_ERROR(directive());
  if (module_.version.empty()) return fail(Errc::InvalidArgument, "not PTX: no .version directive");
  add_function_addresses(module_);
  return std::move(module_);
}

void Parser::skip_to_line_end() {
  const std::uint32_t line = lexer_.peek().line;
  while (lexer_.peek().kind != Token::Kind::End && lexer_.peek().line == line) lexer_.take();
}

Status Parser::skip_braces() {
  KW_RETURN_IF_ERROR(expect('{'));
  for (int depth = 1; depth > 0;) {
    if (lexer_.peek().kind == Token::Kind::End) return unexpected("'}'");
    const Token token = lexer_.take();
    if (token.is('{')) ++depth;
    if (token.is('}')) --depth;
  }
  return {};
}

Status Parser::file_directive() {
  KW_ASSIGN(const std::uint64_t number, integer("a file number"));
  if (lexer_.peek().kind != Token::Kind::String) return unexpected("a file name");
  module_.files[static_cast<std::uint32_t>(number)] = std::string(lexer_.take().text);
  while (accept(',')) KW_RETURN_IF_ERROR(integer("an integer").map([](auto) {}));
  return {};
}

Status Parser::directive() {
  if (accept(';')) return {};
  if (lexer_.peek().kind != Token::Kind::DotWord) return unexpected("a directive");
  bool external = false;
  for (;;) {
    if (lexer_.peek().kind != Token::Kind::DotWord) return unexpected("a directive");
    const Token token = lexer_.take();
    const std::string_view name = token.text;
    if (name == "visible" || name == "weak" || name == "common") continue;
    if (name == "extern") {
      external = true;
      continue;
    }
    if (name == "version") {
      module_.version = std::string(lexer_.take().text);
      return {};
    }
    if (name == "target") {
      KW_ASSIGN(module_.target, word("a target"));
      while (accept(',')) KW_RETURN_IF_ERROR(word("a target option").map([](auto) {}));
      return {};
    }
    if (name == "address_size") {
      KW_ASSIGN(const std::uint64_t bits, integer("an address size"));
      if (bits == 64) return {};
      return fail(Errc::Unsupported, "PTX line {}: .address_size {}: only 64 is supported",
                  token.line, bits);
    }
    if (name == "file") return file_directive();
    if (name == "section") {
      while (lexer_.peek().kind != Token::Kind::End && !lexer_.peek().is('{')) lexer_.take();
      return skip_braces();
    }
    if (name == "pragma" || name == "loc" || name == "alias") {
      skip_to_line_end();
      return {};
    }
    if (name == "entry") return function(true, external);
    if (name == "func") return function(false, external);
    Variable::Space space = Variable::Space::Global;
    if (name == "const") {
      space = Variable::Space::Constant;
    } else if (name == "shared") {
      space = Variable::Space::Shared;
    } else if (name != "global") {
      return fail(Errc::Unsupported, "PTX line {}: module directive .{} is not supported",
                  token.line, name);
    }
    do {
      KW_ASSIGN(Variable variable, declarator(space, external));
      KW_RETURN_IF_ERROR(add_variable(std::move(variable)));
    } while (accept(','));
    return expect(';');
  }
}

Status Parser::add_variable(Variable variable) {
  variable_bytes_ += variable.size;
  if (variable_bytes_ > kMaxVariableBytes) {
    return fail(Errc::ResourceExhausted, "PTX line {}: the module's variables exceed {} bytes",
                variable.ptx_line, kMaxVariableBytes);
  }
  const auto [known, fresh] =
      variable_numbers_.try_emplace(variable.name, module_.variables.size());
  if (!fresh && !variable.external && !module_.variables[known->second].external) {
    return fail(Errc::InvalidArgument, "PTX line {}: variable {} is defined twice",
                variable.ptx_line, variable.name);
  }
  module_.variables.push_back(std::move(variable));
  return {};
}

Result<Variable> Parser::declarator(Variable::Space space, bool external) {
  Variable out;
  out.space = space;
  out.external = external;
  out.ptx_line = lexer_.peek().line;
  std::uint32_t lanes = 1;
  bool typed = false;
  while (lexer_.peek().kind == Token::Kind::DotWord) {
    const std::string_view name = lexer_.take().text;
    if (name == "align") {
      KW_ASSIGN(const std::uint64_t align, integer("an alignment"));
      if (align == 0 || align > 4096 || (align & (align - 1)) != 0)
        return unexpected("a power of two before this");
      out.align = static_cast<std::uint32_t>(align);
    } else if (name == "v2" || name == "v4" || name == "v8") {
      lanes = static_cast<std::uint32_t>(name[1] - '0');
    } else if (name == "ptr") {
      out.pointer = true;
    } else if (name == "global" || name == "const" || name == "shared" || name == "local") {
      continue;  // what a pointer parameter points to
    } else if (name == "attribute") {
      KW_RETURN_IF_ERROR(expect('('));
      while (lexer_.peek().kind != Token::Kind::End && !accept(')')) lexer_.take();
    } else if (out.type = type_from_name(name); out.type != Type::None) {
      typed = true;
    } else {
      return fail(Errc::Unsupported, "PTX line {}: variable attribute .{} is not supported",
                  out.ptx_line, name);
    }
  }
  if (!typed) return unexpected("a type");
  KW_ASSIGN(out.name, word("a variable name"));
  const std::uint32_t element = std::max<std::uint32_t>(1, size_of(out.type)) * lanes;
  out.align = std::max(out.align, element);
  out.size = element;
  KW_RETURN_IF_ERROR(array_bounds(out));
  if (accept('=')) KW_RETURN_IF_ERROR(initialiser(out, 0));
  return out;
}

Status Parser::array_bounds(Variable& out) {
  while (accept('[')) {
    std::uint64_t bound = 0;
    if (!lexer_.peek().is(']')) {
      KW_ASSIGN(bound, integer("an array bound"));
    }
    KW_RETURN_IF_ERROR(expect(']'));
    if (bound != 0 && out.size > kMaxVariableBytes / bound) {
      return fail(Errc::ResourceExhausted, "PTX line {}: variable {} exceeds {} bytes",
                  out.ptx_line, out.name, kMaxVariableBytes);
    }
    out.size *= bound;
  }
  return {};
}

Status Parser::initialiser(Variable& out, int depth) {
  if (depth > 8) return unexpected("fewer nested braces");
  if (accept('{')) {
    if (accept('}')) return {};
    do {
      KW_RETURN_IF_ERROR(initialiser(out, depth + 1));
    } while (accept(','));
    return expect('}');
  }
  Variable::Initial value;
  const Token::Kind kind = lexer_.peek().kind;
  if (kind == Token::Kind::Word) {
    KW_ASSIGN(value.symbol, word("a symbol"));
    if (accept('(')) {  // generic(symbol)
      KW_ASSIGN(value.symbol, word("a symbol"));
      if (accept('+')) {
        KW_ASSIGN(value.value, signed_integer());
      }
      KW_RETURN_IF_ERROR(expect(')'));
    }
    if (lexer_.peek().is('+') || lexer_.peek().is('-')) {
      KW_ASSIGN(value.value, signed_integer());
    }
  } else if (kind == Token::Kind::Float32 || kind == Token::Kind::Float64) {
    value.type = kind == Token::Kind::Float32 ? Type::F32 : Type::F64;
    value.value = lexer_.take().value;
  } else {
    KW_ASSIGN(value.value, signed_integer());
  }
  out.initial.push_back(std::move(value));
  return {};
}

Status Parser::formals(Function& out, Scopes& scopes, std::vector<int>& list) {
  KW_RETURN_IF_ERROR(expect('('));
  if (accept(')')) return {};
  do {
    if (lexer_.peek().kind != Token::Kind::DotWord) return unexpected(".param or .reg");
    const Token token = lexer_.take();
    if (token.text != "param" && token.text != "reg") {
      return fail(Errc::InvalidArgument, "PTX line {}: expected .param or .reg, found .{}",
                  token.line, token.text);
    }
    KW_ASSIGN(Variable formal, declarator(Variable::Space::Param, false));
    if (token.text == "reg") {
      formal.is_register = true;
      formal.reg = static_cast<int>(out.registers.size());
      KW_RETURN_IF_ERROR(scopes.declare_registers(formal.name, formal.type, 1, false));
    }
    KW_ASSIGN(const int index, scopes.declare_variable(std::move(formal)));
    list.push_back(index);
  } while (accept(','));
  return expect(')');
}

Status Parser::tuning(Function& out) {
  while (lexer_.peek().kind == Token::Kind::DotWord) {
    const std::string_view name = lexer_.take().text;
    std::uint64_t product = 1;
    while (lexer_.peek().kind == Token::Kind::Integer) {
      product *= std::min<std::uint64_t>(lexer_.take().value, 1u << 16);
      if (!accept(',')) break;
    }
    if (lexer_.peek().kind == Token::Kind::String) lexer_.take();  // .pragma "..."
    if (name == "maxntid" || name == "reqntid") {
      out.max_block_threads =
          static_cast<std::uint32_t>(std::min<std::uint64_t>(product, 1u << 16));
    }
    if (name == "pragma") accept(';');
  }
  return {};
}

Status Parser::function(bool entry, bool external) {
  Function out;
  out.entry = entry;
  out.ptx_line = lexer_.peek().line;
  Scopes scopes(out);
  if (!entry && lexer_.peek().is('(')) KW_RETURN_IF_ERROR(formals(out, scopes, out.results));
  while (lexer_.peek().kind == Token::Kind::DotWord)
    KW_RETURN_IF_ERROR(tuning(out));  // .attribute etc.
  KW_ASSIGN(out.name, word("a function name"));
  if (lexer_.peek().is('(')) KW_RETURN_IF_ERROR(formals(out, scopes, out.parameters));
  KW_RETURN_IF_ERROR(tuning(out));
  if (!accept(';')) {
    if (external) return unexpected("';' after an extern function");
    out.has_body = true;
    source_ = {};
    inlined_at_ = {};
    KW_RETURN_IF_ERROR(body(out, scopes));
    if (const std::string missing = scopes.resolve_labels(); !missing.empty()) {
      return fail(Errc::InvalidArgument, "function {}: label {} is not defined", out.name, missing);
    }
  }
  for (Function& known : module_.functions) {  // a prototype seen before
    if (known.name == out.name) {
      if (known.has_body && out.has_body) {
        return fail(Errc::InvalidArgument, "PTX line {}: function {} is defined twice",
                    out.ptx_line, out.name);
      }
      if (out.has_body) known = std::move(out);
      return {};
    }
  }
  module_.functions.push_back(std::move(out));
  return {};
}

}  // namespace kw::ptxvm
