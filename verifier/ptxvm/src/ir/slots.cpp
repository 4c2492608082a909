#include "ir/slots.h"

#include <algorithm>
#include <array>

namespace kw::ptxvm {
namespace {

struct Access {
  std::vector<int> written, read;
};

void collect(const Operand& op, std::vector<int>& out) {
  if (op.reg >= 0) out.push_back(op.reg);
  for (const Operand& element : op.elements) collect(element, out);
}

void accesses(const FlatInstruction& in, Access& out) {
  out.written.clear();
  out.read.clear();
  const bool writes = writes_first_operand(in);
  for (std::size_t i = 0; i < in.operands.size(); ++i) {
    // [reg] as a first operand is an address, read even where the first operand is the result.
    const bool result = i == 0 && writes && in.operands[i].kind != Operand::Kind::Memory;
    collect(in.operands[i], result ? out.written : out.read);
  }
  if (in.guard >= 0) out.read.push_back(in.guard);
}

// With folds, of what is read instead.
void accesses(const FlatKernel& kernel, std::uint32_t index, const Folds* folds, Access& out) {
  accesses(kernel.code[index], out);
  if (folds == nullptr) return;
  if (folds->silent[index]) {
    out.written.clear();
    out.read.clear();
    return;
  }
  for (int& r : out.read) r = folds->of(r);
  std::erase_if(out.read, [&](int r) { return folds->is_known(r); });
}

struct Interval {
  std::uint32_t first = ~0u, last = 0;
  void cover(std::uint32_t position) {
    first = std::min(first, position);
    last = std::max(last, position);
  }
};

// Above this the analysis is not worth its memory: every register gets a slot of its own.
constexpr std::size_t kMaxLivenessWords = std::size_t{1} << 25;

using Bits = std::vector<std::uint64_t>;
struct Liveness {
  std::vector<Bits> in, out;  // by block; empty where the kernel is too large
};

Liveness find_live(const FlatKernel& kernel, const Cfg& cfg, const Folds* folds) {
  const std::size_t registers = kernel.registers.size();
  const std::size_t words = (registers + 63) / 64;
  const std::size_t blocks = cfg.blocks.size();
  if (words * blocks > kMaxLivenessWords) return {};
  std::vector<Bits> live_in(blocks, Bits(words)), kill(blocks, Bits(words)),
      live_out(blocks, Bits(words));
  const auto set = [](Bits& bits, int r) {
    bits[static_cast<std::size_t>(r) / 64] |= std::uint64_t{1} << (r % 64);
  };
  const auto has = [](const Bits& bits, int r) {
    return (bits[static_cast<std::size_t>(r) / 64] >> (r % 64) & 1) != 0;
  };
  Access access;
  for (std::size_t b = 0; b < blocks; ++b) {
    for (std::uint32_t i = cfg.blocks[b].begin; i < cfg.blocks[b].end; ++i) {
      accesses(kernel, i, folds, access);
      for (const int r : access.read) {
        if (!has(kill[b], r)) set(live_in[b], r);
      }
      for (const int r : access.written) {
        if (kernel.code[i].guard < 0) {
          set(kill[b], r);
        } else if (!has(kill[b], r)) {
          set(live_in[b], r);  // keeps its old value where the guard is false
        }
      }
    }
  }
  std::vector<std::vector<std::uint32_t>> predecessors(blocks);
  for (std::uint32_t b = 0; b < blocks; ++b) {
    for (const std::uint32_t s : cfg.blocks[b].successors) predecessors[s].push_back(b);
  }
  std::vector<std::uint32_t> work;
  std::vector<bool> queued(blocks, true);
  for (std::uint32_t b = 0; b < blocks; ++b) work.push_back(b);
  while (!work.empty()) {
    const std::uint32_t b = work.back();
    work.pop_back();
    queued[b] = false;
    bool changed = false;
    for (const std::uint32_t s : cfg.blocks[b].successors) {
      for (std::size_t w = 0; w < words; ++w) live_out[b][w] |= live_in[s][w];
    }
    for (std::size_t w = 0; w < words; ++w) {
      const std::uint64_t now = live_in[b][w] | (live_out[b][w] & ~kill[b][w]);
      changed |= now != live_in[b][w];
      live_in[b][w] = now;
    }
    if (!changed) continue;
    for (const std::uint32_t p : predecessors[b]) {
      if (!queued[p]) work.push_back(p);
      queued[p] = true;
    }
  }
  return {std::move(live_in), std::move(live_out)};
}

// Live ranges as single intervals over the code in its linear order.
std::vector<Interval> live_intervals(const FlatKernel& kernel, const Cfg& cfg,
                                     const Folds& folds) {
  const std::size_t registers = kernel.registers.size();
  const std::size_t words = (registers + 63) / 64;
  const std::size_t blocks = cfg.blocks.size();
  const auto [live_in, live_out] = find_live(kernel, cfg, &folds);
  if (live_in.empty()) {
    return std::vector<Interval>(registers,
                                 {0, 2 * static_cast<std::uint32_t>(kernel.code.size()) + 2});
  }
  Access access;
  std::vector<Interval> intervals(registers);
  for (std::size_t b = 0; b < blocks; ++b) {
    const std::uint32_t begin = cfg.blocks[b].begin, end = cfg.blocks[b].end;
    for (std::size_t w = 0; w < words; ++w) {
      for (std::uint64_t in = live_in[b][w]; in != 0; in &= in - 1) {
        intervals[w * 64 + static_cast<std::size_t>(__builtin_ctzll(in))].cover(2 * begin);
      }
      for (std::uint64_t out = live_out[b][w]; out != 0; out &= out - 1) {
        intervals[w * 64 + static_cast<std::size_t>(__builtin_ctzll(out))].cover(2 * end);
      }
    }
    for (std::uint32_t i = begin; i < end; ++i) {
      accesses(kernel, i, &folds, access);
      // A result may be stored before all sources are read, so sources outlive the instruction.
      for (const int r : access.read) intervals[static_cast<std::size_t>(r)].cover(2 * i + 1);
      for (const int r : access.written) intervals[static_cast<std::size_t>(r)].cover(2 * i + 1);
    }
  }
  return intervals;
}

}  // namespace

bool writes_first_operand(const FlatInstruction& in) {
  if (in.kind == FlatInstruction::Kind::Move) return true;
  if (in.kind != FlatInstruction::Kind::Plain || in.operands.empty()) return false;
  static constexpr std::array<std::string_view, 20> kNone{
      "st",        "stu",     "red",     "membar",         "fence",      "prefetch",
      "prefetchu", "cp",      "trap",    "brkpt",          "nanosleep",  "stmatrix",
      "sured",     "discard", "pmevent", "griddepcontrol", "setmaxnreg", "applypriority",
      "bra",       "sust"};
  const Instruction& ast = *in.ast;
  if (std::find(kNone.begin(), kNone.end(), ast.base()) != kNone.end()) return false;
  if (ast.base() == "bar" || ast.base() == "barrier") return ast.has("red");
  if (ast.base() == "wmma") return !ast.has("store");
  if (ast.base() == "mbarrier") return !ast.has("init") && !ast.has("inval");
  return true;
}

std::vector<int> registers_read(const FlatInstruction& in) {
  Access access;
  accesses(in, access);
  return access.read;
}

std::vector<int> registers_written(const FlatInstruction& in) {
  Access access;
  accesses(in, access);
  return access.written;
}

std::vector<int> read_before_written(const FlatKernel& kernel, const Cfg& cfg) {
  return registers_live_at_entry(kernel, cfg).value_or(std::vector<int>{});
}

std::optional<std::vector<int>> registers_live_at_entry(const FlatKernel& kernel, const Cfg& cfg) {
  std::vector<int> out;
  if (cfg.blocks.empty()) return out;
  const Liveness live = find_live(kernel, cfg, nullptr);
  if (live.in.empty()) return std::nullopt;
  for (std::size_t r = 0; r < kernel.registers.size(); ++r) {
    if ((live.in.front()[r / 64] >> (r % 64) & 1) != 0) out.push_back(static_cast<int>(r));
  }
  return out;
}

Slots assign_slots(const FlatKernel& kernel, const Cfg& cfg, const Folds& folds) {
  const std::vector<Interval> intervals = live_intervals(kernel, cfg, folds);
  std::vector<std::uint32_t> order;
  for (std::uint32_t r = 0; r < intervals.size(); ++r) {
    if (intervals[r].first != ~0u) order.push_back(r);
  }
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::pair(intervals[a].first, a) < std::pair(intervals[b].first, b);
  });
  Slots slots;
  slots.offset.assign(kernel.registers.size(), 0);
  std::uint32_t end = kFirstSlot;
  constexpr std::size_t kClasses = 5;
  std::array<std::vector<std::uint32_t>, kClasses> free;
  // Active registers of each class as a heap by last use.
  using Active = std::pair<std::uint32_t, std::uint32_t>;
  std::array<std::vector<Active>, kClasses> active;
  const auto later = [](const Active& a, const Active& b) { return a > b; };
  for (const std::uint32_t r : order) {
    const RegisterClass cls = class_of(kernel.registers[r]);
    auto& pool = free[static_cast<std::size_t>(cls)];
    auto& running = active[static_cast<std::size_t>(cls)];
    while (!running.empty() && running.front().first < intervals[r].first) {
      pool.push_back(running.front().second);
      std::pop_heap(running.begin(), running.end(), later);
      running.pop_back();
    }
    if (pool.empty()) {
      // Predicate masks share one 64-byte line; others are whole lines.
      const std::uint32_t size = warp_bytes(cls);
      if (cls == RegisterClass::Mask) {
        for (std::uint32_t k = 16; k-- > 0;) pool.push_back(end + 4 * k);
        end += 64;
      } else {
        pool.push_back(end);
        end += size;
      }
    }
    slots.offset[r] = pool.back();
    pool.pop_back();
    running.emplace_back(intervals[r].last, slots.offset[r]);
    std::push_heap(running.begin(), running.end(), later);
  }
  slots.bytes = (end + 255) / 256 * 256;
  return slots;
}

}  // namespace kw::ptxvm
