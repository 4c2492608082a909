// Rows whose reduction and outputs are woven: any number of blocks, slices and rows of lag gives
// what one block would, in the virtual machine, which sees races and blocks that wait for ever.

#include "kw/verify/device.h"
#include "random/sketch.h"
#include "skeleton_scene.h"

namespace kw::codegen {
namespace {

using testing_random::Ints;
using testing_random::Sketch;

Task random_norm(std::uint64_t seed) {
  Sketch s(seed);
  const std::int64_t rows = s.pick(Ints{1, 2, 3, 7}),
                     columns = s.pick(Ints{1024, 1030, 1536, 2051, 4096});
  const Shape shape = {rows, columns};
  ValueId x = s.input(shape);
  if (s.once_in(2)) x = s.node("aten.mul", {x, s.input(shape)}, {}, shape);
  switch (s.below(3)) {
    case 0:
      x = s.node("aten.layer_norm", {x, s.input({columns}), s.input({columns})},
                 {{"normalized_shape", Ints{columns}}, {"eps", 1e-5}}, shape);
      break;
    case 1:
      x = s.node("aten.softmax", {x}, {{"dim", std::int64_t{1}}}, shape);
      break;
    default: {
      const ValueId sum =
          s.node("aten.mean", {x}, {{"dim", Ints{1}}, {"keepdim", true}}, {rows, 1});
      x = s.node("aten.sub", {x, sum}, {}, shape);
      break;
    }
  }
  if (s.once_in(2)) x = s.node("aten.relu", {x}, {}, shape);
  s.finish(x);
  return std::move(s).task();
}

TEST(WovenRows, UnderRandomSchedules) {
  if (!testing_skeleton::compiler().info()) GTEST_SKIP() << "no NVRTC here";
  const auto device = verify::open_device("vm").value();
  const char* more = std::getenv("KW_WOVEN_SEEDS");
  const std::uint64_t seeds = more != nullptr ? std::strtoull(more, nullptr, 10) : 3;
  RandomStream random(7, purpose("codegen.woven_rows_test"));
  const Target target = virtual_machine_target();
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const Task task = random_norm(seed);
    const auto candidates = generate(task, target, 2);
    ASSERT_TRUE(candidates) << candidates.error().message;
    Candidate woven = candidates->front();
    const std::size_t stages = woven.cover.find('[');
    ASSERT_TRUE(woven.cover.starts_with("row_reduce@") && stages != std::string::npos)
        << woven.cover;
    woven.cover =
        woven.cover.substr(0, woven.cover.find(':')) + ":woven" + woven.cover.substr(stages);
    woven.parameters.clear();
    const auto as_is = with_parameters(task, woven, {}, target);
    ASSERT_TRUE(as_is) << as_is.error().message;
    for (int schedule = 0; schedule < (more != nullptr ? 4 : 2); ++schedule) {
      const Candidate tried =
          schedule == 0 ? *as_is : testing_skeleton::rescheduled(task, *as_is, target, random);
      std::string parameters;
      for (const auto& [name, value] : tried.parameters) {
        parameters += fmt::format(" {}={}", name, value);
      }
      EXPECT_EQ(testing_skeleton::complaint(task, tried, *device, more != nullptr), "")
          << task.name << " " << tried.cover << parameters << "\n"
          << to_json(task);
    }
  }
}

}  // namespace
}  // namespace kw::codegen
