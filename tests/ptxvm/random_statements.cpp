// Memory, lanes, blocks and matrices in random kernels.

#include <array>
#include <iterator>

#include "ptxvm/random_kernel.h"

namespace kw::ptxvm::random {

// One access of 1 to 16 bytes at an aligned place that a register picks, within `bytes` (a power of
// two) from base.
void Kernel::load_or_store(const std::string& space, const std::string& base, unsigned bytes,
                           bool may_store) {
  struct Shape {
    const char *suffix, *kinds;
    unsigned bytes;
  };
  static constexpr Shape kShapes[] = {
      {"u32", "r", 4},     {"b32", "f", 4},        {"u64", "d", 8},      {"f64", "g", 8},
      {"f32", "f", 4},     {"u16", "w", 2},        {"b16", "h", 2},      {"u8", "w", 1},
      {"s8", "r", 1},      {"s16", "r", 2},        {"v2.u32", "rr", 8},  {"v4.u32", "rrrr", 16},
      {"v2.f32", "ff", 8}, {"v4.f32", "ffff", 16}, {"v2.u64", "dd", 16}, {"v4.b16", "hwhw", 8},
      {"v2.b16", "bw", 4}, {"s32", "d", 4},        {"v2.f64", "gg", 16}, {"v4.u8", "wwww", 4}};
  const Shape& shape = kShapes[w_.below(std::size(kShapes))];
  const std::string index = w_.fresh('t'), at = w_.fresh('q');
  w_.line("and.b32 " + index + ", " + w_.pick('r') + ", " + std::to_string(bytes - shape.bytes) +
          ";");
  if (shape.bytes > 1)
    w_.line("and.b32 " + index + ", " + index + ", " +
            std::to_string(-static_cast<int>(shape.bytes)) + ";");
  w_.line("cvt.u64.u32 " + at + ", " + index + "; add.s64 " + at + ", " + at + ", " + base + ";");
  std::string registers;
  const std::string_view kinds = shape.kinds;
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    std::string r = w_.pick(kinds[i]);
    while (registers.find(r) != std::string::npos) r = w_.pick(kinds[i]);  // no register twice
    registers += (i == 0 ? "" : ", ") + r;
  }
  if (kinds.size() > 1) registers = "{" + registers + "}";
  const bool store = may_store && w_.chance(50);
  const std::string guard = w_.chance(15) ? "@" + w_.pick('p') + " " : "";
  const std::string opcode = (store ? "st" : "ld") + space + "." + shape.suffix + " ";
  w_.line(guard + opcode + (store ? "[" + at + "], " + registers : registers + ", [" + at + "]") +
          ";");
}

void Kernel::memory(const Place&) {
  switch (w_.below(8)) {
    case 0:
    case 1:
      w_.mark("local");
      return load_or_store(".local", "%local", 64, true);
    case 2:
      w_.mark("generic");
      return load_or_store("", w_.chance(50) ? "%local_generic" : "%own_generic", 64, true);
    case 3:
      w_.mark("constant");
      return load_or_store(".const", "%constants", 256, false);
    case 4:
      w_.mark("own_shared");
      return load_or_store(".shared", "%own", 64, true);
    case 5:
      w_.mark("own_global");
      return load_or_store(".global", "%private", 64, true);
    case 6:
      w_.mark("input");
      return load_or_store(w_.chance(50) ? ".global.nc" : ".global", "%in", 256, false);
    default: {  // an atomic on memory of this thread: its result is known
      w_.mark("own_atomic");
      static constexpr std::array kAtomics{
          "add.u32 r R",  "min.s32 r r",  "max.u32 r r",  "and.b32 r r", "or.b32 r R",
          "xor.b32 r r",  "exch.b32 r r", "inc.u32 r R",  "dec.u32 r R", "add.u64 d d",
          "min.s64 d d",  "max.u64 d d",  "exch.b64 d d", "xor.b64 d d", "cas.b32 r rr",
          "cas.b64 d dd", "and.b64 d d"};
      const std::string a = kAtomics[w_.below(std::size(kAtomics))];
      const std::size_t blank = a.find(' ');
      const bool shared = w_.chance(50);
      const bool wide = a[blank + 1] == 'd';
      std::string text = "atom" + std::string(shared ? ".shared." : ".global.") +
                         a.substr(0, blank) + " " + w_.pick(wide ? 'd' : 'r') + ", " +
                         in_brackets(shared ? "%own" : "%private", 8 * w_.below(8));
      for (const char kind : a.substr(blank + 3)) {
        text += ", ";
        text += kind == 'R' && w_.chance(50) ? w_.number(32) : w_.pick(kind == 'R' ? 'r' : kind);
      }
      return w_.line(text + ";");
    }
  }
}

void Kernel::shuffle(const Place& at) {
  w_.mark("shfl");
  static constexpr std::array kModes{"up", "down", "bfly", "idx"};
  const std::string mode = kModes[w_.below(4)], p = w_.fresh('s'), t = w_.fresh('t');
  const std::string source = w_.pick('r'), by = below_number(w_.pick('r'), 32);
  if (at.all_lanes && whole_warps_) {
    static constexpr unsigned kSegments[] = {0, 0, 0x1000, 0x1800, 0x1c00};
    const unsigned clamp = kSegments[w_.below(5)] | (mode == "up" ? 0u : 31u);
    w_.line("shfl.sync." + mode + ".b32 " + t + "|" + p + ", " + source + ", " + by + ", " +
            std::to_string(clamp) + ", " + at.members + ";");
    w_.line("mov.b32 " + w_.pick('r') + ", " + t + "; mov.pred " + w_.pick('p') + ", " + p + ";");
    return;
  }
  // A lane that is not here gives nothing that could be used.
  const std::string from = w_.fresh('t'), here = w_.fresh('s');
  w_.line("shfl.sync." + mode + ".b32 " + t + "|" + p + ", " + source + ", " + by + ", " +
          (mode == "up" ? "0" : "31") + ", " + at.members + ";");
  const std::string op = mode == "up" ? "sub.u32 " : mode == "down" ? "add.u32 " : "xor.b32 ";
  if (mode == "idx")
    w_.line("mov.b32 " + from + ", " + by + ";");
  else
    w_.line(op + from + ", %lane, " + by + ";");
  const std::string bit = w_.fresh('t'), inside = w_.fresh('s');
  w_.line("setp.lt.u32 " + inside + ", " + from + ", 32;");
  w_.line("shr.u32 " + bit + ", " + at.members + ", " + from + "; and.b32 " + bit + ", " + bit +
          ", 1;");
  w_.line("setp.ne.and.u32 " + here + ", " + bit + ", 0, " + inside + ";");
  w_.line("selp.b32 " + w_.pick('r') + ", " + t + ", " + source + ", " + here + ";");
}

void Kernel::lanes(const Place& at) {
  switch (w_.below(10)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return shuffle(at);
    case 4:
      w_.mark("vote");
      return w_.line("vote.sync.ballot.b32 " + w_.pick('r') + ", " + w_.pick('p') + ", " +
                     at.members + ";");
    case 5: {
      w_.mark("vote");
      static constexpr std::array kVotes{"all", "any", "uni"};
      return w_.line("vote.sync." + std::string(kVotes[w_.below(3)]) + ".pred " + w_.pick('p') +
                     ", " + (w_.chance(30) ? "!" : "") + w_.pick('p') + ", " + at.members + ";");
    }
    case 6: {
      w_.mark("match");
      const std::string few = below_number(w_.pick('r'), 4);
      if (w_.chance(50))
        return w_.line("match.any.sync.b32 " + w_.pick('r') + ", " + few + ", " + at.members + ";");
      return w_.line("match.all.sync.b32 " + w_.pick('r') + "|" + w_.pick('p') + ", " + few + ", " +
                     at.members + ";");
    }
    case 7:
    case 8: {
      w_.mark("redux");
      static constexpr std::array kOps{"add.u32", "add.s32", "min.s32", "max.u32",
                                       "and.b32", "or.b32",  "xor.b32", "min.u32"};
      return w_.line("redux.sync." + std::string(kOps[w_.below(8)]) + " " + w_.pick('r') + ", " +
                     w_.pick('r') + ", " + at.members + ";");
    }
    default:
      w_.mark("warpsync");
      return w_.line("bar.warp.sync " + at.members + ";");
  }
}

// Every thread fills its part of shared memory, then reads another's.
void Kernel::exchange() {
  w_.mark("exchange");
  const std::string other = w_.fresh('t'), at = w_.fresh('t');
  for (int i = 0; i < 2; ++i) load_or_store(".shared", "%own", 64, true);
  w_.line(w_.chance(50) ? "bar.sync 0;" : "barrier.sync.aligned 1;");
  w_.line("add.u32 " + other + ", %tid_x, " + std::to_string(w_.below(program_.block)) + ";");
  w_.line("rem.u32 " + other + ", " + other + ", " + std::to_string(program_.block) + ";");
  w_.line("mad.lo.u32 " + at + ", " + other + ", 64, %shared;");
  for (int i = 0; i < 2; ++i) {
    const std::string where = in_brackets(at, 16 * w_.below(4));
    switch (w_.below(4)) {
      case 0:
        w_.line("ld.shared.u32 " + w_.pick('r') + ", " + where + ";");
        break;
      case 1:
        w_.line("ld.shared.v2.u64 {%d0, %d3}, " + where + ";");
        break;
      case 2:
        w_.line("ld.shared.v4.f32 {%f1, %f0, %f4, %f2}, " + where + ";");
        break;
      default:
        w_.line("ld.shared.s8 " + w_.pick('w') + ", " + where + ";");
    }
  }
  w_.line("bar.sync 0;");
}

// Sums that come out the same in every order, over a block; small integers in floating point.
void Kernel::shared_sums() {
  w_.mark("shared_sums");
  const std::string slot = below_number(w_.pick('r'), 4), at = w_.fresh('t'), first = w_.fresh('s');
  w_.line("setp.lt.u32 " + first + ", %tid_x, 16;");
  w_.line("shl.b32 " + at + ", %tid_x, 3; add.u32 " + at + ", " + at + ", %pool;");
  w_.line("@" + first + " st.shared.u64 [" + at + "], 0;");
  w_.line("bar.sync 0;");
  w_.line("shl.b32 " + at + ", " + slot + ", 5; add.u32 " + at + ", " + at + ", %pool;");
  const std::string small = below_number(w_.pick('r'), 8), f = w_.fresh('t'), g = w_.fresh('i');
  const std::string where = "[" + at;
  w_.line("red.shared.add.u32 " + where + "], " + w_.pick('r') + ";");
  w_.line("red.shared.add.u64 " + where + "+8], " + w_.pick('d') + ";");
  switch (w_.below(5)) {
    case 0:
      w_.line("{ .reg .f32 a; cvt.rn.f32.u32 a, " + small + "; red.shared.add.f32 " + where +
              "+16], a; }");
      break;
    case 1:
      w_.line("cvt.rn.f64.u32 " + g + ", " + small + "; red.shared.add.f64 " + where + "+16], " +
              g + ";");
      break;
    case 2:
      w_.line("{ .reg .b16 a; cvt.rn.f16.u32 a, " + small + "; mov.b32 " + f +
              ", {a, a}; red.shared.add.noftz.f16x2 " + where + "+16], " + f + "; }");
      break;
    case 3:
      w_.line("red.shared.max.s32 " + where + "+16], " + w_.pick('r') + ";");
      break;
    default:
      w_.line("red.shared.xor.b32 " + where + "+16], " + w_.pick('r') + ";");
  }
  w_.line("red.shared.or.b32 " + where + "+24], " + w_.pick('r') + ";");
  w_.line("bar.sync 0;");
  w_.line("ld.shared.u32 " + w_.pick('r') + ", " + where + "]; ld.shared.u64 " + w_.pick('d') +
          ", " + where + "+8]; ld.shared.v2.u32 {%r1, %r6}, " + where + "+16];");
  w_.line("bar.sync 0;");
}

void Kernel::block_vote() {
  w_.mark("bar.red");
  if (w_.chance(50)) {
    const std::string t = w_.fresh('t');
    w_.line("bar.red.popc.u32 " + t + ", 0, " + w_.pick('p') + ";");
    w_.line("mov.b32 " + w_.pick('r') + ", " + t + "; mov.b32 %u3, " + t + ";");
  } else {
    w_.line(std::string("bar.red.") + (w_.chance(50) ? "and" : "or") + ".pred " + w_.pick('p') +
            ", 0, " + (w_.chance(30) ? "!" : "") + w_.pick('p') + ";");
  }
  w_.line("add.u32 " + w_.pick('u') + ", " + w_.pick('u') + ", " + std::to_string(w_.below(9)) +
          ";");
}

void Kernel::matrix() {
  if (w_.chance(35)) {
    w_.mark("ldmatrix");
    w_.line("bar.sync 0;");
    const bool trans = w_.chance(50);
    w_.line(std::string("ldmatrix.sync.aligned.m8n8.x4") + (trans ? ".trans" : "") +
            ".shared.b16 {%r0, %r3, %r5, %r7}, " + in_brackets("%own", 16 * w_.below(4)) + ";");
    w_.line("bar.sync 0;");
    return;
  }
  switch (w_.below(4)) {
    case 0:
      w_.mark("mma.f16");
      return w_.line(
          "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f0,%f1,%f2,%f3}, {%x0,%x1,%x2,%x0}, "
          "{%x1,%x2}, {%f2,%f3,%f4,%f5};");
    case 1:
      w_.mark("mma.bf16");
      return w_.line(
          "mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%f0,%f1,%f2,%f3}, {%y0,%y1}, {%y2}, "
          "{%f2,%f3,%f4,%f5};");
    default:
      w_.mark("mma.s8");
      return w_.line(
          "mma.sync.aligned.m16n8k32.row.col.s32.s8.u8.s32 {%r0,%r1,%r2,%r3}, {%r4,%r5,%r6,%r7}, "
          "{%r1,%r2}, {%r0,%r3,%r5,%r6};");
  }
}

void Kernel::async_copy() {
  w_.mark("cp.async");
  static constexpr unsigned kSizes[] = {4, 8, 16};
  const unsigned bytes = kSizes[w_.below(3)];
  const std::string from = std::to_string(16 * w_.below(14)), to = std::to_string(16 * w_.below(4));
  const std::string used = w_.chance(40) ? ", " + below_number(w_.pick('r'), 4) : "";
  w_.line("cp.async.ca.shared.global [%own32+" + to + "], [%in+" + from + "], " +
          std::to_string(bytes) + used + ";");
  w_.line(w_.chance(50) ? "cp.async.wait_all;" : "cp.async.commit_group; cp.async.wait_group 0;");
  w_.line("ld.shared.u32 " + w_.pick('r') + ", [%own32+" + to + "];");
}

// Global sums: each of the words has one operation for the whole program.
void Kernel::sums() {
  w_.mark("sums");
  static constexpr std::array kOps{"add.u32", "xor.b32", "or.b32",  "and.b32",
                                   "max.u32", "min.s32", "max.s32", "min.u32"};
  const std::uint64_t i = w_.below(10);
  const std::string guard = w_.chance(20) ? "@" + w_.pick('p') + " " : "";
  if (i < 8) {
    const bool atom = w_.chance(20);
    return w_.line(guard + (atom ? "atom" : "red") + ".global." + kOps[i] + (atom ? " _, " : " ") +
                   in_brackets("%sums", 8 * i) + ", " + w_.pick('r') + ";");
  }
  if (i == 8) return w_.line(guard + "red.global.add.u64 [%sums+64], " + w_.pick('d') + ";");
  const std::string small = below_number(w_.pick('r'), 16);
  w_.line("{ .reg .f32 a; cvt.rn.f32.u32 a, " + small + "; " + guard +
          "red.global.add.f32 [%sums+72], a; }");
}

}  // namespace kw::ptxvm::random
