// The rule of docs/formats/small_shapes.md, checked on the committed tasks without the code that
// made them.

#include <gtest/gtest.h>

#include <optional>

#include "kw/bench/suites.h"
#include "kw/bench/tasks.h"

namespace kw::bench {
namespace {

struct Pair {
  std::string name;
  Task original;
  Task small;
};

std::vector<Pair> pairs() {
  std::vector<Pair> found;
  const auto suite = find_suite("kernelbench20");
  for (const std::string& name : suite->tasks) {
    found.push_back({name, *find_task(name), *find_task(name + "@small")});
  }
  return found;
}

std::int64_t count(const Value& value) { return element_count(value.shape).value(); }

std::int64_t tiles(std::int64_t extent, std::int64_t tile) { return (extent + tile - 1) / tile; }

bool is(const Node& node, std::string_view op) { return node.op == "aten." + std::string(op); }

struct Product {
  std::int64_t m, n, k;
};

std::optional<Product> product_of(const Graph& graph, const Node& node) {
  if (!is(node, "linear") && !is(node, "matmul")) return std::nullopt;
  const Shape& a = graph.value(node.inputs[0]).shape;
  const Shape& b = graph.value(node.inputs[1]).shape;
  return Product{a[0], is(node, "linear") ? b[0] : b[1], a[1]};
}

TEST(SmallShapes, KeepTheGraphAndOnlyShrinkExtents) {
  for (const Pair& pair : pairs()) {
    const Graph &large = pair.original.graph, &small = pair.small.graph;
    ASSERT_EQ(large.nodes.size(), small.nodes.size()) << pair.name;
    for (std::size_t i = 0; i < large.nodes.size(); ++i) {
      EXPECT_EQ(large.nodes[i].op, small.nodes[i].op) << pair.name;
      EXPECT_EQ(large.nodes[i].inputs, small.nodes[i].inputs) << pair.name;
    }
    ASSERT_EQ(large.values.size(), small.values.size()) << pair.name;
    for (std::size_t i = 0; i < large.values.size(); ++i) {
      const Shape &a = large.values[i].shape, &b = small.values[i].shape;
      ASSERT_EQ(a.size(), b.size()) << pair.name;
      for (std::size_t d = 0; d < a.size(); ++d) EXPECT_LE(b[d], a[d]) << pair.name;
    }
  }
}

TEST(SmallShapes, LeaveATailInEveryExtentThatChanged) {
  for (const Pair& pair : pairs()) {
    for (std::size_t i = 0; i < pair.small.graph.values.size(); ++i) {
      const Shape& a = pair.original.graph.values[i].shape;
      const Shape& b = pair.small.graph.values[i].shape;
      for (std::size_t d = 0; d < a.size(); ++d) {
        if (a[d] == b[d]) continue;
        EXPECT_NE(b[d] % 32, 0) << pair.name;
      }
    }
  }
}

TEST(SmallShapes, KeepRowsOnSixteenBytesWhereTheOriginalHasThem) {
  for (const Pair& pair : pairs()) {
    for (std::size_t i = 0; i < pair.small.graph.values.size(); ++i) {
      const Value& a = pair.original.graph.values[i];
      const Value& b = pair.small.graph.values[i];
      if (a.role == Role::Scratch || a.shape.empty() || a.shape.back() < 4) continue;
      EXPECT_EQ(a.shape.back() % 4 == 0, b.shape.back() % 4 == 0) << pair.name << " " << a.name;
    }
  }
}

TEST(SmallShapes, FillSeveralTilesOfAProduct) {
  for (const Pair& pair : pairs()) {
    for (const Node& node : pair.small.graph.nodes) {
      const auto product = product_of(pair.small.graph, node);
      if (!product) continue;
      EXPECT_GT(product->k, 128) << pair.name;  // two tiles of 64 and a tail
      EXPECT_NE(product->k % 64, 0) << pair.name;
      const bool vector = product->n == 1;
      EXPECT_GE(vector ? product->m : tiles(product->m, 64) * tiles(product->n, 64), 3)
          << pair.name;
      EXPECT_LE(2 * product->m * product->n * product->k, 5'000'000) << pair.name;
    }
  }
}

TEST(SmallShapes, ReduceAtLeastThirtyTwoElementsInAtLeastThreeRowsOrBlocks) {
  for (const Pair& pair : pairs()) {
    const Graph& graph = pair.small.graph;
    for (const Node& node : graph.nodes) {
      std::int64_t length = 0, rows = 0;
      const Value& in = graph.value(node.inputs[0]);
      if (is(node, "sum.dim_IntList") || is(node, "mean.dim") || is(node, "mean")) {
        rows = count(graph.value(node.outputs[0]));
        length = count(in) / rows;
      } else if (is(node, "softmax.int")) {
        length = in.shape.back();
        rows = count(in) / length;
      } else if (is(node, "layer_norm")) {
        length = count(graph.value(node.inputs[1]));
        rows = count(in) / length;
      } else {
        continue;
      }
      EXPECT_GE(length, 32) << pair.name;
      EXPECT_GE(rows == 1 ? tiles(length, 4096) : rows, 3) << pair.name;
    }
  }
}

TEST(SmallShapes, AreLargeEnoughForThreeBlocksAndSmallEnoughToInterpret) {
  for (const Pair& pair : pairs()) {
    std::int64_t largest = 0;
    for (const Value& value : pair.small.graph.values) largest = std::max(largest, count(value));
    EXPECT_GT(largest, 3 * 4096) << pair.name;
    EXPECT_LE(largest, 100'000) << pair.name;
  }
}

}  // namespace
}  // namespace kw::bench
