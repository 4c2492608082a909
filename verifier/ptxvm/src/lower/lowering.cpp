#include "lower/lowering.h"

#include <algorithm>

#include "exec/warp.h"
#include "lower/product_runs.h"

namespace kw::ptxvm {

Status lower_kernel(const Module& module, const FlatKernel& kernel, Variant variant,
                    LoweredKernel& out) {
  return Lowering(module, kernel, variant, out).run();
}

Lowering::Lowering(const Module& module, const FlatKernel& kernel, Variant variant,
                   LoweredKernel& out)
    : module_(module),
      kernel_(kernel),
      out_(out),
      cfg_(build_cfg(kernel)),
      folds_(find_folds(kernel, cfg_, variant.traced)),
      slots_(assign_slots(kernel, cfg_, folds_)) {
  if (variant.checked) checks_ = plan_value_checks(kernel, cfg_, folds_, slots_);
}

tl::unexpected<Error> Lowering::unsupported(In in, std::string_view why) const {
  return fail(Errc::Unsupported, "{} at PTX line {} is not supported{}{}", in.ast->opcode,
              in.ast->ptx_line, why.empty() ? "" : ": ", why);
}

tl::unexpected<Error> Lowering::malformed(In in, std::string_view why) const {
  return fail(Errc::InvalidArgument, "PTX line {}: {}: {}", in.ast->ptx_line, in.ast->opcode, why);
}

Result<Ins*> Lowering::emit(In in, const std::string& handler) {
  const int number = find_handler(handler.c_str());
  if (number < 0) return unsupported(in);
  Ins ins{};
  ins.source = current_source_;
  out_.code.push_back(ins);
  out_.handlers.push_back(number);
  return &out_.code.back();
}

Status Lowering::emit3(In in, const std::string& handler, Location d, Location a, Location b,
                       Location c) {
  KW_ASSIGN(Ins* const ins, emit(in, handler));
  ins->d = d;
  ins->a = a;
  ins->b = b;
  ins->c = c;
  return {};
}

void Lowering::patch_target(std::uint32_t ins, std::uint32_t code_index) {
  patches_.emplace_back(ins, cfg_.block_of[code_index]);
}

Status Lowering::run() {
  const std::size_t blocks = cfg_.blocks.size();
  std::vector<bool> meets(blocks);
  for (const BasicBlock& b : cfg_.blocks) {
    // Even where all ways lead to one block: its lanes come one part after the other.
    const FlatInstruction& last = kernel_.code[b.end - 1];
    const bool parts = last.kind == FlatInstruction::Kind::Switch ||
                       (last.kind == FlatInstruction::Kind::Branch && last.guard >= 0);
    if (parts && b.post_dominator >= 0) meets[static_cast<std::size_t>(b.post_dominator)] = true;
  }
  constant(0, 8);
  for (std::uint32_t b = 0; b < blocks; ++b) {
    const BasicBlock& block = cfg_.blocks[b];
    const FlatInstruction& first = kernel_.code[block.begin];
    current_source_ = static_cast<std::uint32_t>(out_.sources.size());
    out_.block_start.push_back(static_cast<std::uint32_t>(out_.code.size()));
    LoweredBlock lowered;
    lowered.start = out_.block_start.back();
    if (meets[b]) {
      KW_ASSIGN(Ins* const join, emit(first, "$join"));
      join->x = b;
    }
    KW_ASSIGN(Ins* const begin, emit(first, "$block"));
    begin->x = b;
    begin->y = block.end - block.begin;
    for (std::uint32_t i = block.begin; i < block.end; ++i) {
      const FlatInstruction& in = kernel_.code[i];
      current_source_ = static_cast<std::uint32_t>(out_.sources.size());
      out_.sources.push_back(in.ast);
      out_.classes.push_back(classify(in));
      lowered.sources.push_back(current_source_);
      KW_RETURN_IF_ERROR(instruction(in, b, folds_.silent[i]));
    }
    out_.blocks.push_back(std::move(lowered));
  }
  for (const auto& [ins, block] : patches_) out_.code[ins].x = out_.block_start[block];
  for (const auto& [index, block] : table_patches_) out_.extra[index] = out_.block_start[block];
  plan_product_runs(out_);
  out_.register_bytes = slots_.bytes;
  clear_registers();
  out_.frame_bytes = kernel_.frame_bytes;
  out_.shared_bytes = kernel_.shared_bytes;
  return {};
}

void Lowering::clear_registers() {
  const std::uint32_t begin = checks_ ? checks_->begin : slots_.bytes;
  const std::uint32_t end = checks_ ? checks_->flags_end : slots_.bytes;
  const auto live = registers_live_at_entry(kernel_, cfg_);
  // These may look into lanes that are not there.
  const bool crosses_lanes =
      std::any_of(kernel_.code.begin(), kernel_.code.end(), [](const FlatInstruction& in) {
        if (in.kind != FlatInstruction::Kind::Plain) return false;
        const std::string& base = in.ast->base();
        return base == "shfl" || base == "match" || base == "redux" || base == "ldmatrix" ||
               base == "stmatrix" || base == "movmatrix" || base == "mma" || base == "wmma";
      });
  if (!live || crosses_lanes) {
    out_.cleared = {{kFirstSlot, end}};
    return;
  }
  for (const int r : *live) {
    const std::uint32_t at = slots_.offset[static_cast<std::size_t>(r)];
    const RegisterClass cls = class_of(kernel_.registers[static_cast<std::size_t>(r)]);
    if (at != 0) out_.cleared.emplace_back(at, at + std::max(4u, kLanes * lane_bytes(cls)));
  }
  if (end != begin) out_.cleared.emplace_back(begin, end);
}

Status Lowering::instruction(In in, std::uint32_t block, bool silent) {
  scratch_used_ = 0;
  pending_.clear();
  KW_RETURN_IF_ERROR(check_guard(in));
  switch (in.kind) {
    case FlatInstruction::Kind::Branch:
    case FlatInstruction::Kind::Switch:
      return branch(in, block);
    case FlatInstruction::Kind::Exit: {
      KW_ASSIGN(Ins* const ins, emit(in, "$exit"));
      if (in.guard >= 0) {
        ins->a = slots_.offset[static_cast<std::size_t>(in.guard)];
        ins->z = 1u | (in.guard_negated ? 2u : 0u);
      }
      return {};
    }
    case FlatInstruction::Kind::Assert:
      return emit(in, "$assert").map([](Ins*) {});
    case FlatInstruction::Kind::NoFunction:
      return emit(in, "$nofunction").map([](Ins*) {});
    case FlatInstruction::Kind::Recursion:
      return emit(in, "$recursion").map([](Ins*) {});
    case FlatInstruction::Kind::Move:
    case FlatInstruction::Kind::Plain:
      break;
  }
  std::size_t guard = 0;
  if (in.guard >= 0) {
    guard = out_.code.size();
    KW_ASSIGN(Ins* const ins, emit(in, "$guard"));
    ins->a = slots_.offset[static_cast<std::size_t>(in.guard)];
    ins->z = in.guard_negated ? 1 : 0;
  }
  if (!silent) {
    KW_RETURN_IF_ERROR(check_before(in));
    scratch_used_ = 0;
    KW_RETURN_IF_ERROR(plain(in));
    KW_RETURN_IF_ERROR(finish_destinations(in));
    KW_RETURN_IF_ERROR(check_after(in));
  }
  if (in.guard >= 0) {
    KW_RETURN_IF_ERROR(emit(in, "$unguard").map([](Ins*) {}));
    out_.code[guard].x = static_cast<std::uint32_t>(out_.code.size());
  }
  return {};
}

Status Lowering::branch(In in, std::uint32_t block) {
  const auto meet = static_cast<std::uint32_t>(cfg_.blocks[block].post_dominator);
  if (in.kind == FlatInstruction::Kind::Branch) {
    const auto at = static_cast<std::uint32_t>(out_.code.size());
    KW_ASSIGN(Ins* const ins, emit(in, in.guard >= 0 ? "$bra.if" : "$bra"));
    if (in.guard >= 0) {
      ins->a = slots_.offset[static_cast<std::size_t>(in.guard)];
      ins->z = in.guard_negated ? 1 : 0;
      ins->y = meet;
    }
    patch_target(at, in.targets.front());
    return {};
  }
  if (in.guard >= 0) return unsupported(in, "under a predicate");
  KW_ASSIGN(const Location index, source(in, in.operands.front(), 4, Type::U32));
  KW_ASSIGN(Ins* const ins, emit(in, "$brx"));
  ins->a = index;
  ins->x = static_cast<std::uint32_t>(in.targets.size());
  ins->y = meet;
  ins->extra = static_cast<std::uint32_t>(out_.extra.size());
  for (const std::uint32_t target : in.targets) {
    table_patches_.emplace_back(static_cast<std::uint32_t>(out_.extra.size()),
                                cfg_.block_of[target]);
    out_.extra.push_back(0);
  }
  return {};
}

Status Lowering::plain(In in) {
  if (in.kind == FlatInstruction::Kind::Move) {
    const Type type = kernel_.registers[static_cast<std::size_t>(in.operands[0].reg)];
    const std::uint32_t bytes = std::max(1u, lane_bytes(class_of(type)));
    KW_ASSIGN(const Location d, destination(in, in.operands[0], bytes, type));
    KW_ASSIGN(const Location a, source(in, in.operands[1], bytes, type));
    return emit3(in, bytes == 1 ? "mov.pred" : fmt::format("mov.b{}", 8 * bytes), d, a);
  }
  const Instruction& ast = *in.ast;
  const std::string& base = ast.base();
  const auto is = [&](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), base) != names.end();
  };
  if (is({"ld", "ldu"})) return load_store(in, false);
  if (is({"st", "stu"})) return load_store(in, true);
  if (base == "atom") return atomic(in, true);
  if (base == "red") return atomic(in, false);
  if (base == "cp" && ast.modifiers.size() > 2 && ast.modifiers[2] == "mbarrier")
    return copy_arrival(in);
  if (base == "cp") return async_copy(in);
  if (base == "mbarrier") return mbarrier(in);
  if (base == "wmma") return wmma(in);
  if (base == "mov") return mov(in);
  if (base == "cvta") return cvta(in);
  if (base == "isspacep") return isspacep(in);
  if (is({"bar", "barrier"})) return barrier(in);
  if (is({"shfl", "vote", "match", "redux", "elect", "activemask"})) return warp_op(in);
  if (is({"ldmatrix", "stmatrix", "mma", "movmatrix"})) return matrix(in);
  if (ast.has("tensormap")) return unsupported(in);
  if (is({"membar", "fence"})) {
    return emit(in, "$fence").map([&](Ins* ins) { ins->z = ast.has("cta") ? 0 : 1; });
  }
  if (is({"prefetch", "prefetchu", "applypriority", "discard", "griddepcontrol", "pmevent"})) {
    return emit(in, "$nop").map([](Ins*) {});
  }
  if (base == "createpolicy") {  // cache hints have no effect here
    KW_ASSIGN(const Location d, destination(in, in.operands.at(0), 8, Type::B64));
    return emit3(in, "mov.b64", d, constant(0, 8));
  }
  if (base == "nanosleep") return emit(in, "$sleep").map([](Ins*) {});
  if (is({"trap", "brkpt"})) return emit(in, "$trap").map([](Ins*) {});
  return alu(in);
}

}  // namespace kw::ptxvm
