#include "families.h"

#include <algorithm>
#include <cmath>

#include "kw/codegen/generator.h"

namespace kw::calibration {
namespace {

using Op = DrawStep::Op;
using Out = std::vector<float>;
using In = std::vector<Rows>;

constexpr std::int64_t kElements = 1 << 16;  // of the operands, so that long sums have few outputs

Order order_of(Dice& dice, std::size_t terms) {
  return one_chain ? Order{} : any_order(dice, terms);
}

// ---- tasks

class Builder {
 public:
  explicit Builder(std::string name) { task_.name = std::move(name); }
  Builder& input(std::string name, Shape shape, DrawStep draw = {Op::Normal, 0, 1}) {
    return filled(std::move(name), std::move(shape), Role::Input, DType::F32, draw);
  }
  Builder& weight(std::string name, Shape shape) {
    return filled(std::move(name), std::move(shape), Role::Weight, DType::F32, {Op::Uniform, -1, 1});
  }
  Builder& filled(std::string name, Shape shape, Role role, DType dtype, DrawStep draw) {
    task_.graph.values.push_back({std::move(name), dtype, std::move(shape), {}, {}, role});
    read_.push_back(static_cast<ValueId>(task_.graph.values.size() - 1));
    task_.draws.push_back({read_.back(), {draw}});
    return *this;
  }
  Task op(std::string name, Shape out, Attrs attrs = {}) {
    task_.graph.values.push_back({"y", DType::F32, std::move(out), {}, {}, Role::Output});
    task_.graph.outputs = {static_cast<ValueId>(task_.graph.values.size() - 1)};
    task_.graph.nodes.push_back({std::move(name), read_, std::move(attrs), task_.graph.outputs});
    return task_;
  }

 private:
  Task task_;
  std::vector<ValueId> read_;
};

/// Rows that fit the budget, at least one and at most `most`.
std::int64_t rows_for(std::int64_t k, std::int64_t most, Dice& dice) {
  const std::int64_t fit = std::clamp<std::int64_t>(kElements / k, 1, most);
  return 1 + static_cast<std::int64_t>(dice.below(static_cast<std::size_t>(fit)));
}
std::int64_t any_of(std::initializer_list<std::int64_t> list, Dice& dice) {
  return list.begin()[dice.below(list.size())];
}

Result<Task> make_mm(const std::string& name, std::int64_t k, Dice& dice) {
  const std::int64_t m = rows_for(k, 32, dice), n = rows_for(k, 16, dice);
  return Builder(name).input("a", {m, k}).input("b", {k, n}).op("aten.mm", {m, n});
}
Result<Task> make_linear(const std::string& name, std::int64_t k, Dice& dice) {
  const std::int64_t m = rows_for(k, 32, dice), n = rows_for(k, 16, dice);
  return Builder(name).input("x", {m, k}).weight("w", {n, k}).weight("b", {n}).op("aten.linear", {m, n});
}
Result<Task> make_conv(const std::string& name, std::int64_t k, Dice& dice) {
  const std::int64_t side = any_of({1, 2, 3, 4}, dice);
  const std::int64_t channels = std::max<std::int64_t>(1, k / (side * side));
  const std::int64_t out = std::min<std::int64_t>(rows_for(k, 16, dice), 8);
  const std::int64_t pixels = k > 8192 ? 1 : any_of({1, 2, 4}, dice);
  const std::int64_t in = side + pixels - 1;
  return Builder(name).input("x", {1, channels, in, in}).weight("w", {out, channels, side, side})
      .op("aten.conv2d", {1, out, pixels, pixels});
}
Result<Task> make_attention(const std::string& name, std::int64_t k, Dice& dice) {
  std::int64_t d = any_of({8, 16, 32, 64, 128}, dice);
  while (d > 8 && d * k > 2 * kElements) d /= 2;
  const std::int64_t queries = any_of({1, 2, 3}, dice);
  return Builder(name).input("q", {1, queries, d}).input("k", {1, k, d}).input("v", {1, k, d})
      .op("aten.scaled_dot_product_attention", {1, queries, d});
}
template <const char* const& kOp>
Result<Task> make_rows(const std::string& name, std::int64_t k, Dice& dice) {
  const std::int64_t r = rows_for(k, 16, dice);
  return Builder(name).input("x", {r, k}).op(kOp, {r, k}, {{"dim", std::int64_t{-1}}});
}
template <const char* const& kOp>
Result<Task> make_reduction(const std::string& name, std::int64_t k, Dice& dice) {
  const std::int64_t r = rows_for(k, 16, dice);
  return Builder(name).input("x", {r, k}).op(kOp, {r}, {{"dim", std::vector<std::int64_t>{1}}});
}
Result<Task> make_layer_norm(const std::string& name, std::int64_t k, Dice& dice) {
  const std::int64_t r = rows_for(k, 16, dice);
  return Builder(name).input("x", {r, k}).weight("w", {k}).weight("b", {k})
      .op("aten.layer_norm", {r, k},
          {{"normalized_shape", std::vector<std::int64_t>{k}}, {"eps", 1e-5}});
}
Result<Task> make_rms_norm(const std::string& name, std::int64_t k, Dice& dice) {
  const std::int64_t r = rows_for(k, 16, dice);
  return Builder(name).input("x", {r, k}).weight("w", {k})
      .op("aten.rms_norm", {r, k},
          {{"normalized_shape", std::vector<std::int64_t>{k}}, {"eps", 1e-6}});
}
Result<Task> make_cross_entropy(const std::string& name, std::int64_t k, Dice& dice) {
  const std::int64_t r = rows_for(k, 16, dice);
  return Builder(name).input("x", {r, k})
      .filled("t", {r}, Role::Input, DType::I64, {Op::Integers, 0, static_cast<double>(k)})
      .op("aten.cross_entropy_loss", {});
}
/// "mxfp4" and so on: y = x w^T with encoded w.
Result<Task> make_quantized(const std::string& name, std::int64_t k, Dice& dice) {
  const std::int64_t whole = (k + 127) / 128 * 128;  // groups of up to 128
  return codegen::format_task(fmt::format("{}/gemv?m={}&n={}&k={}", name, rows_for(whole, 16, dice),
                                          rows_for(whole, 8, dice), whole),
                              false);
}

// ---- kernels

Rows transposed(const Rows& x, std::size_t columns) {
  const std::size_t k = x.data.size() / columns;
  Rows out{columns, k, Out(x.data.size())};
  for (std::size_t i = 0; i < k; ++i) {
    for (std::size_t c = 0; c < columns; ++c) out.data[c * k + i] = x.data[i * columns + c];
  }
  return out;
}
std::size_t extent(const Task& task, std::size_t value, std::size_t d) {
  return static_cast<std::size_t>(task.graph.values[value].shape[d]);
}

Out run_mm(const Task& task, Scheme scheme, const In& in, Dice& dice) {
  const Rows b = transposed(in[1], extent(task, 1, 1));
  return products(scheme, order_of(dice, b.k), in[0], b);
}
Out run_linear(const Task&, Scheme scheme, const In& in, Dice& dice) {
  Out y = products(scheme, order_of(dice, in[0].k), in[0], in[1]);
  const std::size_t n = in[1].rows;
  for (std::size_t i = 0; i < y.size() && in.size() > 2; ++i) y[i] += in[2].data[i % n];
  return y;
}
Out run_conv(const Task& task, Scheme scheme, const In& in, Dice& dice) {
  const std::size_t c = extent(task, 0, 1), side = extent(task, 0, 2), taps = extent(task, 1, 2);
  const std::size_t pixels = side - taps + 1, filters = extent(task, 1, 0);
  Rows columns{pixels * pixels, c * taps * taps, {}};
  for (std::size_t p = 0; p < columns.rows; ++p) {
    for (std::size_t i = 0; i < columns.k; ++i) {
      const std::size_t channel = i / (taps * taps), tap = i % (taps * taps);
      const std::size_t y = p / pixels + tap / taps, x = p % pixels + tap % taps;
      columns.data.push_back(in[0].data[(channel * side + y) * side + x]);
    }
  }
  const Rows w{filters, columns.k, in[1].data};
  return products(scheme, order_of(dice, columns.k), w, columns);
}

float top_of(const float* x, std::size_t n) {
  float top = -HUGE_VALF;
  for (std::size_t i = 0; i < n; ++i) top = top != top || x[i] != x[i] ? NAN : std::max(top, x[i]);
  return top;
}
/// exp(x - top), kept as the scheme keeps values.
Rows exponentials(Scheme scheme, const Rows& x, const Out& tops, Dice& dice) {
  Rows e{x.rows, x.k, Out(x.data.size())};
  for (std::size_t r = 0; r < x.rows; ++r) {
    for (std::size_t i = 0; i < x.k; ++i) {
      const float d = x.row(r)[i] - tops[r];
      e.row(r)[i] = stored(scheme, function(dice, std::exp(static_cast<double>(d)), 2));
    }
  }
  return e;
}
Rows kept(Scheme scheme, const Rows& x) {
  Rows out = x;
  for (float& v : out.data) v = stored(scheme, v);
  return out;
}
Out tops_of(const Rows& x) {
  Out tops(x.rows);
  for (std::size_t r = 0; r < x.rows; ++r) tops[r] = top_of(x.row(r), x.k);
  return tops;
}

Out run_softmax(const Task&, Scheme scheme, const In& in, Dice& dice) {
  const Rows x = kept(scheme, in[0]);
  Rows e = exponentials(scheme, x, tops_of(x), dice);
  const Out total = sums(scheme, order_of(dice, x.k), e);
  const bool reciprocal = dice.below(2) == 0;
  for (std::size_t i = 0; i < e.data.size(); ++i) {
    const float s = total[i / x.k];
    e.data[i] = reciprocal ? e.data[i] * (1 / s) : e.data[i] / s;
  }
  return e.data;
}
struct LogSum {
  Out top, log;
};
LogSum log_sums(Scheme scheme, const Rows& x, Dice& dice) {
  LogSum s{tops_of(x), sums(scheme, order_of(dice, x.k), exponentials(scheme, x, tops_of(x), dice))};
  for (float& v : s.log) v = function(dice, std::log(static_cast<double>(v)), 1);
  return s;
}
Out run_log_softmax(const Task&, Scheme scheme, const In& in, Dice& dice) {
  Rows x = kept(scheme, in[0]);
  const LogSum s = log_sums(scheme, x, dice);
  const bool together = dice.below(2) == 0;
  for (std::size_t i = 0; i < x.data.size(); ++i) {
    const std::size_t r = i / x.k;
    x.data[i] = together ? x.data[i] - (s.top[r] + s.log[r]) : (x.data[i] - s.top[r]) - s.log[r];
  }
  return x.data;
}
Out run_cross_entropy(const Task&, Scheme scheme, const In& in, Dice& dice) {
  const Rows x = kept(scheme, in[0]);
  const LogSum s = log_sums(scheme, x, dice);
  const bool together = dice.below(2) == 0;
  float total = 0;
  for (std::size_t r = 0; r < x.rows; ++r) {
    const float picked = x.row(r)[static_cast<std::size_t>(in[1].data[r])];
    total += together ? (s.top[r] + s.log[r]) - picked : s.log[r] - (picked - s.top[r]);
  }
  return {total / static_cast<float>(x.rows)};
}

Out means(Scheme scheme, const Rows& x, Dice& dice) {
  Out mean = sums(scheme, order_of(dice, x.k), x);
  for (float& v : mean) v /= static_cast<float>(x.k);
  return mean;
}
Out run_layer_norm(const Task&, Scheme scheme, const In& in, Dice& dice) {
  Rows x = kept(scheme, in[0]);
  const Out mean = means(scheme, x, dice);
  Rows squares = x;
  for (std::size_t i = 0; i < x.data.size(); ++i) {
    const float d = x.data[i] - mean[i / x.k];
    squares.data[i] = d * d;
  }
  const Out variance = means(scheme, squares, dice);
  for (std::size_t i = 0; i < x.data.size(); ++i) {
    const std::size_t r = i / x.k;
    const float scale = function(dice, 1 / std::sqrt(static_cast<double>(variance[r] + 1e-5f)), 2);
    x.data[i] = std::fma((x.data[i] - mean[r]) * scale, in[1].data[i % x.k], in[2].data[i % x.k]);
  }
  return x.data;
}
Out run_rms_norm(const Task&, Scheme scheme, const In& in, Dice& dice) {
  Rows x = kept(scheme, in[0]);
  Rows squares = x;
  for (float& v : squares.data) v *= v;
  const Out square = means(scheme, squares, dice);
  for (std::size_t i = 0; i < x.data.size(); ++i) {
    const float scale = function(dice, 1 / std::sqrt(static_cast<double>(square[i / x.k] + 1e-6f)), 2);
    x.data[i] = x.data[i] * scale * in[1].data[i % x.k];
  }
  return x.data;
}
Out run_sum(const Task&, Scheme scheme, const In& in, Dice& dice) {
  return sums(scheme, order_of(dice, in[0].k), kept(scheme, in[0]));
}
Out run_mean(const Task&, Scheme scheme, const In& in, Dice& dice) {
  return means(scheme, kept(scheme, in[0]), dice);
}

/// Two passes over all keys, or blocks of them with a running maximum.
Out run_attention(const Task& task, Scheme scheme, const In& in, Dice& dice) {
  const std::size_t queries = extent(task, 0, 1), d = extent(task, 0, 2), keys = extent(task, 1, 1);
  const Rows q{queries, d, in[0].data}, k{keys, d, in[1].data};
  Rows scores{queries, keys, products(scheme, order_of(dice, d), q, k)};
  const float scale = 1 / std::sqrt(static_cast<float>(d));
  for (float& v : scores.data) v *= scale;
  const bool late = dice.below(2) == 0;
  const bool online = promotes(scheme) && dice.below(2) == 0;  // every block ends in FP32 registers
  const std::size_t block = online ? std::size_t{64} << dice.below(3) : keys;
  Out y(queries * d, 0.0f), total(queries, 0.0f), top(queries, -HUGE_VALF);
  for (std::size_t first = 0; first < keys; first += block) {
    const std::size_t n = std::min(block, keys - first);
    Rows part{queries, n, Out(queries * n)};
    for (std::size_t r = 0; r < queries; ++r) {
      std::copy_n(scores.row(r) + first, n, part.row(r));
      const float here = top_of(part.row(r), n), before = top[r];
      top[r] = before != before || here != here ? NAN : std::max(before, here);
      const float shrink = function(dice, std::exp(static_cast<double>(before - top[r])), 2);
      if (first == 0) continue;
      total[r] *= shrink;
      for (std::size_t j = 0; j < d; ++j) y[r * d + j] *= shrink;
    }
    Rows e = exponentials(scheme, part, top, dice);
    // Attention kernels add the weights in FP32 and multiply the values on tensor cores.
    const Out sum = sums(Scheme::Ffma, order_of(dice, n), e);
    for (std::size_t r = 0; r < queries; ++r) total[r] += sum[r];
    if (!online && !late) {
      for (std::size_t i = 0; i < e.data.size(); ++i) e.data[i] /= total[i / n];
    }
    const Rows v = transposed({n, d, Out(in[2].data.begin() + static_cast<std::ptrdiff_t>(first * d),
                                         in[2].data.begin() + static_cast<std::ptrdiff_t>((first + n) * d))},
                              d);
    const Out product = products(scheme, order_of(dice, n), e, v);
    for (std::size_t i = 0; i < y.size(); ++i) y[i] += product[i];
  }
  if (online || late) {
    for (std::size_t i = 0; i < y.size(); ++i) y[i] /= total[i / d];
  }
  return y;
}

constexpr const char* kSoftmax = "aten.softmax.int";
constexpr const char* kLogSoftmax = "aten.log_softmax.int";
constexpr const char* kSum = "aten.sum.dim_IntList";
constexpr const char* kMean = "aten.mean.dim";

}  // namespace

std::span<const TaskFamily> task_families() {
  static const std::vector<TaskFamily> kAll{
      {"mm", true, make_mm, run_mm},
      {"linear", true, make_linear, run_linear},
      {"conv2d", true, make_conv, run_conv},
      {"attention", true, make_attention, run_attention},
      {"softmax", false, make_rows<kSoftmax>, run_softmax},
      {"log_softmax", false, make_rows<kLogSoftmax>, run_log_softmax},
      {"cross_entropy", false, make_cross_entropy, run_cross_entropy},
      {"layer_norm", false, make_layer_norm, run_layer_norm},
      {"rms_norm", false, make_rms_norm, run_rms_norm},
      {"sum", false, make_reduction<kSum>, run_sum},
      {"mean", false, make_reduction<kMean>, run_mean},
      {"mxfp4", true, make_quantized, run_linear},
      {"mxfp8", true, make_quantized, run_linear},
      {"mxint8", true, make_quantized, run_linear},
      {"nvfp4", true, make_quantized, run_linear},
      {"nvint4", true, make_quantized, run_linear},
      {"woq_w4_asym", true, make_quantized, run_linear},
      {"woq_w4_sym", true, make_quantized, run_linear},
  };
  return kAll;
}

}  // namespace kw::calibration
