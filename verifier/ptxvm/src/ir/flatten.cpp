#include "ir/flatten.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "ir/indirect.h"

namespace kw::ptxvm {
namespace {

std::uint64_t align_up(std::uint64_t value, std::uint64_t to) { return (value + to - 1) / to * to; }

// Instructions at which a warp may have to wait: a guard on them becomes a branch around them.
bool may_wait(const Instruction& in) {
  static constexpr std::array<std::string_view, 13> kBases{
      "bar",      "barrier",  "shfl",  "vote", "match", "redux",    "mma",
      "ldmatrix", "stmatrix", "elect", "wmma", "call",  "movmatrix"};
  return std::find(kBases.begin(), kBases.end(), in.base()) != kBases.end();
}

class Flattener {
 public:
  Flattener(const Module& module, const Function& kernel) : module_(module) {
    out_.entry = &kernel;
  }

  Result<FlatKernel> run() {
    const Function& kernel = *out_.entry;
    Instance top{&kernel, 0, std::vector<int>(kernel.variables.size(), -1)};
    std::uint64_t offset = 0;
    for (const int p : kernel.parameters) {
      const Variable& v = kernel.variables[static_cast<std::size_t>(p)];
      offset = align_up(offset, v.align);
      top.symbols[static_cast<std::size_t>(p)] =
          add_symbol({FlatSymbol::Kind::KernelParameter, offset, -1});
      out_.parameter_offsets.push_back(static_cast<std::uint32_t>(offset));
      offset += v.size;
    }
    if (offset > 64 * 1024)
      return fail(Errc::Unsupported, "kernel {}: {} bytes of parameters", kernel.name, offset);
    out_.parameter_bytes = static_cast<std::uint32_t>(offset);
    KW_RETURN_IF_ERROR(emit(top, 0, false));
    KW_RETURN_IF_ERROR(lay_out_shared());
    if (frame_end_ > kMaxFrameBytes) {
      return fail(Errc::Unsupported,
                  "kernel {}: {} bytes of local memory per thread; the limit is {}", kernel.name,
                  frame_end_, kMaxFrameBytes);
    }
    out_.frame_bytes = static_cast<std::uint32_t>(align_up(frame_end_, 16));
    return std::move(out_);
  }

 private:
  struct Instance {
    const Function* function;
    int register_base;
    std::vector<int> symbols;  // per function variable: index into out_.symbols, -1 not made yet
  };

  int add_symbol(FlatSymbol symbol) {
    out_.symbols.push_back(symbol);
    return static_cast<int>(out_.symbols.size()) - 1;
  }

  int module_variable(const std::string& name) {
    if (variable_numbers_.empty()) {
      for (std::size_t i = 0; i < module_.variables.size(); ++i) {
        variable_numbers_.emplace(module_.variables[i].name, static_cast<int>(i));
      }
    }
    const auto it = variable_numbers_.find(name);
    return it == variable_numbers_.end() ? -1 : it->second;
  }

  // The symbol for a module variable, one per kernel. Shared ones get their offset at the end.
  int module_symbol(int variable) {
    const auto [it, fresh] = module_symbols_.try_emplace(variable, 0);
    if (fresh) {
      const bool shared =
          module_.variables[static_cast<std::size_t>(variable)].space == Variable::Space::Shared;
      it->second =
          add_symbol({shared ? FlatSymbol::Kind::Shared : FlatSymbol::Kind::Variable, 0, variable});
    }
    return it->second;
  }

  Status lay_out_shared() {
    std::uint64_t end = 0;
    std::uint64_t dynamic_align = 16;
    const auto each = [&](bool external, auto&& place) {
      for (std::size_t v = 0; v < module_.variables.size(); ++v) {
        const auto it = module_symbols_.find(static_cast<int>(v));
        const Variable& variable = module_.variables[v];
        if (it == module_symbols_.end() || variable.space != Variable::Space::Shared) continue;
        if ((variable.external || variable.size == 0) == external) place(variable, it->second);
      }
    };
    each(false, [&](const Variable& variable, int symbol) {
      end = align_up(end, variable.align);
      out_.symbols[static_cast<std::size_t>(symbol)].offset = end;
      end += variable.size;
    });
    each(true, [&](const Variable& v, int) {
      dynamic_align = std::max<std::uint64_t>(dynamic_align, v.align);
    });
    const std::uint64_t dynamic = align_up(end, dynamic_align);
    bool has_dynamic = false;
    each(true, [&](const Variable&, int symbol) {
      out_.symbols[static_cast<std::size_t>(symbol)].offset = dynamic;
      has_dynamic = true;
    });
    if (has_dynamic) end = dynamic;
    if (end > (1u << 20))
      return fail(Errc::Unsupported, "kernel {}: {} bytes of static shared memory",
                  out_.entry->name, end);
    out_.shared_bytes = static_cast<std::uint32_t>(end);
    return {};
  }

  Status resolve(Operand& op, Instance& in, const Instruction& ast) {
    if (op.reg >= 0) op.reg += in.register_base;
    for (Operand& element : op.elements) KW_RETURN_IF_ERROR(resolve(element, in, ast));
    const bool named =
        (op.kind == Operand::Kind::Symbol || op.kind == Operand::Kind::Memory) && !op.name.empty();
    if (!named) return {};
    if (op.variable >= 0) {
      const Variable& v = in.function->variables[static_cast<std::size_t>(op.variable)];
      int& symbol = in.symbols[static_cast<std::size_t>(op.variable)];
      if (symbol < 0 && !v.initial.empty())
        symbol = module_symbol(module_variable(v.initial.front().symbol));
      if (symbol < 0) {
        return fail(Errc::InvalidArgument, "PTX line {}: {} is a register here, not memory",
                    ast.ptx_line, op.name);
      }
      op.variable = symbol;
      return {};
    }
    if (const int variable = module_variable(op.name); variable >= 0) {
      op.variable = module_symbol(variable);
      return {};
    }
    for (const Function& f : module_.functions) {
      if (f.name == op.name) {
        return fail(Errc::Unsupported, "{} at PTX line {}: the address of {} is not supported",
                    ast.opcode, ast.ptx_line, op.name);
      }
    }
    return fail(Errc::InvalidArgument, "PTX line {}: {} is not declared", ast.ptx_line, op.name);
  }

  // Frame offsets for the instance's own .local and .param variables. Formals are bound already.
  std::uint64_t lay_out_frame(Instance& in, std::uint64_t base) {
    std::uint64_t end = base;
    for (std::size_t v = 0; v < in.function->variables.size(); ++v) {
      const Variable& variable = in.function->variables[v];
      if (in.symbols[v] >= 0 || variable.is_register || !variable.initial.empty()) continue;
      end = align_up(end, std::max<std::uint32_t>(variable.align, 4));
      const bool param = variable.space == Variable::Space::Param;
      in.symbols[v] =
          add_symbol({param ? FlatSymbol::Kind::CallParameter : FlatSymbol::Kind::Frame, end, -1});
      end += variable.size;
    }
    frame_end_ = std::max(frame_end_, end);
    return end;
  }

  Status emit(Instance& in, std::uint64_t frame_base, bool inlined) {
    const Function& f = *in.function;
    in.register_base = static_cast<int>(out_.registers.size());
    out_.registers.insert(out_.registers.end(), f.registers.begin(), f.registers.end());
    const std::uint64_t frame_end = lay_out_frame(in, frame_base);
    std::vector<std::uint32_t> position(f.code.size() + 1);
    struct Fixup {
      std::uint32_t at;
      std::vector<std::uint32_t> code_index;
    };
    std::vector<Fixup> fixups;
    std::vector<std::uint32_t> returns;
    for (std::size_t i = 0; i < f.code.size(); ++i) {
      position[i] = static_cast<std::uint32_t>(out_.code.size());
      if (out_.code.size() > kMaxFlatInstructions) {
        return fail(Errc::ResourceExhausted, "kernel {}: more than {} instructions after inlining",
                    out_.entry->name, kMaxFlatInstructions);
      }
      const Instruction& ast = f.code[i];
      FlatInstruction flat;
      flat.ast = &ast;
      flat.guard = ast.guard < 0 ? -1 : ast.guard + in.register_base;
      flat.guard_negated = ast.guard_negated;
      const std::string& base = ast.base();
      if (base == "bra") {
        flat.kind = FlatInstruction::Kind::Branch;
        fixups.push_back({position[i], {f.labels[static_cast<std::size_t>(ast.label)]}});
      } else if (base == "ret" && inlined) {
        flat.kind = FlatInstruction::Kind::Branch;
        returns.push_back(position[i]);
      } else if (base == "ret" || base == "exit") {
        flat.kind = FlatInstruction::Kind::Exit;
      } else {
        std::uint32_t skip = 0;
        const bool around = flat.guard >= 0 && may_wait(ast);
        if (around) {
          FlatInstruction branch = flat;
          branch.kind = FlatInstruction::Kind::Branch;
          branch.guard_negated = !flat.guard_negated;
          skip = static_cast<std::uint32_t>(out_.code.size());
          out_.code.push_back(std::move(branch));
          flat.guard = -1;
        }
        if (base == "call") {
          KW_RETURN_IF_ERROR(call(in, ast, frame_end));
        } else {
          flat.operands = ast.operands;
          for (Operand& op : flat.operands) KW_RETURN_IF_ERROR(resolve(op, in, ast));
          if (base == "brx") {
            flat.kind = FlatInstruction::Kind::Switch;
            Fixup fixup{static_cast<std::uint32_t>(out_.code.size()), {}};
            for (const int label : ast.label_table)
              fixup.code_index.push_back(f.labels[static_cast<std::size_t>(label)]);
            fixups.push_back(std::move(fixup));
          }
          out_.code.push_back(std::move(flat));
        }
        if (around) out_.code[skip].targets = {static_cast<std::uint32_t>(out_.code.size())};
        continue;
      }
      out_.code.push_back(std::move(flat));
    }
    position.back() = static_cast<std::uint32_t>(out_.code.size());
    if (!inlined) {  // falling off the end ends the thread
      FlatInstruction exit;
      exit.kind = FlatInstruction::Kind::Exit;
      exit.ast = f.code.empty() ? &empty_ : &f.code.back();
      out_.code.push_back(std::move(exit));
    }
    for (const Fixup& fixup : fixups) {
      for (const std::uint32_t index : fixup.code_index)
        out_.code[fixup.at].targets.push_back(position[index]);
    }
    for (const std::uint32_t at : returns) out_.code[at].targets = {position.back()};
    return {};
  }

  Status call(Instance& caller, const Instruction& ast, std::uint64_t frame_end) {
    if (ast.callee_register >= 0) return indirect_call(caller, ast, frame_end);
    const Function* callee = nullptr;
    for (const Function& f : module_.functions) {
      if (f.name == ast.callee) callee = &f;
    }
    if (callee == nullptr || !callee->has_body) return builtin(caller, ast);
    if (is_running(*callee)) {
      return fail(Errc::Unsupported, "{} at PTX line {}: recursive call of {} is not supported",
                  ast.opcode, ast.ptx_line, ast.callee);
    }
    if (ast.arguments.size() != callee->parameters.size() ||
        ast.results.size() != callee->results.size()) {
      return fail(Errc::InvalidArgument, "PTX line {}: call of {} does not match its parameters",
                  ast.ptx_line, ast.callee);
    }
    return inline_body(caller, ast, *callee, frame_end);
  }

  bool is_running(const Function& f) const {
    return &f == out_.entry || std::find(active_.begin(), active_.end(), &f) != active_.end();
  }

  // if (target == f) f(); else if (target == g) g(); ...
  Status indirect_call(Instance& caller, const Instruction& ast, std::uint64_t frame_end) {
    const auto push = [&](FlatInstruction::Kind kind) -> FlatInstruction& {
      out_.code.emplace_back();
      out_.code.back().kind = kind;
      out_.code.back().ast = &ast;
      return out_.code.back();
    };
    std::vector<std::size_t> to_end;
    for (const IndirectCallee& candidate : indirect_callees(module_, *caller.function, ast)) {
      FlatInstruction& compare = push(FlatInstruction::Kind::Plain);
      const Instruction*& comparison = comparisons_[&ast];
      if (comparison == nullptr) {
        out_.synthesized.push_back(address_comparison(ast));
        comparison = &out_.synthesized.back();
      }
      compare.ast = comparison;
      const int differs = static_cast<int>(out_.registers.size());
      out_.registers.push_back(Type::Pred);
      Operand result, target, address;
      result.kind = target.kind = Operand::Kind::Register;
      result.reg = differs;
      target.reg = caller.register_base + ast.callee_register;
      address.kind = Operand::Kind::Symbol;
      address.variable = module_symbol(candidate.variable);
      compare.operands = {result, target, address};
      const std::size_t branch = out_.code.size();
      push(FlatInstruction::Kind::Branch).guard = differs;
      if (is_running(*candidate.function)) {
        push(FlatInstruction::Kind::Recursion);
      } else {
        KW_RETURN_IF_ERROR(inline_body(caller, ast, *candidate.function, frame_end));
      }
      to_end.push_back(out_.code.size());
      push(FlatInstruction::Kind::Branch);
      out_.code[branch].targets = {static_cast<std::uint32_t>(out_.code.size())};
    }
    push(FlatInstruction::Kind::NoFunction);
    for (const std::size_t at : to_end)
      out_.code[at].targets = {static_cast<std::uint32_t>(out_.code.size())};
    return {};
  }

  Status inline_body(Instance& caller, const Instruction& ast, const Function& callee_ref,
                     std::uint64_t frame_end) {
    const Function* const callee = &callee_ref;
    Instance inner{callee, 0, std::vector<int>(callee->variables.size(), -1)};
    // Registers of the callee start where emit() will put them.
    const int base = static_cast<int>(out_.registers.size());
    std::vector<FlatInstruction> after;
    const auto bind = [&](const Operand& actual, int formal_index, bool result) -> Status {
      const Variable& formal = callee->variables[static_cast<std::size_t>(formal_index)];
      Operand resolved = actual;
      KW_RETURN_IF_ERROR(resolve(resolved, caller, ast));
      if (!formal.is_register) {
        if (resolved.kind != Operand::Kind::Symbol || resolved.variable < 0) {
          return fail(Errc::Unsupported, "{} at PTX line {}: argument {} is not a .param variable",
                      ast.opcode, ast.ptx_line, formal.name);
        }
        inner.symbols[static_cast<std::size_t>(formal_index)] = resolved.variable;
        return {};
      }
      Operand reg;
      reg.kind = Operand::Kind::Register;
      reg.reg = base + formal.reg;
      FlatInstruction move;
      move.kind = FlatInstruction::Kind::Move;
      move.ast = &ast;
      move.operands =
          result ? std::vector<Operand>{resolved, reg} : std::vector<Operand>{reg, resolved};
      (result ? after : out_.code).push_back(std::move(move));
      return {};
    };
    for (std::size_t i = 0; i < ast.arguments.size(); ++i) {
      KW_RETURN_IF_ERROR(bind(ast.arguments[i], callee->parameters[i], false));
    }
    for (std::size_t i = 0; i < ast.results.size(); ++i) {
      KW_RETURN_IF_ERROR(bind(ast.results[i], callee->results[i], true));
    }
    active_.push_back(callee);
    KW_RETURN_IF_ERROR(emit(inner, frame_end, true));
    active_.pop_back();
    std::move(after.begin(), after.end(), std::back_inserter(out_.code));
    return {};
  }

  // Device runtime functions that every CUDA program may call.
  Status builtin(Instance& caller, const Instruction& ast) {
    FlatInstruction flat;
    flat.ast = &ast;
    if (ast.callee == "__assertfail") {
      flat.kind = FlatInstruction::Kind::Assert;
      out_.code.push_back(std::move(flat));
      return {};
    }
    if (ast.callee == "vprintf" && ast.results.size() == 1) {  // prints nothing, returns 0
      out_.synthesized.push_back(ast);
      Instruction& store = out_.synthesized.back();
      store.opcode = "st.param.b32";
      store.modifiers = {"st", "param", "b32"};
      flat.ast = &store;
      Operand to = ast.results.front();
      to.kind = Operand::Kind::Memory;
      KW_RETURN_IF_ERROR(resolve(to, caller, ast));
      Operand zero;
      zero.kind = Operand::Kind::Integer;
      flat.operands = {std::move(to), std::move(zero)};
      out_.code.push_back(std::move(flat));
      return {};
    }
    return fail(Errc::Unsupported, "{} at PTX line {}: call of extern function {} is not supported",
                ast.opcode, ast.ptx_line, ast.callee);
  }

  const Module& module_;
  FlatKernel out_;
  std::uint64_t frame_end_ = 0;
  std::unordered_map<std::string, int> variable_numbers_;
  std::unordered_map<int, int> module_symbols_;
  std::unordered_map<const Instruction*, const Instruction*> comparisons_;  // by indirect call
  std::vector<const Function*> active_;                                     // being inlined
  const Instruction empty_{};
};

}  // namespace

Result<FlatKernel> flatten(const Module& module, const Function& kernel) {
  return Flattener(module, kernel).run();
}

}  // namespace kw::ptxvm
