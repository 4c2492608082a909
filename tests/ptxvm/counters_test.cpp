// Counters against what can be worked out by hand.

#include "harness.h"

namespace kw::ptxvm {
namespace {

Options counting() {
  Options options;
  options.count_memory = true;
  options.model_caches = true;
  return options;
}

/// One thread block of `threads`; `body` has the address of `data` in %rd1 and tid.x in %r1.
class Scene {
 public:
  Scene(const std::string& body, std::size_t bytes) {
    const std::string ptx =
        ".version 8.4\n.target sm_80\n.address_size 64\n"
        ".visible .entry k(.param .u64 .ptr .global .align 16 data, .param .u32 n)\n{\n"
        ".reg .pred %p<4>;\n.reg .b32 %r<16>;\n.reg .b64 %rd<16>;\n.reg .f32 %f<8>;\n"
        ".shared .align 16 .b8 tile[8192];\n"
        "ld.param.u64 %rd1, [data];\nmov.u32 %r1, %tid.x;\n" +
        body + "\nret;\n}\n";
    auto loaded = load(ptx);
    if (!loaded) throw std::runtime_error(loaded.error().message);
    program = *loaded;
    address = upload(memory, "data", std::vector<std::uint8_t>(bytes));
  }
  Report run(std::uint32_t threads, Dim3 grid = {1, 1, 1}, const Options& options = counting()) {
    return run_kernel(*program, memory, "k", grid, {threads, 1, 1},
                      Arguments(address, std::uint32_t{0}), options);
  }
  std::shared_ptr<const Program> program;
  Memory memory;
  std::uint64_t address = 0;
};

const char* strided_load(int stride) {
  static std::string text;
  text = fmt::format(
      "mul.lo.u32 %r2, %r1, {};\nmul.wide.u32 %rd2, %r2, 4;\nadd.u64 %rd3, %rd1, %rd2;\n"
      "ld.global.u32 %r3, [%rd3];",
      stride);
  return text.c_str();
}

TEST(Counters, ARequestTakesTheSectorsItsLanesTouch) {
  for (const auto& [stride, sectors] : {std::pair{1, 4}, {2, 8}, {4, 16}, {8, 32}, {32, 32}}) {
    Scene scene(strided_load(stride), 32 * 32 * 4);
    const Counters c = scene.run(32).counters;
    EXPECT_EQ(c.global_requests, 1u);
    EXPECT_EQ(c.global_sectors, static_cast<std::uint64_t>(sectors)) << stride;
    EXPECT_EQ(c.global_bytes, 128u);
  }
}

TEST(Counters, BanksDecideThePassesOfASharedRequest) {
  for (const auto& [stride, waves] :
       {std::pair{1, 1}, {2, 2}, {16, 16}, {32, 32}, {33, 1}, {0, 1}}) {
    Scene scene(fmt::format("mul.lo.u32 %r2, %r1, {};\nmov.u32 %r4, tile;\nshl.b32 %r2, %r2, 2;\n"
                            "add.u32 %r4, %r4, %r2;\nst.shared.u32 [%r4], %r1;",
                            stride),
                16);
    const Counters c = scene.run(32).counters;
    EXPECT_EQ(c.shared_requests, 1u);
    EXPECT_EQ(c.shared_waves, static_cast<std::uint64_t>(waves)) << stride;
    EXPECT_EQ(c.shared_waves_ideal, 1u);
  }
}

TEST(Counters, L1KeepsWhatABlockReadBeforeUntilItIsFull) {
  // Every lane reads its element twice.
  Scene scene(std::string(strided_load(1)) + "\nld.global.u32 %r4, [%rd3];", 1024 * 4);
  const CacheCounts twice = scene.run(1024).counters.cache;
  EXPECT_EQ(twice.l1_sectors, 2u * 128);
  EXPECT_EQ(twice.l1_sector_hits, 128u);
  EXPECT_EQ(twice.l2_read_sectors, 128u);
  EXPECT_EQ(twice.distinct_read_sectors, 128u);
  EXPECT_EQ(twice.distinct_written_sectors, 0u);

  const CacheCounts blocks = scene.run(1024, {3, 1, 1}).counters.cache;
  EXPECT_EQ(blocks.l1_sector_hits, 3u * 128) << "another block starts with an empty L1";
  EXPECT_EQ(blocks.l2_read_sectors, 3u * 128);
  EXPECT_EQ(blocks.distinct_read_sectors, 128u);

  // A pass over twice the cache, then the same pass again: least recently used keeps nothing.
  Scene large(std::string("mov.u32 %r5, 0;\nLOOP:\nmov.u32 %r6, 0;\nIN:\n") +
                  "mad.lo.u32 %r2, %r6, 32, %r1;\nmul.wide.u32 %rd2, %r2, 4;\n"
                  "add.u64 %rd3, %rd1, %rd2;\nld.global.u32 %r3, [%rd3];\n"
                  "add.u32 %r6, %r6, 1;\nsetp.lt.u32 %p1, %r6, 128;\n@%p1 bra IN;\n"
                  "add.u32 %r5, %r5, 1;\nsetp.lt.u32 %p1, %r5, 2;\n@%p1 bra LOOP;",
              4 * 4096);
  Options small = counting();
  small.l1_bytes = 8192;
  EXPECT_EQ(large.run(32, {1, 1, 1}, small).counters.cache.l2_read_sectors, 1024u);
  EXPECT_EQ(large.run(32).counters.cache.l2_read_sectors, 512u);
}

TEST(Counters, StoresAndUncachedLoadsGoPastL1) {
  Scene scene(std::string(strided_load(1)) +
                  "\nld.global.cg.u32 %r4, [%rd3];\nst.global.u32 [%rd3], %r4;\n"
                  "atom.global.add.u32 %r5, [%rd1], 1;",
              128);
  const CacheCounts c = scene.run(32).counters.cache;
  EXPECT_EQ(c.l1_sectors, 4u);
  EXPECT_EQ(c.l1_sector_hits, 0u);
  EXPECT_EQ(c.l2_read_sectors, 8u);
  EXPECT_EQ(c.l2_written_sectors, 5u);
  EXPECT_EQ(c.distinct_written_sectors, 4u);
}

TEST(Counters, AreTheSameOnAnyNumberOfHostThreads) {
  Scene scene(std::string(strided_load(3)) + "\nst.global.u32 [%rd3], %r3;", 4096 * 4);
  Options options = counting();
  const Counters one = scene.run(256, {64, 1, 1}, options).counters;
  options.threads = 4;
  const Counters four = scene.run(256, {64, 1, 1}, options).counters;
  EXPECT_EQ(one.global_sectors, four.global_sectors);
  EXPECT_EQ(one.cache.l1_sector_hits, four.cache.l1_sector_hits);
  EXPECT_EQ(one.cache.l2_read_sectors, four.cache.l2_read_sectors);
  EXPECT_EQ(one.cache.distinct_read_sectors, four.cache.distinct_read_sectors);
  EXPECT_EQ(one.cache.distinct_written_sectors, four.cache.distinct_written_sectors);
}

TEST(Counters, LinesCarryTheirOwnMemoryCounts) {
  Memory memory;
  const auto x = upload(memory, "x", std::vector<float>(1024, 1.0f));
  const Report report = run_kernel(kernels(), memory, "vadd", {8, 1, 1}, {128, 1, 1},
                                   Arguments(x, x, x, 1024), counting());
  MemoryCounts sum;
  for (const LineCount& line : report.counters.lines) sum += line;
  EXPECT_EQ(report.counters.global_requests, 3u * 32);
  EXPECT_EQ(sum.global_requests, report.counters.global_requests);
  EXPECT_EQ(sum.global_sectors, report.counters.global_sectors);
}

TEST(Counters, NothingIsCountedThatWasNotAskedFor) {
  Scene scene(strided_load(1), 128);
  const Counters c = scene.run(32, {1, 1, 1}, {}).counters;
  EXPECT_EQ(c.global_requests, 0u);
  EXPECT_EQ(c.cache.l1_sectors, 0u);
  EXPECT_GT(c.warp_instructions, 0u);
}

TEST(Trace, WritesDownOneWarpsInstructionsWithTheirLanes) {
  Scene scene(
      "setp.lt.u32 %p1, %r1, 40;\n@%p1 bra LOW;\nmov.u32 %r2, 1;\nbra END;\n"
      "LOW:\nmov.u32 %r2, 2;\nEND:\n@!%p1 mov.u32 %r3, 3;",
      16);
  Options options;
  options.trace = {.block = 1, .warp = 1, .max_records = 100};
  const Report report = scene.run(64, {2, 1, 1}, options);
  const auto lanes_of = [&](const std::string& text) -> std::uint32_t {
    for (const TraceRecord& r : report.trace) {
      if (r.instruction.find(text) != std::string::npos) return r.lanes;
    }
    return 0;
  };
  EXPECT_EQ(lanes_of("setp.lt"), 0xffffffffu);
  EXPECT_EQ(lanes_of("mov.u32 %r2, 1"), 0xffffff00u);
  EXPECT_EQ(lanes_of("mov.u32 %r2, 2"), 0x000000ffu);
  EXPECT_EQ(lanes_of("mov.u32 %r3, 3"), 0xffffff00u) << "a guard takes lanes away";
  EXPECT_FALSE(report.trace_truncated);
  const std::size_t all = report.trace.size();
  options.trace.max_records = 3;
  const Report cut = scene.run(64, {2, 1, 1}, options);
  EXPECT_EQ(cut.trace.size(), 3u);
  EXPECT_TRUE(cut.trace_truncated);
  options.trace = {.block = 0, .warp = 0, .max_records = 100};
  EXPECT_LT(scene.run(64, {2, 1, 1}, options).trace.size(), all) << "warp 0 does not diverge";
  EXPECT_TRUE(scene.run(64, {2, 1, 1}, {}).trace.empty());
}

TEST(Program, ParametersCarryTheirTypes) {
  Scene scene("", 16);
  const KernelInfo& kernel = scene.program->kernels().front();
  ASSERT_EQ(kernel.parameters.size(), 2u);
  EXPECT_EQ(kernel.parameters[0].type, "u64");
  EXPECT_TRUE(kernel.parameters[0].pointer);
  EXPECT_EQ(kernel.parameters[1].type, "u32");
  EXPECT_FALSE(kernel.parameters[1].pointer);
}

}  // namespace
}  // namespace kw::ptxvm
