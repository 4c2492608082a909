// PTX and launches that nobody means well with: a finding or a clear error, in bounded time and
// memory.

#include "ptxvm/harness.h"

namespace kw::ptxvm {
namespace {

const std::string kHead = ".version 8.4\n.target sm_80\n.address_size 64\n";

std::string kernel(const std::string& body) {
  return kHead + ".visible .entry k(.param .u64 p)\n{\n.reg .pred %p<4>;\n.reg .b32 %r<8>;\n" +
         ".reg .b64 %rd<8>;\n" + body + "\n}\n";
}

std::string repeat(const std::string& text, std::size_t times) {
  std::string out;
  out.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

void expect_refused(const std::string& ptx, Errc code = Errc::InvalidArgument) {
  const auto program = load(ptx);
  ASSERT_FALSE(program) << "loaded: "
                        << ptx.substr(ptx.size() - std::min<std::size_t>(ptx.size(), 60));
  EXPECT_EQ(program.error().code, code) << program.error().message;
  EXPECT_FALSE(program.error().message.empty());
}

/// Loads, but the kernel cannot be run.
void expect_refusal(const std::string& ptx) {
  const auto program = load(ptx);
  ASSERT_TRUE(program) << program.error().message;
  ASSERT_FALSE((*program)->kernels().empty());
  ASSERT_TRUE((*program)->kernels().front().refusal);
  EXPECT_FALSE((*program)->kernels().front().refusal->message.empty());
}

struct Outcome {
  Report report;
  std::optional<Error> error;
};

Outcome run_hostile(const std::string& ptx, Dim3 grid = {2}, Dim3 block = {64},
                    Options options = with_all_checks()) {
  const auto program = load(ptx);
  if (!program) {
    ADD_FAILURE() << program.error().message;
    return {};
  }
  Memory memory;
  const auto p = upload(memory, "p", std::vector<int>(64));
  options.instruction_budget = 100000;
  const auto report = run(**program, memory, {"k", grid, block, 0, Arguments(p).bytes}, options);
  if (!report) return {{}, report.error()};
  return {*report, std::nullopt};
}

void expect_watchdog(const std::string& body) {
  const Outcome outcome = run_hostile(kernel(body));
  ASSERT_FALSE(outcome.error) << outcome.error->message;
  ASSERT_FALSE(outcome.report.findings.empty());
  EXPECT_EQ(outcome.report.findings.back().kind, FindingKind::Watchdog)
      << first_message(outcome.report);
  EXPECT_FALSE(outcome.report.completed);
}

TEST(HostilePtx, TruncatedAnywhereIsAProgramOrAnError) {
  const std::string whole = read_file(KW_SOURCE_DIR "/tests/ptxvm/data/kernels.ptx");
  for (std::size_t size = 0; size < whole.size(); size += 487) {
    const auto program = load(std::string_view(whole).substr(0, size));
    EXPECT_TRUE(program || !program.error().message.empty()) << size;
  }
}

TEST(HostilePtx, EmptyAndBinaryTextIsNotPtx) {
  expect_refused("");
  expect_refused(std::string(1000, '\0'));
  expect_refused(std::string(1000, '\xff'));
  expect_refused(kHead + std::string(1000, '\1') + ".visible .entry k() { ret; }");
  expect_refused(
      "\x7f"
      "ELF" +
      std::string(100, '\1'));
}

TEST(HostilePtx, DeepNestingDoesNotExhaustTheStack) {
  constexpr std::size_t deep = 200000;
  expect_refused(kernel(repeat("{", deep)));
  expect_refused(kernel("mov.b64 %rd1, " + repeat("{", deep) + ";"));
  expect_refused(kernel("mov.b32 %r1, " + repeat("(", deep) + "1" + repeat(")", deep) + ";ret;"));
  expect_refused(kernel("mov.b32 %r1, " + repeat("-", deep) + "1;ret;"));
  expect_refused(kHead + ".global .b32 g = " + repeat("(", deep) + "1" + repeat(")", deep) + ";");
  expect_refused(kHead + ".global .b32 g[2] = " + repeat("{", deep) + ";");
  expect_refused(kHead + repeat("(", deep));
}

TEST(HostilePtx, SizesBeyondAllMemoryAreRefused) {
  for (const char* size : {"99999999999", "18446744073709551615", "4611686018427387904"}) {
    SCOPED_TRACE(size);
    const std::string array = "[" + std::string(size) + "];";
    EXPECT_FALSE(load(kHead + ".global .b8 g" + array));
    EXPECT_FALSE(load(kHead + ".const .b64 g" + array));
    EXPECT_FALSE(load(kHead + ".visible .entry k(.param .b8 p[" + size + "]) { ret; }"));
    for (const char* space : {".shared", ".local"}) {
      const auto program = load(kernel(std::string(space) + " .b8 a" + array + "\nret;"));
      EXPECT_TRUE(!program || program.value()->kernels().front().refusal) << space;
    }
  }
  EXPECT_FALSE(load(kHead + ".global .b8 g[4294967296][4294967296];"));
  EXPECT_FALSE(load(kHead + ".global .b8 g[16000000000];"));
}

TEST(HostilePtx, ManyLargeVariablesTogetherAreRefused) {
  std::string text = kHead;
  for (int i = 0; i < 100; ++i) text += ".global .b8 g" + std::to_string(i) + "[900000000];\n";
  expect_refused(text, Errc::ResourceExhausted);
}

TEST(HostilePtx, TooManyRegistersAreRefused) {
  expect_refused(kernel(".reg .b32 %q<4294967295>;\nret;"), Errc::ResourceExhausted);
  expect_refused(kernel(".reg .b32 %q<18446744073709551615>;\nret;"), Errc::ResourceExhausted);
  std::string many;
  for (int i = 0; i < 100; ++i) many += ".reg .b64 %q" + std::to_string(i) + "_<60000>;\n";
  expect_refused(kernel(many + "ret;"), Errc::ResourceExhausted);
}

TEST(HostilePtx, BranchesToNowhereAndLabelsTwiceAreErrors) {
  expect_refused(kernel("bra nowhere;\nret;"));
  expect_refused(kernel("L: mov.u32 %r1, 1;\nL: ret;"));
  expect_refused(kernel("ts: .branchtargets A, B;\nbrx.idx %r1, ts;\nA: ret;"));
  expect_refused(kernel("brx.idx %r1, nothing;\nret;"));
  expect_refusal(kernel("mov.u32 %r1, %r99;\nret;"));
  expect_refused(kernel("ld.param.u64 %rd1, [other];\nret;"));
}

TEST(HostilePtx, NamesTwiceAreErrors) {
  expect_refused(kernel(".reg .b32 %r<8>;\nret;"));
  expect_refused(kernel("ret;") + kernel("ret;").substr(kHead.size()));
  expect_refused(kHead + ".global .b32 g;\n.global .b32 g;\n");
  expect_refused(kHead + ".visible .entry k(.param .u64 p, .param .u64 p) { ret; }");
}

TEST(HostilePtx, CallsInCirclesAreRefusedByName) {
  expect_refusal(kHead + ".func f() { call f; ret; }\n.visible .entry k() { call f; ret; }");
  expect_refusal(kHead +
                 ".func g();\n.func f() { call g; ret; }\n.func g() { call f; ret; }\n"
                 ".visible .entry k() { call f; ret; }");
}

TEST(HostilePtx, CallsThatDoubleAtEveryLevelAreRefused) {
  std::string text = kHead + ".func f0() { ret; }\n";
  for (int i = 1; i < 60; ++i) {
    const std::string callee = "f" + std::to_string(i - 1);
    text +=
        ".func f" + std::to_string(i) + "() { call " + callee + "; call " + callee + "; ret; }\n";
  }
  text += ".visible .entry k() { call f59; ret; }";
  const auto program = load(text);
  if (program) {
    EXPECT_TRUE((*program)->kernels().front().refusal);
  } else {
    EXPECT_EQ(program.error().code, Errc::ResourceExhausted) << program.error().message;
  }
}

TEST(HostilePtx, ALongChainOfBranchesLoads) {
  std::string body;
  for (int i = 0; i < 20000; ++i) {
    const std::string n = std::to_string(i);
    body += "setp.eq.u32 %p1, %r1, " + n + ";\n@%p1 bra L" + n + ";\nadd.u32 %r1, %r1, 1;\nL" + n +
            ":\n";
  }
  const Outcome outcome = run_hostile(kernel("mov.u32 %r1, %tid.x;\n" + body + "ret;"), {1}, {32});
  EXPECT_FALSE(outcome.error);
  EXPECT_TRUE(outcome.report.completed || !outcome.report.findings.empty());
}

TEST(HostilePtx, NestedDivergenceIsBoundedByTheLanes) {
  std::string body = "mov.u32 %r1, %tid.x;\n";
  for (int i = 0; i < 500; ++i)
    body += "setp.ge.u32 %p1, %r1, " + std::to_string(i % 32) + ";\n@%p1 bra L" +
            std::to_string(i) + ";\n";
  for (int i = 499; i >= 0; --i) body += "L" + std::to_string(i) + ":\nadd.u32 %r2, %r1, 1;\n";
  const Outcome outcome = run_hostile(kernel(body + "ret;"));
  EXPECT_FALSE(outcome.error);
  EXPECT_TRUE(outcome.report.completed) << first_message(outcome.report);
}

TEST(HostilePtx, ACodePathThatEndsWithoutRetEnds) {
  const Outcome outcome = run_hostile(kernel("mov.u32 %r1, 1;"));
  EXPECT_FALSE(outcome.error);
  EXPECT_TRUE(outcome.report.completed);
}

TEST(HostileKernel, ThatNeverEndsMeetsTheWatchdog) {
  expect_watchdog("L: bra L;");
  expect_watchdog("L: bar.sync 0;\nbra L;");
  expect_watchdog("L: nanosleep.u32 4294967295;\nbra L;");
  expect_watchdog("L: bar.warp.sync 0xffffffff;\nbra.uni L;");
  expect_watchdog(
      "mov.u32 %r1, %tid.x;\nsetp.gt.u32 %p1, %r1, 3;\nL: @%p1 bra L;\nbar.sync 0;\nret;");
  expect_watchdog("ld.param.u64 %rd1, [p];\nL: atom.global.add.u32 %r1, [%rd1], 1;\nbra L;");
  expect_watchdog("L: vote.sync.any.pred %p1, %p1, 0xffffffff;\nbra L;");
}

TEST(HostileKernel, ThatWantsMoreStackThanAllowedIsRefused) {
  const std::string frame =
      ".local .b8 a[500000];\nmov.u64 %rd1, a;\nmov.u32 %r1, 1;\nst.local.u32 [%rd1], %r1;\nret;";
  Options options = with_all_checks();
  options.resident_bytes = std::uint64_t{64} << 20;
  options.threads = 64;
  const Outcome small = run_hostile(kernel(frame), {8}, {32}, options);
  EXPECT_TRUE(!small.error && small.report.clean()) << first_message(small.report);
  const Outcome large = run_hostile(kernel(frame), {8}, {1024}, options);
  ASSERT_TRUE(large.error);
  EXPECT_EQ(large.error->code, Errc::ResourceExhausted);
}

TEST(HostileLaunch, GridsAndBlocksThatNoDeviceHasAreRefused) {
  const std::string text = kernel("ret;");
  for (const Dim3 grid : {Dim3{0}, Dim3{1, 0, 1}, Dim3{1, 65536, 1}, Dim3{1, 1, 65536},
                          Dim3{2147483648u}, Dim3{4294967295u, 4294967295u, 4294967295u}}) {
    const Outcome outcome = run_hostile(text, grid);
    ASSERT_TRUE(outcome.error) << grid.x << ' ' << grid.y << ' ' << grid.z;
    EXPECT_EQ(outcome.error->code, Errc::InvalidArgument);
  }
  for (const Dim3 block : {Dim3{0}, Dim3{1025}, Dim3{1, 1, 65}, Dim3{32, 33, 1},
                           Dim3{65536, 65536, 1}, Dim3{4294967295u, 4294967295u, 4294967295u}}) {
    const Outcome outcome = run_hostile(text, {1}, block);
    ASSERT_TRUE(outcome.error) << block.x << ' ' << block.y << ' ' << block.z;
    EXPECT_EQ(outcome.error->code, Errc::InvalidArgument);
  }
}

TEST(HostileLaunch, AGridWithoutEndMeetsTheLaunchBudget) {
  for (const unsigned threads : {1u, 4u}) {
    Options options = with_all_checks();
    options.launch_budget = 1u << 20;
    options.threads = threads;
    for (const Dim3 grid : {Dim3{2147483647u}, Dim3{2147483647u, 65535u, 65535u}}) {
      const Outcome outcome = run_hostile(kernel("ret;"), grid, {32}, options);
      ASSERT_FALSE(outcome.error);
      EXPECT_FALSE(outcome.report.completed);
      ASSERT_EQ(outcome.report.findings.size(), 1u);
      EXPECT_EQ(outcome.report.findings.front().kind, FindingKind::Watchdog);
      EXPECT_NE(first_message(outcome.report).find("blocks of the launch"), std::string::npos)
          << first_message(outcome.report);
    }
  }
}

TEST(HostileLaunch, ParametersThatDoNotMatchAreRefused) {
  const auto program = load(kernel("ret;"));
  ASSERT_TRUE(program);
  Memory memory;
  for (const std::size_t size : {0u, 4u, 7u, 9u, 16u, 100000u}) {
    const auto report = run(**program, memory, {"k", {1}, {32}, 0, std::vector<std::byte>(size)});
    ASSERT_FALSE(report) << size;
    EXPECT_EQ(report.error().code, Errc::InvalidArgument);
    EXPECT_NE(report.error().message.find("8"), std::string::npos) << report.error().message;
  }
  EXPECT_EQ(run(**program, memory, {"K", {1}, {32}, 0, {}}).error().code, Errc::NotFound);
}

TEST(HostileLaunch, AnAllocationLargerThanTheHostIsAnError) {
  Memory memory;
  const auto huge = memory.allocate("huge", std::uint64_t{1} << 50);
  ASSERT_FALSE(huge);
  EXPECT_EQ(huge.error().code, Errc::ResourceExhausted);
}

TEST(HostileLaunch, AWildGenericPointerIsAFinding) {
  for (const char* address :
       {"0", "1", "0x7fffffffffffffff", "0xffffffffffffffff", "0x700000000000"}) {
    const Outcome outcome =
        run_hostile(kernel(std::string("mov.u64 %rd1, ") + address +
                           ";\nld.u32 %r1, [%rd1];\nst.u32 [%rd1+4], %r1;\nret;"));
    ASSERT_FALSE(outcome.error);
    EXPECT_FALSE(outcome.report.findings.empty()) << address;
  }
}

}  // namespace
}  // namespace kw::ptxvm
