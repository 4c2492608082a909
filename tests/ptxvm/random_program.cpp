#include "ptxvm/random_program.h"

#include <array>
#include <cstring>
#include <utility>

#include "ptxvm/random_kernel.h"

namespace kw::ptxvm::random {

std::string Kernel::below_number(const std::string& reg, unsigned power) {
  const std::string t = w_.fresh('t');
  w_.line("and.b32 " + t + ", " + reg + ", " + std::to_string(power - 1) + ";");
  return t;
}

std::string Kernel::ballot(const std::string& predicate, const std::string& members) {
  const std::string t = w_.fresh('t');
  w_.line("vote.sync.ballot.b32 " + t + ", " + predicate + ", " + members + ";");
  return t;
}

void Kernel::statements(const Place& at, unsigned count) {
  for (unsigned i = 0; i < count; ++i) statement(at);
}

// Whatever follows the statements inside one is drawn before them, so that a program cut short is
// the beginning of the whole one.
void Kernel::statement(const Place& at) {
  if (left_ == 0) return;
  --left_;
  ++program_.statements;
  const std::uint64_t c = w_.below(100);
  const bool nest = at.depth < 3;
  if (c < 62) return w_.operation();
  if (c < 67 && nest) return branch(at);
  if (c < 71 && nest) return loop(at);
  if (c < 73 && nest) return table(at);
  if (c < 81) return memory(at);
  if (c < 84) return call();
  if (c < 86) return sums();
  if (c < 92) return at.members.empty() ? w_.operation() : lanes(at);
  if (!at.whole_block) return w_.operation();
  switch (w_.below(nest ? 8 : 6)) {
    case 0:
    case 1:
      return exchange();
    case 2:
      return shared_sums();
    case 3:
      return block_vote();
    case 4:
      return whole_warps_ ? matrix() : exchange();
    case 5:
      return async_copy();
    case 6:
      return uniform_branch(at);
    default:
      return uniform_loop(at);
  }
}

void Kernel::branch(const Place& at) {
  w_.mark("branch");
  const std::string p = w_.fresh('s');
  w_.line("mov.pred " + p + ", " + w_.pick('p') + ";");
  Place then{false, "", false, at.depth + 1}, other = then;
  const bool both = w_.chance(50);
  if (!at.members.empty() && w_.chance(75)) {
    then.members = ballot(p, at.members);
    other.members = ballot("!" + p, at.members);
  }
  const std::string otherwise = w_.label(), end = w_.label();
  w_.line("@!" + p + " bra " + (both ? otherwise : end) + ";");
  const auto second = static_cast<unsigned>(1 + w_.below(6));
  statements(then, static_cast<unsigned>(1 + w_.below(6)));
  if (both) {
    w_.line("bra " + end + ";");
    w_.line(otherwise + ":");
    statements(other, second);
  }
  w_.line(end + ":");
}

void Kernel::loop(const Place& at) {
  w_.mark("loop");
  const std::string count = below_number(w_.pick('r'), 8), p = w_.fresh('s');
  const std::string top = w_.label(), end = w_.label();
  Place inside{false, "", false, at.depth + 1};
  if (!at.members.empty() && w_.chance(75)) {
    inside.members = w_.fresh('t');
    w_.line("mov.b32 " + inside.members + ", " + at.members + ";");
  }
  // The lanes that leave are known to those that stay.
  const auto leave = [&] {
    if (!inside.members.empty()) {
      const std::string left = ballot("!" + p, inside.members);
      w_.line("@" + p + " bra " + end + ";");
      w_.line("mov.b32 " + inside.members + ", " + left + ";");
    } else {
      w_.line("@" + p + " bra " + end + ";");
    }
  };
  w_.line(top + ":");
  w_.line("setp.eq.u32 " + p + ", " + count + ", 0;");
  leave();
  w_.line("sub.u32 " + count + ", " + count + ", 1;");
  const bool breaks = w_.chance(25);
  const std::string by = w_.pick('p');
  const auto after = static_cast<unsigned>(1 + w_.below(3));
  statements(inside, static_cast<unsigned>(1 + w_.below(5)));
  if (breaks) {
    w_.mark("break");
    w_.line("mov.pred " + p + ", " + by + ";");
    leave();
    statements(inside, after);
  }
  w_.line("bra " + top + ";");
  w_.line(end + ":");
}

void Kernel::uniform_branch(const Place& at) {
  w_.mark("uniform_branch");
  const std::string p = w_.fresh('s'), end = w_.label();
  w_.line("setp.lt.u32 " + p + ", " + w_.pick('u') + ", " + std::to_string(w_.below(40)) + ";");
  w_.line("@" + p + " bra.uni " + end + ";");
  Place inside = at;
  ++inside.depth;
  statements(inside, static_cast<unsigned>(2 + w_.below(5)));
  w_.line(end + ":");
}

void Kernel::uniform_loop(const Place& at) {
  w_.mark("uniform_loop");
  const std::string count = below_number(w_.pick('u'), 4), p = w_.fresh('s'), top = w_.label();
  Place inside = at;
  ++inside.depth;
  w_.line(top + ":");
  statements(inside, static_cast<unsigned>(2 + w_.below(5)));
  w_.line("setp.ne.u32 " + p + ", " + count + ", 0;");
  w_.line("sub.u32 " + count + ", " + count + ", 1;");
  w_.line("@" + p + " bra " + top + ";");
}

void Kernel::table(const Place& at) {
  w_.mark("brx");
  const std::string index = below_number(w_.pick('r'), 4), name = w_.label(), end = w_.label();
  std::array<std::string, 4> targets;
  for (std::string& t : targets) t = w_.label();
  w_.line(name + ": .branchtargets " + targets[0] + ", " + targets[1] + ", " + targets[2] + ", " +
          targets[3] + ";");
  w_.line("brx.idx " + index + ", " + name + ";");
  const std::uint64_t leaves = w_.bits(), counts = w_.bits();
  for (unsigned i = 0; i < 4; ++i) {
    w_.line(targets[i] + ":");
    statements({false, "", false, at.depth + 1},
               static_cast<unsigned>(1 + (counts >> (8 * i)) % 3));
    if ((leaves >> (8 * i)) % 10 < 7) w_.line("bra " + end + ";");  // else on into the next case
  }
  w_.line(end + ":");
}

// A function of one lane's values, given a pointer of unknown space to 64 bytes.
void Kernel::function() {
  const std::string name =
      "f" + std::to_string(program_.seed) + "_" + std::to_string(function_names_.size());
  Kernel body(w_.bits() >> 20);
  body.w_ = Writer(w_.bits());
  for (const Pool& p : pools()) {
    for (int i = 0; i < p.count; ++i) {
      const std::string r = std::string(" %") + p.kind + std::to_string(i);
      const std::string value = std::to_string(body.w_.below(60000));
      switch (p.kind) {
        case 'd':
          body.w_.line("add.u64" + r + ", %b, " + value + ";");
          break;
        case 'f':
          body.w_.line("mov.b32" + r + ", %c;");
          break;
        case 'g':
          body.w_.line("cvt.rn.f64.s32" + r + ", %a;");
          break;
        case 'p':
          body.w_.line("setp.lt.u32" + r + ", %a, " + value + ";");
          break;
        case 'h':
        case 'b':
        case 'w':
          body.w_.line("mov.b16" + r + ", " + value + ";");
          break;
        default:
          body.w_.line("add.u32" + r + ", %a, " + value + ";");
      }
    }
  }
  const auto some = [&](unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      if (body.w_.chance(15))
        body.load_or_store("", "%to", 64, true);
      else
        body.w_.operation();
    }
  };
  some(static_cast<unsigned>(2 + body.w_.below(8)));
  if (body.w_.chance(50)) {
    const std::string end = body.w_.label();
    body.w_.line("@" + body.w_.pick('p') + " bra " + end + ";");
    some(static_cast<unsigned>(1 + body.w_.below(5)));
    if (body.w_.chance(30)) body.w_.line("st.param.b32 [result], %r1; ret;");
    body.w_.line(end + ":");
  }
  functions_ += ".func (.param .b32 result) " + name +
                "(.param .b32 pa, .param .b64 pb, .param .f32 pc, .param .b64 pto)\n{\n" +
                body.w_.declarations() +
                "  .reg .b32 %a; .reg .b64 %b, %to; .reg .f32 %c;\n"
                "  ld.param.b32 %a, [pa]; ld.param.b64 %b, [pb]; ld.param.f32 %c, [pc]; "
                "ld.param.b64 %to, [pto];\n" +
                body.w_.text() + "  st.param.b32 [result], %r0;\n  ret;\n}\n";
  function_names_.push_back(name);
}

void Kernel::call() {
  if (function_names_.empty()) return w_.operation();
  w_.mark("call");
  const std::string& name = function_names_[w_.below(function_names_.size())];
  const char* to = w_.chance(33)   ? "%local_generic"
                   : w_.chance(50) ? "%own_generic"
                                   : "%private_generic";
  w_.line("{ .param .b32 a; .param .b64 b; .param .f32 c; .param .b64 d; .param .b32 e;");
  w_.line("st.param.b32 [a], " + w_.pick('r') + "; st.param.b64 [b], " + w_.pick('d') +
          "; st.param.f32 [c], " + w_.pick('f') + "; st.param.b64 [d], " + to + ";");
  w_.line("call (e), " + name + ", (a, b, c, d);");
  w_.line("ld.param.b32 " + w_.pick('r') + ", [e]; }");
}

void Kernel::prologue() {
  w_.line(
      "ld.param.u64 %in, [in]; ld.param.u64 %out, [out]; ld.param.u64 %sums, [sums]; "
      "ld.param.u32 %u0, [n];");
  w_.line(
      "cvta.to.global.u64 %in, %in; cvta.to.global.u64 %out, %out; cvta.to.global.u64 %sums, "
      "%sums;");
  w_.line("mov.u32 %tid_x, %tid.x; mov.u32 %u1, %ctaid.x; mov.u32 %u2, %ntid.x; mov.u32 %u3, 5;");
  w_.line("mad.lo.u32 %t0, %u1, %u2, %tid_x;");
  w_.line("mul.wide.u32 %q0, %t0, " + std::to_string(kInBytes) + "; add.s64 %in, %in, %q0;");
  w_.line("mul.wide.u32 %q0, %t0, " + std::to_string(kOutBytes) + "; add.s64 %out, %out, %q0;");
  w_.line("add.s64 %private, %out, " + std::to_string(kOutBytes - kPrivateBytes) +
          "; cvta.global.u64 %private_generic, %private;");
  w_.line(
      "mov.u32 %shared, memory; mad.lo.u32 %own32, %tid_x, 64, %shared; cvt.u64.u32 %own, %own32; "
      "cvta.shared.u64 %own_generic, %own; mov.u32 %pool, pool;");
  w_.line(
      "mov.u64 %local, frame; cvta.local.u64 %local_generic, %local; mov.u64 %constants, "
      "constants;");
  w_.line("and.b32 %lane, %tid_x, 31;");
  w_.line(
      "and.b32 %t0, %tid_x, -32; sub.u32 %t0, %u2, %t0; min.u32 %t0, %t0, 32; sub.u32 %t0, 32, "
      "%t0; "
      "mov.u32 %members, -1; shr.u32 %members, %members, %t0;");
  for (unsigned i = 0; i < 4; ++i) {  // memory of this thread begins as its input
    const std::string at = std::to_string(16 * i);
    w_.line("ld.global.v4.u32 {%r0,%r1,%r2,%r3}, [%in+" + at + "]; st.shared.v4.u32 [%own+" + at +
            "], {%r3,%r2,%r1,%r0}; st.local.v4.u32 [%local+" + at + "], {%r1,%r0,%r3,%r2};");
  }
  unsigned offset = 0;
  for (const Pool& p : pools()) {
    if (p.kind == 'u') continue;
    for (int i = 0; i < p.count; ++i) {
      const std::string r = std::string(" %") + p.kind + std::to_string(i);
      if (p.bytes == 0) {
        w_.line("ld.global.u32 %t0, [%in+" + std::to_string(8 * i + 4) + "]; setp.lt.s32" + r +
                ", %t0, 0;");
        continue;
      }
      offset = (offset + p.bytes - 1) / p.bytes * p.bytes;
      w_.line("ld.global." + std::string(p.type) + r + ", [%in+" + std::to_string(offset) + "];");
      offset += p.bytes;
    }
  }
  w_.line("bar.sync 0;");
}

void Kernel::epilogue() {
  unsigned offset = 0;
  const auto store = [&](const Pool& p, const std::string& r) {
    offset = (offset + p.bytes - 1) / p.bytes * p.bytes;
    w_.line("st.global." + std::string(p.type) + " [%out+" + std::to_string(offset) + "], " + r +
            ";");
    offset += p.bytes;
  };
  w_.line("mov.b32 %t0, 0;");
  for (const Pool& p : pools()) {
    for (int i = 0; i < p.count; ++i) {
      const std::string r = std::string("%") + p.kind + std::to_string(i);
      if (p.bytes == 0)
        w_.line("@" + r + " or.b32 %t0, %t0, " + std::to_string(1 << i) + ";");
      else
        store(p, r);
    }
    if (p.bytes == 0) store({'t', 1, "b32", 4}, "%t0");
  }
  if (!exit_.empty()) {
    w_.mark("exit");
    w_.line("@" + exit_ + " exit;");
  }
  // What is left in this thread's shared and local memory, folded.
  for (unsigned i = 0; i < 4; ++i) {
    const std::string at = std::to_string(16 * i);
    w_.line("ld.shared.v2.u64 {%d0,%d1}, [%own+" + at + "]; ld.local.v2.u64 {%d2,%d3}, [%local+" +
            at + "]; xor.b64 %d1, %d1, %d2; xor.b64 %d0, %d0, %d3;");
    const std::string to = std::to_string(192 + 16 * i);
    w_.line("st.global.v2.u64 [%out+" + to + "], {%d0,%d1};");
  }
  w_.line("ret;");
}

Program Kernel::build() {
  w_.fresh('t');
  w_.fresh('q');
  for (std::uint64_t i = w_.below(3); i > 0; --i) function();
  prologue();
  statements({true, "%members", true, 0}, static_cast<unsigned>(12 + w_.below(30)));
  epilogue();
  program_.text = functions_ + ".visible .entry " + program_.name +
                  "(.param .u64 in, .param .u64 out, .param .u64 sums, .param .u32 n)\n{\n" +
                  w_.declarations() +
                  "  .reg .b32 %tid_x, %lane, %members, %shared, %pool, %own32;\n"
                  "  .reg .b64 %in, %out, %sums, %private, %private_generic, %own, %own_generic, "
                  "%local, %local_generic, %constants;\n"
                  "  .local .align 16 .b8 frame[64];\n"
                  "  .shared .align 16 .b8 memory[8192];\n  .shared .align 16 .b8 pool[128];\n" +
                  w_.text() + "}\n";
  for (const std::string& f : w_.features())
    program_.features += (program_.features.empty() ? "" : " ") + f;
  return std::move(program_);
}

std::string header() {
  std::string out =
      ".version 8.0\n.target sm_80\n.address_size 64\n.const .align 16 .b32 constants[64] = {";
  std::mt19937_64 engine(99);
  for (int i = 0; i < 64; ++i)
    out += (i == 0 ? "" : ", ") + std::to_string(engine() >> (32 + i % 24));
  return out + "};\n";
}

Program generate(std::uint64_t seed, std::uint64_t limit) { return Kernel(seed, limit).build(); }

Buffers buffers(const Program& program) {
  static constexpr std::array<std::uint32_t, 24> kWords{
      0,          1,          0x80000000, 0x7fffffff, 0xffffffff, 0x3f800000,
      0xbf800000, 0x7f800000, 0xff800000, 0x00000001, 0x007fffff, 0x00800000,
      0x3c003c00, 0x7bff0400, 0x80008000, 0x3f803f80, 0x41200000, 0x4f000000,
      0x00ff00ff, 0x3ff00000, 0x40590000, 31,         0x42c80000, 0x3dcccccd};
  std::mt19937_64 engine(program.seed ^ 0xabcdef);
  Buffers out;
  out.in.resize(program.threads() * kInBytes);
  for (std::size_t i = 0; i < out.in.size(); i += 4) {
    const std::uint64_t r = engine();
    std::uint32_t word = static_cast<std::uint32_t>(r);
    if ((r >> 32) % 4 == 0) word = kWords[(r >> 40) % kWords.size()];
    if ((r >> 32) % 4 == 1)
      word = (word & 0x807fffff) | static_cast<std::uint32_t>(122 + (r >> 40) % 10) << 23;
    if ((r >> 32) % 4 == 2 && (r >> 50) % 2 == 0) word %= 100;
    std::memcpy(&out.in[i], &word, 4);
  }
  out.out.assign(program.threads() * kOutBytes, std::byte{0x5a});
  out.sums.assign(kSumBytes, std::byte{0});
  return out;
}

}  // namespace kw::ptxvm::random
