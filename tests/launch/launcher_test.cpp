// The launcher against a driver that only writes down what it is asked.

#include "kw/launch/launcher.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "plans.h"

namespace {

using namespace kw;
using namespace kw::launch;
using namespace kw::launch::testing_plans;

struct FakeDriver {
  std::vector<std::string> calls;
  std::map<std::string, std::vector<std::size_t>> signatures;  // parameter sizes by kernel
  std::map<std::string, int> shared_allowed;
  std::string failing;                  // the call that fails
  std::vector<std::uint64_t> pointers;  // first parameter of each launch
};
FakeDriver* fake = nullptr;

std::string name_of(cu::Function function) { return static_cast<const char*>(function); }
cu::Result answer(const std::string& call) {
  fake->calls.push_back(call);
  return !fake->failing.empty() && call.starts_with(fake->failing) ? 1 : 0;
}
void note_pointer(cu::Function function, void** parameters) {
  if (fake->signatures[name_of(function)].empty()) return;
  std::uint64_t first = 0;
  std::memcpy(&first, parameters[0], sizeof first);
  fake->pointers.push_back(first);
}

cu::Table table() {
  cu::Table t{};
  t.error_name = [](cu::Result, const char** text) { return *text = "CUDA_ERROR_FAKE", 0; };
  t.error_string = [](cu::Result, const char** text) { return *text = "it was told to", 0; };
  t.module_function = [](cu::Function* out, cu::Module, const char* name) {
    const auto found = fake->signatures.find(name);
    if (found == fake->signatures.end()) return cu::kNotFound;
    *out = const_cast<char*>(found->first.c_str());
    return 0;
  };
  t.function_attribute = [](int* value, int attribute, cu::Function function) {
    *value = attribute == cu::kFunctionMaxDynamicShared
                 ? std::max(48 * 1024, fake->shared_allowed[name_of(function)])
                 : 100;
    return 0;
  };
  t.function_set_attribute = [](cu::Function function, int, int value) {
    fake->shared_allowed[name_of(function)] = value;
    return answer(fmt::format("allow {} {}", name_of(function), value));
  };
  t.function_parameter = [](cu::Function function, std::size_t index, std::size_t*,
                            std::size_t* bytes) {
    const auto& sizes = fake->signatures[name_of(function)];
    if (index >= sizes.size()) return 1;
    *bytes = sizes[index];
    return 0;
  };
  t.occupancy = [](int* blocks, cu::Function, int threads, std::size_t) {
    *blocks = 2048 / threads;
    return 0;
  };
  t.fill_bytes = [](cu::DevicePtr at, unsigned char value, std::size_t count, cu::Stream) {
    return answer(fmt::format("fill {:#x} {} x{}", at, value, count));
  };
  t.launch = [](cu::Function f, unsigned gx, unsigned, unsigned, unsigned bx, unsigned, unsigned,
                unsigned shared, cu::Stream, void** parameters, void**) {
    note_pointer(f, parameters);
    return answer(fmt::format("launch {} {}x{} {}", name_of(f), gx, bx, shared));
  };
  t.launch_cooperative = [](cu::Function f, unsigned gx, unsigned, unsigned, unsigned bx, unsigned,
                            unsigned, unsigned, cu::Stream, void** parameters) {
    note_pointer(f, parameters);
    return answer(fmt::format("cooperative {} {}x{}", name_of(f), gx, bx));
  };
  t.launch_ex = [](const cu::LaunchConfig* config, cu::Function f, void**, void**) {
    std::string text = fmt::format("ex {}", name_of(f));
    for (unsigned i = 0; i < config->attribute_count; ++i) {
      const cu::LaunchAttribute& attribute = config->attributes[i];
      text += fmt::format(" {}:{}", attribute.id, attribute.value.flag);
    }
    return answer(text);
  };
  t.tensor_map_tiled = [](cu::TensorMap* map, int type, std::uint32_t rank, void* base,
                          const std::uint64_t* dims, const std::uint64_t* strides,
                          const std::uint32_t* box, const std::uint32_t* steps, int, int swizzle,
                          int, int fill) {
    map->opaque[0] = 42;
    return answer(fmt::format(
        "map type {} rank {} base {} dims {}x{} stride {} box {}x{} step {} "
        "swizzle {} fill {}",
        type, rank, base, dims[0], dims[1], strides[0], box[0], box[1], steps[1], swizzle, fill));
  };
  t.stream_begin_capture = [](cu::Stream, int mode) {
    return answer(fmt::format("begin {}", mode));
  };
  t.stream_end_capture = [](cu::Stream, cu::Graph* graph) {
    *graph = fake;
    return answer("end");
  };
  t.graph_instantiate = [](cu::GraphExec* exec, cu::Graph, unsigned long long) {
    *exec = fake;
    return answer("instantiate");
  };
  t.graph_destroy = [](cu::Graph) { return answer("destroy graph"); };
  t.graph_exec_destroy = [](cu::GraphExec) { return answer("destroy exec"); };
  return t;
}

class LauncherTest : public testing::Test {
 protected:
  LauncherTest() {
    fake = &driver_;
    driver_.signatures = {{"first", {8, 8, 8, 4}}, {"second", {8, 8, 4}}, {"bare", {}}};
  }
  ~LauncherTest() override { fake = nullptr; }

  Result<Launcher> prepare(const LaunchPlan& plan) {
    plan_ = plan;
    KW_ASSIGN(bound_, bind(plan_));
    KW_ASSIGN(Kernels kernels, Kernels::find(table_, nullptr, plan_));
    Addresses addresses;
    for (std::size_t i = 0; i < bound_.buffers.size(); ++i) addresses.push_back(0x1000 * (i + 1));
    return Launcher::prepare(table_, bound_, kernels, addresses);
  }
  std::string error(const LaunchPlan& plan) {
    auto launcher = prepare(plan);
    return launcher ? "" : launcher.error().message;
  }

  FakeDriver driver_;
  cu::Table table_ = table();
  LaunchPlan plan_;
  BoundPlan bound_;
};

TEST_F(LauncherTest, EnqueuesFillsAndNodesInOrder) {
  LaunchPlan plan = two_step_plan();
  plan.buffers[3].init = BufferInit::EachRun;
  plan.buffers[3].fill = 7;
  plan.buffers[4].init = BufferInit::Once;
  plan.setup = {kernel("bare", {})};
  plan.run.insert(plan.run.begin() + 1, {"", {}, MemsetNode{"y", 4, 16, 9}});
  Launcher launcher = prepare(plan).value();
  ASSERT_TRUE(launcher.enqueue_setup(nullptr));
  ASSERT_TRUE(launcher.enqueue_run(nullptr));
  EXPECT_EQ(driver_.calls, (std::vector<std::string>{"fill 0x5000 0 x400", "launch bare 1x32 0",
                                                     "fill 0x4000 7 x400", "launch first 4x32 0",
                                                     "fill 0x3004 9 x16", "launch second 4x32 0"}));
  EXPECT_EQ(driver_.pointers, (std::vector<std::uint64_t>{0x1000, 0x4000}));
}

TEST_F(LauncherTest, AsksForSharedMemoryAboveTheDefault) {
  LaunchPlan plan = two_step_plan();
  std::get<KernelNode>(plan.run[0].what).shared = 100000;
  Launcher launcher = prepare(plan).value();
  EXPECT_EQ(driver_.calls, std::vector<std::string>{"allow first 100000"});
  driver_.shared_allowed.clear();
  driver_.failing = "allow";
  EXPECT_EQ(error(plan),
            "/run/0: 100000 bytes of dynamic shared memory beside 100 static ones do not fit "
            "(cuFuncSetAttribute: CUDA_ERROR_FAKE (it was told to))");
}

TEST_F(LauncherTest, UsesAttributesForClustersAndProgrammaticLaunches) {
  LaunchPlan plan = two_step_plan();
  auto& node = std::get<KernelNode>(plan.run[0].what);
  node.cluster[0] = 2;
  node.cooperative = true;
  std::get<KernelNode>(plan.run[1].what).programmatic = true;
  ASSERT_TRUE(prepare(plan).value().enqueue_run(nullptr));
  EXPECT_EQ(driver_.calls, (std::vector<std::string>{"ex first 4:2 2:1", "ex second 6:1"}));
  driver_.calls.clear();
  node.cluster[0] = 1;
  std::get<KernelNode>(plan.run[1].what).programmatic = false;
  ASSERT_TRUE(prepare(plan).value().enqueue_run(nullptr));
  EXPECT_EQ(driver_.calls,
            (std::vector<std::string>{"cooperative first 4x32", "launch second 4x32 0"}));
}

TEST_F(LauncherTest, EncodesTensorMaps) {
  LaunchPlan plan = two_step_plan();
  TensorMapArg arg;
  arg.base = {"x", 16};
  arg.dims = {Expr(16), Expr(5)};
  arg.strides = {Expr(64)};
  arg.box = {Expr(8), Expr(4)};
  arg.swizzle = 32;
  arg.fill = "nan";
  driver_.signatures["first"] = {128};
  plan.run = {kernel("first", {arg})};
  ASSERT_TRUE(prepare(plan));
  EXPECT_EQ(driver_.calls[0],
            "map type 7 rank 2 base 0x1010 dims 16x5 stride 64 box 8x4 step 1 swizzle 1 fill 1");
}

TEST_F(LauncherTest, RefusesParametersThatAreNotTheKernels) {
  driver_.signatures["first"] = {8, 8, 8};
  EXPECT_EQ(error(two_step_plan()), "/run/0: 'first' takes fewer than 4 parameters");
  driver_.signatures["first"] = {8, 8, 8, 4, 4};
  EXPECT_EQ(error(two_step_plan()), "/run/0: 'first' takes more than 4 parameters");
  driver_.signatures["first"] = {8, 8, 8, 8};
  EXPECT_EQ(error(two_step_plan()),
            "/run/0: 'first' takes 8 bytes as parameter 3, the plan gives 4");
  driver_.signatures.erase("first");
  EXPECT_EQ(error(two_step_plan()), "the module has no entry 'first'");
}

TEST_F(LauncherTest, RefusesPredicates) {
  LaunchPlan plan = two_step_plan();
  plan.run = {{"", {}, PredicateNode{"ws_a", 0, {kernel("bare", {})}}}};
  EXPECT_NE(error(plan).find("/run/0: predicates are not run on CUDA devices"), std::string::npos);
}

TEST_F(LauncherTest, NamesThePlaceOfAFailedLaunch) {
  Launcher launcher = prepare(two_step_plan()).value();
  driver_.failing = "launch second";
  EXPECT_EQ(launcher.enqueue_run(nullptr).error().message,
            "/run/1: cuLaunchKernel: CUDA_ERROR_FAKE (it was told to)");
}

TEST_F(LauncherTest, CapturesARunAndEndsTheCaptureAlsoWhenItFails) {
  Launcher launcher = prepare(two_step_plan()).value();
  { const GraphExec exec = launcher.capture_run(nullptr).value(); }
  EXPECT_EQ(driver_.calls,
            (std::vector<std::string>{"begin 1", "launch first 4x32 0", "launch second 4x32 0",
                                      "end", "instantiate", "destroy graph", "destroy exec"}));
  driver_.calls.clear();
  driver_.failing = "launch second";
  EXPECT_FALSE(launcher.capture_run(nullptr));
  EXPECT_EQ(driver_.calls.back(), "destroy graph");
  EXPECT_EQ(driver_.calls[driver_.calls.size() - 2], "end");
}

TEST_F(LauncherTest, AnswersOccupancy) {
  const LaunchPlan plan = two_step_plan();
  const Kernels kernels = Kernels::find(table_, nullptr, plan).value();
  EXPECT_EQ(kernels.occupancy("first", 256, 0).value(), 8);
  EXPECT_EQ(kernels.occupancy("bare", 256, 0).error().code, Errc::InvalidArgument);
}

TEST(Driver, SaysWhatToDoWithoutOne) {
  const auto driver = load_driver();
  if (driver) GTEST_SKIP() << "there is one";
  EXPECT_EQ(driver.error().code, Errc::Unavailable);
}

}  // namespace
