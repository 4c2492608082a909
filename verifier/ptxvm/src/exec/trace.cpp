#include "exec/trace.h"

#include <array>
#include <string_view>

namespace kw::ptxvm {
namespace {

const Ins* note(Warp& w, const Ins* ins) {
  const LaunchContext& c = w.block->context;
  const Trace& wanted = c.options->trace;
  const std::uint64_t block =
      w.block->id.x +
      std::uint64_t{c.grid.x} * (w.block->id.y + std::uint64_t{c.grid.y} * w.block->id.z);
  std::vector<Traced>& trace = w.block->worker->trace;
  if (block == wanted.block && w.index == wanted.warp && trace.size() <= wanted.max_records) {
    trace.push_back({ins->source, w.mask});
  }
  return c.untraced[ins - w.code].run(w, ins);
}

// What lowering puts around instructions.
bool is_bookkeeping(std::string_view handler) {
  constexpr std::array<std::string_view, 4> kNames{"$block", "$join", "$guard", "$unguard"};
  for (const std::string_view name : kNames) {
    if (handler == name) return true;
  }
  return false;
}

}  // namespace

std::vector<Ins> traced_code(const LaunchContext& context) {
  const LoweredKernel& k = *context.kernel;
  std::vector<Ins> code(context.untraced, context.untraced + k.code.size());
  std::vector<bool> seen(k.sources.size());
  for (std::size_t i = 0; i < code.size(); ++i) {
    // An instruction may be lowered to several; the first stands for it.
    if (is_bookkeeping(handler_entry(k.handlers[i]).name) || seen[code[i].source]) continue;
    seen[code[i].source] = true;
    code[i].run = note;
  }
  return code;
}

void collect_trace(const LaunchContext& context, const Workers& workers, Report& report) {
  for (const auto& worker : workers) {
    for (const Traced& each : worker->trace) {
      if (report.trace.size() == context.options->trace.max_records) {
        report.trace_truncated = true;
        return;
      }
      const Instruction& in = *context.kernel->sources[each.source];
      report.trace.push_back({in.source, in.ptx_line, each.lanes, in.text});
    }
  }
}

}  // namespace kw::ptxvm
