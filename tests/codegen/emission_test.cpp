// What the emitted text says about accesses: vectors where alignment is proven, gathers where it is
// not, guards around padding, wide indices for wide tensors.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kw/codegen/generator.h"
#include "tasks.h"

namespace kw::codegen {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Scene {
  Task task;

  ValueId input(Shape shape) {
    const ValueId id = value(std::move(shape), Role::Input);
    task.draws.push_back({id, {{DrawStep::Op::Normal, 0, 1}}});
    return id;
  }
  ValueId node(std::string op, std::vector<ValueId> inputs, Attrs attrs, Shape shape,
               Role role = Role::Scratch) {
    const ValueId id = value(std::move(shape), role);
    task.graph.nodes.push_back({std::move(op), std::move(inputs), std::move(attrs), {id}});
    if (role == Role::Output) task.graph.outputs.push_back(id);
    return id;
  }
  std::string first_source() const {
    const auto candidates = generate(task, testing_tasks::h100(), 2);
    EXPECT_TRUE(candidates) << candidates.error().message;
    if (!candidates) return {};
    const std::string& source = candidates->front().source;
    return source.substr(source.find("// ---- region"));
  }

 private:
  ValueId value(Shape shape, Role role) {
    const auto id = static_cast<ValueId>(task.graph.values.size());
    task.graph.values.push_back(
        {fmt::format("v{}", id), DType::F32, std::move(shape), {}, {}, role});
    return id;
  }
};

TEST(Emission, ABroadcastRowIsReadAsVectorsAndABroadcastColumnOnce) {
  Scene s;
  const ValueId x = s.input({4096, 512}), row = s.input({512}), column = s.input({4096, 1});
  const ValueId y = s.node("aten.mul", {x, row}, {}, {4096, 512});
  s.node("aten.add", {y, column}, {}, {4096, 512}, Role::Output);
  const std::string source = s.first_source();
  EXPECT_THAT(source, HasSubstr("kw_load<4, 4, false>(p0 + (u * 4), in.a0)"));
  EXPECT_THAT(source, HasSubstr("kw_load<4, 4, false>(p1 + (((u) % 128) * 4), in.a1)"));
  EXPECT_THAT(source, HasSubstr("in.a2 = p2[(u) / 128]"));
}

TEST(Emission, ATransposedOperandIsGathered) {
  Scene s;
  const ValueId x = s.input({256, 128});
  const ValueId t = s.node("aten.t", {x}, {}, {128, 256});
  s.node("aten.relu", {t}, {}, {128, 256}, Role::Output);
  const std::string source = s.first_source();
  EXPECT_THAT(source, HasSubstr("for (int w = 0; w < 4; ++w) in.a0[w] = p0["));
  EXPECT_THAT(source, HasSubstr("kw_store<4, 4,"));
}

TEST(Emission, ARowThatNoVectorDividesIsStillFlatInMemory) {
  Scene s;
  const ValueId x = s.input({33, 65}), bias = s.input({65});
  s.node("aten.add", {x, bias}, {}, {33, 65}, Role::Output);
  const std::string source = s.first_source();
  EXPECT_THAT(source, HasSubstr("(p0 + (u * 4), in.a0)"));
  EXPECT_THAT(source, HasSubstr("in.a1[w] = p1["));
}

TEST(Emission, PaddingIsReadOnlyInsideItsGuard) {
  Scene s;
  const ValueId x = s.input({64, 64});
  const ValueId padded =
      s.node("aten.constant_pad_nd", {x},
             {{"pad", std::vector<std::int64_t>{1, 1}}, {"value", 0.0}}, {64, 66});
  s.node("aten.relu", {padded}, {}, {64, 66}, Role::Output);
  const std::string source = s.first_source();
  EXPECT_THAT(source, HasSubstr(">= 0 &&"));
  EXPECT_THAT(source, HasSubstr("if ("));
}

TEST(Emission, OffsetsAreWideOnceATensorPassesTwoToThe31) {
  Scene narrow, wide;
  for (auto& [scene, rows] : {std::pair<Scene*, std::int64_t>{&narrow, 1 << 15},
                              std::pair<Scene*, std::int64_t>{&wide, 1 << 16}}) {
    const ValueId x = scene->input({rows, 1 << 15});
    scene->node("aten.relu", {x}, {}, {rows, 1 << 15}, Role::Output);
  }
  EXPECT_THAT(narrow.first_source(), HasSubstr(", int>("));
  EXPECT_THAT(wide.first_source(), HasSubstr(", long long>("));
}

TEST(Emission, ChainsBecomeOneKernelAndReshapesNone) {
  Scene s;
  const ValueId x = s.input({64, 8, 16});
  const ValueId flat = s.node("aten.reshape", {x}, {}, {64, 128});
  const ValueId a = s.node("aten.tanh", {flat}, {}, {64, 128});
  const ValueId b = s.node("aten.view", {a}, {}, {512, 16});
  s.node("aten.neg", {b}, {}, {512, 16}, Role::Output);
  const auto candidates = generate(s.task, testing_tasks::h100(), 2);
  ASSERT_TRUE(candidates);
  EXPECT_EQ(candidates->front().cover, "stream@1:flat[0-1]");
  EXPECT_EQ(candidates->front().plan.run.size(), 1u);
  EXPECT_EQ(candidates->back().plan.run.size(), 2u);
}

TEST(Emission, ScratchBetweenRegionsHasALifetime) {
  const auto task = testing_tasks::kernelbench_task("level2_99");
  ASSERT_TRUE(task);
  const auto candidates = generate(*task, testing_tasks::h100(), 3);
  ASSERT_TRUE(candidates);
  for (const PlanBuffer& buffer : candidates->back().plan.buffers) {
    if (buffer.role != Role::Scratch) continue;
    EXPECT_GE(buffer.first_use, 0) << buffer.name;
    EXPECT_LE(buffer.first_use, buffer.last_use) << buffer.name;
  }
}

}  // namespace
}  // namespace kw::codegen
