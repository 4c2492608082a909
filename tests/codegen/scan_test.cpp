// Scans in the virtual machine: every operator, any dimension of odd, prime and short shapes, with
// pointwise work, flips and shifts around them, under random schedules.

#include "kw/verify/device.h"
#include "random/sketch.h"
#include "skeleton_scene.h"

namespace kw::codegen {
namespace {

using testing_random::Ints;
using testing_random::Sketch;

const std::vector<std::string> kOperators = {"aten.cumsum", "aten.cumprod", "aten.logcumsumexp",
                                             "aten.cummax", "aten.cummin"};

Shape random_shape(Sketch& s) {
  Shape shape;
  for (int d = static_cast<int>(s.number(1, 3)); d > 0; --d) {
    shape.push_back(s.pick(Ints{1, 2, 3, 5, 8, 13, 31, 32, 64, 97}));
  }
  const std::size_t along = static_cast<std::size_t>(s.below(static_cast<int>(shape.size())));
  shape[along] = s.pick(Ints{1, 2, 7, 33, 64, 127, 256, 300, 515, 1024, 2053});
  while (testing_random::count(shape) > 24000) {
    for (std::int64_t& extent : shape) extent = std::max<std::int64_t>(extent / 2, 1);
  }
  return shape;
}

Task random_scan(std::uint64_t seed) {
  Sketch s(seed);
  const Shape shape = random_shape(s);
  const auto dim = static_cast<std::int64_t>(s.below(static_cast<int>(shape.size())));
  ValueId x = s.input(shape);
  const ValueId source = x;
  if (s.once_in(2)) x = s.node("aten.mul", {x, s.input(shape)}, {}, shape);
  const bool backward = s.once_in(3);
  if (backward) x = s.node("aten.flip", {x}, {{"dims", Ints{dim}}}, shape);
  const std::string op = s.pick(kOperators);
  if (op == "aten.cummax" || op == "aten.cummin") {
    const auto value = static_cast<ValueId>(s.node(op, {x}, {{"dim", dim}}, shape));
    x = value;
  } else {
    x = s.node(op, {x}, {{"dim", dim}}, shape);
  }
  if (backward) x = s.node("aten.flip", {x}, {{"dims", Ints{dim}}}, shape);
  if (s.once_in(3)) x = s.node("aten.add", {x, source}, {}, shape);
  if (s.once_in(4)) {
    Shape longer = shape;
    longer[static_cast<std::size_t>(dim)] += 2;
    Ints pad(2 * (shape.size() - static_cast<std::size_t>(dim)), 0);
    pad[pad.size() - 2] = 1;
    pad[pad.size() - 1] = 1;
    x = s.node("aten.constant_pad_nd", {x}, {{"pad", pad}, {"value", 0.5}}, longer);
  }
  s.finish(x);
  return std::move(s).task();
}

class Scans : public testing::Test {
 protected:
  void SetUp() override {
    if (!testing_skeleton::compiler().info()) GTEST_SKIP() << "no NVRTC here";
    device_ = verify::open_device("vm").value();
  }
  std::unique_ptr<verify::Device> device_;
};

TEST_F(Scans, RandomOnesUnderRandomSchedules) {
  RandomStream random(3, purpose("codegen.scan_test"));
  const char* more = std::getenv("KW_SCAN_SEEDS");
  const std::uint64_t seeds = more != nullptr ? std::strtoull(more, nullptr, 10) : 4;
  std::map<std::string, int> forms;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    for (const std::string& form :
         testing_skeleton::judge_skeleton(random_scan(seed), "scan", *device_,
                                          more != nullptr ? 2 : 1, more != nullptr, random)) {
      ++forms[form];
    }
  }
  for (const auto& [form, count] : forms) std::printf("%s %d\n", form.c_str(), count);
  EXPECT_GE(forms.size(), 2u);
}

}  // namespace
}  // namespace kw::codegen
