// The kernels of the full-size reference, run in the virtual machine, against the interpreter: the
// same values and the same bounds.

#include "verifier/gpu_reference.h"

#include "slices.h"

namespace kw::verify::gpu {
namespace {

TEST_F(GpuReference, PointwiseFunctionsAgree) {
  for (const char* op : {"relu",  "tanh", "sigmoid",    "silu",        "gelu",      "exp",
                         "log",   "sqrt", "rsqrt",      "abs",         "neg",       "erf",
                         "mish",  "selu", "softsign",   "hardsigmoid", "hardswish", "expm1",
                         "log1p", "sin",  "reciprocal", "log_sigmoid", "relu6"}) {
    agree(*device_, unary(std::string("aten.") + op), op);
  }
  agree(*device_, unary("aten.gelu", {{"approximate", std::string("tanh")}}), "gelu tanh");
  agree(*device_, unary("aten.leaky_relu", {{"negative_slope", 0.1}}), "leaky_relu");
  agree(*device_, unary("aten.elu", {{"alpha", 1.5}}), "elu");
  agree(*device_, unary("aten.clamp", {{"min", std::int64_t{0}}}), "clamp");
  agree(*device_, unary("aten.hardtanh", {{"min_val", -0.5}, {"max_val", 2.0}}), "hardtanh");
  agree(*device_, unary("aten.softplus", {}), "softplus");
  agree(*device_, unary("aten.pow.Tensor_Scalar", {{"exponent", 3.0}}), "pow");
  agree(*device_, unary("aten.pow.Tensor_Scalar", {{"exponent", 2.5}}), "pow 2.5");
  agree(*device_, unary("aten.mul", {{"other", 0.044715}}), "mul scalar");
  agree(*device_,
        unary("aten.rsub.Scalar", {{"other", std::int64_t{1}}, {"alpha", std::int64_t{1}}}),
        "rsub");
}
TEST_F(GpuReference, BroadcastAndViewsAgree) {
  for (const char* op : {"add", "sub", "mul", "div", "maximum", "minimum"}) {
    agree(*device_,
          task_of({{3, 5, 7}, {5, 1}}, {{std::string("aten.") + op, {0, 1}, {}, {2}}}, {{3, 5, 7}}),
          op);
  }
  agree(*device_,
        task_of({{4}, {4, 6}},
                {{"aten.unsqueeze", {0}, {{"dim", std::int64_t{1}}}, {2}},
                 {"aten.mul", {2, 1}, {}, {3}}},
                {{4, 1}, {4, 6}}),
        "diag product");
  agree(*device_,
        task_of(
            {{3, 5, 7}},
            {{"aten.permute", {0}, {{"dims", ints({2, 0, 1})}}, {1}}, {"aten.relu", {1}, {}, {2}}},
            {{7, 3, 5}, {7, 3, 5}}),
        "permute");
  agree(*device_,
        task_of({{3, 5, 7}},
                {{"aten.transpose.int",
                  {0},
                  {{"dim0", std::int64_t{0}}, {"dim1", std::int64_t{-1}}},
                  {1}},
                 {"aten.view", {1}, {{"size", ints({7, 15})}}, {2}}},
                {{7, 5, 3}, {7, 15}}),
        "view");
}
TEST_F(GpuReference, ReductionsAgree) {
  const auto over = [&](const char* op, std::vector<std::int64_t> dims, Shape out) {
    agree(
        *device_,
        task_of({{3, 70, 9}}, {{op, {0}, {{"dim", ints(std::move(dims))}}, {1}}}, {std::move(out)}),
        op);
  };
  for (const char* op :
       {"aten.sum.dim_IntList", "aten.mean.dim", "aten.amax", "aten.amin", "aten.var.correction"}) {
    over(op, {1}, {3, 9});
    over(op, {-1}, {3, 70});
    over(op, {0, 2}, {70});
  }
  agree(*device_,
        task_of({{2, 3000}}, {{"aten.sum.dim_IntList", {0}, {{"dim", ints({1})}}, {1}}}, {{2}}),
        "long sum");
}
TEST_F(GpuReference, SoftmaxAndNormsAgree) {
  agree(*device_, unary("aten.softmax.int", {{"dim", std::int64_t{1}}}, {5, 300}), "softmax");
  agree(*device_, unary("aten.softmax.int", {{"dim", std::int64_t{1}}}, {3, 17, 4}),
        "softmax inner");
  agree(*device_, unary("aten.log_softmax.int", {{"dim", std::int64_t{-1}}}, {5, 33}),
        "log_softmax");
  agree(*device_,
        task_of({{3, 4, 20}, {4, 20}, {4, 20}},
                {{"aten.layer_norm", {0, 1, 2}, {{"normalized_shape", ints({4, 20})}}, {3}}},
                {{3, 4, 20}}),
        "layer_norm");
  agree(*device_,
        task_of({{3, 40}, {40}},
                {{"aten.rms_norm", {0, 1}, {{"normalized_shape", ints({40})}, {"eps", 1e-6}}, {2}}},
                {{3, 40}}),
        "rms_norm");
  agree(*device_,
        task_of({{2, 6, 11}, {6}, {6}},
                {{"aten.group_norm", {0, 1, 2}, {{"num_groups", std::int64_t{3}}}, {3}}},
                {{2, 6, 11}}),
        "group_norm");
}
TEST_F(GpuReference, ProductsAgree) {
  agree(*device_, task_of({{5, 33}, {33, 7}}, {{"aten.mm", {0, 1}, {}, {2}}}, {{5, 7}}),
        "few outputs");
  agree(*device_, task_of({{129, 37}, {37, 131}}, {{"aten.mm", {0, 1}, {}, {2}}}, {{129, 131}}),
        "tiles");
  agree(*device_,
        task_of({{37, 129}, {37, 131}},
                {{"aten.numpy_T", {0}, {}, {2}}, {"aten.matmul", {2, 1}, {}, {3}}},
                {{129, 37}, {129, 131}}),
        "transposed");
  agree(*device_,
        task_of({{129, 37}, {37, 131}}, {{"aten.tanh", {0}, {}, {2}}, {"aten.mm", {2, 1}, {}, {3}}},
                {{129, 37}, {129, 131}}),
        "inexact operand");
  agree(*device_,
        task_of({{2, 9, 20}, {11, 20}, {11}}, {{"aten.linear", {0, 1, 2}, {}, {3}}}, {{2, 9, 11}}),
        "linear");
  agree(*device_, task_of({{3, 9, 20}, {3, 20, 5}}, {{"aten.bmm", {0, 1}, {}, {2}}}, {{3, 9, 5}}),
        "bmm");
  agree(*device_,
        task_of({{5}, {9, 20}, {20, 5}},
                {{"aten.addmm", {0, 1, 2}, {{"beta", 0.5}, {"alpha", std::int64_t{2}}}, {3}}},
                {{9, 5}}),
        "addmm");
}

Task load(const std::string& name) {
  std::ifstream file(std::string(KW_SOURCE_DIR "/kernelbench/tasks/") + name);
  std::stringstream text;
  text << file.rdbuf();
  auto task = parse_task(text.str());
  EXPECT_TRUE(task) << name;
  return *task;
}

TEST_F(GpuReference, JudgesTheSuitesSmallTasksSliceBySlice) {
  set_slice_budget(2000000);  // several slices of many tasks
  for (const char* name :
       {"level1_1",  "level1_4",  "level1_5",   "level1_12", "level1_16", "level1_19", "level1_22",
        "level1_23", "level1_25", "level1_26",  "level1_36", "level1_40", "level1_47", "level1_48",
        "level1_88", "level1_94", "level1_100", "level2_12", "level2_76", "level2_99"}) {
    const Task task = load(std::string(name) + ".small.json");
    const auto plan = plan_trial(task, "", Family::AsDrawn, kNoValue, 9);
    ASSERT_TRUE(plan);
    const auto inputs = decode_inputs(task, *plan);
    const auto want = reference::interpret(task.graph, {}, *inputs, {.policy = task.policy});
    ASSERT_TRUE(want);
    const DType type = task.graph.value(task.graph.outputs[0]).dtype;
    std::vector<std::byte> bytes = reference::encode_tensor((*want)[0], type);
    auto verdict = judge_trial(*device_, task, *plan, {bytes}, {});
    ASSERT_TRUE(verdict) << name << ": " << verdict.error().message;
    EXPECT_TRUE(verdict->passed()) << name << ": worst " << verdict->worst();
    EXPECT_EQ(verdict->judged(), static_cast<std::int64_t>((*want)[0].size())) << name;
    // One element wrong by more than its bound is found, at its place.
    const std::size_t at = (*want)[0].size() * 2 / 3;
    reference::Tensor spoiled = (*want)[0];
    spoiled.value[at] += 3 * spoiled.bound_at(at) + 0.001;
    bytes = reference::encode_tensor(spoiled, type);
    verdict = judge_trial(*device_, task, *plan, {bytes}, {});
    ASSERT_TRUE(verdict) << name;
    EXPECT_EQ(verdict->outputs[0].wrong, 1) << name;
    EXPECT_EQ(verdict->outputs[0].worst_index, static_cast<std::int64_t>(at)) << name;
    EXPECT_NEAR(verdict->outputs[0].expected, (*want)[0].value[at],
                1e-9 + 1e-6 * std::fabs((*want)[0].value[at]))
        << name;
  }
  set_slice_budget(0);
}

TEST_F(GpuReference, FillsTheSameBytesAsTheCpu) {
  for (const DType type :
       {DType::F32, DType::F16, DType::BF16, DType::F64, DType::I64, DType::U8}) {
    for (const Family family : {Family::AsDrawn, Family::Uniform, Family::Normal, Family::Coherent,
                                Family::Shifted, Family::Spiky, Family::Denormal, Family::Huge,
                                Family::RowScaled, Family::NonFinite, Family::Constant}) {
      FillSpec spec;
      spec.dtype = type;
      spec.elements = 1003;
      spec.row = 17;
      spec.seed = 0x123456789abcdefull;
      spec.stream = purpose("x");
      spec.family = family;
      spec.steps = is_floating(type) ? std::vector<DrawStep>{{Op::Normal, 0.1, 0.3},
                                                             {Op::Mul, 3, 0},
                                                             {Op::Add, 0.7, 0},
                                                             {Op::MulUniform, 0, 1}}
                                     : std::vector<DrawStep>{{Op::Integers, 0, 100}};
      std::vector<std::byte> want(1003 * size_of(type)), got(want.size());
      ASSERT_TRUE(fill(spec, want));
      const auto address = device_->allocate(got.size());
      const auto launch = fill_launch(spec, *address);
      ASSERT_TRUE(launch);
      const Status ran =
          device_->launch(kFillKernel, launch->grid, launch->block,
                          std::span(launch->parameters).first(launch->sizes[0]), &*address);
      ASSERT_TRUE(ran) << ran.error().message;
      ASSERT_TRUE(device_->to_host(got, *address));
      EXPECT_EQ(got, want) << to_string(type) << " " << to_string(family);
      device_->release(*address);
    }
  }
}

TEST(Slices, FollowRowsToTheInputs) {
  const Task gemm = load("level2_99.small.json");
  const auto slicing = find_slicing(gemm.graph);
  ASSERT_TRUE(slicing);
  EXPECT_EQ(slicing->dim[0], 0);
  EXPECT_EQ(slicing->dim[1], -1);
  const Task transposed = load("level1_16.small.json");
  const auto columns = find_slicing(transposed.graph);
  ASSERT_TRUE(columns);
  EXPECT_EQ(columns->dim[0], 1);
  EXPECT_EQ(columns->dim[1], -1);
  const Parts loss = split(load("level1_94.small.json").graph);
  EXPECT_TRUE(loss.reduction);
}
TEST(Slices, AreRefusedWhereRowsMeet) {
  Task task = scene::softmax(4, 6);
  task.graph.nodes[0].attrs["dim"] = std::int64_t{0};
  EXPECT_FALSE(find_slicing(task.graph));
}

}  // namespace
}  // namespace kw::verify::gpu
