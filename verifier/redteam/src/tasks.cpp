#include "tasks.h"

#include <algorithm>

namespace kw::redteam {
namespace {

using Extents = std::vector<std::int64_t>;
using Op = DrawStep::Op;

class Builder {
 public:
  Builder& input(std::string name, Shape shape, DrawStep draw = {Op::Uniform, -1, 1}) {
    return filled(std::move(name), std::move(shape), Role::Input, DType::F32, draw);
  }
  Builder& weight(std::string name, Shape shape, DrawStep draw = {Op::Uniform, -1, 1}) {
    return filled(std::move(name), std::move(shape), Role::Weight, DType::F32, draw);
  }
  Builder& filled(std::string name, Shape shape, Role role, DType dtype, DrawStep draw) {
    const ValueId id = value(std::move(name), std::move(shape), role, dtype);
    task.draws.push_back({id, {draw}});
    read.push_back(id);
    return *this;
  }
  Builder& output(std::string name, Shape shape, DType dtype = DType::F32) {
    task.graph.outputs.push_back(value(std::move(name), std::move(shape), Role::Output, dtype));
    return *this;
  }
  /// One operator over everything read so far.
  Task op(std::string name, Attrs attrs = {}) {
    task.graph.nodes.push_back({std::move(name), read, std::move(attrs), task.graph.outputs});
    return task;
  }
  ValueId value(std::string name, Shape shape, Role role, DType dtype) {
    task.graph.values.push_back({std::move(name), dtype, std::move(shape), {}, {}, role});
    return static_cast<ValueId>(task.graph.values.size() - 1);
  }

  Task task;
  std::vector<ValueId> read;
};

constexpr DrawStep kPositive{Op::Uniform, 0, 1};
Attr last() { return std::int64_t{-1}; }
Attr list(std::int64_t dim) { return std::vector<std::int64_t>{dim}; }

Builder rows(const Extents& e) { return Builder().input("x", {e[0], e[1]}); }

Task pointwise(const char* op, const Extents& e) { return rows(e).output("y", {e[0], e[1]}).op(op); }

Format mxint8() {
  Format f;
  f.name = "mxint8";
  f.element.kind = ElementKind::SignedInt;
  f.element.bits = 8;
  f.element.max_value = 127;
  f.element.fraction_shift = 6;
  return f;
}
Format woq_w4() {
  Format f;
  f.name = "woq_w4_sym";
  f.element.kind = ElementKind::UnsignedInt;
  f.element.bits = 4;
  f.element.max_value = 15;
  f.block = 128;
  f.scale = ScaleKind::F16;
  f.rule = ScaleRule::AffineSymmetric;
  return f;
}

Task quantize(const Extents& e) {
  Builder b = Builder().input("x", {e[0], e[1]}, {Op::Normal, 0, 1});
  b.output("codes", {e[0], e[1]}, DType::U8).output("scales", {e[0], e[1] / 32}, DType::U8);
  b.task.formats = {mxint8()};
  for (const ValueId id : b.task.graph.outputs) {
    b.task.graph.values[static_cast<std::size_t>(id)].format = "mxint8";
  }
  b.task.policy = preset(PolicyClass::Exact);
  b.task.determinism = Determinism::Bitwise;
  return b.op("kw.quantize", {{"format", std::string("mxint8")}});
}

Task dequantize(const Extents& e) {
  Builder b;
  b.filled("codes", {e[0], e[1]}, Role::Input, DType::U8, {Op::Codes, 0, 0});
  b.filled("scales", {e[0], e[1] / 32}, Role::Input, DType::U8, {Op::Scales, -4, 3});
  b.task.formats = {mxint8()};
  for (Value& v : b.task.graph.values) v.format = "mxint8";
  b.output("y", {e[0], e[1]});
  return b.op("kw.dequantize", {{"format", std::string("mxint8")}, {"k", e[1]}});
}

/// y[m, n] = x[m, k] dequantised(w)[n, k]^T, four-bit weights in groups of 128.
Task woq_gemv(const Extents& e) {
  Builder b = Builder().input("x", {e[0], e[2]}, {Op::Normal, 0, 1});
  b.filled("codes", {e[1], e[2] / 2}, Role::Weight, DType::U8, {Op::Codes, 0, 0});
  b.filled("scales", {e[1], e[2] / 128}, Role::Weight, DType::F16, {Op::Scales, -9, -3});
  b.task.formats = {woq_w4()};
  for (const std::size_t i : {1u, 2u}) b.task.graph.values[i].format = "woq_w4_sym";
  const ValueId w = b.value("w", {e[1], e[2]}, Role::Scratch, DType::F32);
  b.output("y", {e[0], e[1]});
  b.task.graph.nodes = {
      {"kw.dequantize", {1, 2}, {{"format", std::string("woq_w4_sym")}, {"k", e[2]}}, {w}},
      {"aten.linear", {0, w}, {}, b.task.graph.outputs}};
  return b.task;
}

struct Family {
  std::string_view name;
  std::size_t extents;
  Task (*make)(const Extents&);
};

constexpr Family kFamilies[] = {
    // x[r, c] -> y[r, c]
    {"relu", 2, [](const Extents& e) { return pointwise("aten.relu", e); }},
    {"tanh", 2, [](const Extents& e) { return pointwise("aten.tanh", e); }},
    {"gelu", 2, [](const Extents& e) { return pointwise("aten.gelu", e); }},
    {"exp", 2, [](const Extents& e) { return pointwise("aten.exp", e); }},
    {"add", 2,
     [](const Extents& e) {
       return rows(e).input("z", {e[0], e[1]}).output("y", {e[0], e[1]}).op("aten.add.Tensor");
     }},
    {"triu", 2, [](const Extents& e) { return pointwise("aten.triu", e); }},
    {"cumsum", 2,
     [](const Extents& e) {
       return rows(e).output("y", {e[0], e[1]}).op("aten.cumsum", {{"dim", last()}});
     }},
    {"softmax", 2,
     [](const Extents& e) {
       return rows(e).output("y", {e[0], e[1]}).op("aten.softmax.int", {{"dim", last()}});
     }},
    // x[r, c] -> y[c, r]
    {"transpose", 2,
     [](const Extents& e) {
       return rows(e).output("y", {e[1], e[0]}).op("aten.permute",
                                                    {{"dims", std::vector<std::int64_t>{1, 0}}});
     }},
    // x[r, c], w[c], b[c] -> y[r, c]
    {"layer_norm", 2,
     [](const Extents& e) {
       return rows(e).weight("w", {e[1]}).weight("b", {e[1]}).output("y", {e[0], e[1]}).op(
           "aten.layer_norm", {{"normalized_shape", list(e[1])}, {"eps", 1e-5}});
     }},
    {"rms_norm", 2,
     [](const Extents& e) {
       return rows(e).weight("w", {e[1]}).output("y", {e[0], e[1]}).op(
           "aten.rms_norm", {{"normalized_shape", list(e[1])}, {"eps", 1e-6}});
     }},
    // x[r, c] -> y[r]
    {"sum", 2,
     [](const Extents& e) {
       return rows(e).output("y", {e[0]}).op("aten.sum.dim_IntList", {{"dim", list(1)}});
     }},
    {"mean", 2,
     [](const Extents& e) {
       return Builder().input("x", {e[0], e[1]}, kPositive).output("y", {e[0]}).op(
           "aten.mean.dim", {{"dim", list(1)}});
     }},
    {"amax", 2,
     [](const Extents& e) { return rows(e).output("y", {e[0]}).op("aten.amax", {{"dim", list(1)}}); }},
    {"argmax", 2,
     [](const Extents& e) {
       return rows(e).output("y", {e[0]}, DType::I64).op("aten.argmax", {{"dim", std::int64_t{1}}});
     }},
    // x[n] -> y[]
    {"total", 1, [](const Extents& e) { return Builder().input("x", {e[0]}).output("y", {}).op("aten.sum"); }},
    // x[n], z[n] -> y[]
    {"mse", 1,
     [](const Extents& e) {
       return Builder().input("x", {e[0]}).input("z", {e[0]}).output("y", {}).op("aten.mse_loss");
     }},
    // x[r, c], t[r] -> y[]
    {"cross_entropy", 2,
     [](const Extents& e) {
       return rows(e)
           .filled("t", {e[0]}, Role::Input, DType::I64,
                   {Op::Integers, 0, static_cast<double>(e[1])})
           .output("y", {})
           .op("aten.cross_entropy_loss");
     }},
    // a[m, k], b[k, n] -> y[m, n]
    {"mm", 3,
     [](const Extents& e) {
       return Builder().input("a", {e[0], e[1]}, kPositive).input("b", {e[1], e[2]}, kPositive)
           .output("y", {e[0], e[2]}).op("aten.mm");
     }},
    // x[m, k], w[n, k], b[n] -> y[m, n]
    {"linear", 3,
     [](const Extents& e) {
       return Builder().input("x", {e[0], e[1]}).weight("w", {e[2], e[1]}).weight("b", {e[2]})
           .output("y", {e[0], e[2]}).op("aten.linear");
     }},
    // a[n, k], x[k] -> y[n]
    {"mv", 2,
     [](const Extents& e) {
       return Builder().input("a", {e[0], e[1]}).input("x", {e[1]}).output("y", {e[0]}).op("aten.mv");
     }},
    // x[c, l], w[o, c, k] -> y[o, l - k + 1]
    {"conv1d", 4,
     [](const Extents& e) {
       return Builder().input("x", {1, e[0], e[1]}).weight("w", {e[2], e[0], e[3]})
           .output("y", {1, e[2], e[1] - e[3] + 1}).op("aten.conv1d");
     }},
    {"quantize", 2, quantize},      // x[r, k] -> codes[r, k], scales[r, k / 32]
    {"dequantize", 2, dequantize},  // codes[r, k], scales[r, k / 32] -> y[r, k]
    {"woq_gemv", 3, woq_gemv},      // x[m, k], codes[n, k / 2], scales[n, k / 128] -> y[m, n]
};

}  // namespace

Result<Task> make_task(std::string_view family, const std::vector<std::int64_t>& extents) {
  const auto* found = std::ranges::find(kFamilies, family, &Family::name);
  if (found == std::end(kFamilies)) return fail(Errc::NotFound, "no task family '{}'", family);
  if (extents.size() != found->extents) {
    return fail(Errc::InvalidArgument, "task family '{}' takes {} extents", family, found->extents);
  }
  Task task = found->make(extents);
  task.name = fmt::format("{} {}", family, fmt::join(extents, "x"));
  KW_RETURN_IF_ERROR(validate(task));
  return task;
}

}  // namespace kw::redteam
