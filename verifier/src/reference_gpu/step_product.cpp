// Matrix products.

#include <algorithm>

#include "evaluator_step.h"
#include "kw/reference/interpret.h"

namespace kw::verify::gpu {
namespace {

bool narrow(DType type) { return type == DType::F16 || type == DType::BF16; }

/// Batch dimensions of an operand as one stride, where they allow it (none, or contiguous, or all
/// broadcast).
Result<std::int64_t> batch_stride(const DeviceTensor& x, const Shape& batch) {
  const std::size_t own = x.shape.size() > 2 ? x.shape.size() - 2 : 0;
  std::int64_t count = 1, want = 1;
  for (std::size_t d = 0; d < own; ++d) count *= x.shape[d];
  for (const std::int64_t extent : batch) want *= extent;
  if (count == 1) return 0;
  if (count != want) return fail(Errc::Unsupported, "broadcast batches");
  for (std::size_t d = 0; d + 1 < own; ++d) {
    if (x.strides[d] != x.strides[d + 1] * x.shape[d + 1]) {
      return fail(Errc::Unsupported, "batches that are not contiguous");
    }
  }
  return x.strides[own - 1];
}

}  // namespace

/// A copy whose leading dimensions are `batch`, where they had other strides or were broadcast.
Result<DeviceTensor> Evaluator::Step::expanded(const DeviceTensor& x, const Shape& batch) {
  DeviceTensor wide = x;
  const std::size_t own = x.shape.size() - 2;
  if (own > batch.size()) return fail(Errc::InvalidArgument, "batches of {}", to_string(x.shape));
  wide.shape.assign(batch.begin(), batch.end());
  wide.strides.assign(batch.size(), 0);
  for (std::size_t d = 0; d < own; ++d) {
    const std::size_t at = batch.size() - own + d;
    wide.strides[at] = x.shape[d] == 1 ? 0 : x.strides[d];
  }
  wide.shape.insert(wide.shape.end(), x.shape.end() - 2, x.shape.end());
  wide.strides.insert(wide.strides.end(), x.strides.end() - 2, x.strides.end());
  return self.materialise(wide);
}

Result<DeviceTensor> Evaluator::Step::matmul(const DeviceTensor& a, const DeviceTensor& b,
                                             DType type_a, DType type_b, Shape shape,
                                             const OutputType& type) {
  DeviceTensor x = a, y = b;
  const bool vector_a = x.shape.size() == 1, vector_b = y.shape.size() == 1;
  if (vector_a) x.shape.insert(x.shape.begin(), 1), x.strides.insert(x.strides.begin(), 0);
  if (vector_b) y.shape.push_back(1), y.strides.push_back(0);
  if (x.shape.size() < 2 || y.shape.size() < 2) return fail(Errc::InvalidArgument, "a scalar");
  const std::size_t ra = x.shape.size(), rb = y.shape.size();
  if (x.shape[ra - 1] != y.shape[rb - 2]) return fail(Errc::InvalidArgument, "extents disagree");
  const std::size_t lead = shape.size() - (vector_a ? 0u : 1u) - (vector_b ? 0u : 1u);
  const Shape batch(shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(lead));
  ProductArguments p{};
  p.a = operand(x), p.b = operand(y);
  for (auto [t, stride] : {std::pair{&x, &p.a_batch}, {&y, &p.b_batch}}) {
    if (const auto one = batch_stride(*t, batch)) {
      *stride = *one;
      continue;
    }
    KW_ASSIGN(*t, expanded(*t, batch));
    KW_ASSIGN(*stride, batch_stride(*t, batch));
  }
  p.a = operand(x), p.b = operand(y);
  p.a_row = x.strides[ra - 2], p.a_column = x.strides[ra - 1];
  p.b_row = y.strides[rb - 2], p.b_column = y.strides[rb - 1];
  p.batches = 1;
  for (const std::int64_t extent : batch) p.batches *= static_cast<std::uint64_t>(extent);
  p.m = static_cast<std::uint64_t>(x.shape[ra - 2]);
  p.n = static_cast<std::uint64_t>(y.shape[rb - 1]);
  p.k = static_cast<std::uint64_t>(x.shape[ra - 1]);
  p.inexact = x.e || y.e ? 1 : 0;
  p.factor =
      reference::contraction_factor(self.options_.policy.contraction, static_cast<double>(p.k),
                                    narrow(type_a) && narrow(type_b), self.options_.few_valued);
  p.type = type;
  KW_ASSIGN(DeviceTensor out, self.make(std::move(shape), true));
  KW_ASSIGN(std::shared_ptr<Block> magnitudes, self.block(out.size()));
  p.out_v = out.v->address(), p.out_e = out.e->address(), p.out_c = magnitudes->address();
  if (p.inexact == 0) out.c = magnitudes;
  const std::uint64_t outputs = p.batches * p.m * p.n;
  if (outputs == 0) return out;
  if (outputs <= 16384 || p.n < 8 || p.m < 8) {
    const auto grid = static_cast<std::uint32_t>(std::min<std::uint64_t>(outputs, 1u << 30));
    KW_RETURN_IF_ERROR(self.device_.launch("kw_dot", grid, 256, p));
    return out;
  }
  const std::uint64_t tiles = p.batches * ((p.m + 63) / 64) * ((p.n + 63) / 64);
  KW_RETURN_IF_ERROR(self.device_.launch(
      p.inexact != 0 ? "kw_product_inexact" : "kw_product",
      static_cast<std::uint32_t>(std::min<std::uint64_t>(tiles, 1u << 30)), 256, p));
  return out;
}

Result<DeviceTensor> Evaluator::Step::add_term(const DeviceTensor& product,
                                               const DeviceTensor& term, double beta, double alpha,
                                               double k) {
  KW_ASSIGN(DeviceTensor out, self.make(out_shape(), true));
  KW_RETURN_IF_ERROR(
      map(kAddProduct, {beta, alpha, factor(k), 0}, {term, product}, out_type(), out));
  // The mean error is not tested where a term was added: c would have to grow by it.
  return out;
}

Result<DeviceTensor> Evaluator::Step::contraction(std::string_view name) {
  const auto type_of = [&](std::size_t i) { return graph->value(node->inputs[i]).dtype; };
  if (inputs.size() < 2 || !inputs[1]) return fail(Errc::InvalidArgument, "needs two tensors");
  if (name == "linear") {
    DeviceTensor w = *inputs[1];
    if (w.shape.size() != 2) return fail(Errc::Unsupported, "weight is not a matrix");
    std::swap(w.shape[0], w.shape[1]);
    std::swap(w.strides[0], w.strides[1]);
    // Leading dimensions of the input are rows of one matrix.
    KW_ASSIGN(DeviceTensor x, self.materialise(*inputs[0]));
    const std::int64_t k = x.shape.back();
    const std::int64_t rows = k == 0 ? 0 : static_cast<std::int64_t>(x.size()) / k;
    x.shape = {rows, k};
    x.strides = {k, 1};
    const bool bias = inputs.size() > 2 && inputs[2];
    KW_ASSIGN(DeviceTensor out, matmul(x, w, type_of(0), type_of(1), {rows, w.shape[1]},
                                       bias ? exact_output() : out_type()));
    out.shape = out_shape();
    out.strides = contiguous_strides(out.shape);
    if (!bias) return out;
    return add_term(out, *inputs[2], 1, 1, static_cast<double>(k));
  }
  if (name == "addmm" || name == "baddbmm") {
    if (inputs.size() < 3 || !inputs[2]) return fail(Errc::InvalidArgument, "needs three tensors");
    KW_ASSIGN(const double beta, attr_number_or(*node, "beta", 1));
    KW_ASSIGN(const double alpha, attr_number_or(*node, "alpha", 1));
    KW_ASSIGN(const DeviceTensor product,
              matmul(*inputs[1], *inputs[2], type_of(1), type_of(2), out_shape(), exact_output()));
    return add_term(product, *inputs[0], beta, alpha, static_cast<double>(inputs[1]->shape.back()));
  }
  return matmul(*inputs[0], *inputs[1], type_of(0), type_of(1), out_shape(), out_type());
}

}  // namespace kw::verify::gpu
