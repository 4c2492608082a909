// Views by index maps, joining, padding, filling, scans and positions.

#include <algorithm>

#include "evaluator_step.h"
#include "kw/reference/interpret.h"

namespace kw::verify::gpu {
namespace {

Result<std::size_t> wrap_dim(std::int64_t dim, std::size_t rank) {
  const std::int64_t d = dim < 0 ? dim + static_cast<std::int64_t>(rank) : dim;
  if (d < 0 || d >= static_cast<std::int64_t>(rank)) {
    return fail(Errc::InvalidArgument, "dimension {} of rank {}", dim, rank);
  }
  return static_cast<std::size_t>(d);
}

Grouped around(const Shape& shape, std::size_t dim) {
  Grouped g;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    auto& into = d < dim ? g.outer : d == dim ? g.reduced : g.inner;
    into *= static_cast<std::uint64_t>(shape[d]);
  }
  return g;
}

}  // namespace

/// Views that move the first element or the strides; nullopt for other operators.
Result<std::optional<DeviceTensor>> Evaluator::Step::index_view(std::string_view name) {
  DeviceTensor x = *inputs[0];
  x.c = nullptr;
  const std::size_t rank = x.shape.size();
  if (name == "flip") {
    KW_ASSIGN(const std::vector<std::int64_t> dims, attr_ints(*node, "dims"));
    for (const std::int64_t raw : dims) {
      KW_ASSIGN(const std::size_t d, wrap_dim(raw, rank));
      x.offset += x.strides[d] * std::max<std::int64_t>(x.shape[d] - 1, 0);
      x.strides[d] = -x.strides[d];
    }
    return x;
  }
  if (name == "select") {
    KW_ASSIGN(const std::int64_t raw, attr_int(*node, "dim"));
    KW_ASSIGN(const std::size_t d, wrap_dim(raw, rank));
    KW_ASSIGN(std::int64_t index, attr_int(*node, "index"));
    index += index < 0 ? x.shape[d] : 0;
    x.offset += index * x.strides[d];
    x.shape.erase(x.shape.begin() + static_cast<std::ptrdiff_t>(d));
    x.strides.erase(x.strides.begin() + static_cast<std::ptrdiff_t>(d));
    return x;
  }
  if (name == "narrow" || name == "slice") {
    KW_ASSIGN(const std::int64_t raw, attr_int_or(*node, "dim", 0));
    KW_ASSIGN(const std::size_t d, wrap_dim(raw, rank));
    KW_ASSIGN(std::int64_t start, attr_int_or(*node, "start", 0));
    KW_ASSIGN(const std::int64_t step, attr_int_or(*node, "step", 1));
    start += start < 0 ? x.shape[d] : 0;
    x.offset += std::clamp<std::int64_t>(start, 0, x.shape[d]) * x.strides[d];
    x.strides[d] *= step;
    x.shape[d] = out_shape()[d];
    return x;
  }
  if (name == "unfold") {
    KW_ASSIGN(const std::int64_t raw, attr_int(*node, "dimension"));
    KW_ASSIGN(const std::size_t d, wrap_dim(raw, rank));
    KW_ASSIGN(const std::int64_t step, attr_int(*node, "step"));
    x.strides.push_back(x.strides[d]);
    x.strides[d] *= step;
    x.shape = out_shape();
    return x;
  }
  return std::optional<DeviceTensor>();
}

Result<Evaluator::Step::Results> Evaluator::Step::split() {
  KW_ASSIGN(const std::int64_t raw, attr_int_or(*node, "dim", 0));
  KW_ASSIGN(const std::size_t d, wrap_dim(raw, inputs[0]->shape.size()));
  Results out;
  std::int64_t start = 0;
  for (const ValueId id : node->outputs) {
    if (id == kNoValue) return fail(Errc::Unsupported, "an output that nobody wants");
    DeviceTensor part = *inputs[0];
    part.c = nullptr;
    part.offset += start * part.strides[d];
    part.shape = graph->value(id).shape;
    start += part.shape[d];
    out.emplace_back(std::move(part));
  }
  return out;
}

Status Evaluator::Step::place(const DeviceTensor& x, DeviceTensor& out, std::int64_t offset) {
  PlaceArguments a{};
  a.n = x.size();
  if (a.n == 0) return {};
  if (x.shape.size() > kMaxRank) return fail(Errc::Unsupported, "rank {}", x.shape.size());
  a.rank = static_cast<int>(x.shape.size());
  a.in = operand(x);
  for (std::size_t d = 0; d < x.shape.size(); ++d) {
    a.shape[d] = x.shape[d];
    a.in.stride[d] = x.strides[d];
    a.out_stride[d] = out.strides[d];
  }
  a.out_offset = offset;
  a.out_v = out.v->address(), a.out_e = out.e->address();
  return self.device_.launch("kw_place", grid_for(a.n), 256, a);
}

Result<DeviceTensor> Evaluator::Step::filled(double value) {
  KW_ASSIGN(DeviceTensor out, self.make(out_shape(), true));
  KW_RETURN_IF_ERROR(
      map(kCopy, {}, {std::nullopt, std::nullopt}, exact_output(), out, {value, NAN}));
  return out;
}

Result<DeviceTensor> Evaluator::Step::join(bool stack) {
  KW_ASSIGN(const std::int64_t raw, attr_int_or(*node, "dim", 0));
  KW_ASSIGN(DeviceTensor out, self.make(out_shape(), true));
  KW_ASSIGN(const std::size_t d, wrap_dim(raw, out.shape.size()));
  std::int64_t at = 0;
  for (const auto& input : inputs) {
    if (!input) return fail(Errc::InvalidArgument, "a tensor is missing");
    DeviceTensor part = *input;
    if (stack) {
      part.shape.insert(part.shape.begin() + static_cast<std::ptrdiff_t>(d), 1);
      part.strides.insert(part.strides.begin() + static_cast<std::ptrdiff_t>(d), 0);
    }
    if (part.shape.size() != out.shape.size()) continue;  // torch.cat skips empty vectors
    KW_RETURN_IF_ERROR(place(part, out, at * out.strides[d]));
    at += part.shape[d];
  }
  return out;
}

Result<DeviceTensor> Evaluator::Step::pad() {
  KW_ASSIGN(const std::string mode, attr_string_or(*node, "mode", "constant"));
  if (mode != "constant") return fail(Errc::Unsupported, "padding by '{}'", mode);
  KW_ASSIGN(const std::vector<std::int64_t> amounts, attr_ints(*node, "pad"));
  KW_ASSIGN(const double value, attr_number_or(*node, "value", 0));
  KW_ASSIGN(DeviceTensor out, filled(value));
  DeviceTensor x = *inputs[0];
  std::int64_t offset = 0;
  for (std::size_t i = 0; 2 * i + 1 < amounts.size(); ++i) {
    const std::size_t d = x.shape.size() - 1 - i;
    const std::int64_t before = amounts[2 * i], after = amounts[2 * i + 1];
    if (before >= 0) {
      offset += before * out.strides[d];
    } else {  // negative padding cuts
      x.offset -= before * x.strides[d];
      x.shape[d] += before;
    }
    if (after < 0) x.shape[d] += after;
  }
  KW_RETURN_IF_ERROR(place(x, out, offset));
  return out;
}

Result<DeviceTensor> Evaluator::Step::roll() {
  KW_ASSIGN(const std::vector<std::int64_t> shifts, attr_ints(*node, "shifts"));
  KW_ASSIGN(const std::vector<std::int64_t> dims, attr_ints(*node, "dims"));
  if (shifts.size() != dims.size()) return fail(Errc::Unsupported, "a roll of everything");
  DeviceTensor x = *inputs[0];
  for (std::size_t i = 0; i < dims.size(); ++i) {
    KW_ASSIGN(const std::size_t d, wrap_dim(dims[i], x.shape.size()));
    const std::int64_t extent = x.shape[d];
    if (extent == 0) return x;
    const std::int64_t shift = (shifts[i] % extent + extent) % extent;
    KW_ASSIGN(DeviceTensor out, self.make(x.shape, true));
    DeviceTensor low = x, high = x;  // what goes behind, what comes to the front
    low.shape[d] = extent - shift;
    high.shape[d] = shift;
    high.offset += (extent - shift) * x.strides[d];
    KW_RETURN_IF_ERROR(place(low, out, shift * out.strides[d]));
    KW_RETURN_IF_ERROR(place(high, out, 0));
    x = std::move(out);
  }
  return x;
}

Result<DeviceTensor> Evaluator::Step::triangle(const DeviceTensor& from, bool lower,
                                               std::int64_t diagonal, double fill) {
  KW_ASSIGN(const DeviceTensor x, self.materialise(from));
  const std::size_t rank = x.shape.size();
  if (rank < 2) return fail(Errc::InvalidArgument, "needs a matrix");
  KW_ASSIGN(DeviceTensor out, self.make(x.shape, true));
  TriangleArguments a{};
  a.x = operand(x);
  a.n = x.size();
  a.rows = x.shape[rank - 2], a.columns = x.shape[rank - 1];
  a.diagonal = diagonal;
  a.fill = fill;
  a.lower = lower ? 1 : 0;
  a.out_v = out.v->address(), a.out_e = out.e->address();
  if (a.n > 0) KW_RETURN_IF_ERROR(self.device_.launch("kw_triangle", grid_for(a.n), 256, a));
  return out;
}

/// table[index] along dimension 0; aten.embedding and aten.index with one index.
Result<DeviceTensor> Evaluator::Step::take() {
  if (inputs.size() != 2 || !inputs[1]) return fail(Errc::Unsupported, "several indices");
  KW_ASSIGN(const DeviceTensor table, self.materialise(*inputs[0]));
  KW_ASSIGN(const DeviceTensor index, self.materialise(*inputs[1]));
  if (graph->value(node->inputs[1]).dtype == DType::Bool || table.shape.empty()) {
    return fail(Errc::Unsupported, "a mask as index");
  }
  KW_ASSIGN(DeviceTensor out, self.make(out_shape(), true));
  TakeArguments a{};
  a.table = operand(table), a.index = operand(index);
  a.n = out.size();
  a.rows = static_cast<std::uint64_t>(table.shape[0]);
  a.width = a.rows == 0 ? 0 : table.size() / a.rows;
  a.out_v = out.v->address(), a.out_e = out.e->address();
  if (a.n > 0) KW_RETURN_IF_ERROR(self.device_.launch("kw_take", grid_for(a.n), 256, a));
  return out;
}

Result<DeviceTensor> Evaluator::Step::scan(bool product) {
  KW_ASSIGN(const DeviceTensor x, self.materialise(*inputs[0]));
  KW_ASSIGN(const std::int64_t raw, attr_int(*node, "dim"));
  KW_ASSIGN(const std::size_t d, wrap_dim(raw, x.shape.size()));
  const Grouped g = around(x.shape, d);
  KW_ASSIGN(DeviceTensor out, self.make(x.shape, true));
  ScanArguments a{};
  a.x = operand(x);
  a.outer = g.outer, a.length = g.reduced, a.inner = g.inner;
  a.out_v = out.v->address(), a.out_e = out.e->address();
  a.product = product ? 1 : 0;
  a.integer = is_floating(graph->value(node->outputs[0]).dtype) ? 0 : 1;
  a.few_valued = self.options_.few_valued ? 1 : 0;
  if (out.size() == 0) return out;
  if (g.inner == 1) {
    const std::uint64_t blocks = (g.outer + 31) / 32;
    KW_RETURN_IF_ERROR(self.device_.launch(
        "kw_scan_rows", static_cast<std::uint32_t>(std::min<std::uint64_t>(blocks, 1u << 20)), 32,
        a));
  } else {
    KW_RETURN_IF_ERROR(self.device_.launch("kw_scan", grid_for(g.outer * g.inner, 128), 128, a));
  }
  return out;
}

Result<DeviceTensor> Evaluator::Step::position(bool largest) {
  KW_ASSIGN(const std::vector<bool> mask, reduced_dims());
  KW_ASSIGN(const auto moved, grouped(*inputs[0], mask));
  const auto& [x, g] = moved;
  if (g.reduced == 0) return fail(Errc::InvalidArgument, "an empty dimension has no extremum");
  KW_ASSIGN(DeviceTensor out, self.make(out_shape(), true));
  PositionArguments a{};
  a.x = operand(x);
  a.outer = g.outer, a.reduced = g.reduced, a.inner = g.inner;
  a.largest = largest ? 1 : 0;
  a.out_v = out.v->address(), a.out_e = out.e->address();
  if (out.size() > 0) {
    KW_RETURN_IF_ERROR(self.device_.launch("kw_position", grid_for(out.size(), 128), 128, a));
  }
  return out;
}

}  // namespace kw::verify::gpu
