// One launch under several schedules.

#include "kw/ptxvm/schedules.h"

#include "ptxvm/harness.h"

namespace kw::ptxvm {
namespace {

std::shared_ptr<const Program> kernel(const std::string& body) {
  const auto program = load(
      ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 data)\n{\n"
      ".reg .pred %p<4>;\n.reg .b32 %r<16>;\n.reg .b64 %rd<8>;\nld.param.u64 %rd1, [data];\n"
      "mov.u32 %r1, %tid.x;\nmov.u32 %r2, %ctaid.x;\nmov.u32 %r3, %ntid.x;\n"
      "mad.lo.s32 %r4, %r2, %r3, %r1;\nmul.wide.s32 %rd2, %r4, 4;\nadd.s64 %rd2, %rd1, %rd2;\n" +
      body + "\nret;\n}\n");
  if (!program) throw std::runtime_error(program.error().message);
  return *program;
}

SchedulesReport under(const Program& program, Memory& memory, std::uint64_t data, unsigned count) {
  const auto report =
      run_schedules(program, memory, {"k", {4}, {64}, 0, Arguments(data).bytes}, {}, count);
  if (!report) throw std::runtime_error(report.error().message);
  return *report;
}

// Tickets: everybody's number depends on who comes first.
constexpr const char* kTickets =
    "atom.global.add.u32 %r5, [%rd1+2048], 1;\nst.global.u32 [%rd2], %r5;";

TEST(PtxVmSchedules, ResultsThatDependOnTheOrderAreFoundWithPlace) {
  Memory memory;
  const auto data = upload(memory, "data", std::vector<int>(1024));
  const SchedulesReport report = under(*kernel(kTickets), memory, data, 6);
  EXPECT_FALSE(report.clean());
  ASSERT_FALSE(report.differences.empty());
  EXPECT_EQ(report.differences[0].schedule, 1u);
  EXPECT_EQ(report.differences[0].allocation, "data");
  EXPECT_EQ(report.differences[0].offset, 0u);
  const auto after = download<int>(memory, data);  // as schedule 0 left it
  for (int i = 0; i < 256; ++i) EXPECT_EQ(after[static_cast<std::size_t>(i)], i);
  EXPECT_EQ(after[512], 256);
}

TEST(PtxVmSchedules, AKernelThatDoesNotDependOnTheOrderIsClean) {
  Memory memory;
  const auto data = upload(memory, "data", std::vector<int>(1024));
  const SchedulesReport report = under(
      *kernel("st.global.u32 [%rd2], %r4;\nred.global.add.u32 [%rd1+2048], %r4;"), memory, data, 6);
  EXPECT_TRUE(report.clean());
  EXPECT_EQ(report.reports.size(), 6u);
}

TEST(PtxVmSchedules, TheSameSeedIsTheSameSchedule) {
  std::vector<int> results[2];
  for (auto& result : results) {
    Memory memory;
    const auto data = upload(memory, "data", std::vector<int>(1024));
    Options options;
    options.seed = 11;
    options = schedule_options(options, 5);
    run_kernel(*kernel(kTickets), memory, "k", {4}, {64}, Arguments(data), options);
    result = download<int>(memory, data);
  }
  EXPECT_EQ(results[0], results[1]);
}

}  // namespace
}  // namespace kw::ptxvm
