#include <algorithm>
#include <array>

#include "lower/lowering.h"

namespace kw::ptxvm {

// mbarrier.OP{.sem.scope}{.shared{::cta}}.b64 operands
Status Lowering::mbarrier(In in) {
  const Instruction& ast = *in.ast;
  static constexpr std::array<std::string_view, 14> kKnown{
      "relaxed", "acquire", "release", "cta",        "cluster",   "shared",  "shared::cta",
      "b64",     "parity",  "release", "noComplete", "expect_tx", "acq_rel", "arrive"};
  const std::string op = ast.modifiers.size() > 1 ? ast.modifiers[1] : "";
  for (std::size_t i = 2; i < ast.modifiers.size(); ++i) {
    if (std::find(kKnown.begin(), kKnown.end(), ast.modifiers[i]) == kKnown.end())
      return unsupported(in);
  }
  const auto& ops = in.operands;
  if (op == "pending_count") {
    if (ops.size() != 2) return malformed(in, "two operands are wanted");
    KW_ASSIGN(const Location d, destination(in, ops[0], 4, Type::U32));
    KW_ASSIGN(const Location a, source(in, ops[1], 8, Type::B64));
    return emit3(in, "$mbarrier.pending_count", d, a);
  }
  const bool arrives = op == "arrive" || op == "arrive_drop";
  const bool tests = op == "test_wait" || op == "try_wait";
  const bool has_result =
      tests || (arrives && !ops.empty() && ops[0].kind != Operand::Kind::Memory);
  const std::size_t first = has_result ? 1 : 0;
  if (ops.size() <= first) return malformed(in, "an address is wanted");
  KW_ASSIGN(const Address at, address(in, ops[first]));
  KW_ASSIGN(const Place where, place(in, at));
  const bool parity = ast.has("parity");
  Location d = 0, b = constant(1, 4);
  if (tests) {
    KW_ASSIGN(d, destination(in, ops[0], 1, Type::Pred));
  } else if (has_result && ops[0].kind != Operand::Kind::Sink) {
    KW_ASSIGN(d, destination(in, ops[0], 8, Type::B64));
  }
  if (ops.size() > first + 1) {
    const bool state = tests && !parity;
    KW_ASSIGN(b, source(in, ops[first + 1], state ? 8 : 4, state ? Type::B64 : Type::U32));
  } else if (op != "inval" && !arrives) {
    return malformed(in, "an operand is missing");
  }
  std::string name = "$mbarrier." + (tests ? std::string("test") : arrives ? "arrive" : op);
  if (tests && parity) name += ".parity";
  KW_RETURN_IF_ERROR(emit3(in, name, d, at.base, b));
  Ins& ins = out_.code.back();
  ins.imm = at.offset;
  // Arriving releases and waiting acquires, unless .relaxed is asked for.
  std::uint32_t order = arrives || tests ? AccessBits::kStrong : 0u;
  if (!ast.has("relaxed") && arrives) order |= AccessBits::kRelease;
  if (!ast.has("relaxed") && tests) order |= AccessBits::kAcquire;
  if (op != "init" && op != "inval") order |= AccessBits::kStrong | AccessBits::kAtomic;
  ins.y = AccessBits::pack(
      8, 1, where.space,
      (tests ? 0u : AccessBits::kStore) | (at.narrow ? AccessBits::kAddress32 : 0u) | order);
  if (arrives) {
    ins.z = (has_result && ops[0].kind != Operand::Kind::Sink ? 1u : 0u) |
            (ast.has("expect_tx") ? 2u : 0u) | (op == "arrive_drop" ? 4u : 0u);
  }
  ins.cache = out_.cache_slots++;
  return {};
}

// cp.async.mbarrier.arrive{.noinc}{.shared{::cta}}.b64 [address]
Status Lowering::copy_arrival(In in) {
  if (in.operands.size() != 1 || in.ast->has("shared::cluster")) return unsupported(in);
  KW_ASSIGN(const Address at, address(in, in.operands[0]));
  KW_ASSIGN(const Place where, place(in, at));
  KW_RETURN_IF_ERROR(emit3(in, "$cp.async.mbarrier.arrive", 0, at.base));
  Ins& ins = out_.code.back();
  ins.imm = at.offset;
  ins.x = in.ast->has("noinc") ? 1 : 0;
  ins.y = AccessBits::pack(8, 1, where.space,
                           AccessBits::kStore | AccessBits::kStrong | AccessBits::kAtomic |
                               AccessBits::kRelease | (at.narrow ? AccessBits::kAddress32 : 0u));
  ins.cache = out_.cache_slots++;
  return {};
}

}  // namespace kw::ptxvm
