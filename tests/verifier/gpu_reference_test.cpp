// The kernels of the full-size reference, run in the virtual machine, against the interpreter: the
// same values and the same bounds.

#include "verifier/gpu_reference.h"

#include "slices.h"

namespace kw::verify::gpu {
namespace {

using Op = DrawStep::Op;

Task task_of(std::vector<Shape> inputs, std::vector<Node> nodes, std::vector<Shape> made) {
  Task task;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    task.graph.values.push_back(scene::value(fmt::format("x{}", i), inputs[i], Role::Input));
    task.draws.push_back({static_cast<ValueId>(i), {{Op::Uniform, 0, 1}}});
  }
  for (std::size_t i = 0; i < made.size(); ++i) {
    task.graph.values.push_back(scene::value(fmt::format("y{}", i), made[i],
                                             i + 1 == made.size() ? Role::Output : Role::Scratch));
  }
  task.graph.nodes = std::move(nodes);
  task.graph.outputs = {static_cast<ValueId>(task.graph.values.size()) - 1};
  return task;
}
Task unary(const std::string& op, Attrs attrs = {}, Shape shape = {3, 37}) {
  return task_of({shape}, {{op, {0}, std::move(attrs), {1}}}, {shape});
}
Attr ints(std::vector<std::int64_t> list) { return list; }

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

Attrs window(std::vector<std::int64_t> stride, std::vector<std::int64_t> padding,
             std::vector<std::int64_t> dilation, std::int64_t groups = 1) {
  return {{"stride", ints(std::move(stride))},
          {"padding", ints(std::move(padding))},
          {"dilation", ints(std::move(dilation))},
          {"groups", groups}};
}

TEST_F(GpuReference, ConvolutionsAgree) {
  const auto conv = [&](const char* op, Shape x, Shape w, Attrs attrs, Shape y, bool bias) {
    std::vector<Shape> inputs{std::move(x), std::move(w)};
    std::vector<ValueId> ids{0, 1};
    const std::int64_t channels = y[1];
    if (bias) inputs.push_back({channels}), ids.push_back(2);
    const auto made = static_cast<ValueId>(inputs.size());
    agree(*device_,
          task_of(std::move(inputs), {{op, std::move(ids), std::move(attrs), {made}}}, {std::move(y)}),
          op);
  };
  conv("aten.conv1d", {2, 6, 20}, {9, 6, 3}, window({2}, {1}, {2}), {2, 9, 9}, true);
  conv("aten.conv2d", {1, 4, 19, 18}, {65, 4, 3, 3}, window({1, 1}, {1, 0}, {1, 1}), {1, 65, 19, 16},
       false);
  conv("aten.conv2d", {2, 6, 7, 7}, {6, 1, 3, 3}, window({1, 1}, {1, 1}, {1, 1}, 6), {2, 6, 7, 7},
       true);
  conv("aten.conv3d", {1, 4, 5, 6, 5}, {10, 2, 2, 3, 3}, window({1, 2, 1}, {0, 1, 1}, {1, 1, 1}, 2),
       {1, 10, 4, 3, 5}, false);
  Attrs transposed = window({2, 3}, {1, 0}, {1, 2}, 2);
  transposed["output_padding"] = ints({1, 0});
  conv("aten.conv_transpose2d.input", {1, 4, 5, 4}, {4, 9, 3, 3}, transposed, {1, 18, 10, 14}, true);
  // Enough outputs for the tiles, operands with errors of their own.
  agree(*device_,
        task_of({{1, 3, 30, 31}, {20, 3, 3, 3}},
                {{"aten.tanh", {0}, {}, {2}},
                 {"aten.conv2d", {2, 1}, window({1, 1}, {1, 1}, {1, 1}), {3}}},
                {{1, 3, 30, 31}, {1, 20, 30, 31}}),
        "conv2d of tanh");
}

TEST_F(GpuReference, PoolingAgrees) {
  const auto pool = [&](const char* op, Shape x, Attrs attrs, Shape y) {
    agree(*device_, task_of({std::move(x)}, {{op, {0}, std::move(attrs), {1}}}, {std::move(y)}), op);
  };
  Attrs attrs = window({2, 2}, {1, 1}, {1, 1});
  attrs["kernel_size"] = ints({3, 3});
  pool("aten.max_pool2d", {2, 3, 9, 8}, attrs, {2, 3, 5, 4});
  attrs.erase("dilation");
  pool("aten.avg_pool2d", {2, 3, 9, 8}, attrs, {2, 3, 5, 4});
  attrs["count_include_pad"] = false;
  pool("aten.avg_pool2d", {2, 3, 9, 8}, attrs, {2, 3, 5, 4});
  pool("aten.avg_pool1d", {2, 3, 9}, {{"kernel_size", ints({4})}, {"stride", ints({2})}}, {2, 3, 3});
  pool("aten.max_pool3d", {1, 2, 6, 6, 6}, {{"kernel_size", ints({2})}}, {1, 2, 3, 3, 3});
  pool("aten.adaptive_avg_pool2d", {2, 3, 7, 9}, {{"output_size", ints({3, 2})}}, {2, 3, 3, 2});
}

TEST_F(GpuReference, BatchNormalisationAgrees) {
  Task task = task_of({{3, 5, 4, 6}, {5}, {5}, {5}, {5}}, {}, {});
  const auto add = [&](const char* name, Shape shape, Role role) {
    task.graph.values.push_back(scene::value(name, std::move(shape), role));
    return static_cast<ValueId>(task.graph.values.size()) - 1;
  };
  const ValueId y = add("y", {3, 5, 4, 6}, Role::Output);
  const ValueId mean = add("mean", {5}, Role::Output), variance = add("variance", {5}, Role::Output);
  task.graph.nodes = {{"aten._native_batch_norm_legit_functional",
                       {0, 1, 2, 3, 4},
                       {{"eps", 1e-5}, {"momentum", 0.1}, {"training", true}},
                       {y, kNoValue, kNoValue, mean, variance}}};
  for (const ValueId output : {y, mean, variance}) {
    task.graph.outputs = {output};
    agree(*device_, task, task.graph.value(output).name);
  }
}

TEST_F(GpuReference, ExtremaAndNormsOfVectorsAgree) {
  const auto over = [&](const char* op, Attrs attrs, Shape out) {
    attrs["dim"] = ints({1});
    agree(*device_, task_of({{3, 70, 9}}, {{op, {0}, std::move(attrs), {1}}}, {std::move(out)}), op);
  };
  over("aten.max.dim", {}, {3, 9});
  over("aten.min.dim", {}, {3, 9});
  over("aten.logsumexp", {}, {3, 9});
  over("aten.std.correction", {}, {3, 9});
  over("aten.linalg_vector_norm", {}, {3, 9});
  over("aten.linalg_vector_norm", {{"ord", 1.0}}, {3, 9});
}

TEST_F(GpuReference, IndexMapsAgree) {
  const auto one = [&](const char* op, Shape x, Attrs attrs, Shape y) {
    agree(*device_, task_of({std::move(x)}, {{op, {0}, std::move(attrs), {1}}}, {std::move(y)}), op);
  };
  one("aten.flip", {3, 5, 4}, {{"dims", ints({0, 2})}}, {3, 5, 4});
  one("aten.select.int", {3, 5, 4}, {{"dim", std::int64_t{1}}, {"index", std::int64_t{-2}}}, {3, 4});
  one("aten.slice", {3, 9, 4},
      {{"dim", std::int64_t{1}}, {"start", std::int64_t{2}}, {"end", std::int64_t{-1}},
       {"step", std::int64_t{2}}},
      {3, 3, 4});
  one("aten.narrow", {3, 9},
      {{"dim", std::int64_t{1}}, {"start", std::int64_t{2}}, {"length", std::int64_t{4}}}, {3, 4});
  one("aten.unfold", {2, 10},
      {{"dimension", std::int64_t{1}}, {"size", std::int64_t{4}}, {"step", std::int64_t{3}}},
      {2, 3, 4});
  one("aten.pad", {2, 3, 4}, {{"mode", std::string("constant")}, {"pad", ints({1, 2, -1, 0})}, {"value", 0.5}},
      {2, 2, 7});
  one("aten.roll", {4, 5, 2}, {{"dims", ints({0, 1})}, {"shifts", ints({1, -2})}}, {4, 5, 2});
  one("aten.tril", {2, 4, 5}, {{"diagonal", std::int64_t{1}}}, {2, 4, 5});
  one("aten.triu", {2, 4, 5}, {{"diagonal", std::int64_t{0}}}, {2, 4, 5});
  agree(*device_,
        task_of({{2, 3, 4}, {2, 1, 4}}, {{"aten.cat", {0, 1}, {{"dim", std::int64_t{1}}}, {2}}},
                {{2, 4, 4}}),
        "cat");
  agree(*device_,
        task_of({{2, 3}, {2, 3}}, {{"aten.stack", {0, 1}, {{"dim", std::int64_t{1}}}, {2}}},
                {{2, 2, 3}}),
        "stack");
}

TEST_F(GpuReference, ScansAndPositionsAgree) {
  for (const char* op : {"aten.cumsum", "aten.cumprod"}) {
    agree(*device_, unary(op, {{"dim", std::int64_t{1}}}, {35, 70}), op);
    agree(*device_, unary(op, {{"dim", std::int64_t{0}}}, {35, 6}), op);
  }
  for (const char* op : {"aten.argmax", "aten.argmin"}) {
    Task task = task_of({{5, 40, 3}}, {{op, {0}, {{"dim", std::int64_t{1}}}, {1}}}, {{5, 3}});
    task.graph.values[1].dtype = DType::I64;
    agree(*device_, task, op);
  }
}

TEST_F(GpuReference, AttentionAndEinsumAgree) {
  const auto attend = [&](bool causal) {
    return task_of({{2, 3, 6, 8}, {2, 3, 9, 8}, {2, 3, 9, 5}},
                   {{"aten.scaled_dot_product_attention", {0, 1, 2}, {{"is_causal", causal}}, {3}}},
                   {{2, 3, 6, 5}});
  };
  agree(*device_, attend(false), "attention");
  agree(*device_, attend(true), "causal attention");
  agree(*device_,
        task_of({{2, 3, 4, 5}, {5, 7}},
                {{"aten.einsum", {0, 1}, {{"equation", std::string("bijl,lk->bijk")}}, {2}}},
                {{2, 3, 4, 7}}),
        "einsum product");
  agree(*device_,
        task_of({{2, 3, 4}, {2, 4, 5}, {3, 5}},
                {{"aten.einsum", {0, 1, 2}, {{"equation", std::string("bij,bjk,ik->bi")}}, {3}}},
                {{2, 3}}),
        "einsum of three");
}

TEST_F(GpuReference, RecurrencesAgree) {
  const auto layers = [&](const char* op, std::int64_t gates, std::size_t states, bool both) {
    const std::int64_t width = 4, directions = both ? 2 : 1;
    std::vector<Shape> inputs{{3, 2, 5}};
    for (std::size_t s = 0; s < states; ++s) inputs.push_back({2 * directions, 2, width});
    for (std::int64_t layer = 0; layer < 2; ++layer) {
      for (std::int64_t d = 0; d < directions; ++d) {
        inputs.push_back({gates * width, layer == 0 ? 5 : width * directions});
        inputs.push_back({gates * width, width});
        inputs.push_back({gates * width});
        inputs.push_back({gates * width});
      }
    }
    std::vector<ValueId> ids;
    for (std::size_t i = 0; i < inputs.size(); ++i) ids.push_back(static_cast<ValueId>(i));
    Task task = task_of(inputs, {}, {});
    std::vector<ValueId> made;
    for (std::size_t o = 0; o <= states; ++o) {
      const Shape shape = o == 0 ? Shape{3, 2, width * directions} : Shape{2 * directions, 2, width};
      task.graph.values.push_back(scene::value(fmt::format("y{}", o), shape, Role::Output));
      made.push_back(static_cast<ValueId>(task.graph.values.size()) - 1);
    }
    task.graph.nodes = {{op, ids,
                         {{"num_layers", std::int64_t{2}}, {"bidirectional", both},
                          {"batch_first", false}, {"has_biases", true}},
                         made}};
    task.graph.outputs = made;
    agree(*device_, task, op, {Family::AsDrawn, Family::Normal, Family::Spiky});
  };
  layers("aten.lstm.input", 4, 2, false);
  layers("aten.gru.input", 3, 1, true);
  layers("aten.rnn_tanh.input", 1, 1, false);
}

}  // namespace
}  // namespace kw::verify::gpu
