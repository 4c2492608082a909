// `kernelwright vm` as a user meets it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "fakes/temp_dir.h"
#include "program.h"
#include "support/json_schema.h"

namespace kw::e2e {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kSource = R"(
__global__ void vadd(const float* a, const float* b, float* c, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) c[i] = a[i] + b[i];
}
__global__ void shifted(const float* a, float* c) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  c[i] = a[i + 1];
}
__global__ void last(int* out) { *out = blockIdx.x; }
__global__ void half_barrier(int* out) {
  if (threadIdx.x < 16) __syncthreads();
  out[threadIdx.x] = 1;
}
__global__ void spin(volatile int* flag) { while (*flag == 0) {} }
__global__ void writes(float* x) { x[threadIdx.x] = 1; }
__global__ void racy(const float* x, float* y) {
  __shared__ float tile[64];
  tile[threadIdx.x] = x[threadIdx.x];
  y[threadIdx.x] = tile[63 - threadIdx.x];
}
__global__ void unwritten(const int* in, int* out) {
  int x;  // written where in > 40 alone
  asm volatile("{ .reg .pred p; setp.gt.s32 p, %1, 40; @p mov.s32 %0, %1; }"
               : "=r"(x) : "r"(in[threadIdx.x]));
  out[threadIdx.x] = x + 1;
}
__global__ void wraps(float* out, int row, int width) {
  out[row * width + threadIdx.x] = 1;
}
__global__ void diverges(const int* in, int* out) {
  const int t = threadIdx.x;
  if (t < 16) out[t] = __shfl_xor_sync(0xffffffffu, in[t], 1);
  __syncwarp();
}
__global__ void exponentials(const float* x, float* y) { y[threadIdx.x] = __expf(x[threadIdx.x]); }
__global__ void idle() {}
__global__ void conflicts(float* y) {
  __shared__ float tile[32 * 32];
  tile[threadIdx.x * 32] = 1;
  y[threadIdx.x] = tile[threadIdx.x * 32];
}
)";

struct Vm : ::testing::Test {
  Vm() { write("k.cu", kSource); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(dir / name, std::ios::binary) << text;
  }
  std::string read(const std::string& name) const {
    std::ifstream file(dir / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  /// One launch of a kernel of k.cu.
  Ended vm(const std::string& kernel, const std::string& grid, const std::string& block,
           std::vector<std::string> arguments, std::vector<std::string> more = {}) const {
    std::vector<std::string> line{"vm",     dir / "k.cu", "--kernel", kernel,
                                  "--grid", grid,         "--block",  block};
    for (std::string& each : arguments) line.insert(line.end(), {"--arg", each});
    line.insert(line.end(), more.begin(), more.end());
    return run(line);
  }
  Ended ptx(const std::string& text, const std::vector<std::string>& arguments = {}) const {
    write("k.ptx", text);
    std::vector<std::string> line{"vm", dir / "k.ptx", "--grid", "1", "--block", "32"};
    for (const std::string& each : arguments) line.insert(line.end(), {"--arg", each});
    return run(line);
  }
  fakes::TempDir dir;
};

/// A version 1.0 file of float32.
std::string npy_of(const std::vector<float>& values) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" +
                       std::to_string(values.size()) + ",), }\n";
  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(header.size());
  out += '\0';
  out += header;
  return out.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}
std::vector<float> floats_of(const std::string& file) {
  const auto at = static_cast<std::size_t>(static_cast<unsigned char>(file.at(8)) +
                                           256 * static_cast<unsigned char>(file.at(9)) + 10);
  std::vector<float> out((file.size() - at) / sizeof(float));
  std::memcpy(out.data(), file.data() + at, out.size() * sizeof(float));
  return out;
}

TEST_F(Vm, ArraysGoInAndComeOut) {
  std::vector<float> a(1000), b(1000), sum(1000);
  for (std::size_t i = 0; i < 1000; ++i) {
    a[i] = static_cast<float>(i);
    b[i] = 0.5f * static_cast<float>(i);
    sum[i] = a[i] + b[i];
  }
  write("a.npy", npy_of(a));
  write("b.npy", npy_of(b));
  const Ended ended = vm("vadd", "4", "256",
                         {"ro:npy:" + (dir / "a.npy").string(), "npy:" + (dir / "b.npy").string(),
                          "out:" + (dir / "c.npy").string() + "=f32:1000", "1000"},
                         {"--save", "1=" + (dir / "again.npy").string()});
  ASSERT_EQ(ended.code, 0) << ended.err << ended.out;
  EXPECT_THAT(ended.out, HasSubstr("no finding"));
  EXPECT_EQ(floats_of(read("c.npy")), sum);
  EXPECT_EQ(floats_of(read("again.npy")), b);
}

TEST_F(Vm, AFindingHasItsLineAndExitCodeOne) {
  const Ended ended = vm("shifted", "4", "256", {"zeros:f32:1024", "uninit:f32:1024"});
  EXPECT_EQ(ended.code, 1) << ended.err;
  for (const char* part :
       {"out_of_bounds", "k.cu:8", "c[i] = a[i + 1];", "thread (255,0,0) in block (3,0,0)",
        "0 bytes after the end of argument 0", "ld.global.f32", "1 finding"}) {
    EXPECT_THAT(ended.out, HasSubstr(part));
  }
}

TEST_F(Vm, EveryKindOfFindingEndsWithOne) {
  const auto kinds = [&](const Ended& ended) {
    EXPECT_EQ(ended.code, 1) << ended.err << ended.out;
    std::string out;
    const Json document = Json::parse(ended.out, nullptr, false);
    if (document.is_discarded()) return std::string("no document");
    for (const Json& each : document["findings"]) {
      out += each["kind"].get<std::string>() + " ";
    }
    return out;
  };
  EXPECT_THAT(kinds(vm("shifted", "1", "32", {"uninit:f32:64", "uninit:f32:32"}, {"--json"})),
              HasSubstr("uninitialised_read"));
  EXPECT_THAT(kinds(vm("half_barrier", "1", "64", {"zeros:i32:64"}, {"--json"})),
              HasSubstr("barrier_divergence"));
  EXPECT_THAT(kinds(vm("writes", "1", "32", {"ro:zeros:f32:32"}, {"--json"})),
              HasSubstr("read_only_write"));
  EXPECT_THAT(kinds(vm("writes", "1", "32", {"null"}, {"--json"})), HasSubstr("invalid_address"));
  EXPECT_THAT(kinds(vm("spin", "1", "32", {"zeros:i32:1"}, {"--json", "--budget", "100000"})),
              HasSubstr("watchdog"));
  EXPECT_THAT(
      kinds(vm("vadd", "1", "32", {"ones:f32:99", "arg:0+2", "uninit:f32:32", "32"}, {"--json"})),
      HasSubstr("misaligned"));
  EXPECT_THAT(kinds(vm("unwritten", "1", "64", {"iota:i32:64", "zeros:i32:64"}, {"--json"})),
              HasSubstr("uninitialised_register"));
  EXPECT_THAT(kinds(vm("wraps", "1", "32", {"zeros:f32:32", "65536", "65536"}, {"--json"})),
              HasSubstr("index_overflow"));
  EXPECT_THAT(kinds(vm("diverges", "1", "32", {"iota:i32:32", "zeros:i32:32"}, {"--json"})),
              HasSubstr("warp_divergence"));
}

TEST_F(Vm, ChecksOfRegistersAndIndicesAreSwitchesOfTheirOwn) {
  const std::vector<std::string> unwritten{"iota:i32:64", "zeros:i32:64"},
      wraps{"zeros:f32:32", "65536", "65536"};
  const Ended reg = vm("unwritten", "1", "64", unwritten, {"--check", "registers"});
  EXPECT_EQ(reg.code, 1) << reg.err;
  EXPECT_THAT(reg.out, HasSubstr("out[threadIdx.x] = x + 1;"));
  EXPECT_EQ(vm("unwritten", "1", "64", unwritten, {"--check", "uninit,race,index"}).code, 0);
  const Ended index = vm("wraps", "1", "32", wraps, {"--check", "index"});
  EXPECT_EQ(index.code, 1) << index.err;
  EXPECT_THAT(index.out, HasSubstr("out[row * width + threadIdx.x] = 1;"));
  EXPECT_EQ(vm("wraps", "1", "32", wraps, {"--check", "uninit,race,registers"}).code, 0);
}

TEST_F(Vm, ATraceListsOneWarpsInstructionsWithTheirLanes) {
  const Ended ended =
      vm("vadd", "2", "64", {"ones:f32:100", "ones:f32:100", "uninit:f32:100", "100"},
         {"--trace", "1:1", "--trace-limit", "200"});
  ASSERT_EQ(ended.code, 0) << ended.err << ended.out;
  // Of the last warp, elements 96 to 99 are left.
  for (const char* part : {"ld.global.f32", "0000000f", "st.global.f32"})
    EXPECT_THAT(ended.out, HasSubstr(part));
  EXPECT_EQ(vm("idle", "1", "32", {}, {"--trace", "1:0"}).code, 2) << "no such block";
}

TEST_F(Vm, PerturbedApproximationsShowHowMuchDependsOnThem) {
  const auto result = [&](const std::string& seed) {
    const Ended ended = vm("exponentials", "1", "64",
                           {"uniform:f32:64:seed=3", "out:" + (dir / "y.npy").string() + "=f32:64"},
                           {"--perturb-approx", seed});
    EXPECT_EQ(ended.code, 0) << ended.err << ended.out;
    return floats_of(read("y.npy"));
  };
  const auto plain = result("0"), one = result("1"), two = result("2");
  EXPECT_EQ(one, result("1"));
  EXPECT_NE(one, plain);
  EXPECT_NE(one, two);
  for (std::size_t i = 0; i < 64; ++i) EXPECT_NEAR(one[i], plain[i], 1e-6 * plain[i]);
}

TEST_F(Vm, AGridWithoutEndMeetsTheLaunchBudget) {
  const Ended ended = vm("idle", "2147483647", "32", {}, {"--launch-budget", "1000000"});
  EXPECT_EQ(ended.code, 1) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("watchdog"));
  EXPECT_THAT(ended.out, HasSubstr("2147483647 blocks of the launch"));
}

TEST_F(Vm, ARaceIsShownFromBothSides) {
  const Ended ended = vm("racy", "1", "64", {"iota:f32:64", "uninit:f32:64"});
  EXPECT_EQ(ended.code, 1) << ended.err;
  for (const char* part : {"race", "tile[threadIdx.x] = x[threadIdx.x];",
                           "y[threadIdx.x] = tile[63 - threadIdx.x];", "Nothing orders it after"}) {
    EXPECT_THAT(ended.out, HasSubstr(part));
  }
}

TEST_F(Vm, SchedulesShowWhatDependsOnTheOrder) {
  EXPECT_EQ(vm("last", "8", "1", {"zeros:i32:1"}, {"--check", "none"}).code, 0);
  const Ended ended =
      vm("last", "8", "1", {"zeros:i32:1"}, {"--check", "none", "--schedules", "4"});
  EXPECT_EQ(ended.code, 1) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("schedule_dependent"));
  EXPECT_THAT(ended.out, HasSubstr("argument 0"));
  EXPECT_EQ(vm("vadd", "2", "64", {"ones:f32:100", "ones:f32:100", "uninit:f32:100", "100"},
               {"--schedules", "6"})
                .code,
            0);
}

TEST_F(Vm, CountersAreAProfilersFirstPage) {
  const Ended ended = vm("conflicts", "1", "32", {"uninit:f32:32"}, {"--counters"});
  ASSERT_EQ(ended.code, 0) << ended.err << ended.out;
  for (const char* part :
       {"lanes active", "global memory", "L1, modelled", "32.00 passes each, 1.00 without",
        "Occupancy, by device tables", "sm_90    H100", "Hot lines", "k.cu:"}) {
    EXPECT_THAT(ended.out, HasSubstr(part));
  }
  for (const char* time : {" ms", " us", "seconds", "GB/s"}) {
    EXPECT_THAT(ended.out, Not(HasSubstr(time))) << "no time is shown";
  }
}

TEST_F(Vm, TheDocumentIsWhatItsSchemaSays) {
  std::ifstream file(KW_SOURCE_DIR "/docs/formats/vm.schema.json");
  const Json schema = Json::parse(file);
  for (const auto& [kernel, arguments] :
       {std::pair{"shifted", std::vector<std::string>{"zeros:f32:64", "uninit:f32:64"}},
        {"conflicts", {"uninit:f32:64"}}}) {
    const Ended ended = vm(kernel, "2", "32", arguments,
                           {"--json", "--counters", "--trace", "0:0", "--schedules", "2"});
    const Json document = Json::parse(ended.out, nullptr, false);
    ASSERT_FALSE(document.is_discarded()) << ended.out << ended.err;
    EXPECT_EQ(support::schema_fault(document, schema, schema), "");
    EXPECT_EQ(document["clean"], ended.code == 0);
    EXPECT_GT(document["trace"]["records"].size(), 5u);
    EXPECT_GT(document["occupancy"]["registers"], 0);
  }
}

TEST_F(Vm, WhatDoesNotFitIsNamedAndEndsWithTwo) {
  const auto refused = [&](const Ended& ended, const std::string& part) {
    EXPECT_EQ(ended.code, 2) << ended.err << ended.out;
    EXPECT_THAT(ended.err, HasSubstr(part));
  };
  refused(vm("vadd", "1", "32", {"ones:f32:1"}),
          "takes 4 parameters (pointer, pointer, pointer, u32), 1 given");
  refused(vm("vadd", "1", "32", {"ones:f32:1", "ones:f32:1", "5", "5"}), "parameter 2");
  refused(vm("vadd", "1", "32", {"ones:f32:1", "ones:f32:1", "ones:f32:1", "f32:5"}), "u32:5");
  refused(vm("nothing", "1", "32", {}), "vadd(float const*");
  refused(vm("writes", "1", "2048", {"ones:f32:1"}), "1024");
  refused(vm("writes", "1,70000", "32", {"ones:f32:1"}), "65535");
  refused(vm("writes", "0", "32", {"ones:f32:1"}), "grid");
  refused(vm("writes", "1,1,1,1", "32", {"ones:f32:1"}), "--grid");
  refused(vm("writes", "1", "32", {"ones:f32:1"}, {"--check", "everything"}),
          "no check 'everything'");
  refused(vm("writes", "1", "32", {"ones:f32:1"}, {"--trace", "5:0"}), "no such block");
  refused(vm("writes", "1", "32", {"ones:f32:1"}, {"--save", "1=x.npy"}), "argument 1 is no array");
  refused(vm("writes", "1", "32", {"npy:" + (dir / "none.npy").string()}), "none.npy");
  refused(run({"vm", dir / "k.cu", "--kernel", "writes"}), "--grid and --block");
  refused(run({"vm", dir / "k.txt", "--grid", "1", "--block", "1"}), ".cu nor a .ptx");
  write("k.cu", "__global__ void k() { this is no CUDA; }\n");
  refused(vm("k", "1", "32", {}), "k.cu:1");
}

TEST_F(Vm, HostileFilesAreErrorsNeverCrashes) {
  const std::string good =
      ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 x)\n{\n"
      ".reg .b32 %r<4>;\n.reg .b64 %rd<4>;\nld.param.u64 %rd1, [x];\nmov.u32 %r1, %tid.x;\n"
      "mul.wide.u32 %rd2, %r1, 4;\nadd.u64 %rd3, %rd1, %rd2;\nst.global.u32 [%rd3], "
      "%r1;\nret;\n}\n";
  EXPECT_EQ(ptx(good, {"uninit:i32:32"}).code, 0);
  for (const std::size_t size :
       {std::size_t{0}, good.size() / 4, good.size() / 2, good.size() - 3}) {
    const Ended cut = ptx(good.substr(0, size), {"uninit:i32:32"});
    EXPECT_EQ(cut.code, 2) << size << cut.err << cut.out;
    EXPECT_EQ(cut.signal, 0);
  }
  std::string deep = good;
  deep.insert(deep.find("ret;"), std::string(200'000, '{'));
  EXPECT_EQ(ptx(deep, {"uninit:i32:32"}).code, 2);
  std::string unknown = good;
  unknown.insert(unknown.find("ret;"), "frobnicate.u32 %r1, %r2;\n");
  const Ended refused = ptx(unknown, {"uninit:i32:32"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("frobnicate"));
  std::string large = good;
  large.insert(large.find(".reg"), ".local .b8 big[1073741824];\n");
  EXPECT_NE(ptx(large, {"uninit:i32:32"}).code, -1);

  // A header that claims four gigabytes, and an array that claims more than the file has.
  write("x.npy", std::string("\x93NUMPY\x02\x00\xff\xff\xff\xff", 12));
  EXPECT_EQ(ptx(good, {"npy:" + (dir / "x.npy").string()}).code, 2);
  std::string lies = npy_of(std::vector<float>(4));
  lies.replace(lies.find("(4,)"), 4, "(9,)");
  write("x.npy", lies);
  const Ended cut = ptx(good, {"npy:" + (dir / "x.npy").string()});
  EXPECT_EQ(cut.code, 2);
  EXPECT_THAT(cut.err, HasSubstr("cut off"));
}

TEST_F(Vm, ADeadlineEndsWhatTheBudgetDoesNot) {
  const auto begun = std::chrono::steady_clock::now();
  const Ended ended = vm("spin", "1", "32", {"zeros:i32:1"},
                         {"--deadline", "1", "--budget", "1000000000000", "--check", "none"});
  EXPECT_EQ(ended.code, 4) << ended.err << ended.out;
  EXPECT_THAT(ended.err, HasSubstr("--deadline"));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(20));
  EXPECT_TRUE(living_descendants().empty());
}

}  // namespace
}  // namespace kw::e2e
