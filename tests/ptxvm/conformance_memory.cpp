// Loads and stores of every width with their cache operators, and atomics, each on memory that one
// thread owns.

#include <array>

#include "ptxvm/conformance_builder.h"

namespace kw::ptxvm::conformance {
namespace {

// 16 bytes of shared memory per thread, its address in %r30.
const std::string kShared =
    ".shared .align 16 .b8 own[8192];\nmov.u32 %r29, %tid.x;\nmov.u32 %r30, own;\nmad.lo.u32 %r30, "
    "%r29, 64, %r30;\n";

std::string store_at(std::string_view type, const std::string& at, int n,
                     const char* space = "global") {
  return std::string("st.") + space + "." + memory_type(type) + " [" + at + "], " + reg(type, n) +
         ";\n";
}

// The old value goes to result byte 8, the new one to byte 0.
void atomic(Builder& b, const std::string& space, const std::string& op, const std::string& type,
            bool shared) {
  const bool cas = op.starts_with("cas");
  std::string body = load(type, 0) + load(type, 1) + (cas ? load(type, 2) : "");
  const std::string at = shared ? "%r30" : "%rd2";
  if (shared) body += kShared;
  // A third of the comparisons succeed.
  if (cas)
    body += "rem.u32 %r20, %r0, 3;\nsetp.eq.u32 %p1, %r20, 0;\n@%p1 mov." +
            std::string(type == "b16"   ? "b16 "
                        : type == "b32" ? "b32 "
                                        : "b64 ") +
            reg(type, 1) + ", " + reg(type, 0) + ";\n";
  body += store_at(type, at, 0, shared ? "shared" : "global");
  const std::string name = "atom" + space + "." + op + "." + type;
  body += name + " " + reg(type, 8) + ", [" + at + "], " + reg(type, 1) +
          (cas ? ", " + reg(type, 2) : "") + ";\n";
  body += store_at(type, "%rd2+8", 8);
  if (shared)
    body += "ld.shared." + memory_type(type) + " " + reg(type, 9) + ", [%r30];\n" +
            store_at(type, "%rd2", 9);
  b.add(name, type, 16, body);
  if (cas || op.starts_with("exch") || space.starts_with(".acq")) return;  // red releases at most
  std::string red = load(type, 0) + load(type, 1) + (shared ? kShared : "") +
                    store_at(type, at, 0, shared ? "shared" : "global");
  red += "red" + space + "." + op + "." + type + " [" + at + "], " + reg(type, 1) + ";\n";
  if (shared)
    red += "ld.shared." + memory_type(type) + " " + reg(type, 9) + ", [%r30];\n" +
           store_at(type, "%rd2", 9);
  b.add("red" + space + "." + op + "." + type, type, 8, red);
}

void atomics(Builder& b) {
  struct Row {
    const char *op, *types;
  };
  constexpr std::array kRows{Row{"add", "u32 s32 u64 f32 f64"},
                             Row{"min", "u32 s32 u64 s64"},
                             Row{"max", "u32 s32 u64 s64"},
                             Row{"and", "b32 b64"},
                             Row{"or", "b32 b64"},
                             Row{"xor", "b32 b64"},
                             Row{"exch", "b32 b64"},
                             Row{"cas", "b16 b32 b64"},
                             Row{"inc", "u32"},
                             Row{"dec", "u32"},
                             Row{"add.noftz", "f16 f16x2 bf16 bf16x2"}};
  for (const bool shared : {false, true}) {
    for (const Row& row : kRows) {
      std::string types = row.types;
      for (std::size_t at = 0; at < types.size();) {
        const std::size_t end = std::min(types.find(' ', at), types.size());
        atomic(b, shared ? ".shared" : ".global", row.op, types.substr(at, end - at), shared);
        at = end + 1;
      }
    }
  }
  for (const char* how : {".relaxed.cta.global", ".acquire.gpu.global", ".release.sys.global",
                          ".acq_rel.gpu.global", ".relaxed.cluster.global", ""}) {
    atomic(b, how, "add", "u32", false);
    atomic(b, how, "cas", "b64", false);
  }
  // Several numbers in one instruction.
  struct Vector {
    const char *name, *type;
    int count;
  };
  for (const Vector& v :
       {Vector{"add.v2.f32", "f32", 2}, Vector{"add.v4.f32", "f32", 4},
        Vector{"add.noftz.v2.f16", "f16", 2}, Vector{"add.noftz.v8.f16", "f16", 8},
        Vector{"min.noftz.v4.f16", "f16", 4}, Vector{"max.noftz.v4.f16x2", "f16x2", 4},
        Vector{"add.noftz.v2.bf16x2", "bf16x2", 2}, Vector{"max.noftz.v8.bf16", "bf16", 8},
        Vector{"min.noftz.v2.bf16x2", "bf16x2", 2}}) {
    std::string body, d, s;
    const std::size_t bytes = bits_of(v.type) / 8;
    for (int i = 0; i < v.count; ++i) {
      const std::string at = std::to_string(bytes * static_cast<std::size_t>(i));
      body +=
          "ld.global." + memory_type(v.type) + " " + reg(v.type, 20 + i) + ", [%rd1+" + at + "];\n";
      body +=
          "st.global." + memory_type(v.type) + " [%rd2+" + at + "], " + reg(v.type, 20 + i) + ";\n";
      body += "ld.global." + memory_type(v.type) + " " + reg(v.type, 20 + i) + ", [%rd1+" +
              std::to_string(32 + bytes * static_cast<std::size_t>(i)) + "];\n";
      d += (i == 0 ? "{" : ", ") + reg(v.type, i);
      s += (i == 0 ? "{" : ", ") + reg(v.type, 20 + i);
    }
    const std::string name = cat({"atom.global.", v.name});
    std::string red = body + cat({"red.global.", v.name}) + " [%rd2], " + s + "};\n";
    body += name + " " + d + "}, [%rd2], " + s + "};\n";
    for (int i = 0; i < v.count; ++i)
      body +=
          store_at(v.type, "%rd2+" + std::to_string(16 + bytes * static_cast<std::size_t>(i)), i);
    b.add(name, v.type, 32, body);
    b.add(cat({"red.global.", v.name}), v.type, 16, red);
  }
  const std::string wide =
      "ld.global.b128 %q0, [%rd1];\nld.global.b128 %q1, [%rd1+16];\nld.global.b128 %q2, "
      "[%rd1+32];\n"
      "rem.u32 %r20, %r0, 3;\nsetp.eq.u32 %p1, %r20, 0;\n@%p1 mov.b128 %q1, %q0;\n";
  b.add("atom.global.exch.b128", "u64", 32,
        wide +
            "st.global.b128 [%rd2], %q0;\natom.global.exch.b128 %q3, [%rd2], %q2;\nst.global.b128 "
            "[%rd2+16], %q3;\n");
  b.add("atom.global.cas.b128", "u64", 32,
        wide +
            "st.global.b128 [%rd2], %q0;\natom.global.cas.b128 %q3, [%rd2], %q1, "
            "%q2;\nst.global.b128 [%rd2+16], %q3;\n");
  b.add("mov.b128", "u64", 32,
        "ld.global.v2.b64 {%rd10, %rd11}, [%rd1+16];\nmov.b128 %q0, {%rd10, %rd11};\nmov.b128 "
        "{%rd12, %rd13}, %q0;\nst.global.b128 [%rd2], "
        "%q0;\nst.global.v2.b64 [%rd2+16], {%rd13, %rd12};\n");
}

// 64 bytes through one kind of load and one kind of store; registers as narrow as the type allows,
// and 64-bit ones, which show how a narrow load extends.
void copies(Builder& b) {
  constexpr std::array<std::string_view, 14> kTypes{"b8",  "u8",  "s8",  "b16", "u16",
                                                    "s16", "b32", "u32", "s32", "f32",
                                                    "b64", "u64", "s64", "f64"};
  for (const std::string_view t : kTypes) {
    const std::size_t bytes = bits_of(t) / 8;
    for (const int vector : {1, 2, 4}) {
      if (bytes * static_cast<std::size_t>(vector) > 16) continue;
      const std::string v = vector == 1 ? "" : ".v" + std::to_string(vector);
      const auto list = [&](bool wide) {
        std::string out = vector == 1 ? "" : "{";
        for (int i = 0; i < vector; ++i)
          out += (i == 0 ? "" : ", ") + (wide ? number("%rd", 20 + i) : reg(t, i));
        return out + (vector == 1 ? "" : "}");
      };
      std::string body = "ld.global" + v + "." + std::string(t) + " " + list(false) +
                         ", [%rd1+16];\nst.global" + v + "." + std::string(t) + " [%rd2], " +
                         list(false) + ";\n";
      if (t[0] != 'f') {
        body += "ld.global" + v + "." + std::string(t) + " " + list(true) + ", [%rd1+32];\n";
        for (int i = 0; i < vector; ++i)
          body += "st.global.b64 [%rd2+" + std::to_string(16 + 8 * i) + "], " +
                  number("%rd", 20 + i) + ";\n";
      }
      b.add(cat({"ld", v, ".", t}), "u64", 48, body);
    }
  }
  for (const char* how :
       {".ca", ".cg", ".cs", ".lu", ".cv", ".nc", ".nc.L1::no_allocate", ".L1::evict_last",
        ".L2::128B", ".L1::no_allocate.L2::256B", ".volatile", ".relaxed.gpu", ".acquire.sys",
        ".weak", ".nc.L2::64B", ".L1::evict_first", ".L1::evict_normal", ".L1::evict_unchanged"}) {
    std::string h = how;
    const bool ordered = h.find("volatile") != h.npos || h.find("relaxed") != h.npos ||
                         h.find("acquire") != h.npos || h == ".weak";
    const std::string open = ordered ? "ld" + h + ".global" : "ld.global" + h;
    b.add(open + ".v4.u32", "u64", 16,
          open +
              ".v4.u32 {%r10, %r11, %r12, %r13}, [%rd1+16];\nst.global.v4.u32 [%rd2], {%r13, %r12, "
              "%r11, %r10};\n");
  }
  for (const char* how : {".wb", ".cg", ".cs", ".wt", ".volatile", ".relaxed.cta", ".release.gpu",
                          ".L1::no_allocate"}) {
    std::string h = how;
    const bool ordered = h[1] == 'v' || h[1] == 'r';
    const std::string open = ordered ? "st" + h + ".global" : "st.global" + h;
    b.add(open + ".v2.u64", "u64", 16,
          "ld.global.v2.u64 {%rd10, %rd11}, [%rd1+16];\n" + open +
              ".v2.u64 [%rd2], {%rd11, %rd10};\n");
  }
  b.add("ld.L2::cache_hint", "u64", 16,
        "createpolicy.fractional.L2::evict_last.b64 %rd20, "
        "1.0;\nld.global.nc.L2::cache_hint.v2.u64 {%rd10, %rd11}, [%rd1+16], "
        "%rd20;\nst.global.L2::cache_hint.v2.u64 [%rd2], {%rd10, %rd11}, %rd20;\n");
  const std::string copy = "ld.global.v4.u32 {%r10, %r11, %r12, %r13}, [%rd1];\n";
  b.add("ld.shared", "u64", 16,
        kShared + copy +
            "st.shared.v4.u32 [%r30], {%r10, %r11, %r12, %r13};\nld.shared.u16 %r14, "
            "[%r30+2];\nld.shared.s8 %r15, [%r30+7];\n"
            "ld.volatile.shared.v2.u32 {%r16, %r17}, [%r30+8];\nst.global.v4.u32 [%rd2], {%r14, "
            "%r15, %r16, %r17};\n");
  b.add("ld.local", "u64", 16,
        ".local .align 16 .b8 frame[32];\n" + copy +
            "mov.u64 %rd20, frame;\nst.local.v4.u32 [%rd20+16], {%r10, %r11, %r12, %r13};\nand.b32 "
            "%r20, %r10, 12;\ncvt.u64.u32 %rd21, %r20;\n"
            "add.s64 %rd21, %rd20, %rd21;\nst.local.u32 [%rd21], %r11;\nst.local.u8 [frame+21], "
            "%r13;\nld.local.u32 %r14, [%rd21];\n"
            "ld.local.u16 %r15, [frame+20];\nst.global.v4.u32 [%rd2], {%r14, %r15, %r14, %r10};\n");
  b.add("generic", "u64", 16,
        kShared + ".local .align 16 .b8 frame[16];\n" + copy +
            "cvt.u64.u32 %rd20, %r30;\ncvta.shared.u64 %rd20, %rd20;\nmov.u64 %rd21, "
            "frame;\ncvta.local.u64 %rd21, %rd21;\ncvta.global.u64 %rd22, "
            "%rd2;\nst.v2.u32 [%rd20], {%r10, %r11};\nst.v2.u32 [%rd21], {%r12, %r13};\nld.u32 "
            "%r14, [%rd20+4];\nld.s16 %r15, [%rd21+2];\n"
            "isspacep.shared %p1, %rd20;\nisspacep.local %p2, %rd21;\nisspacep.global %p3, "
            "%rd20;\nisspacep.global %p4, %rd22;\nisspacep.shared %p5, "
            "%rd21;\nselp.u32 %r16, 1, 0, %p1;\n@%p2 or.b32 %r16, %r16, 2;\n@%p3 or.b32 %r16, "
            "%r16, 4;\n@%p4 or.b32 %r16, %r16, 8;\n@%p5 or.b32 %r16, "
            "%r16, 16;\ncvta.to.shared.u64 %rd23, %rd20;\ncvt.u32.u64 %r17, %rd23;\nsub.u32 %r17, "
            "%r17, %r30;\nst.v4.u32 [%rd22], {%r14, %r15, %r16, "
            "%r17};\n");
  b.add("ld.const", "u64", 16,
        ".const .align 16 .b32 table[8] = {3, 1, 4, 1, 5, 9, 2, 0xffffffff};\n" + copy +
            "and.b32 %r20, %r10, 28;\ncvt.u64.u32 %rd20, %r20;\nmov.u64 %rd21, table;\nadd.s64 "
            "%rd20, %rd21, %rd20;\nld.const.u32 %r14, [%rd20];\n"
            "ld.const.s8 %r15, [table+28];\nld.const.v2.u32 {%r16, %r17}, "
            "[table+8];\nst.global.v4.u32 [%rd2], {%r14, %r15, %r16, %r17};\n");
}

}  // namespace

std::vector<Case> memory_cases() {
  Builder b;
  atomics(b);
  copies(b);
  return std::move(b.list);
}

}  // namespace kw::ptxvm::conformance
