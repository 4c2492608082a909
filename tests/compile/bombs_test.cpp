// Sources that would take a compiler down, and what becomes of them.

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "kw/compile/service.h"

namespace {

using namespace kw;
using namespace std::chrono_literals;

class Bomb : public testing::Test {
 protected:
  Bomb() : service_({.processes = 1, .deadline = 3000ms, .memory_bytes = std::uint64_t{1} << 30}) {}
  void SetUp() override {
    if (!service_.info()) GTEST_SKIP() << "no NVRTC here";
  }

  /// Refused in bounded time, and the next honest source compiles.
  RejectKind refused(const std::string& source) {
    const auto start = std::chrono::steady_clock::now();
    const auto result = service_.compile({source, "sm_80", {}}, {}).value();
    EXPECT_LT(std::chrono::steady_clock::now() - start, 20s);
    const auto* failed = std::get_if<CompileFailure>(&result);
    EXPECT_NE(failed, nullptr);
    const auto next = service_.compile({"extern \"C\" __global__ void k() {}", "sm_80", {}}, {});
    EXPECT_TRUE(next && std::holds_alternative<CompiledModule>(*next));
    if (failed == nullptr) return RejectKind::NotVerifiable;
    EXPECT_FALSE(failed->diagnostics.empty());
    for (const auto& diagnostic : failed->diagnostics) EXPECT_LE(diagnostic.text.size(), 512u);
    return failed->kind;
  }

  compile::CompileService service_;
};

TEST_F(Bomb, MacrosThatDouble) {
  std::string source = "#define A0 x = x + 1;\n";
  for (int i = 1; i < 40; ++i) source += fmt::format("#define A{} A{} A{}\n", i, i - 1, i - 1);
  const RejectKind kind =
      refused(source + "extern \"C\" __global__ void k(int* p) { int x = 0; A39 *p = x; }");
  EXPECT_TRUE(kind == RejectKind::Timeout || kind == RejectKind::CompileError);
}

TEST_F(Bomb, TemplatesThatRecurseInTwos) {
  const RejectKind kind = refused(
      "template <int N, int M> struct F { static constexpr long v = F<N - 1, 2 * M>::v + F<N - 1, "
      "2 * M + 1>::v; };\n"
      "template <int M> struct F<0, M> { static constexpr long v = M; };\n"
      "extern \"C\" __global__ void k(long* p) { *p = F<28, 1>::v; }");
  EXPECT_TRUE(kind == RejectKind::Timeout || kind == RejectKind::CompileError);
}

TEST_F(Bomb, GiantInitialiser) {
  const RejectKind kind = refused(
      "__device__ char a[1ull << 40] = {1};\nextern \"C\" __global__ void k() { a[0] = 2; }");
  EXPECT_TRUE(kind == RejectKind::Timeout || kind == RejectKind::CompileError);
}

TEST_F(Bomb, ThousandsOfUnaryOperators) {
  std::string source = "extern \"C\" __global__ void k(int* p) { *p = ";
  for (int i = 0; i < 100000; ++i) source += "- ";
  (void)refused(source + "1; ) }");
}

TEST_F(Bomb, AnErrorPerByte) {
  EXPECT_EQ(refused("#define E(x) x.\n" + std::string(60000, '@')), RejectKind::CompileError);
}

TEST(Headers, OfCubAndTheStandardLibraryCompile) {
  compile::CompileService service({.processes = 1});
  if (!service.info()) GTEST_SKIP() << "no NVRTC here";
  const auto probe = service.compile({"#include <cub/version.cuh>\n", "sm_90", {}}, {});
  if (std::holds_alternative<CompileFailure>(probe.value())) GTEST_SKIP() << "no CUB here";
  const auto result = service.compile(
      {"#include <cub/block/block_reduce.cuh>\n#include <cuda/std/cstdint>\n"
       "#include <cuda/std/limits>\n#include <cooperative_groups.h>\n"
       "#include <cooperative_groups/reduce.h>\n#include <cuda/barrier>\n#include <cuda/pipeline>\n"
       "extern \"C\" __global__ void k(const float* a, float* b) {\n"
       "  using Reduce = cub::BlockReduce<float, 128>;\n"
       "  __shared__ Reduce::TempStorage storage;\n"
       "  float sum = Reduce(storage).Sum(a[threadIdx.x]);\n"
       "  if (threadIdx.x == 0) *b = sum;\n}\n",
       "sm_90",
       {}},
      {});
  ASSERT_TRUE(result) << result.error().message;
  if (const auto* failed = std::get_if<CompileFailure>(&*result)) {
    FAIL() << failed->diagnostics.front().line << ": " << failed->diagnostics.front().text;
  }
}

TEST_F(Bomb, ACancelledCompileDiesAtOnce) {
  std::string source = "#define A0 x = x + 1;\n";
  for (int i = 1; i < 40; ++i) source += fmt::format("#define A{} A{} A{}\n", i, i - 1, i - 1);
  source += "extern \"C\" __global__ void k(int* p) { int x = 0; A39 *p = x; }";
  std::stop_source stop;
  std::chrono::steady_clock::time_point stopped;
  std::jthread later([&] {
    std::this_thread::sleep_for(300ms);
    stopped = std::chrono::steady_clock::now();
    stop.request_stop();
  });
  const auto result = service_.compile({source, "sm_80", {}}, stop.get_token());
  const auto ended = std::chrono::steady_clock::now();
  later.join();
  EXPECT_EQ(result.error().code, Errc::Cancelled);
  EXPECT_LT(ended - stopped, 1s);
}

}  // namespace
