#include "emit/encode_code.h"

#include <fmt/format.h>

#include "emit/format_code.h"
#include "ir/region.h"

namespace kw::codegen {
namespace {

/// Blocks that one thread takes together: as many as share a byte of zero points.
std::int64_t together(const Format& format) {
  return format.zero_point ? 8 / format.element.bits : 1;
}

std::int64_t units_per_row(const Encoded& encoded) {
  const std::int64_t blocks = (encoded.k + encoded.format.block - 1) / encoded.format.block;
  return (blocks + together(encoded.format) - 1) / together(encoded.format);
}

}  // namespace

std::int64_t encode_units(const Stage& stage) {
  return stage.extents[0] * units_per_row(stage.encoded);
}

std::string encode_loop_text(const Program& program, const Stage& stage, Binding binding) {
  const Encoded& e = stage.encoded;
  const std::string type = format_struct(e);
  binding.indent = "          ";
  binding.variables = {"row", "k"};
  const Body body = emit_body(program, {stage.body}, binding);
  std::string factor = "1.0f";
  std::string before;
  if (stage.tensor_amax >= 0) {
    binding.indent = "    ";
    binding.prefix = "g";
    const Body amax = emit_body(program, {stage.tensor_amax}, binding);
    before = amax.statements;
    factor = fmt::format("kw_tensor_factor<{}>({})", type, amax.values.front());
  }
  return fmt::format(
      R"(    const long long row = i / {units};
{before}    const float factor = {factor};
    unsigned int zeros = 0;
    for (int t = 0; t < {together}; ++t) {{
      const long long block = i % {units} * {together} + t;
      if (block >= {type}::kRowScales) break;
      unsigned int magnitude = 0;
      float low = 0.0f, high = 0.0f;
      KwEncodeScale scale = {{}};
      // Twice over the block: its scale, then its codes.
      for (int pass = 0; pass < 2; ++pass) {{
        for (int j = 0; j < {type}::kBlock; ++j) {{
          const long long k = block * {type}::kBlock + j;
          float x = 0.0f;
          if (k < {k}) {{
{body}          x = {value};
          }}
          if (pass == 0) {{
            magnitude = max(magnitude, __float_as_uint(x) & 0x7fffffffu);
            low = fminf(low, x);
            high = fmaxf(high, x);
            continue;
          }}
          const unsigned int code = kw_encode_element<{type}>(x, scale);
          const long long bit = k * {type}::kBits;
          unsigned char* at = {codes} + row * {type}::kRowBytes + bit / 8;
          *at = static_cast<unsigned char>((bit % 8 == 0 ? 0u : *at) | (code << (bit % 8)));
        }}
        if (pass == 0) scale = kw_encode_scale<{type}>(magnitude, low, high, factor);
      }}
      kw_store_scale<{type}>({scales}, row * {type}::kRowScales + block, scale.stored);
      zeros |= static_cast<unsigned int>(scale.zero) << ({type}::kBits * t);
    }}
{store_zeros})",
      fmt::arg("units", units_per_row(e)), fmt::arg("before", before), fmt::arg("factor", factor),
      fmt::arg("together", together(e.format)), fmt::arg("type", type), fmt::arg("k", e.k),
      fmt::arg("body", body.statements), fmt::arg("value", body.values.front()),
      fmt::arg("codes", binding.pointer(e.codes)), fmt::arg("scales", binding.pointer(e.scales)),
      fmt::arg(
          "store_zeros",
          e.format.zero_point
              ? fmt::format(
                    "    {}[row * {}::kRowZeros + i % {}] = static_cast<unsigned char>(zeros);\n",
                    binding.pointer(e.zeros), type, units_per_row(e))
              : std::string()));
}

}  // namespace kw::codegen
