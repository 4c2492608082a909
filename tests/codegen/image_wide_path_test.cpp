// A convolution on tensor cores (contraction_image.cuh), in each of its shapes: strides, dilation,
// groups, padding, transposed, one and three dimensions, channels that fill no slab. With values
// that two FP16 terms cannot hold, where the products of single pixels must leave the tensor cores,
// and where most must. Built twice: for the virtual machine, and as a GPU test.
#include <gmock/gmock.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "codegen/vm_scene.h"
#include "kw/core/random.h"
#include "kw/reference/interpret.h"

namespace kw::codegen {
namespace {

using Floats = std::vector<float>;
using Numbers = std::vector<std::int64_t>;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

struct Convolution {
  const char* name;
  std::string op;
  Shape x, w, out;
  Numbers stride, padding, dilation, output_padding = {};
  std::int64_t groups = 1;
};

const Convolution kConvolutions[] = {
    {"plain",
     "aten.conv2d",
     {2, 64, 9, 10},
     {24, 64, 3, 3},
     {2, 24, 9, 10},
     {1, 1},
     {1, 1},
     {1, 1}},
    {"strided_dilated",
     "aten.conv2d",
     {2, 40, 15, 17},
     {20, 40, 3, 2},
     {2, 20, 8, 9},
     {2, 2},
     {2, 1},
     {2, 1}},
    {"grouped",
     "aten.conv2d",
     {3, 96, 8, 8},
     {96, 32, 3, 3},
     {3, 96, 8, 8},
     {1, 1},
     {1, 1},
     {1, 1},
     {},
     3},
    {"one_by_one",
     "aten.conv2d",
     {2, 100, 8, 9},
     {33, 100, 1, 1},
     {2, 33, 8, 9},
     {1, 1},
     {0, 0},
     {1, 1}},
    {"line", "aten.conv1d", {3, 33, 70}, {18, 33, 5}, {3, 18, 33}, {2}, {2}, {2}},
    {"volume",
     "aten.conv3d",
     {1, 16, 5, 6, 7},
     {17, 16, 3, 3, 3},
     {1, 17, 5, 4, 7},
     {1, 1, 1},
     {1, 0, 1},
     {1, 1, 1}},
    {"transposed",
     "aten.conv_transpose2d",
     {2, 48, 9, 8},
     {48, 20, 3, 3},
     {2, 20, 18, 16},
     {2, 2},
     {1, 1},
     {1, 1},
     {1, 1}},
};

Task task_of(const Convolution& c) {
  Task task;
  task.name = "image_wide_path";
  const auto add = [&](const char* name, Role role, const Shape& shape) {
    Value v;
    v.name = name;
    v.shape = shape;
    v.role = role;
    task.graph.values.push_back(v);
    const auto id = static_cast<ValueId>(task.graph.values.size() - 1);
    if (role == Role::Input) task.draws.push_back({id, {{DrawStep::Op::Normal, 0, 1}}});
    return id;
  };
  Node node;
  node.op = c.op;
  node.inputs = {add("x", Role::Input, c.x), add("w", Role::Input, c.w), kNoValue};
  node.outputs = {add("out", Role::Output, c.out)};
  node.attrs = {
      {"stride", c.stride}, {"padding", c.padding}, {"dilation", c.dilation}, {"groups", c.groups}};
  if (!c.output_padding.empty()) node.attrs["output_padding"] = c.output_padding;
  task.graph.outputs = node.outputs;
  task.graph.nodes.push_back(std::move(node));
  return task;
}

struct Values {
  const char* name;
  float (*x)(RandomStream&, std::size_t i);
  float (*w)(RandomStream&, std::size_t i);
};
float normal(RandomStream& r, std::size_t) { return static_cast<float>(r.normal()); }
const Values kValues[] = {
    {"normal", normal, normal},
    {"some_wide_pixels",
     [](RandomStream& r, std::size_t i) { return i % 997 == 5 ? 0x1p-50f : normal(r, i); }, normal},
    {"wide_weights", normal,
     [](RandomStream& r, std::size_t i) { return i % 1777 == 3 ? 1e-20f : normal(r, i); }},
    {"huge", [](RandomStream& r, std::size_t i) { return 1e30f * normal(r, i); }, normal},
    {"subnormal", [](RandomStream& r, std::size_t i) { return std::ldexp(normal(r, i), -133); },
     normal},
    {"nan_pixel", [](RandomStream& r, std::size_t i) { return i == 777 ? kNaN : normal(r, i); },
     normal},
    {"nan_weight", normal,
     [](RandomStream& r, std::size_t i) { return i == 777 ? kNaN : normal(r, i); }},
};

Floats drawn(const Shape& shape, std::uint64_t seed, float (*draw)(RandomStream&, std::size_t)) {
  Floats out(static_cast<std::size_t>(element_count(shape).value()));
  RandomStream random(seed, 1);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = draw(random, i);
  return out;
}

class ImageWidePath : public testing::TestWithParam<Convolution> {};

reference::Tensor tensor_of(const Shape& shape, const Floats& values) {
  return {shape, {values.begin(), values.end()}, {}, {}};
}

void expect_reference(const reference::Tensor& y, const Floats& got) {
  ASSERT_EQ(got.size(), y.value.size());
  int wrong = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double bound = y.bound_at(i), want = y.value[i];
    if (std::isinf(bound)) continue;
    const float rounded = static_cast<float>(want);
    const bool right = std::isnan(want)      ? std::isnan(got[i])
                       : std::isinf(rounded) ? got[i] == rounded
                                             : std::abs(got[i] - want) <= bound + 0x1p-148;
    if (!right && ++wrong <= 3) {
      ADD_FAILURE() << i << ": " << got[i] << " for " << want << " +- " << bound;
    }
  }
  EXPECT_EQ(wrong, 0);
}

TEST_P(ImageWidePath, MeetsTheReferenceWhateverLeavesTheTensorCores) {
  const std::string where = KW_TEST_DEVICE;
  auto device = verify::open_device(where);
  if (!device && where == "cuda" && std::getenv("KW_REQUIRE_GPU") == nullptr) {
    GTEST_SKIP() << device.error().message;
  }
  ASSERT_TRUE(device) << device.error().message;
  const Convolution& convolution = GetParam();
  const Task task = task_of(convolution);
  Target target = virtual_machine_target();
  if (where != "vm") target.arch = (*device)->arch();
  const auto candidates = generate(task, target);
  ASSERT_TRUE(candidates) << candidates.error().message;
  const Candidate& c = candidates->front();
  ASSERT_THAT(c.cover, testing::StartsWith("contraction@2:image"));
  for (const Values& values : kValues) {
    SCOPED_TRACE(values.name);
    const Floats x = drawn(convolution.x, 11, values.x), w = drawn(convolution.w, 12, values.w);
    const auto outputs = testing_vm::run(
        **device, c, {{"x", testing_vm::bytes_of(x)}, {"w", testing_vm::bytes_of(w)}});
    ASSERT_TRUE(outputs.contains("out"));
    const auto expected =
        reference::interpret(task.graph, {},
                             {{task.graph.nodes[0].inputs[0], tensor_of(convolution.x, x)},
                              {task.graph.nodes[0].inputs[1], tensor_of(convolution.w, w)}},
                             {});
    ASSERT_TRUE(expected) << expected.error().message;
    expect_reference(expected->front(), testing_vm::values_of<float>(outputs.at("out")));
  }
}

INSTANTIATE_TEST_SUITE_P(Fp16x3, ImageWidePath, testing::ValuesIn(kConvolutions),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace kw::codegen
