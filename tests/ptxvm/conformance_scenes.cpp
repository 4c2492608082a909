// What takes several instructions to show: copies behind the program's back, barriers in memory,
// named barriers, jump tables, calls.

#include "ptxvm/conformance_builder.h"

namespace kw::ptxvm::conformance {
namespace {

void copies(Builder& b) {
  const std::string setup =
      ".shared .align 16 .b8 own[2048];\nmov.u32 %r29, %tid.x;\nmov.u32 %r30, own;\nmad.lo.u32 "
      "%r30, %r29, 16, %r30;\n"
      "mov.u32 %r10, -1;\nst.shared.v4.u32 [%r30], {%r10, %r10, %r10, %r10};\nld.global.u32 %r20, "
      "[%rd1];\n";
  const std::string done =
      "ld.shared.v4.u32 {%r10, %r11, %r12, %r13}, [%r30];\nst.global.v4.u32 [%rd2], {%r10, %r11, "
      "%r12, %r13};\n";
  struct Row {
    const char *how, *rest, *wait;
  };
  for (const Row& row : {Row{"ca", ", 4", "wait_all"}, Row{"ca", ", 8", "wait_all"},
                         Row{"ca", ", 16", "wait_all"}, Row{"cg", ", 16", "groups"},
                         Row{"ca", ", 8, %r21", "groups"}, Row{"cg", ", 16, %r21", "wait_all"},
                         Row{"cg", ", 16, %p1", "groups"}, Row{"ca", ", 4, 0", "wait_all"}}) {
    const std::string name = cat({"cp.async.", row.how, ".shared.global"});
    b.add(name + row.rest + " " + row.wait, "u64", 16,
          setup + "and.b32 %r21, %r20, " +
              (std::string(row.rest).find("16") != std::string::npos ? "15" : "7") +
              ";\nsetp.lt.s32 %p1, %r20, 0;\n" + name + " [%r30], [%rd1+16]" + row.rest + ";\n" +
              (row.wait[0] == 'w'
                   ? "cp.async.wait_all;\n"
                   : "cp.async.commit_group;\ncp.async.commit_group;\ncp.async.wait_group 1;\n") +
              done);
  }
}

// 128 threads meet at a barrier in shared memory; each then reads what its mirror wrote.
void barriers_in_memory(Builder& b) {
  const std::string setup =
      ".shared .align 16 .b8 box[1024];\n.shared .align 8 .b64 bar[2];\nmov.u32 %r29, "
      "%tid.x;\nmov.u32 %r30, box;\nmov.u32 %r31, bar;\n"
      "mad.lo.u32 %r32, %r29, 4, %r30;\nxor.b32 %r33, %r29, 127;\nmad.lo.u32 %r33, %r33, 4, "
      "%r30;\nld.global.u32 %r10, [%rd1];\nsetp.eq.u32 "
      "%p1, %r29, 0;\n";
  const auto init = [](const char* count) {
    return std::string("@%p1 mbarrier.init.shared.b64 [%r31], ") + count +
           ";\nbar.sync 0;\nst.shared.u32 [%r32], %r10;\n";
  };
  const std::string finish = "ld.shared.u32 %r18, [%r33];\n" + store("u32", 8);
  b.add("mbarrier test_wait", "u32", 4,
        setup + init("128") +
            "mbarrier.arrive.shared.b64 %rd20, [%r31];\nW:\nmbarrier.test_wait.shared.b64 %p2, "
            "[%r31], %rd20;\n@!%p2 bra W;\n" +
            finish);
  b.add("mbarrier try_wait", "u32", 4,
        setup + init("128") +
            "mbarrier.arrive.release.cta.shared::cta.b64 %rd20, "
            "[%r31];\nW:\nmbarrier.try_wait.acquire.cta.shared::cta.b64 %p2, "
            "[%r31], %rd20;\n@!%p2 bra W;\n" +
            finish);
  b.add("mbarrier parity, two phases", "u32", 8,
        setup + init("128") +
            "mbarrier.arrive.shared.b64 %rd20, [%r31];\nW:\nmbarrier.test_wait.parity.shared.b64 "
            "%p2, [%r31], 0;\n@!%p2 bra W;\n"
            "ld.shared.u32 %r18, [%r33];\nmbarrier.arrive.shared.b64 %rd21, "
            "[%r31];\nV:\nmbarrier.try_wait.parity.shared.b64 %p2, "
            "[%r31], 1, 1000;\n@!%p2 bra V;\nst.shared.u32 [%r32], "
            "%r18;\nmbarrier.arrive.shared.b64 _, [%r31];\nU:\n"
            "mbarrier.try_wait.parity.shared.b64 %p2, [%r31], 0;\n@!%p2 bra U;\nld.shared.u32 "
            "%r19, [%r33];\nst.global.v2.u32 "
            "[%rd2], {%r18, %r19};\n");
  b.add("mbarrier arrive count", "u32", 4,
        setup + init("256") +
            "mbarrier.arrive.shared.b64 %rd20, [%r31], 2;\nW:\nmbarrier.try_wait.shared.b64 %p2, "
            "[%r31], %rd20;\n@!%p2 bra W;\n" +
            finish);
  // One warp arrives without completing and counts what is missing; the others come after.
  b.add("mbarrier pending_count", "u32", 8,
        setup + init("128") +
            "mov.u32 %r20, -1;\nsetp.ge.u32 %p3, %r29, 32;\n@!%p1 bra "
            "A;\nmbarrier.arrive.noComplete.shared.b64 %rd20, [%r31], "
            "5;\nmbarrier.pending_count.b64 %r20, %rd20;\nA:\nbar.sync 0;\nsetp.ge.u32 %p3, %r29, "
            "5;\n@%p3 "
            "mbarrier.arrive.shared.b64 %rd20, [%r31];\nbar.sync "
            "0;\nmbarrier.test_wait.parity.shared.b64 %p2, [%r31], "
            "0;\nselp.u32 %r18, 1, 0, %p2;\nst.global.v2.u32 [%rd2], {%r18, %r20};\n");
  // Half of the threads leave the barrier for good.
  b.add("mbarrier arrive_drop", "u32", 8,
        setup + init("128") +
            "setp.ge.u32 %p3, %r29, 64;\nmov.u32 %r19, 3;\n@%p3 bra "
            "DROP;\nmbarrier.arrive.shared.b64 %rd20, [%r31];\nW:\n"
            "mbarrier.try_wait.shared.b64 %p2, [%r31], %rd20;\n@!%p2 bra "
            "W;\nmbarrier.arrive.shared.b64 %rd20, [%r31];\nV:\n"
            "mbarrier.try_wait.shared.b64 %p2, [%r31], %rd20;\n@!%p2 bra V;\nld.shared.u32 %r19, "
            "[%r33];\nbra E;\nDROP:\n"
            "mbarrier.arrive_drop.shared.b64 _, [%r31];\nE:\nbar.sync 0;\nld.shared.u32 %r18, "
            "[%r33];\nst.global.v2.u32 [%rd2], "
            "{%r18, %r19};\n");
  // Bytes are awaited as well as threads.
  b.add("mbarrier expect_tx", "u32", 8,
        setup + init("128") +
            "@%p1 mbarrier.expect_tx.relaxed.cta.shared.b64 [%r31], 64;\nbar.sync "
            "0;\nmbarrier.arrive.shared.b64 %rd20, [%r31];\n"
            "bar.sync 0;\nmbarrier.test_wait.parity.shared.b64 %p2, [%r31], 0;\nselp.u32 %r18, 1, "
            "0, %p2;\nbar.sync 0;\n@%p1 "
            "mbarrier.complete_tx.relaxed.cta.shared::cta.b64 [%r31], 64;\nbar.sync "
            "0;\nmbarrier.test_wait.parity.shared.b64 "
            "%p2, [%r31], 0;\nselp.u32 %r19, 1, 0, %p2;\nst.global.v2.u32 [%rd2], {%r18, %r19};\n");
  b.add("mbarrier arrive.expect_tx", "u32", 8,
        setup + init("1") +
            "@%p1 mbarrier.arrive.expect_tx.shared.b64 %rd20, [%r31], 16;\nbar.sync "
            "0;\nmbarrier.test_wait.parity.shared.b64 "
            "%p2, [%r31], 0;\nselp.u32 %r18, 1, 0, %p2;\nbar.sync 0;\n@%p1 "
            "mbarrier.complete_tx.relaxed.cta.shared::cta.b64 [%r31], "
            "16;\nbar.sync 0;\nmbarrier.test_wait.parity.shared.b64 %p2, [%r31], 0;\nselp.u32 "
            "%r19, 1, 0, %p2;\nst.global.v2.u32 "
            "[%rd2], {%r18, %r19};\n");
  for (const char* noinc : {"", ".noinc"}) {
    const bool counted = noinc[0] != 0;
    b.add(cat({"cp.async.mbarrier.arrive", noinc}), "u32", 4,
          setup + init(counted ? "256" : "128") +
              "cp.async.ca.shared.global [%r32], [%rd1+16], 4;\ncp.async.mbarrier.arrive" + noinc +
              ".shared.b64 [%r31];\nmbarrier.arrive.shared.b64 %rd20, "
              "[%r31];\nW:\nmbarrier.try_wait.shared.b64 %p2, [%r31], %rd20;\n@!%p2 bra "
              "W;\n" +
              finish);
  }
}

void named_barriers(Builder& b) {
  // Warps 0 and 1 produce, 2 and 3 consume.
  b.add("barrier.arrive", "u32", 4,
        ".shared .align 16 .b8 box[512];\nmov.u32 %r29, %tid.x;\nmov.u32 %r30, box;\nmad.lo.u32 "
        "%r32, %r29, 4, %r30;\nld.global.u32 %r10, [%rd1];\n"
        "setp.ge.u32 %p1, %r29, 64;\nmov.u32 %r18, 5;\n@%p1 bra USE;\nst.shared.u32 [%r32], "
        "%r10;\nbar.arrive 4, 128;\nbra END;\nUSE:\nbar.sync 4, "
        "128;\nld.shared.u32 %r18, [%r32+-256];\nEND:\n" +
            store("u32", 8));
  b.add("barrier.sync of half a block", "u32", 4,
        ".shared .align 16 .b8 box[512];\nmov.u32 %r29, %tid.x;\nmov.u32 %r30, box;\nmad.lo.u32 "
        "%r32, %r29, 4, %r30;\nxor.b32 %r33, %r29, 63;\nmad.lo.u32 "
        "%r33, %r33, 4, %r30;\nld.global.u32 %r10, [%rd1];\nst.shared.u32 [%r32], %r10;\nshr.u32 "
        "%r20, %r29, 6;\nadd.u32 %r20, %r20, "
        "7;\nbarrier.sync %r20, 64;\nld.shared.u32 %r18, [%r33];\n" +
            store("u32", 8));
}

void control(Builder& b) {
  b.add("brx.idx", "u32", 4,
        load("u32", 0) +
            "and.b32 %r20, %r10, 3;\nmov.u32 %r18, %r10;\nT: .branchtargets A, B, C, A;\nbrx.idx "
            "%r20, T;\nA:\nadd.u32 %r18, %r18, 7;\nB:\n"
            "xor.b32 %r18, %r18, 0x55;\nC:\nmul.lo.u32 %r18, %r18, 3;\n" +
            store("u32", 8));
  b.add("special registers", "u32", 48,
        "mov.u32 %r10, %laneid;\nmov.u32 %r11, %lanemask_eq;\nmov.u32 %r12, %lanemask_lt;\nmov.u32 "
        "%r13, %lanemask_le;\nst.global.v4.u32 [%rd2], {%r10, "
        "%r11, %r12, %r13};\nmov.u32 %r10, %lanemask_gt;\nmov.u32 %r11, %lanemask_ge;\nmov.u32 "
        "%r12, %ntid.y;\nmov.u32 %r13, %nctaid.x;\nst.global.v4.u32 "
        "[%rd2+16], {%r10, %r11, %r12, %r13};\nmov.u32 %r10, %tid.z;\nmov.u32 %r11, "
        "%ctaid.y;\nmov.u32 %r12, %cluster_nctaid.x;\nmov.u32 %r13, "
        "%cluster_ctarank;\nst.global.v4.u32 [%rd2+32], {%r10, %r11, %r12, %r13};\n");
  b.add("pack and unpack", "u64", 32,
        "ld.global.v2.b64 {%rd10, %rd11}, [%rd1+16];\nmov.b64 {%r10, %r11}, %rd10;\nmov.b64 %rd12, "
        "{%r11, %r10};\nmov.b32 {%h1, %h2}, %r10;\nmov.b32 %r12, "
        "{%h2, %h1};\nmov.b64 {%h3, %h4, %h5, %h6}, %rd11;\nmov.b64 %rd13, {%h6, %h4, %h5, "
        "%h3};\nmov.b64 {_, %r14}, %rd11;\nst.global.v2.b64 [%rd2], {%rd12, "
        "%rd13};\nst.global.v4.u32 [%rd2+16], {%r12, %r14, %r11, %r10};\n");
}

}  // namespace

std::vector<Case> scene_cases() {
  Builder b;
  copies(b);
  barriers_in_memory(b);
  named_barriers(b);
  control(b);
  return std::move(b.list);
}

}  // namespace kw::ptxvm::conformance
