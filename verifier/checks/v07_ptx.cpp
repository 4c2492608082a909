// V7: what the parsed PTX may hold. The source scan is advisory; this is the gate.

#include <algorithm>
#include <array>
#include <set>

#include "checks.h"
#include "kw/ptxvm/program.h"

namespace kw::verify {
namespace {

/// Base mnemonics that compute, move data, or order memory. What is not here (trap, brkpt, pmevent,
/// tex, sust, ...) ends a judgement.
constexpr auto kAllowed = std::to_array<std::string_view>({"abs",
                                                           "activemask",
                                                           "add",
                                                           "addc",
                                                           "alloca",
                                                           "and",
                                                           "applypriority",
                                                           "atom",
                                                           "bar",
                                                           "barrier",
                                                           "bfe",
                                                           "bfi",
                                                           "bfind",
                                                           "bmsk",
                                                           "bra",
                                                           "brev",
                                                           "brx",
                                                           "call",
                                                           "clusterlaunchcontrol",
                                                           "clz",
                                                           "cnot",
                                                           "copysign",
                                                           "cos",
                                                           "cp",
                                                           "createpolicy",
                                                           "cvt",
                                                           "cvta",
                                                           "discard",
                                                           "div",
                                                           "dp2a",
                                                           "dp4a",
                                                           "elect",
                                                           "ex2",
                                                           "exit",
                                                           "fence",
                                                           "fma",
                                                           "fns",
                                                           "getctarank",
                                                           "griddepcontrol",
                                                           "isspacep",
                                                           "ld",
                                                           "ldmatrix",
                                                           "ldu",
                                                           "lg2",
                                                           "lop3",
                                                           "mad",
                                                           "mad24",
                                                           "madc",
                                                           "mapa",
                                                           "match",
                                                           "max",
                                                           "mbarrier",
                                                           "membar",
                                                           "min",
                                                           "mma",
                                                           "mov",
                                                           "movmatrix",
                                                           "mul",
                                                           "mul24",
                                                           "multimem",
                                                           "nanosleep",
                                                           "neg",
                                                           "not",
                                                           "or",
                                                           "popc",
                                                           "prefetch",
                                                           "prefetchu",
                                                           "prmt",
                                                           "rcp",
                                                           "red",
                                                           "redux",
                                                           "rem",
                                                           "ret",
                                                           "rsqrt",
                                                           "sad",
                                                           "selp",
                                                           "set",
                                                           "setmaxnreg",
                                                           "setp",
                                                           "shf",
                                                           "shfl",
                                                           "shl",
                                                           "shr",
                                                           "sin",
                                                           "slct",
                                                           "sqrt",
                                                           "st",
                                                           "stackrestore",
                                                           "stacksave",
                                                           "stmatrix",
                                                           "sub",
                                                           "subc",
                                                           "szext",
                                                           "tanh",
                                                           "tcgen05",
                                                           "tensormap",
                                                           "testp",
                                                           "vote",
                                                           "wgmma",
                                                           "wmma",
                                                           "xor"});

/// Special registers that tell time, place or identity of the device.
constexpr auto kForbiddenRegisters = std::to_array<std::string_view>(
    {"%clock", "%globaltimer", "%smid", "%nsmid", "%warpid", "%nwarpid", "%gridid", "%pm"});

void collect(const std::vector<PlanNode>& nodes, std::set<std::string>& kernels) {
  for (const PlanNode& node : nodes) {
    if (const auto* kernel = std::get_if<KernelNode>(&node.what)) kernels.insert(kernel->kernel);
    if (const auto* loop = std::get_if<LoopNode>(&node.what)) collect(loop->body, kernels);
    if (const auto* when = std::get_if<PredicateNode>(&node.what)) collect(when->body, kernels);
  }
}

/// What is wrong with one instruction, or "".
std::string fault_of(const ptxvm::InstructionInfo& instruction) {
  const std::string_view base =
      std::string_view(instruction.opcode).substr(0, instruction.opcode.find('.'));
  if (std::find(kAllowed.begin(), kAllowed.end(), base) == kAllowed.end()) {
    return fmt::format("opcode '{}' is not allowed", instruction.opcode);
  }
  if (base == "call" && instruction.callee.empty()) return "indirect calls are not allowed";
  for (const std::string_view reg : kForbiddenRegisters) {
    if (instruction.text.find(reg) != std::string::npos) {
      return fmt::format("special register {} is not allowed", reg);
    }
  }
  return {};
}

std::string list(const std::set<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

Checked check_ptx(Session& session) {
  if (!session.asked("V7")) return std::nullopt;
  CheckRecord& record = session.record("V7.ptx", false, 0);
  const auto program = ptxvm::load(session.module.ptx);
  if (!program) {
    const bool ours = program.error().code == Errc::Unsupported;
    record.notes["error"] = program.error().message;
    return Verdict{"V7", ours ? RejectKind::NotVerifiable : RejectKind::RejectedByPolicy,
                   fmt::format("the PTX cannot be read: {}", program.error().message),
                   {}};
  }
  std::set<std::string> planned, entries;
  collect(session.candidate.plan.setup, planned);
  collect(session.candidate.plan.run, planned);
  for (const ptxvm::FunctionInfo& function : (*program)->functions()) {
    if (function.entry) entries.insert(function.name);
    if (!function.has_body) {
      return Verdict{"V7", RejectKind::RejectedByPolicy,
                     fmt::format("external function '{}' is not allowed", function.name),
                     {{"function", function.name}}};
    }
  }
  if (entries != planned) {
    return Verdict{"V7", RejectKind::RejectedByPolicy,
                   fmt::format("the module's entries ({}) are not the plan's kernels ({})",
                               list(entries), list(planned)),
                   {}};
  }
  for (const ptxvm::VariableInfo& variable : (*program)->variables()) {
    if (variable.external && variable.space != ptxvm::Space::Shared) {
      return Verdict{"V7", RejectKind::RejectedByPolicy,
                     fmt::format("external variable '{}' is not allowed", variable.name),
                     {{"variable", variable.name}}};
    }
  }
  double instructions = 0;
  for (const ptxvm::FunctionInfo& function : (*program)->functions()) {
    for (const ptxvm::InstructionInfo& instruction : function.instructions) {
      ++instructions;
      const std::string fault = fault_of(instruction);
      if (fault.empty()) continue;
      return Verdict{
          "V7", RejectKind::RejectedByPolicy,
          fmt::format("{}: {} (source line {})", function.name, fault, instruction.source.line),
          {{"function", function.name},
           {"instruction", instruction.text},
           {"line", fmt::format("{}", instruction.source.line)}}};
    }
  }
  CheckRecord& mine = session.evidence.checks.back();
  mine.passed = true;
  mine.figures["instructions"] = instructions;
  mine.figures["entries"] = static_cast<double>(entries.size());
  return std::nullopt;
}

}  // namespace kw::verify
