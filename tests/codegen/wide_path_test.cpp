// What the FP16x3 products must leave to their wide path: rows whose range two FP16 terms cannot
// hold, NaN and Inf. Right to the `ieee` bound, and shown by the counter that the plan carries.
// Built twice: for the virtual machine, and as a GPU test.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <tuple>

#include "codegen/vm_scene.h"
#include "kw/core/random.h"

namespace kw::codegen {
namespace {

using Floats = std::vector<float>;
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

struct Shape3 {
  std::int64_t m, n, k;
};

Task product(const Shape3& s) {
  Task task;
  task.name = "wide_path";
  const auto add = [&](const char* name, Role role, std::int64_t rows, std::int64_t columns) {
    Value v;
    v.name = name;
    v.shape = {rows, columns};
    v.role = role;
    task.graph.values.push_back(v);
    const auto id = static_cast<ValueId>(task.graph.values.size() - 1);
    if (role == Role::Input) task.draws.push_back({id, {{DrawStep::Op::Normal, 0, 1}}});
    return id;
  };
  Node node;
  node.op = "aten.matmul";
  node.inputs = {add("x", Role::Input, s.m, s.k), add("y", Role::Input, s.k, s.n)};
  node.outputs = {add("out", Role::Output, s.m, s.n)};
  task.graph.outputs = node.outputs;
  task.graph.nodes.push_back(std::move(node));
  return task;
}

float normal(RandomStream& r) { return static_cast<float>(r.normal()); }

/// The bound of `ieee`: |y - y*| <= u |y*| + (2^-20 + 2^-23 sqrt(K)) c.
/// Non-finite results must be the reference's; a finite reference outside FP32's range must
/// overflow to its infinity.
void expect_ieee(const Shape3& s, const Floats& x, const Floats& y, const Floats& out) {
  ASSERT_EQ(out.size(), static_cast<std::size_t>(s.m * s.n));
  const double share =
      std::ldexp(1.0, -20) + std::ldexp(1.0, -23) * std::sqrt(static_cast<double>(s.k));
  int wrong = 0;
  std::vector<double> sum(static_cast<std::size_t>(s.n)), magnitude(sum.size());
  for (std::int64_t i = 0; i < s.m; ++i) {
    std::fill(sum.begin(), sum.end(), 0.0);
    std::fill(magnitude.begin(), magnitude.end(), 0.0);
    for (std::int64_t l = 0; l < s.k; ++l) {
      const double a = x[static_cast<std::size_t>(i * s.k + l)];
      const float* row = y.data() + l * s.n;
      for (std::size_t j = 0; j < sum.size(); ++j) {
        sum[j] += a * row[j];
        magnitude[j] += std::abs(a * row[j]);
      }
    }
    for (std::size_t j = 0; j < sum.size(); ++j) {
      const float got = out[static_cast<std::size_t>(i) * sum.size() + j];
      bool right;
      if (std::isnan(sum[j])) {
        right = std::isnan(got);
      } else if (std::isinf(sum[j])) {
        right = static_cast<double>(got) == sum[j];
      } else {
        // The last bit of a subnormal result is its rounding.
        const double bound =
            std::ldexp(std::abs(sum[j]), -23) + share * magnitude[j] + std::ldexp(1.0, -148);
        right = std::abs(static_cast<double>(got) - sum[j]) <= bound;
      }
      if (!right && ++wrong <= 3)
        ADD_FAILURE() << "element " << i << "," << j << ": " << got << " for " << sum[j];
    }
  }
  EXPECT_EQ(wrong, 0);
}

struct Family {
  const char* name;
  float (*x)(RandomStream&, std::int64_t row, std::int64_t k);
  bool wide;         // whether any block must leave the tensor cores
  bool direct_wide;  // the same where scales are of single rows and NaN passes through the terms
};
const Family kFamilies[] = {
    {"normal", [](RandomStream& r, std::int64_t, std::int64_t) { return normal(r); }, false, false},
    {"large", [](RandomStream& r, std::int64_t, std::int64_t) { return 1e12f * normal(r); }, false,
     false},
    {"huge", [](RandomStream& r, std::int64_t, std::int64_t) { return 1e32f * normal(r); }, true,
     true},
    {"huge_row",
     [](RandomStream& r, std::int64_t i, std::int64_t) {
       return (i == 33 ? 1e30f : 1.f) * normal(r);
     },
     true, true},
    {"spiky",
     [](RandomStream& r, std::int64_t i, std::int64_t k) {
       return i % 40 == 7 && k % 61 == 5 ? 3e11f * normal(r) : normal(r);
     },
     true, true},
    {"denormal",
     [](RandomStream& r, std::int64_t, std::int64_t) { return std::ldexp(normal(r), -132); }, true,
     true},
    {"one_denormal",
     [](RandomStream& r, std::int64_t i, std::int64_t k) {
       return i == 3 && k == 5 ? 0x1p-140f : normal(r);
     },
     true, true},
    {"nan_row",
     [](RandomStream& r, std::int64_t i, std::int64_t k) {
       return i == 17 && k == 100 ? kNaN : normal(r);
     },
     true, false},
    {"inf_row",
     [](RandomStream& r, std::int64_t i, std::int64_t k) {
       return i == 21 && k == 90 ? -kInf : normal(r);
     },
     true, true},
};

class WidePath : public testing::TestWithParam<std::tuple<Family, const char*>> {};

TEST_P(WidePath, IsTakenWhereTwoTermsCannotHoldARow) {
  const auto& [family, form] = GetParam();
  const std::string where = KW_TEST_DEVICE;
  auto device = verify::open_device(where);
  if (!device && where == "cuda" && std::getenv("KW_REQUIRE_GPU") == nullptr) {
    GTEST_SKIP() << device.error().message;
  }
  ASSERT_TRUE(device) << device.error().message;
  const bool vm = where == "vm";
  const Shape3 s = vm ? Shape3{80, 72, 160} : Shape3{1024, 1000, 2052};
  Target target = virtual_machine_target();
  if (!vm) target.arch = (*device)->arch();
  const auto candidates = generate(product(s), target, 6);
  ASSERT_TRUE(candidates) << candidates.error().message;
  const auto found =
      std::find_if(candidates->begin(), candidates->end(), [&](const Candidate& one) {
        return one.cover.starts_with(std::string("contraction@2:") + form + "[");
      });
  ASSERT_NE(found, candidates->end());
  Candidate c = *found;

  // The counter leaves with the outputs: as state that starts at zero.
  std::string counter;
  for (PlanBuffer& buffer : c.plan.buffers) {
    if (!buffer.name.ends_with("_count")) continue;
    counter = buffer.name = "wide_count";
    buffer.role = Role::State;
    buffer.init = BufferInit::None;
  }
  ASSERT_FALSE(counter.empty());
  auto text = to_json(c.plan);
  ASSERT_THAT(text, testing::HasSubstr("ws_wide_r0_count"));
  for (std::size_t at; (at = text.find("ws_wide_r0_count")) != std::string::npos;)
    text.replace(at, 16, counter);
  c.plan = parse_launch_plan(text).value();

  RandomStream random(11, 1);
  Floats x(static_cast<std::size_t>(s.m * s.k)), y(static_cast<std::size_t>(s.k * s.n));
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = family.x(random, static_cast<std::int64_t>(i) / s.k, static_cast<std::int64_t>(i) % s.k);
  }
  for (float& v : y) v = normal(random);
  const auto outputs = testing_vm::run(**device, c,
                                       {{"x", testing_vm::bytes_of(x)},
                                        {"y", testing_vm::bytes_of(y)},
                                        {counter, testing_vm::Bytes(4)}});
  ASSERT_TRUE(outputs.contains("out") && outputs.contains(counter));
  expect_ieee(s, x, y, testing_vm::values_of<float>(outputs.at("out")));
  const auto wide = testing_vm::values_of<std::uint32_t>(outputs.at(counter)).front();
  EXPECT_EQ(wide > 0, std::string(form) == "direct" ? family.direct_wide : family.wide) << wide;
  RecordProperty("wide_products", std::to_string(wide));
}

INSTANTIATE_TEST_SUITE_P(Contraction, WidePath,
                         testing::Combine(testing::ValuesIn(kFamilies),
                                          testing::Values("fp16x3", "direct")),
                         [](const auto& one) {
                           return std::string(std::get<1>(one.param)) + "_" +
                                  std::get<0>(one.param).name;
                         });

}  // namespace
}  // namespace kw::codegen
