#include "kw/launch/bind.h"

#include <gtest/gtest.h>

#include <cstring>

#include "plans.h"

namespace {

using namespace kw;
using namespace kw::launch;
using namespace kw::launch::testing_plans;

/// The message of the refusal; empty if there was none.
std::string refusal(const LaunchPlan& plan, const BindOptions& options = {}) {
  const Status status = check_plan(plan, options);
  return status ? "" : status.error().message;
}

template <typename T>
T value_of(const BoundParameter& parameter) {
  T out{};
  EXPECT_EQ(parameter.bytes.size(), sizeof out);
  std::memcpy(&out, parameter.bytes.data(), std::min(sizeof out, parameter.bytes.size()));
  return out;
}

TEST(Bind, GivesNumbers) {
  const BoundPlan plan = bind(two_step_plan()).value();
  ASSERT_EQ(plan.run.size(), 2u);
  const auto& kernel = std::get<BoundKernel>(plan.run[0].what);
  EXPECT_EQ(kernel.kernel, "first");
  EXPECT_EQ(kernel.grid, (Extent3{4, 1, 1}));
  EXPECT_EQ(kernel.block, (Extent3{32, 1, 1}));
  ASSERT_EQ(kernel.parameters.size(), 4u);
  EXPECT_EQ(kernel.parameters[2].pointers[0].pointer.buffer, plan.find("ws_a"));
  EXPECT_EQ(value_of<std::int32_t>(kernel.parameters[3]), 100);
  EXPECT_EQ(plan.buffers[0].bytes, 400);
}

TEST(Bind, ResolvesAliasesToTheirRoot) {
  LaunchPlan plan = two_step_plan();
  plan.buffers[4].alias_of = "ws_a";
  plan.buffers[4].alias_offset = 16;
  plan.buffers[4].bytes = 64;
  plan.buffers.push_back(buffer("ws_c", Role::Scratch, "32"));
  plan.buffers[5].alias_of = "ws_b";
  plan.buffers[5].alias_offset = 32;
  plan.run[1] = kernel("second", {at("ws_c", "8"), at("y"), scalar("i32", "n")});
  const BoundPlan bound = bind(plan).value();
  EXPECT_EQ(bound.buffers[5].root, 3u);
  EXPECT_EQ(bound.buffers[5].offset, 48);
  const auto& patch = std::get<BoundKernel>(bound.run[1].what).parameters[0].pointers[0];
  EXPECT_EQ(patch.pointer.buffer, 3u);
  EXPECT_EQ(patch.pointer.offset, 56);
}

TEST(Bind, LaysStructsOutWithNaturalAlignment) {
  LaunchPlan plan = two_step_plan();
  StructArg by_value;
  by_value.fields = {ScalarArg{"i32", Expr(7)}, BufferArg{"x", 8}, ScalarArg{"f32", 0.5}};
  plan.run[0] = kernel("first", {by_value});
  const BoundPlan bound = bind(plan).value();
  const auto& parameter = std::get<BoundKernel>(bound.run[0].what).parameters[0];
  EXPECT_EQ(parameter.bytes.size(), 24u);
  EXPECT_EQ(parameter.align, 8u);
  ASSERT_EQ(parameter.pointers.size(), 1u);
  EXPECT_EQ(parameter.pointers[0].at, 8u);
  EXPECT_EQ(parameter.pointers[0].pointer.offset, 8);
  float half = 0;
  std::memcpy(&half, parameter.bytes.data() + 16, 4);
  EXPECT_EQ(half, 0.5f);
}

TEST(Bind, UnrollsLoopsAndSwapsWhatNamesMean) {
  LaunchPlan plan = two_step_plan();
  LoopNode loop;
  loop.variable = "t";
  loop.count = 3;
  loop.swap = {{"ws_a", "ws_b"}};
  loop.body = {kernel("second", {at("ws_a"), at("ws_b"), at("x", "4*t")})};
  plan.run = {{"", {}, loop}, kernel("second", {at("ws_a"), at("y")})};
  const BoundPlan bound = bind(plan).value();
  ASSERT_EQ(bound.run.size(), 4u);
  const auto source = [&](std::size_t i) {
    return std::get<BoundKernel>(bound.run[i].what).parameters[0].pointers[0].pointer.buffer;
  };
  EXPECT_EQ(source(0), 3u);
  EXPECT_EQ(source(1), 4u);
  EXPECT_EQ(source(2), 3u);
  EXPECT_EQ(source(3), 4u);  // after an odd number of swaps
  EXPECT_EQ(std::get<BoundKernel>(bound.run[2].what).parameters[2].pointers[0].pointer.offset, 8);
  EXPECT_EQ(bound.run[2].place, "/run/0/body/0 (t=2)");
}

TEST(Bind, OrdersTheGraphAndKeepsTheWrittenOrderWhereItMay) {
  LaunchPlan plan = two_step_plan();
  plan.run = {named("c", kernel("c", {}), {"b"}),      named("a", kernel("a", {}), {"b"}),
              named("b", kernel("b", {}), {"z"}),      named("z", kernel("z", {}), {"y0"}),
              named("y0", kernel("y0", {}), {"last"}), named("last", kernel("last", {}), {"x0"})};
  plan.run.insert(plan.run.begin(), named("x0", kernel("x0", {})));
  const BoundPlan bound = bind(plan).value();
  std::string order;
  for (const auto& node : bound.run) order += std::get<BoundKernel>(node.what).kernel + " ";
  EXPECT_EQ(order, "x0 last y0 z b c a ");
}

TEST(Bind, LeavesOutKernelsWithAnEmptyGrid) {
  LaunchPlan plan = two_step_plan();
  plan.symbols["n"] = 0;
  EXPECT_TRUE(bind(plan).value().run.empty());
}

TEST(Bind, KnowsTheDeviceThroughSymbols) {
  LaunchPlan plan = two_step_plan();
  plan.run[0] = kernel("first", {}, "sm_count*occupancy.first", "128");
  BindOptions options;
  options.limits.sm_count = 132;
  EXPECT_EQ(std::get<BoundKernel>(bind(plan, options)->run[0].what).grid[0], 132u);
  options.occupancy = [](const std::string&, std::int64_t threads, std::int64_t) {
    return Result<std::int64_t>(1024 / threads);
  };
  EXPECT_EQ(std::get<BoundKernel>(bind(plan, options)->run[0].what).grid[0], 1056u);
}

TEST(Bind, FindsLivenessByItself) {
  LaunchPlan plan = two_step_plan();
  plan.run.push_back(kernel("third", {at("y"), at("ws_b")}));
  BoundPlan bound = bind(plan).value();
  EXPECT_EQ(bound.buffers[3].first_use, 0);
  EXPECT_EQ(bound.buffers[3].last_use, 1);
  EXPECT_EQ(bound.buffers[4].first_use, 2);
  // A programmatic launch may run beside the node before it.
  std::get<KernelNode>(plan.run[2].what).programmatic = true;
  bound = bind(plan).value();
  EXPECT_EQ(bound.buffers[4].first_use, 1);
  // What setup writes lives all the time.
  plan.setup = {kernel("prepare", {at("w"), at("ws_a")})};
  EXPECT_EQ(bind(plan).value().buffers[3].first_use, -1);
}

struct Fault {
  const char* name;
  void (*break_it)(LaunchPlan&);
  const char* message;
};
void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

class PlanFault : public testing::TestWithParam<Fault> {};

KernelNode& first(LaunchPlan& plan) { return std::get<KernelNode>(plan.run[0].what); }
TensorMapArg tile() {
  TensorMapArg arg;
  arg.base = {"x", 0};
  arg.dims = {Expr(20), Expr(5)};
  arg.strides = {Expr(80)};
  arg.box = {Expr(4), Expr(5)};
  return arg;
}
LoopNode loop_over(const char* variable, std::int64_t count) {
  LoopNode loop;
  loop.variable = variable;
  loop.count = count;
  loop.body = {kernel("second", {at("x", "8*t")})};
  return loop;
}

TEST_P(PlanFault, IsNamedWithItsPlace) {
  LaunchPlan plan = two_step_plan();
  GetParam().break_it(plan);
  BindOptions options;
  options.kernels = {"first", "second"};
  options.limits.memory_bytes = 1 << 20;
  EXPECT_EQ(refusal(plan, options), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Every, PlanFault,
    testing::Values(
        Fault{"TwoBuffersOfOneName", [](LaunchPlan& p) { p.buffers[4].name = "x"; },
              "/buffers/4/name: a second buffer named 'x'"},
        Fault{"NegativeSize", [](LaunchPlan& p) { p.buffers[0].bytes = -4; },
              "/buffers/0/bytes: -4 is not in 0..1048576"},
        Fault{"UnknownSymbol", [](LaunchPlan& p) { p.buffers[0].bytes = expr("4*m"); },
              "/buffers/0/bytes: expression '4*m': unknown name 'm'"},
        Fault{"TooMuchInAll",
              [](LaunchPlan& p) { p.buffers[3].bytes = p.buffers[4].bytes = 600000; },
              "/buffers: 1201200 bytes in all, the device has 1048576"},
        Fault{"FillOfAnOutput", [](LaunchPlan& p) { p.buffers[2].init = BufferInit::Once; },
              "/buffers/2/init: only scratch has an initial fill"},
        Fault{"AliasOfNothing", [](LaunchPlan& p) { p.buffers[4].alias_of = "q"; },
              "/buffers/4/alias_of: no buffer named 'q'"},
        Fault{"AliasOfItself",
              [](LaunchPlan& p) {
                p.buffers[3].alias_of = "ws_b";
                p.buffers[4].alias_of = "ws_a";
              },
              "/buffers/3/alias_of: 'ws_a' is an alias of itself"},
        Fault{"AliasOfAnInput", [](LaunchPlan& p) { p.buffers[4].alias_of = "x"; },
              "/buffers/4/alias_of: only scratch may be an alias, and not of an input or a weight "
              "('ws_b' of 'x')"},
        Fault{"AliasPastTheEnd",
              [](LaunchPlan& p) {
                p.buffers[4].alias_of = "ws_a";
                p.buffers[4].alias_offset = 16;
              },
              "/buffers/4/alias_of: 'ws_b' (400 bytes at 16) is larger than what is left of 'ws_a' "
              "(400 bytes)"},
        Fault{"UnknownKernel", [](LaunchPlan& p) { first(p).kernel = "third"; },
              "/run/0/kernel: the module has no entry 'third'"},
        Fault{"UnknownBuffer", [](LaunchPlan& p) { first(p).args[0] = at("y2"); },
              "/run/0/args/0/buffer: no buffer named 'y2'"},
        Fault{"OffsetPastTheEnd", [](LaunchPlan& p) { first(p).args[0] = at("x", "4*n+1"); },
              "/run/0/args/0/offset: 401 is past the end of 'x' (400 bytes)"},
        Fault{"NegativeOffset", [](LaunchPlan& p) { first(p).args[0] = at("x", "-1"); },
              "/run/0/args/0/offset: -1 is past the end of 'x' (400 bytes)"},
        Fault{"ScalarOutOfRange", [](LaunchPlan& p) { first(p).args[3] = scalar("u32", "-n"); },
              "/run/0/args/3/value: -100 is no u32"},
        Fault{"ScalarOfNoType", [](LaunchPlan& p) { first(p).args[3] = scalar("i8", "n"); },
              "/run/0/args/3/type: 'i8' is none of i32, u32, i64, u64, f32, f64"},
        Fault{"FractionForAnInteger",
              [](LaunchPlan& p) {
                first(p).args[3] = ScalarArg{"i32", 0.5};
              },
              "/run/0/args/3/value: a fraction for the type i32"},
        Fault{"DivisionByZero", [](LaunchPlan& p) { first(p).grid[0] = expr("n/(n-100)"); },
              "/run/0/grid/0: expression 'n/(n-100)': overflow or division by zero"},
        Fault{"GridTooTall", [](LaunchPlan& p) { first(p).grid[1] = 70000; },
              "/run/0/grid/1: 70000 is not in 0..65535"},
        Fault{"EmptyBlock", [](LaunchPlan& p) { first(p).block[0] = 0; },
              "/run/0/block/0: 0 is not in 1..1024"},
        Fault{"BlockTooLarge",
              [](LaunchPlan& p) {
                first(p).block = {64, 32, 1};
              },
              "/run/0/block: 2048 threads, the limit is 1024"},
        Fault{"TooMuchShared", [](LaunchPlan& p) { first(p).shared = 300000; },
              "/run/0/shared: 300000 is not in 0..232448"},
        Fault{"ClusterTooLarge",
              [](LaunchPlan& p) {
                first(p).cluster[0] = 16;
                first(p).grid[0] = 16;
              },
              "/run/0/cluster: 16 blocks, this device allows 8"},
        Fault{"GridNoMultipleOfCluster", [](LaunchPlan& p) { first(p).cluster[0] = 8; },
              "/run/0/grid/0: 4 is no multiple of the cluster's 8"},
        Fault{"TooManyParameters",
              [](LaunchPlan& p) { first(p).args.assign(600, scalar("i64", "1")); },
              "/run/0/args: 4800 bytes, the limit is 4096"},
        Fault{"Cycle",
              [](LaunchPlan& p) {
                p.run[0] = named("a", p.run[0], {"b"});
                p.run[1] = named("b", p.run[1], {"a"});
              },
              "/run/0/after: the nodes wait for one another"},
        Fault{"UnknownEdge", [](LaunchPlan& p) { p.run[1].after = {"q"}; },
              "/run/1/after: no node 'q' here"},
        Fault{"TwoNodesOfOneId", [](LaunchPlan& p) { p.run[0].id = p.run[1].id = "a"; },
              "/run/1/id: a second node 'a'"},
        Fault{"MemsetOfAWeight",
              [](LaunchPlan& p) {
                p.run[0].what = MemsetNode{"w", 0, 4, 0};
              },
              "/run/0/buffer: 'w' may not be written, its role is weight"},
        Fault{"MemsetPastTheEnd",
              [](LaunchPlan& p) {
                p.run[0].what = MemsetNode{"y", 8, expr("4*n"), 0};
              },
              "/run/0/offset: 400 bytes from 8 on reach past the end of 'y' (400 bytes)"},
        Fault{"SetupThatSeesAnInput", [](LaunchPlan& p) { p.setup = {kernel("first", {at("x")})}; },
              "/setup/0/args/0/buffer: setup sees weights and scratch only, the role of 'x' is "
              "input"},
        Fault{"LoopVariableTaken", [](LaunchPlan& p) { p.run[0].what = loop_over("n", 2); },
              "/run/0/variable: 'n' is empty or taken"},
        Fault{"LoopOutOfBounds", [](LaunchPlan& p) { p.run[0].what = loop_over("t", 60); },
              "/run/0/body/0/args/0/offset: 408 is past the end of 'x' (400 bytes) (t=51)"},
        Fault{"LoopTooLong", [](LaunchPlan& p) { p.run[0].what = loop_over("t", 1000000); },
              "/run/0/count: 1000000 is not in 0..65536"},
        Fault{"SwapOfAnInput",
              [](LaunchPlan& p) {
                LoopNode loop = loop_over("t", 2);
                loop.swap = {{"x", "ws_a"}};
                p.run[0].what = loop;
              },
              "/run/0/swap/0: 'x' cannot take turns, its role is input"},
        Fault{"SwapOfDifferentSizes",
              [](LaunchPlan& p) {
                LoopNode loop = loop_over("t", 2);
                loop.swap = {{"ws_b", "ws_a"}};
                p.buffers[4].bytes = 4;
                p.run[0].what = loop;
              },
              "/run/0/swap/0: 'ws_b' and 'ws_a' differ in size"},
        Fault{"PredicateOffItsWord",
              [](LaunchPlan& p) {
                p.run[0].what = PredicateNode{"ws_a", 2, {}};
              },
              "/run/0/offset: 2 is no multiple of 4"},
        Fault{"TensorMapStride",
              [](LaunchPlan& p) {
                TensorMapArg arg = tile();
                arg.strides = {Expr(72)};
                first(p).args[0] = arg;
              },
              "/run/0/args/0/strides/0: 72 is no multiple of 16"},
        Fault{
            "TensorMapPastTheEnd",
            [](LaunchPlan& p) {
              TensorMapArg arg = tile();
              arg.dims[1] = 6;
              first(p).args[0] = arg;
            },
            "/run/0/args/0/base/offset: 480 bytes from 0 on reach past the end of 'x' (400 bytes)"},
        Fault{"TensorMapSwizzle",
              [](LaunchPlan& p) {
                TensorMapArg arg = tile();
                arg.box[0] = 16;
                arg.swizzle = 32;
                first(p).args[0] = arg;
              },
              "/run/0/args/0/swizzle: 32 with 64 bytes in the box's innermost extent"},
        Fault{"TensorMapRank",
              [](LaunchPlan& p) {
                TensorMapArg arg = tile();
                arg.strides.clear();
                first(p).args[0] = arg;
              },
              "/run/0/args/0: rank 2 needs 1 strides and 2 box extents, and lies in 1..5"}),
    [](const auto& fault) { return std::string(fault.param.name); });

TEST(Bind, SaysWhatADeviceCannotDo) {
  LaunchPlan plan = two_step_plan();
  first(plan).args[0] = tile();
  BindOptions options;
  options.limits.tensor_maps = false;
  EXPECT_EQ(check_plan(plan, options).error().code, Errc::Unsupported);
  plan = two_step_plan();
  first(plan).cluster[0] = 2;
  options.limits.max_cluster = 0;
  EXPECT_EQ(check_plan(plan, options).error().code, Errc::Unsupported);
}

}  // namespace
