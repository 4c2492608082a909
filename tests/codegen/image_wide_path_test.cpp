// A convolution on tensor cores (contraction_image.cuh, image_tf32.cuh), in each of its shapes:
// strides, dilation, groups, padding, transposed, one and three dimensions, channels that fill no
// slab. With values that FP16 terms cannot hold, where the products of single pixels must leave the
// tensor cores, and where most must. Built twice: for the virtual machine, and as a GPU test.
#include <gmock/gmock.h>

#include <algorithm>
#include <bit>
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

// Of channels in other numbers than FP16x3 takes: runs of 8, 16 and 32 of k, two slices.
const Convolution kOneTerm[] = {
    {"three_channels",
     "aten.conv2d",
     {2, 3, 21, 19},
     {40, 3, 5, 5},
     {2, 40, 11, 10},
     {2, 2},
     {2, 2},
     {1, 1}},
    {"eight_channels", "aten.conv1d", {2, 8, 90}, {18, 8, 7}, {2, 18, 84}, {1}, {0}, {1}},
    {"forty_eight", "aten.conv1d", {2, 48, 75}, {70, 48, 3}, {2, 70, 73}, {1}, {0}, {1}},
    {"two_slices",
     "aten.conv2d",
     {1, 176, 9, 9},
     {32, 176, 3, 3},
     {1, 32, 9, 9},
     {1, 1},
     {1, 1},
     {1, 1}},
};

Task task_of(const Convolution& c, PolicyClass policy) {
  Task task;
  task.policy = preset(policy);
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
/// Exponents 0 to -spread, of every element of the same number modulo spread + 1.
template <int kSpread>
float spread(RandomStream& r, std::size_t i) {
  return std::ldexp(1.0f + static_cast<float>(r.uniform()),
                    -static_cast<int>(i * 7 % (kSpread + 1)));
}
/// Halfway between two TF32 numbers.
float tie(RandomStream& r, std::size_t) {
  return 1.0f + std::ldexp(static_cast<float>(2 * r.below(1024) + 1), -11);
}
const Values kValues[] = {
    {"normal", normal, normal},
    {"spread_at_the_limit", spread<28>, spread<28>},
    {"spread_past_the_limit", spread<29>, spread<29>},
    {"ties", tie, tie},
    {"infinite_pixel",
     [](RandomStream& r, std::size_t i) { return i == 555 ? HUGE_VALF : normal(r, i); }, normal},
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

struct Case {
  Convolution convolution;
  PolicyClass policy;
};
std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Convolution& c : kConvolutions) {
    all.push_back({c, PolicyClass::Ieee});
    all.push_back({c, PolicyClass::Tf32});
  }
  for (const Convolution& c : kOneTerm) all.push_back({c, PolicyClass::Tf32});
  return all;
}

class ImageWidePath : public testing::TestWithParam<Case> {};

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

/// The nearest TF32 number, ties away from zero.
float tf32(float x) {
  if (!std::isfinite(x)) return x;
  return std::bit_cast<float>((std::bit_cast<std::uint32_t>(x) + 0x1000u) & 0xffffe000u);
}

std::unique_ptr<verify::Device> open_test_device() {
  auto device = verify::open_device(KW_TEST_DEVICE);
  if (device) return std::move(*device);
  EXPECT_TRUE(std::string_view(KW_TEST_DEVICE) == "cuda" && !std::getenv("KW_REQUIRE_GPU"))
      << device.error().message;
  return nullptr;
}

TEST_P(ImageWidePath, MeetsTheReferenceWhateverLeavesTheTensorCores) {
  const auto device = open_test_device();
  if (device == nullptr) GTEST_SKIP() << "no GPU here";
  const auto& [convolution, policy] = GetParam();
  const Task task = task_of(convolution, policy);
  Target target = virtual_machine_target();
  if (std::string_view(KW_TEST_DEVICE) != "vm") target.arch = device->arch();
  const auto candidates = generate(task, target, 8);
  ASSERT_TRUE(candidates) << candidates.error().message;
  const bool one_term = policy == PolicyClass::Tf32;
  const auto found = std::ranges::find_if(*candidates, [&](const Candidate& c) {
    return c.cover.starts_with(one_term ? "contraction@2:image_tf32[" : "contraction@2:image[");
  });
  ASSERT_NE(found, candidates->end());
  const Candidate& c = *found;
  for (const Values& values : kValues) {
    SCOPED_TRACE(values.name);
    const Floats x = drawn(convolution.x, 11, values.x), w = drawn(convolution.w, 12, values.w);
    const auto outputs = testing_vm::run(
        *device, c, {{"x", testing_vm::bytes_of(x)}, {"w", testing_vm::bytes_of(w)}});
    ASSERT_TRUE(outputs.contains("out"));
    const Floats got = testing_vm::values_of<float>(outputs.at("out"));
    const auto expect = [&](const Floats& left, const Floats& right, PolicyClass bound) {
      const auto expected =
          reference::interpret(task.graph, {},
                               {{task.graph.nodes[0].inputs[0], tensor_of(convolution.x, left)},
                                {task.graph.nodes[0].inputs[1], tensor_of(convolution.w, right)}},
                               {.policy = preset(bound)});
      ASSERT_TRUE(expected) << expected.error().message;
      expect_reference(expected->front(), got);
    };
    expect(x, w, policy);
    // Where nothing is wide, the operands are exactly TF32's.
    if (!one_term || (values.x != normal && values.x != tie) ||
        (values.w != normal && values.w != tie)) {
      continue;
    }
    Floats left = x, right = w;
    for (float& v : left) v = tf32(v);
    for (float& v : right) v = tf32(v);
    expect(left, right, PolicyClass::Ieee);
  }
}

INSTANTIATE_TEST_SUITE_P(Image, ImageWidePath, testing::ValuesIn(cases()), [](const auto& one) {
  return one.param.convolution.name +
         std::string(one.param.policy == PolicyClass::Tf32 ? "_tf32" : "_fp16x3");
});

}  // namespace
}  // namespace kw::codegen
