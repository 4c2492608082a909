#include "emit/format_code.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>

#include "emit/functor.h"

namespace kw::codegen {
namespace {

std::string pascal(std::string_view name) {
  std::string out;
  bool upper = true;
  for (const char c : name) {
    if (c == '_' || c == '-' || c == '.') {
      upper = true;
      continue;
    }
    out += upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    upper = false;
  }
  return out;
}

int kind_number(ElementKind kind) {
  switch (kind) {
    case ElementKind::Float:
      return 0;
    case ElementKind::SignedInt:
      return 1;
    case ElementKind::UnsignedInt:
      return 2;
  }
  return 0;
}

int rule_number(ScaleRule rule) {
  switch (rule) {
    case ScaleRule::Ocp:
      return 1;
    case ScaleRule::Nv:
      return 2;
    case ScaleRule::AffineSymmetric:
      return 3;
    case ScaleRule::AffineAsymmetric:
      return 4;
    case ScaleRule::None:
    case ScaleRule::Ceil:
      break;
  }
  return 0;
}

int scale_number(ScaleKind kind) {
  switch (kind) {
    case ScaleKind::E4M3:
      return 1;
    case ScaleKind::F16:
      return 2;
    default:
      return 0;
  }
}

}  // namespace

bool decodable(const Format& format) {
  const Element& e = format.element;
  const bool bits = e.bits == 4 || e.bits == 8;
  const bool element =
      e.kind != ElementKind::Float ||
      (e.exponent_bits <= 5 && e.mantissa_bits <= 6 && e.bias >= 1 && e.bias <= 15);
  const bool scale = format.scale == ScaleKind::E8M0 || format.scale == ScaleKind::E4M3 ||
                     format.scale == ScaleKind::F16;
  return bits && element && scale && format.block % 8 == 0;
}

bool encodable(const Format& format) {
  if (!decodable(format) || format.rule == ScaleRule::None) return false;
  const bool affine =
      format.rule == ScaleRule::AffineSymmetric || format.rule == ScaleRule::AffineAsymmetric;
  if (affine != (format.element.kind == ElementKind::UnsignedInt)) return false;
  if (format.zero_point != (format.rule == ScaleRule::AffineAsymmetric)) return false;
  if (format.tensor_scale != (format.rule == ScaleRule::Nv)) return false;
  if (format.element.has_infinity) return false;  // saturates at Qmax, not tried with Inf codes
  const ScaleKind scale =
      affine ? ScaleKind::F16 : (format.rule == ScaleRule::Nv ? ScaleKind::E4M3 : ScaleKind::E8M0);
  // Lanes of 4 elements that divide a warp.
  const int lanes = format.block / 4;
  return format.scale == scale && format.block % 4 == 0 && lanes <= 32 &&
         (lanes & (lanes - 1)) == 0;
}

std::string format_struct(const Encoded& encoded) {
  return fmt::format("Kw{}K{}", pascal(encoded.format.name), encoded.k);
}

std::string format_struct_text(const Encoded& encoded) {
  const Format& f = encoded.format;
  const Element& e = f.element;
  const std::int64_t blocks = (encoded.k + f.block - 1) / f.block;
  const double factor = std::ldexp(1.0, e.kind == ElementKind::SignedInt ? -e.fraction_shift : 0);
  const int raise = e.kind == ElementKind::Float ? 1 << (15 - e.bias) : 1;
  const int bias = e.kind == ElementKind::Float ? 0 : 1 << (e.bits - 1);
  const bool checks_nan =
      e.has_nan && !e.has_infinity && e.exponent_bits == 4 && e.mantissa_bits == 3;
  // The static functions take exactly the tensors that the format has, in the order of
  // tensors_of().
  std::string params = "const unsigned char* codes, const Scale* scales";
  std::string args = "codes, scales";
  params += f.zero_point ? ", const unsigned char* zeros" : "";
  args += f.zero_point ? ", zeros" : ", nullptr";
  params += f.tensor_scale ? ", const float* tensor_scale" : "";
  args += f.tensor_scale ? ", tensor_scale" : ", nullptr";
  return fmt::format(
      R"(/// {name}: rows of {k} elements.
struct {type} {{
  using Scale = {scale_type};
  static constexpr int kKind = {kind}, kBits = {bits}, kMantissa = {mantissa}, kBias = {bias}, kRaise = {raise};
  static constexpr int kBlock = {block}, kScale = {scale};
  static constexpr bool kNan = {nan}, kZeros = {zeros}, kTensorScale = {tensor_scale};
  static constexpr long long kRowBytes = {row_bytes}, kRowScales = {blocks}, kRowZeros = {row_zeros};
  static constexpr float kFactor = {factor}, kQmax = {qmax};
  static constexpr int kRule = {rule}, kQexponent = {qexponent}, kExponentBias = {exponent_bias}, kShift = {shift};
  static constexpr unsigned int kQfraction = {qfraction}u;
  template <int N, class Index>
  __device__ static __forceinline__ void run({params}, Index row, Index k, float (&out)[N]) {{
    kw_decode_run<{type}, N>({args}, row, k, out);
  }}
  template <class Index>
  __device__ static __forceinline__ float element({params}, Index row, Index k) {{
    return kw_decode_element<{type}>({args}, row, k);
  }}
}};
)",
      fmt::arg("name", f.name), fmt::arg("k", encoded.k), fmt::arg("type", format_struct(encoded)),
      fmt::arg("scale_type", f.scale == ScaleKind::F16 ? "__half" : "unsigned char"),
      fmt::arg("kind", kind_number(e.kind)), fmt::arg("bits", e.bits),
      fmt::arg("mantissa", e.kind == ElementKind::Float ? e.mantissa_bits : 0),
      fmt::arg("bias", bias), fmt::arg("raise", raise), fmt::arg("block", f.block),
      fmt::arg("scale", scale_number(f.scale)), fmt::arg("nan", checks_nan),
      fmt::arg("zeros", f.zero_point), fmt::arg("tensor_scale", f.tensor_scale),
      fmt::arg("row_bytes", blocks * f.block * e.bits / 8), fmt::arg("blocks", blocks),
      fmt::arg("row_zeros", (blocks * e.bits + 7) / 8),
      fmt::arg("factor", literal(factor, DType::F32)), fmt::arg("params", params),
      fmt::arg("args", args), fmt::arg("qmax", literal(e.max_value, DType::F32)),
      fmt::arg("rule", rule_number(f.rule)), fmt::arg("qexponent", std::ilogb(e.max_value)),
      fmt::arg("exponent_bias", e.kind == ElementKind::Float ? e.bias : 0),
      fmt::arg("shift", e.kind == ElementKind::SignedInt ? e.fraction_shift : 0),
      fmt::arg("qfraction",
               std::bit_cast<std::uint32_t>(static_cast<float>(e.max_value)) & 0x7fffffu));
}

}  // namespace kw::codegen
