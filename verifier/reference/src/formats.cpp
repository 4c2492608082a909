// kw.quantize and kw.dequantize: encoders are exact; decoded values are exact but for the rounding
// of scale products.

#include <algorithm>
#include <bit>

#include "kw/reference/number_format.h"
#include "operator.h"

namespace kw::reference {
namespace {

Result<const Format*> format_of(const Call& call) {
  KW_ASSIGN(const std::string name, attr_string_or(call.node, "format", ""));
  const auto found = call.formats.find(name);
  if (found == call.formats.end()) {
    return fail(Errc::NotFound, "the task does not carry format '{}'", name);
  }
  return &found->second;
}

/// The stored bits of a scale that came as a decoded tensor element.
std::uint32_t stored_scale(ScaleKind kind, double element) {
  if (kind == ScaleKind::F16) return half_bits(static_cast<float>(element));
  if (kind == ScaleKind::F32) return std::bit_cast<std::uint32_t>(static_cast<float>(element));
  return static_cast<std::uint32_t>(element);
}

Result<Outputs> quantize(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  KW_ASSIGN(const Format* format, format_of(call));
  const Tensor& x = call.in(0);
  if (x.shape.size() != 2) return fail(Errc::InvalidArgument, "needs [rows, k]");
  if (!x.bound.empty()) {
    return fail(Errc::Unsupported,
                "quantising a computed value cannot be judged bit-exact: judge its region with the "
                "value as an input");
  }
  const std::int64_t rows = x.shape[0], k = x.shape[1];
  double amax = 0;
  for (const double v : x.value) {
    if (std::isfinite(v)) amax = std::fmax(amax, std::fabs(v));
  }
  const float factor = tensor_factor(*format, amax);
  KW_ASSIGN(const std::int64_t bytes, code_bytes_per_row(*format, k));
  KW_ASSIGN(const std::int64_t blocks, blocks_per_row(*format, k));
  Tensor codes = make_tensor({rows, bytes});
  Tensor scales = make_tensor({rows, blocks});
  const std::int64_t zero_bytes = (blocks * format->element.bits + 7) / 8;
  Tensor zeros = make_tensor({rows, format->zero_point ? zero_bytes : 0});
  std::vector<float> row(static_cast<std::size_t>(k));
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = static_cast<float>(x.value[static_cast<std::size_t>(r * k) + i]);
    }
    KW_ASSIGN(const QuantizedRow q, quantize_row(*format, row, factor));
    std::copy(q.codes.begin(), q.codes.end(), codes.value.begin() + r * bytes);
    std::copy(q.zeros.begin(), q.zeros.end(),
              zeros.value.begin() + (q.zeros.empty() ? 0 : r * zero_bytes));
    for (std::size_t b = 0; b < q.scales.size(); ++b) {
      const bool real = format->scale == ScaleKind::F16 || format->scale == ScaleKind::F32;
      scales.value[static_cast<std::size_t>(r * blocks) + b] =
          real ? decode_scale(format->scale, q.scales[b]) : q.scales[b];
    }
  }
  Outputs outputs = one(std::move(codes));
  outputs.push_back(std::move(scales));
  if (format->zero_point) outputs.push_back(std::move(zeros));
  if (format->tensor_scale) {
    Tensor t = make_tensor({});
    t.value[0] = static_cast<double>(1.0f / factor);
    outputs.push_back(std::move(t));
  }
  return outputs;
}

/// Roundings of code * scale (exact unless it underflows) and of the tensor scale's product.
Result<Outputs> dequantize(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 2));
  KW_ASSIGN(const Format* format, format_of(call));
  const Tensor& codes = call.in(0);
  const Tensor& scales = call.in(1);
  std::size_t next = 2;
  KW_RETURN_IF_ERROR(
      need_inputs(call, next + (format->zero_point ? 1u : 0u) + (format->tensor_scale ? 1u : 0u)));
  const Tensor* zeros = format->zero_point ? &call.in(next++) : nullptr;
  const double tensor_scale = format->tensor_scale ? call.in(next).value.at(0) : 1;
  if (codes.shape.size() != 2) return fail(Errc::InvalidArgument, "needs codes [rows, bytes]");
  KW_ASSIGN(const std::int64_t k, attr_int_or(call.node, "k", call.output_shape().back()));
  const std::int64_t rows = codes.shape[0];
  const auto cut = [&](const Tensor& t, std::int64_t r) {
    const std::size_t width = rows == 0 ? 0 : t.size() / static_cast<std::size_t>(rows);
    return std::span(t.value).subspan(static_cast<std::size_t>(r) * width, width);
  };
  Tensor out = make_tensor({rows, k});
  for (std::int64_t r = 0; r < rows; ++r) {
    QuantizedRow q;
    for (const double c : cut(codes, r)) q.codes.push_back(static_cast<std::uint8_t>(c));
    for (const double s : cut(scales, r)) q.scales.push_back(stored_scale(format->scale, s));
    if (zeros != nullptr) {
      for (const double z : cut(*zeros, r)) q.zeros.push_back(static_cast<std::uint8_t>(z));
    }
    KW_ASSIGN(const std::vector<double> values, dequantize_row(*format, q, tensor_scale, k));
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::size_t at = static_cast<std::size_t>(r * k) + i;
      const bool exact = static_cast<double>(static_cast<float>(values[i])) == values[i];
      store(out, at, exact && !format->tensor_scale ? Num{values[i], 0} : settle(values[i], 0, 1));
    }
  }
  return one(std::move(out));
}

}  // namespace

std::vector<OperatorEntry> format_operators() {
  return {{"kw.quantize", quantize}, {"kw.dequantize", dequantize}};
}

}  // namespace kw::reference
