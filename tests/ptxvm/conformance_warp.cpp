// Operations between the lanes of a warp.

#include <array>

#include "ptxvm/conformance_builder.h"

namespace kw::ptxvm::conformance {
namespace {

void shuffles(Builder& b) {
  for (const char* mode : {"up", "down", "bfly", "idx"}) {
    for (const char* segment : {"0", "31", "0x181f", "0x1800", "0x1c1f", "0x1005"}) {
      const std::string name = cat({"shfl.sync.", mode, ".b32"});
      b.add(name + " " + segment, "u32", 8,
            load("u32", 0) + load("u32", 1) + name + " %r18|%p1, %r10, %r11, " + segment +
                ", -1;\nselp.u32 %r19, 1, 0, %p1;\nst.global.v2.u32 [%rd2], {%r18, %r19};\n");
    }
    // Only the lanes of %r20 take part; the others have gone around.
    const std::string name = cat({"shfl.sync.", mode, ".b32"});
    b.add(name + " part", "u32", 8,
          load("u32", 0) +
              "and.b32 %r21, %r0, 16;\nsetp.ne.u32 %p2, %r21, 0;\nmov.u32 %r18, 7;\nmov.u32 %r19, "
              "7;\n"
              "@%p2 bra SKIP;\n" +
              name + " %r18|%p1, %r10, 3, " + (mode[0] == 'u' ? "0x1000" : "0x100f") +
              ", 0xffff;\nselp.u32 %r19, 1, 0, %p1;\nSKIP:\nst.global.v2.u32 [%rd2], {%r18, "
              "%r19};\n");
  }
}

void votes(Builder& b) {
  // All lanes, no lane, some lanes, by warp.
  const std::string predicate = load("s32", 0) +
                                "shr.u32 %r20, %r0, 5;\nand.b32 %r20, %r20, 3;\nsetp.lt.s32 %p1, "
                                "%r10, 0;\nsetp.eq.u32 %p3, %r20, 0;\n"
                                "setp.eq.u32 %p4, %r20, 1;\nor.pred %p1, %p1, %p3;\nnot.pred %p4, "
                                "%p4;\nand.pred %p1, %p1, %p4;\n";
  for (const char* mode : {"all", "any", "uni"}) {
    for (const char* sign : {"", "!"}) {
      b.add(cat({"vote.sync.", mode, ".pred", sign[0] != 0 ? " negated" : ""}), "s32", 4,
            predicate + cat({"vote.sync.", mode, ".pred %p2, ", sign, "%p1, -1;\n"}) +
                "selp.u32 %r18, 1, 0, %p2;\n" + store("u32", 8));
    }
  }
  for (const char* sign : {"", "!"}) {
    b.add(cat({"vote.sync.ballot.b32", sign[0] != 0 ? " negated" : ""}), "s32", 4,
          predicate + cat({"vote.sync.ballot.b32 %r18, ", sign, "%p1, -1;\n"}) + store("u32", 8));
  }
  for (const char* op : {"popc.u32", "and.pred", "or.pred"}) {
    const bool count = op[0] == 'p';
    b.add(cat({"bar.red.", op}), "s32", 4,
          predicate + cat({"bar.red.", op, count ? " %r18" : " %p2", ", 0, %p1;\n"}) +
              (count ? "" : "selp.u32 %r18, 1, 0, %p2;\n") + store("u32", 8));
    b.add(cat({"barrier.cta.red.aligned.", op, " 3, 128"}), "s32", 4,
          predicate +
              cat({"barrier.cta.red.aligned.", op, count ? " %r18" : " %p2", ", 3, 128, !%p1;\n"}) +
              (count ? "" : "selp.u32 %r18, 1, 0, %p2;\n") + store("u32", 8));
  }
  b.add("activemask.b32", "s32", 4,
        "and.b32 %r20, %r0, 3;\nsetp.eq.u32 %p1, %r20, 9;\n@%p1 bra SKIP;\nactivemask.b32 "
        "%r18;\nSKIP:\n" +
            store("u32", 8));
}

void values(Builder& b) {
  for (const std::string t : {"b32", "b64"}) {
    for (const char* mask : {"3", "0", "1"}) {  // few distinct values, one value, two
      const std::string few =
          load(t, 0) + "and." + t + " " + reg(t, 0) + ", " + reg(t, 0) + ", " + mask + ";\n";
      b.add("match.any.sync." + t + " " + mask, "u64", 4,
            few + "match.any.sync." + t + " %r18, " + reg(t, 0) + ", -1;\n" + store("u32", 8));
      b.add("match.all.sync." + t + " " + mask, "u64", 8,
            few + "match.all.sync." + t + " %r18|%p1, " + reg(t, 0) +
                ", -1;\nselp.u32 %r19, 1, 0, %p1;\nst.global.v2.u32 [%rd2], {%r18, %r19};\n");
    }
  }
  for (const char* op : {"add.u32", "add.s32", "min.u32", "min.s32", "max.u32", "max.s32",
                         "and.b32", "or.b32", "xor.b32"}) {
    b.add(cat({"redux.sync.", op}), "u32", 4,
          load("u32", 0) + cat({"redux.sync.", op, " %r18, %r10, -1;\n"}) + store("u32", 8));
    // Two groups at once, each its own mask.
    b.add(cat({"redux.sync.", op, " halves"}), "u32", 4,
          load("u32", 0) + "and.b32 %r20, %r0, 1;\nsetp.eq.u32 %p1, %r20, 0;\n@%p1 bra EVEN;\n" +
              cat({"redux.sync.", op, " %r18, %r10, 0xaaaaaaaa;\nbra DONE;\nEVEN:\nredux.sync.", op,
                   " %r18, %r10, 0x55555555;\nDONE:\n"}) +
              store("u32", 8));
  }
  b.add(
      "elect.sync", "u32", 4,
      "elect.sync %r19|%p1, -1;\nselp.u32 %r20, 1, 0, %p1;\nredux.sync.add.u32 %r18, %r20, -1;\n" +
          store("u32", 8));
}

// Every thread writes two rows of 16 bytes; the matrices are then read across lanes.
void matrices(Builder& b) {
  const std::string rows =
      ".shared .align 16 .b8 rows[4096];\nmov.u32 %r29, %tid.x;\nmov.u32 %r30, rows;\nmad.lo.u32 "
      "%r30, %r29, 32, %r30;\n"
      "ld.global.v4.u32 {%r10, %r11, %r12, %r13}, [%rd1];\nld.global.v4.u32 {%r14, %r15, %r16, "
      "%r17}, [%rd1+16];\n"
      "st.shared.v4.u32 [%r30], {%r10, %r11, %r12, %r13};\nst.shared.v4.u32 [%r30+16], {%r14, "
      "%r15, %r16, %r17};\nbar.sync 0;\n";
  for (const char* trans : {"", ".trans"}) {
    for (const auto& [count, list] :
         {std::pair{"x1", "{%r20}"}, {"x2", "{%r20, %r21}"}, {"x4", "{%r20, %r21, %r22, %r23}"}}) {
      const std::string clear =
          "mov.u32 %r20, 0;\nmov.u32 %r21, 0;\nmov.u32 %r22, 0;\nmov.u32 %r23, 0;\n";
      b.add(cat({"ldmatrix.sync.aligned.m8n8.", count, trans, ".shared.b16"}), "u64", 16,
            rows + clear +
                cat({"ldmatrix.sync.aligned.m8n8.", count, trans, ".shared.b16 ", list,
                     ", [%r30+16];\n"}) +
                "st.global.v4.u32 [%rd2], {%r20, %r21, %r22, %r23};\n");
      b.add(cat({"stmatrix.sync.aligned.m8n8.", count, trans, ".shared.b16"}), "u64", 32,
            rows +
                "mov.u32 %r20, %r11;\nmov.u32 %r21, %r13;\nmov.u32 %r22, %r14;\nmov.u32 %r23, "
                "%r17;\n" +
                cat({"stmatrix.sync.aligned.m8n8.", count, trans, ".shared.b16 [%r30], ", list,
                     ";\n"}) +
                "bar.sync 0;\nld.shared.v4.u32 {%r10, %r11, %r12, %r13}, [%r30];\nld.shared.v4.u32 "
                "{%r14, %r15, %r16, %r17}, [%r30+16];\n"
                "st.global.v4.u32 [%rd2], {%r10, %r11, %r12, %r13};\nst.global.v4.u32 [%rd2+16], "
                "{%r14, %r15, %r16, %r17};\n");
    }
  }
  b.add("movmatrix.sync.aligned.m8n8.trans.b16", "u64", 4,
        "ld.global.u32 %r10, [%rd1];\nmovmatrix.sync.aligned.m8n8.trans.b16 %r18, %r10;\n" +
            store("u32", 8));
}

}  // namespace

std::vector<Case> warp_cases() {
  Builder b;
  shuffles(b);
  votes(b);
  values(b);
  matrices(b);
  return std::move(b.list);
}

}  // namespace kw::ptxvm::conformance
