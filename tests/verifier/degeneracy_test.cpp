#include "kw/verify/degeneracy.h"

#include <gtest/gtest.h>

#include "kw/verify/roofline.h"
#include "verifier/scene.h"

namespace kw::verify {
namespace {

TEST(Degeneracy, FindsNothingInAnOrdinaryTask) {
  const auto found = degeneracy(scene::relu(8, 64), 1);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_FALSE(found->by_bounds());
  EXPECT_FALSE(found->by_tolerance());
}
TEST(Degeneracy, FindsThatZerosPassForALongSoftmax) {
  const auto found = degeneracy(scene::softmax(2, 60000), 1);
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->by_tolerance());  // KernelBench's tolerance
  EXPECT_FALSE(found->by_bounds());    // not ours
}
TEST(Degeneracy, FindsAnOutputThatIsAlwaysZero) {
  Task task = scene::relu(4, 8);
  task.draws[0].steps = {{DrawStep::Op::Uniform, -2, -1}};
  const auto found = degeneracy(task, 1);
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->by_bounds());
}

TEST(TaskSanity, IsAskedBeforeASearchAndSurvivesBeingWritten) {
  const TaskSanity plain = task_sanity(scene::relu(8, 64), 1);
  EXPECT_EQ(plain.klass, "genuine");
  EXPECT_GT(plain.guesses.at("zeros"), 1);
  EXPECT_EQ(describe(plain).find("genuine: the nearest trivial answer"), 0u);
  const TaskSanity flat = task_sanity(scene::softmax(2, 60000), 1);
  EXPECT_EQ(flat.klass, "degenerate");
  EXPECT_EQ(flat.solved_by, "zeros");
  for (const TaskSanity& sanity : {plain, flat, task_sanity(scene::matmul(1024, 1024, 1024), 1)}) {
    const auto again = parse_task_sanity(to_json(sanity));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, sanity);
  }
  EXPECT_FALSE(parse_task_sanity(R"({"class":"perfect"})"));
}
TEST(TaskSanity, SaysWhenATaskIsTooLargeToBeAsked) {
  const TaskSanity large = task_sanity(scene::matmul(1024, 1024, 1024), 1);
  EXPECT_EQ(large.klass, "");
  EXPECT_NE(large.unasked, "");
  EXPECT_NE(describe(large).find("not known yet"), std::string::npos);
}

TEST(Degeneracy, NamesWhatAlgebraRemoves) {
  Task task = scene::matmul(4, 8, 4);
  EXPECT_EQ(algebraic(task.graph), "");
  // The product is only summed over its columns.
  task.graph.values.push_back(scene::value("s", {4}, Role::Output));
  task.graph.values[2].role = Role::Scratch;
  task.graph.nodes.push_back(
      {"aten.sum.dim_IntList", {2}, {{"dim", std::vector<std::int64_t>{1}}}, {3}});
  task.graph.outputs = {3};
  EXPECT_NE(algebraic(task.graph), "");
  DeviceIdentity h100{"cuda", "NVIDIA H100 80GB HBM3", "", "", "sm_90"};
  EXPECT_EQ(roofline(task, h100).operations, 0);
  // A product that leaves the graph as well is needed.
  task.graph.values[2].role = Role::Output;
  task.graph.outputs = {2, 3};
  EXPECT_EQ(algebraic(task.graph), "");
}

TEST(Roofline, CountsBytesAndOperationsThatAreNeeded) {
  DeviceIdentity h100;
  h100.klass = "cuda";
  h100.name = "NVIDIA H100 80GB HBM3";
  const Roofline pointwise = roofline(scene::relu(1000, 1000), h100);
  EXPECT_DOUBLE_EQ(pointwise.bytes, 8e6);
  EXPECT_NEAR(pointwise.floor_us(), 8e6 / 3.35e12 * 1e6, 1e-9);
  const Roofline product = roofline(scene::matmul(4096, 4096, 4096), h100);
  EXPECT_DOUBLE_EQ(product.operations, 2.0 * 4096 * 4096 * 4096);
  EXPECT_NEAR(product.floor_us(), product.operations / 330e12 * 1e6, 1e-6);
  EXPECT_EQ(roofline_floor_us(scene::relu(10, 10), {}), 0);
}

/// x [2, 3, length] under one window operator with `kernel` taps; a weight [4, 3, kernel] for a
/// convolution.
Task window_task(const char* op, std::int64_t length, std::int64_t out, std::int64_t kernel,
                 Attrs attrs) {
  Task task;
  Graph& graph = task.graph;
  const bool weighted = std::string_view(op).find("conv") != std::string_view::npos;
  graph.values.push_back(scene::value("x", {2, 3, length}, Role::Input));
  Node node{op, {0}, std::move(attrs), {}};
  if (weighted) {
    graph.values.push_back(scene::value("w", {4, 3, kernel}, Role::Weight));
    node.inputs.push_back(1);
  }
  node.outputs = {static_cast<ValueId>(graph.values.size())};
  graph.outputs = node.outputs;
  graph.values.push_back(scene::value("y", {2, weighted ? 4 : 3, out}, Role::Output));
  graph.nodes.push_back(std::move(node));
  return task;
}

TEST(Roofline, CountsWhatLiesInWindows) {
  using Ints = std::vector<std::int64_t>;
  const auto bytes = [](const Task& task) { return roofline(task, {}).bytes; };
  // 10 positions, windows of 2 every 3: 0-1, 3-4, 6-7 of 9 and more are read.
  EXPECT_DOUBLE_EQ(bytes(window_task("aten.conv1d", 10, 3, 2, {{"stride", Ints{3}}})),
                   4.0 * (2 * 3 * 6 + 4 * 3 * 2 + 2 * 4 * 3));
  // Padding reads nothing, and with one input position only the middle tap meets it: no whole
  // weight.
  EXPECT_DOUBLE_EQ(bytes(window_task("aten.conv1d", 1, 1, 3, {{"padding", Ints{1}}})),
                   4.0 * (2 * 3 * 1 + 2 * 4 * 1));
  // A dilated window leaves gaps, which the next one fills.
  EXPECT_DOUBLE_EQ(bytes(window_task("aten.conv1d", 6, 4, 2, {{"dilation", Ints{2}}})),
                   4.0 * (2 * 3 * 6 + 4 * 3 * 2 + 2 * 4 * 4));
  // Pooling strides by its kernel unless told otherwise; the last two positions are in no window.
  EXPECT_DOUBLE_EQ(bytes(window_task("aten.max_pool1d", 11, 3, 3,
                                     {{"kernel_size", Ints{3}}, {"stride", Ints{}}})),
                   4.0 * (2 * 3 * 9 + 2 * 3 * 3));
  EXPECT_DOUBLE_EQ(
      bytes(window_task("aten.adaptive_avg_pool1d", 11, 1, 1, {{"output_size", Ints{1}}})),
      4.0 * (2 * 3 * 11 + 2 * 3));
  // Transposed: every input position lands in the output unless padding cuts it off.
  EXPECT_DOUBLE_EQ(bytes(window_task("aten.conv_transpose1d", 5, 3, 1, {{"padding", Ints{1}}})),
                   4.0 * (2 * 3 * 3 + 4 * 3 * 1 + 2 * 4 * 3));
}

}  // namespace
}  // namespace kw::verify
