#include "kw/core/format.h"

#include <array>

#include "format_json.h"

namespace kw {
namespace {

template <typename T>
struct Named {
  T value;
  std::string_view name;
};
constexpr std::array<Named<ElementKind>, 3> kKinds{{{ElementKind::Float, "float"},
                                                    {ElementKind::SignedInt, "int"},
                                                    {ElementKind::UnsignedInt, "uint"}}};
constexpr std::array<Named<ScaleKind>, 5> kScales{{{ScaleKind::None, "none"},
                                                   {ScaleKind::E8M0, "e8m0"},
                                                   {ScaleKind::E4M3, "e4m3"},
                                                   {ScaleKind::F16, "f16"},
                                                   {ScaleKind::F32, "f32"}}};
constexpr std::array<Named<ScaleRule>, 6> kRules{
    {{ScaleRule::None, "none"},
     {ScaleRule::Ceil, "ceil"},
     {ScaleRule::Ocp, "ocp"},
     {ScaleRule::Nv, "nv"},
     {ScaleRule::AffineSymmetric, "affine_symmetric"},
     {ScaleRule::AffineAsymmetric, "affine_asymmetric"}}};

template <typename T, std::size_t N>
Result<T> named(JsonReader& reader, std::string_view key, const std::array<Named<T>, N>& table) {
  KW_ASSIGN(const std::string text, reader.string(key));
  std::string known;
  for (const Named<T>& row : table) {
    if (row.name == text) return row.value;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", row.name);
  }
  return fail(Errc::InvalidArgument, "{}: '{}' is none of {}", reader.at(key), text, known);
}

template <typename T, std::size_t N>
std::string_view name_of(T value, const std::array<Named<T>, N>& table) {
  for (const Named<T>& row : table) {
    if (row.value == value) return row.name;
  }
  return "none";
}

Result<Element> parse_element(const Json& json, const std::string& pointer) {
  KW_ASSIGN(JsonReader reader, JsonReader::object(json, pointer));
  Element element;
  KW_ASSIGN(element.kind, named(reader, "kind", kKinds));
  const bool is_float = element.kind == ElementKind::Float;
  KW_ASSIGN(const std::int64_t bits, reader.integer("bits", 2, 8));
  KW_ASSIGN(const std::int64_t exponent, reader.integer_or("exponent_bits", 0, 0, 5));
  KW_ASSIGN(const std::int64_t mantissa, reader.integer_or("mantissa_bits", 0, 0, 6));
  KW_ASSIGN(const std::int64_t bias, reader.integer_or("bias", 0, 0, 31));
  KW_ASSIGN(const std::int64_t shift, reader.integer_or("fraction_shift", 0, 0, 8));
  KW_ASSIGN(element.max_value, reader.number("max_value"));
  KW_ASSIGN(element.has_infinity, reader.boolean_or("has_infinity", false));
  KW_ASSIGN(element.has_nan, reader.boolean_or("has_nan", false));
  KW_RETURN_IF_ERROR(reader.finish());
  element.bits = static_cast<int>(bits);
  element.exponent_bits = static_cast<int>(exponent);
  element.mantissa_bits = static_cast<int>(mantissa);
  element.bias = static_cast<int>(bias);
  element.fraction_shift = static_cast<int>(shift);
  if (is_float && (exponent < 1 || 1 + exponent + mantissa != bits)) {
    return fail(Errc::InvalidArgument,
                "{}: 1 sign + {} exponent + {} mantissa bits are not {} bits", pointer, exponent,
                mantissa, bits);
  }
  if (!(element.max_value > 0))
    return fail(Errc::InvalidArgument, "{}/max_value: not positive", pointer);
  return element;
}

Json element_json(const Element& element) {
  Json json{{"kind", name_of(element.kind, kKinds)},
            {"bits", element.bits},
            {"max_value", element.max_value}};
  if (element.kind == ElementKind::Float) {
    json["exponent_bits"] = element.exponent_bits;
    json["mantissa_bits"] = element.mantissa_bits;
    json["bias"] = element.bias;
    json["has_infinity"] = element.has_infinity;
    json["has_nan"] = element.has_nan;
  } else {
    json["fraction_shift"] = element.fraction_shift;
  }
  return json;
}

}  // namespace

Result<std::int64_t> blocks_per_row(const Format& format, std::int64_t k) {
  if (k < 0 || format.block < 1)
    return fail(Errc::InvalidArgument, "format '{}': bad row of {}", format.name, k);
  return k / format.block + (k % format.block != 0 ? 1 : 0);
}

Result<std::int64_t> code_bytes_per_row(const Format& format, std::int64_t k) {
  KW_ASSIGN(const std::int64_t blocks, blocks_per_row(format, k));
  std::int64_t bits = 0;
  if (__builtin_mul_overflow(blocks, std::int64_t{format.block} * format.element.bits, &bits) ||
      bits > INT64_MAX - 7) {
    return fail(Errc::InvalidArgument, "format '{}': row of {} is too long", format.name, k);
  }
  return (bits + 7) / 8;
}

std::int64_t scale_bytes(const Format& format) noexcept {
  switch (format.scale) {
    case ScaleKind::None:
      return 0;
    case ScaleKind::E8M0:
    case ScaleKind::E4M3:
      return 1;
    case ScaleKind::F16:
      return 2;
    case ScaleKind::F32:
      return 4;
  }
  return 0;
}

Result<Format> format_from_json(const Json& json, const std::string& pointer) {
  KW_ASSIGN(JsonReader reader, JsonReader::object(json, pointer));
  KW_ASSIGN(const std::int64_t version, reader.integer_or("v", 1));
  if (version != 1)
    return fail(Errc::InvalidArgument, "{}: format version {} is newer than 1", reader.at("v"),
                version);
  Format format;
  KW_ASSIGN(format.name, reader.string("name"));
  KW_ASSIGN(const Json* element, reader.member("element"));
  KW_ASSIGN(format.element, parse_element(*element, reader.at("element")));
  KW_ASSIGN(const std::int64_t block, reader.integer("block", 1, 4096));
  format.block = static_cast<int>(block);
  KW_ASSIGN(format.scale, named(reader, "scale", kScales));
  KW_ASSIGN(format.rule, named(reader, "rule", kRules));
  KW_ASSIGN(format.tensor_scale, reader.boolean_or("tensor_scale", false));
  KW_ASSIGN(format.zero_point, reader.boolean_or("zero_point", false));
  KW_RETURN_IF_ERROR(reader.finish());
  if (format.name.empty()) return fail(Errc::InvalidArgument, "{}: empty", reader.at("name"));
  if ((block * format.element.bits) % 8 != 0) {
    return fail(Errc::InvalidArgument, "{}: a block of {} elements of {} bits is not whole bytes",
                reader.at("block"), block, format.element.bits);
  }
  return format;
}

Json format_to_json(const Format& format) {
  return {{"v", 1},
          {"name", format.name},
          {"element", element_json(format.element)},
          {"block", format.block},
          {"scale", name_of(format.scale, kScales)},
          {"rule", name_of(format.rule, kRules)},
          {"tensor_scale", format.tensor_scale},
          {"zero_point", format.zero_point}};
}

Result<Format> parse_format(std::string_view text) {
  KW_ASSIGN(const Json json, parse_json(text));
  return format_from_json(json, "");
}

std::string to_json(const Format& format) { return dump(format_to_json(format)); }

}  // namespace kw
