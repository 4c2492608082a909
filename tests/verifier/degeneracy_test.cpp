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

TEST(Degeneracy, NamesWhatAlgebraRemoves) {
  Task task = scene::matmul(4, 8, 4);
  EXPECT_EQ(algebraic(task.graph), "");
  // The product is only summed over its columns.
  task.graph.values.push_back(scene::value("s", {4}, Role::Output));
  task.graph.values[2].role = Role::Scratch;
  task.graph.nodes.push_back({"aten.sum.dim_IntList", {2}, {{"dim", std::vector<std::int64_t>{1}}}, {3}});
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

}  // namespace
}  // namespace kw::verify
