#include "front/parser_impl.h"

namespace kw::ptxvm {
namespace {

// The statement's text with runs of white space as one blank.
std::string normalised(const char* begin, const char* end) {
  std::string out;
  for (const char* c = begin; c < end; ++c) {
    const bool space = *c == ' ' || *c == '\t' || *c == '\n' || *c == '\r';
    if (!space) {
      out += *c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
    if (out.size() > 400) break;
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

}  // namespace

Status Parser::body(Function& out, Scopes& scopes) {
  KW_RETURN_IF_ERROR(expect('{'));
  for (;;) {
    if (lexer_.peek().kind == Token::Kind::End) return unexpected("'}'");
    if (accept('{')) {
      scopes.open();
    } else if (accept('}')) {
      if (!scopes.close()) return {};
    } else {
      KW_RETURN_IF_ERROR(statement(out, scopes));
    }
  }
}

Status Parser::statement(Function& out, Scopes& scopes) {
  if (accept(';')) return {};
  const Token& token = lexer_.peek();
  if (token.kind == Token::Kind::DotWord) return body_directive(out, scopes);
  if (token.is('@')) return instruction(out, scopes);
  if (token.kind != Token::Kind::Word) return unexpected("an instruction");
  // "name:" is a label; anything else is an instruction.
  Lexer ahead = lexer_;
  ahead.take();
  if (!ahead.peek().is(':')) return instruction(out, scopes);
  const std::string name(lexer_.take().text);
  lexer_.take();
  return label(out, scopes, name);
}

Status Parser::label(Function& out, Scopes& scopes, const std::string& name) {
  const Token next = lexer_.peek();
  if (next.kind == Token::Kind::DotWord && next.text == "branchtargets") {
    lexer_.take();
    std::vector<int> targets;
    do {
      KW_ASSIGN(const std::string target, word("a label"));
      targets.push_back(scopes.use_label(target));
    } while (accept(','));
    scopes.define_table(name, std::move(targets));
    return expect(';');
  }
  if (next.kind == Token::Kind::DotWord &&
      (next.text == "callprototype" || next.text == "calltargets")) {
    while (lexer_.peek().kind != Token::Kind::End && !lexer_.peek().is(';')) lexer_.take();
    return expect(';');
  }
  if (scopes.define_label(name, static_cast<std::uint32_t>(out.code.size()))) return {};
  return fail(Errc::InvalidArgument, "PTX line {}: label {} is defined twice", next.line, name);
}

Status Parser::body_directive(Function& out, Scopes& scopes) {
  const Token token = lexer_.take();
  const std::string_view name = token.text;
  if (name == "reg") return registers(scopes);
  if (name == "loc") return location();
  if (name == "pragma") {
    lexer_.take();
    return expect(';');
  }
  if (name == "file") return file_directive();
  Variable::Space space = Variable::Space::Local;
  if (name == "param") {
    space = Variable::Space::Param;
  } else if (name == "shared") {
    space = Variable::Space::Shared;
  } else if (name == "global") {
    space = Variable::Space::Global;
  } else if (name == "const") {
    space = Variable::Space::Constant;
  } else if (name != "local") {
    return fail(Errc::Unsupported, "PTX line {}: directive .{} is not supported in a function",
                token.line, name);
  }
  do {
    KW_ASSIGN(Variable variable, declarator(space, false));
    if (space == Variable::Space::Local || space == Variable::Space::Param) {
      KW_RETURN_IF_ERROR(scopes.declare_variable(std::move(variable)));
    } else {
      // One object for the whole module, visible in this scope only.
      Variable alias = variable;
      variable.name = fmt::format("{}::{}::{}", out.name, variable.name, module_.variables.size());
      alias.initial.clear();
      alias.initial.push_back({0, variable.name, Type::None});
      KW_RETURN_IF_ERROR(add_variable(std::move(variable)));
      KW_RETURN_IF_ERROR(scopes.declare_variable(std::move(alias)));
    }
  } while (accept(','));
  return expect(';');
}

Status Parser::registers(Scopes& scopes) {
  Type type = Type::None;
  while (lexer_.peek().kind == Token::Kind::DotWord) {
    const Token token = lexer_.take();
    type = type_from_name(token.text);
    if (type == Type::None) {
      return fail(Errc::Unsupported, "PTX line {}: register type .{} is not supported", token.line,
                  token.text);
    }
  }
  if (type == Type::None) return unexpected("a register type");
  do {
    KW_ASSIGN(const std::string name, word("a register name"));
    std::uint64_t count = 1;
    const bool range = accept('<');
    if (range) {
      KW_ASSIGN(count, integer("a register count"));
      KW_RETURN_IF_ERROR(expect('>'));
    }
    if (const Status status = scopes.declare_registers(name, type, count, range); !status)
      return wrap(status.error(), fmt::format("PTX line {}", lexer_.peek().line));
  } while (accept(','));
  return expect(';');
}

// .loc FILE LINE COLUMN [, function_name NAME [+ N], inlined_at FILE LINE COLUMN]
Status Parser::location() {
  KW_ASSIGN(const std::uint64_t file, integer("a file number"));
  KW_ASSIGN(const std::uint64_t line, integer("a line number"));
  KW_RETURN_IF_ERROR(integer("a column").map([](auto) {}));
  source_ = {static_cast<std::uint32_t>(file), static_cast<std::uint32_t>(line)};
  inlined_at_ = {};
  while (accept(',')) {
    KW_ASSIGN(const std::string what, word("function_name or inlined_at"));
    if (what == "inlined_at") {
      KW_ASSIGN(const std::uint64_t at_file, integer("a file number"));
      KW_ASSIGN(const std::uint64_t at_line, integer("a line number"));
      KW_RETURN_IF_ERROR(integer("a column").map([](auto) {}));
      inlined_at_ = {static_cast<std::uint32_t>(at_file), static_cast<std::uint32_t>(at_line)};
    } else {
      KW_RETURN_IF_ERROR(word("a name").map([](auto) {}));
      if (accept('+')) KW_RETURN_IF_ERROR(integer("an offset").map([](auto) {}));
    }
  }
  return {};
}

Status Parser::instruction(Function& out, Scopes& scopes) {
  Instruction in;
  const char* begin = lexer_.peek().begin;
  in.ptx_line = lexer_.peek().line;
  in.source = source_;
  in.inlined_at = inlined_at_;
  if (accept('@')) {
    in.guard_negated = accept('!');
    KW_ASSIGN(const std::string guard, word("a predicate"));
    in.guard = scopes.find_register(guard);
    if (in.guard < 0 || out.registers[static_cast<std::size_t>(in.guard)] != Type::Pred) {
      return fail(Errc::InvalidArgument, "PTX line {}: {} is not a predicate register", in.ptx_line,
                  guard);
    }
    begin = lexer_.peek().begin;
  }
  KW_ASSIGN(std::string base, word("an opcode"));
  in.opcode = base;
  in.modifiers.push_back(std::move(base));
  while (lexer_.peek().kind == Token::Kind::DotWord) {
    in.modifiers.emplace_back(lexer_.take().text);
    in.opcode += '.';
    in.opcode += in.modifiers.back();
  }
  if (in.base() == "call") {
    KW_RETURN_IF_ERROR(call_operands(in, scopes));
  } else if (in.base() == "bra") {
    KW_ASSIGN(const std::string target, word("a label"));
    in.label = scopes.use_label(target);
  } else if (in.base() == "brx") {
    KW_ASSIGN(Operand index, operand(scopes));
    in.operands.push_back(std::move(index));
    KW_RETURN_IF_ERROR(expect(','));
    KW_ASSIGN(const std::string table, word("a branch table"));
    const std::vector<int>* labels = scopes.find_table(table);
    if (labels == nullptr) {
      return fail(Errc::InvalidArgument,
                  "PTX line {}: branch table {} is not defined before its use", in.ptx_line, table);
    }
    in.label_table = *labels;
  } else if (!lexer_.peek().is(';')) {
    KW_ASSIGN(in.operands, operand_list(scopes));
  }
  const char* end = lexer_.peek().begin;
  KW_RETURN_IF_ERROR(expect(';'));
  in.text = normalised(begin, end);
  out.code.push_back(std::move(in));
  return {};
}

// call [(results),] callee [, (arguments)] [, prototype or targets];
Status Parser::call_operands(Instruction& in, Scopes& scopes) {
  if (accept('(')) {
    KW_ASSIGN(in.results, operand_list(scopes));
    KW_RETURN_IF_ERROR(expect(')'));
    KW_RETURN_IF_ERROR(expect(','));
  }
  KW_ASSIGN(const std::string callee, word("a function"));
  in.callee_register = scopes.find_register(callee);
  if (in.callee_register < 0) in.callee = callee;
  while (accept(',')) {
    if (accept('(')) {
      if (!lexer_.peek().is(')')) {
        KW_ASSIGN(in.arguments, operand_list(scopes));
      }
      KW_RETURN_IF_ERROR(expect(')'));
    } else {
      KW_RETURN_IF_ERROR(word("a prototype").map([](auto) {}));
    }
  }
  return {};
}

Result<std::vector<Operand>> Parser::operand_list(Scopes& scopes) {
  std::vector<Operand> list;
  do {
    KW_ASSIGN(Operand next, operand(scopes));
    if (accept('|')) {
      KW_ASSIGN(Operand second, operand(scopes));
      Operand pair;
      pair.kind = Operand::Kind::Pair;
      pair.elements.push_back(std::move(next));
      pair.elements.push_back(std::move(second));
      next = std::move(pair);
    }
    list.push_back(std::move(next));
    if (list.size() > 64) return unexpected("fewer operands");
  } while (accept(','));
  return list;
}

Result<Operand> Parser::vector_operand(Scopes& scopes) {
  Operand out;
  out.kind = Operand::Kind::Vector;
  do {
    if (lexer_.peek().is('{') || lexer_.peek().is('[')) return unexpected("a vector element");
    KW_ASSIGN(Operand element, operand(scopes));
    out.elements.push_back(std::move(element));
    if (out.elements.size() > 256) return unexpected("fewer vector elements");
  } while (accept(','));
  KW_RETURN_IF_ERROR(expect('}'));
  return out;
}

Result<Operand> Parser::memory_operand(Scopes& scopes) {
  Operand out;
  out.kind = Operand::Kind::Memory;
  if (lexer_.peek().kind == Token::Kind::Word) {
    out.name = std::string(lexer_.take().text);
    out.reg = scopes.find_register(out.name);
    if (out.reg < 0) out.variable = scopes.find_variable(out.name);
    if (out.reg >= 0) out.name.clear();
    if (lexer_.peek().is('+') || lexer_.peek().is('-')) {
      KW_ASSIGN(out.value, signed_integer());
    }
  } else {
    KW_ASSIGN(out.value, signed_integer());
  }
  // Texture and tensor-map coordinates: [name, {..}]; kept only to name the instruction refused.
  while (accept(',')) {
    if (lexer_.peek().is('[')) return unexpected("a coordinate");
    KW_ASSIGN(Operand coordinate, operand(scopes));
    out.elements.push_back(std::move(coordinate));
  }
  KW_RETURN_IF_ERROR(expect(']'));
  return out;
}

Result<Operand> Parser::operand(Scopes& scopes) {
  Operand out;
  if (accept('{')) return vector_operand(scopes);
  if (accept('[')) return memory_operand(scopes);
  if (accept('!')) out.negated = true;
  const Token token = lexer_.peek();
  switch (token.kind) {
    case Token::Kind::Integer: {
      out.kind = Operand::Kind::Integer;
      KW_ASSIGN(out.value, signed_integer());
      return out;
    }
    case Token::Kind::Float32:
    case Token::Kind::Float64:
      out.kind =
          token.kind == Token::Kind::Float32 ? Operand::Kind::Float32 : Operand::Kind::Float64;
      out.value = lexer_.take().value;
      return out;
    case Token::Kind::Punct:
      if (token.is('-') || token.is('+')) {
        const bool negative = token.is('-');
        lexer_.take();
        const Token number = lexer_.peek();
        if (number.kind == Token::Kind::Float32 || number.kind == Token::Kind::Float64) {
          const bool single = number.kind == Token::Kind::Float32;
          out.kind = single ? Operand::Kind::Float32 : Operand::Kind::Float64;
          out.value = number.value;
          if (negative) out.value ^= single ? std::uint64_t{1} << 31 : std::uint64_t{1} << 63;
          lexer_.take();
          return out;
        }
        KW_ASSIGN(const std::uint64_t value, integer("a number"));
        out.kind = Operand::Kind::Integer;
        out.value = negative ? ~value + 1 : value;
        return out;
      }
      if (accept('~')) {
        KW_ASSIGN(const std::uint64_t value, integer("a number"));
        out.kind = Operand::Kind::Integer;
        out.value = ~value;
        return out;
      }
      return unexpected("an operand");
    case Token::Kind::Word:
      break;
    default:
      return unexpected("an operand");
  }
  const std::string name(lexer_.take().text);
  if (name == "_") {
    out.kind = Operand::Kind::Sink;
    return out;
  }
  out.reg = scopes.find_register(name);
  if (out.reg >= 0) {
    out.kind = Operand::Kind::Register;
    return out;
  }
  if (name[0] == '%') {
    out.kind = Operand::Kind::Special;
    out.name = name;
    if (lexer_.peek().kind == Token::Kind::DotWord && lexer_.peek().glued) {
      out.name += "." + std::string(lexer_.take().text);
    }
    return out;
  }
  out.kind = Operand::Kind::Symbol;
  out.name = name;
  out.variable = scopes.find_variable(name);
  if (lexer_.peek().is('+') || lexer_.peek().is('-')) {
    KW_ASSIGN(out.value, signed_integer());
  }
  return out;
}

}  // namespace kw::ptxvm
