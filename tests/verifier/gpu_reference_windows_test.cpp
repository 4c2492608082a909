// The same of the kernels for windows, statistics, indices, attention and recurrences.

#include "verifier/gpu_reference.h"

namespace kw::verify::gpu {
namespace {

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
          task_of(std::move(inputs), {{op, std::move(ids), std::move(attrs), {made}}},
                  {std::move(y)}),
          op);
  };
  conv("aten.conv1d", {2, 6, 20}, {9, 6, 3}, window({2}, {1}, {2}), {2, 9, 9}, true);
  conv("aten.conv2d", {1, 4, 19, 18}, {65, 4, 3, 3}, window({1, 1}, {1, 0}, {1, 1}),
       {1, 65, 19, 16}, false);
  conv("aten.conv2d", {2, 6, 7, 7}, {6, 1, 3, 3}, window({1, 1}, {1, 1}, {1, 1}, 6), {2, 6, 7, 7},
       true);
  conv("aten.conv3d", {1, 4, 5, 6, 5}, {10, 2, 2, 3, 3}, window({1, 2, 1}, {0, 1, 1}, {1, 1, 1}, 2),
       {1, 10, 4, 3, 5}, false);
  Attrs transposed = window({2, 3}, {1, 0}, {1, 2}, 2);
  transposed["output_padding"] = ints({1, 0});
  conv("aten.conv_transpose2d.input", {1, 4, 5, 4}, {4, 9, 3, 3}, transposed, {1, 18, 10, 14},
       true);
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
    agree(*device_, task_of({std::move(x)}, {{op, {0}, std::move(attrs), {1}}}, {std::move(y)}),
          op);
  };
  Attrs attrs = window({2, 2}, {1, 1}, {1, 1});
  attrs["kernel_size"] = ints({3, 3});
  pool("aten.max_pool2d", {2, 3, 9, 8}, attrs, {2, 3, 5, 4});
  attrs.erase("dilation");
  pool("aten.avg_pool2d", {2, 3, 9, 8}, attrs, {2, 3, 5, 4});
  attrs["count_include_pad"] = false;
  pool("aten.avg_pool2d", {2, 3, 9, 8}, attrs, {2, 3, 5, 4});
  pool("aten.avg_pool1d", {2, 3, 9}, {{"kernel_size", ints({4})}, {"stride", ints({2})}},
       {2, 3, 3});
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
  const ValueId mean = add("mean", {5}, Role::Output),
                variance = add("variance", {5}, Role::Output);
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
    agree(*device_, task_of({{3, 70, 9}}, {{op, {0}, std::move(attrs), {1}}}, {std::move(out)}),
          op);
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
    agree(*device_, task_of({std::move(x)}, {{op, {0}, std::move(attrs), {1}}}, {std::move(y)}),
          op);
  };
  one("aten.flip", {3, 5, 4}, {{"dims", ints({0, 2})}}, {3, 5, 4});
  one("aten.select.int", {3, 5, 4}, {{"dim", std::int64_t{1}}, {"index", std::int64_t{-2}}},
      {3, 4});
  one("aten.slice", {3, 9, 4},
      {{"dim", std::int64_t{1}},
       {"start", std::int64_t{2}},
       {"end", std::int64_t{-1}},
       {"step", std::int64_t{2}}},
      {3, 3, 4});
  one("aten.narrow", {3, 9},
      {{"dim", std::int64_t{1}}, {"start", std::int64_t{2}}, {"length", std::int64_t{4}}}, {3, 4});
  one("aten.unfold", {2, 10},
      {{"dimension", std::int64_t{1}}, {"size", std::int64_t{4}}, {"step", std::int64_t{3}}},
      {2, 3, 4});
  one("aten.pad", {2, 3, 4},
      {{"mode", std::string("constant")}, {"pad", ints({1, 2, -1, 0})}, {"value", 0.5}}, {2, 2, 7});
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
      const Shape shape =
          o == 0 ? Shape{3, 2, width * directions} : Shape{2 * directions, 2, width};
      task.graph.values.push_back(scene::value(fmt::format("y{}", o), shape, Role::Output));
      made.push_back(static_cast<ValueId>(task.graph.values.size()) - 1);
    }
    task.graph.nodes = {{op,
                         ids,
                         {{"num_layers", std::int64_t{2}},
                          {"bidirectional", both},
                          {"batch_first", false},
                          {"has_biases", true}},
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
