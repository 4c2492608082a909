// Sliding windows in the virtual machine: pools and convolutions of few channels a group, in one to
// three dimensions, strided, dilated, padded and transposed, with pointwise work around them, under
// random schedules.

#include "kw/verify/device.h"
#include "random/sketch.h"
#include "skeleton_scene.h"

namespace kw::codegen {
namespace {

using testing_random::Ints;
using testing_random::Sketch;

/// One spatial dimension: extents and the window that leads from one to the other.
struct Slide {
  std::int64_t in = 1, out = 1, kernel = 1, stride = 1, padding = 0, dilation = 1;
};

Slide random_slide(Sketch& s, int dims, bool pool, bool transposed) {
  Slide d;
  do {
    d.in = s.number(1, dims == 1 ? 300 : dims == 2 ? 23 : 9);
    d.kernel = s.number(1, dims == 1 ? 9 : dims == 2 ? 5 : 3);
    d.stride = s.pick(Ints{1, 1, 2, 3});
    d.dilation = s.pick(Ints{1, 1, 2});
    d.padding = pool ? s.number(0, static_cast<int>(d.kernel / 2)) : s.number(0, 3);
    const std::int64_t reach = d.dilation * (d.kernel - 1) + 1;
    d.out = transposed ? (d.in - 1) * d.stride - 2 * d.padding + reach
                       : (d.in + 2 * d.padding - reach) / d.stride + 1;
    if (!transposed && d.in + 2 * d.padding < reach) d.out = 0;
  } while (d.out < 1);
  return d;
}

Task random_window(std::uint64_t seed) {
  Sketch s(seed);
  const int dims = static_cast<int>(s.number(1, 3));
  const int kind = s.below(4);  // average, maximum, convolution, transposed
  const bool pool = kind < 2;
  std::vector<Slide> slides;
  Ints kernel, stride, padding, dilation;
  const std::int64_t channels = s.number(1, 5), batch = s.number(1, 3);
  Shape in = {batch, channels}, out = in, weight = {channels, 1};
  for (int d = 0; d < dims; ++d) {
    Slide slide = random_slide(s, dims, pool, kind == 3);
    if (kind == 0) {  // an average pool has no dilation
      slide.dilation = 1;
      slide.out = (slide.in + 2 * slide.padding - slide.kernel) / slide.stride + 1;
      if (slide.in + 2 * slide.padding < slide.kernel)
        slide.kernel = slide.out = slide.in, slide.stride = 1, slide.padding = 0, slide.kernel = 1;
    }
    in.push_back(slide.in);
    out.push_back(slide.out);
    weight.push_back(slide.kernel);
    kernel.push_back(slide.kernel);
    stride.push_back(slide.stride);
    padding.push_back(slide.padding);
    dilation.push_back(slide.dilation);
  }
  ValueId x = s.input(in);
  if (s.once_in(3)) x = s.node("aten.relu", {x}, {}, in);
  const std::string suffix = fmt::format("{}d", dims);
  if (pool) {
    Attrs attrs = {{"kernel_size", kernel}, {"stride", stride}, {"padding", padding}};
    if (kind == 0) {
      attrs["count_include_pad"] = s.once_in(2);
    } else {
      attrs["dilation"] = dilation;
    }
    x = s.node((kind == 0 ? "aten.avg_pool" : "aten.max_pool") + suffix, {x}, attrs, out);
  } else {
    std::vector<ValueId> operands = {x, s.input(weight)};
    if (s.once_in(2)) operands.push_back(s.input({channels}));
    x = s.node(
        (kind == 2 ? "aten.conv" : "aten.conv_transpose") + suffix, operands,
        {{"stride", stride}, {"padding", padding}, {"dilation", dilation}, {"groups", channels}},
        out);
  }
  if (s.once_in(2)) x = s.node("aten.add", {x, s.input(out)}, {}, out);
  if (s.once_in(3)) x = s.node("aten.sigmoid", {x}, {}, out);
  s.finish(x);
  return std::move(s).task();
}

class Windows : public testing::Test {
 protected:
  void SetUp() override {
    if (!testing_skeleton::compiler().info()) GTEST_SKIP() << "no NVRTC here";
    device_ = verify::open_device("vm").value();
  }
  std::unique_ptr<verify::Device> device_;
};

TEST_F(Windows, RandomOnesUnderRandomSchedules) {
  RandomStream random(5, purpose("codegen.window_test"));
  const char* more = std::getenv("KW_WINDOW_SEEDS");
  const std::uint64_t seeds = more != nullptr ? std::strtoull(more, nullptr, 10) : 6;
  int judged = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    judged += testing_skeleton::judge_skeleton(random_window(seed), "window", *device_,
                                               more != nullptr ? 2 : 1, more != nullptr, random)
                      .empty()
                  ? 0
                  : 1;
  }
  std::printf("%d windows of %d tasks\n", judged, static_cast<int>(seeds));
  EXPECT_GE(judged, 1);
}

}  // namespace
}  // namespace kw::codegen
