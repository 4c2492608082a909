#include "argument.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "kw/core/random.h"
#include "npy.h"

namespace kw::agent::vm {
namespace {

using Source = Array::Source;

std::string element_names() {
  std::string out;
  for (const Element& each : elements()) out += (out.empty() ? "" : " ") + std::string(each.name);
  return out;
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

Result<std::uint64_t> natural(std::string_view text, std::string_view what) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return fail(Errc::InvalidArgument, "'{}' is no {}", text, what);
  }
  return value;
}

Result<const Element*> element_named(std::string_view name) {
  if (const Element* element = find_element(name)) return element;
  return fail(Errc::InvalidArgument, "there is no type '{}': {}", name, element_names());
}

Result<Shape> parse_shape(std::string_view text) {
  Shape shape;
  for (const std::string_view part : split(text, ',')) {
    KW_ASSIGN(const std::uint64_t extent, natural(part, "extent of an array (64 or 64,128)"));
    if (extent > kMaxArrayBytes || shape.size() == 32) {
      return fail(Errc::InvalidArgument, "the extents '{}' are too large", text);
    }
    shape.push_back(static_cast<std::int64_t>(extent));
  }
  return shape;
}

Result<double> real(std::string_view text) {
  KW_ASSIGN(const std::string bytes, number_bytes(*find_element("f64"), text));
  double value = 0;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

/// The parts behind TYPE:EXTENTS, each KEY=VALUE with a key of `reals` or "seed".
Status options(std::span<const std::string_view> parts,
               const std::map<std::string_view, double*>& reals, Array& array) {
  for (const std::string_view part : parts) {
    const std::size_t equals = part.find('=');
    const std::string_view key = part.substr(0, equals);
    const auto known = reals.find(key);
    if (equals == std::string_view::npos || (known == reals.end() && key != "seed")) {
      std::string keys = "seed=";
      for (const auto& [name, unused] : reals) keys += ", " + std::string(name) + "=";
      return fail(Errc::InvalidArgument, "'{}' is none of {}", part, keys);
    }
    const std::string_view value = part.substr(equals + 1);
    if (known == reals.end()) {
      KW_ASSIGN(array.seed, natural(value, "seed"));
    } else {
      KW_ASSIGN(*known->second, real(value));
    }
  }
  return {};
}

Result<Array> filled(Source source, std::string_view word, std::string_view rest) {
  const std::vector<std::string_view> parts = split(rest, ':');
  if (parts.size() < 2) {
    return fail(Errc::InvalidArgument, "{}:TYPE:EXTENTS is wanted, as in {}:f32:64,128", word,
                word);
  }
  Array array;
  array.source = source;
  KW_ASSIGN(array.element, element_named(parts[0]));
  KW_ASSIGN(array.shape, parse_shape(parts[1]));
  const std::span more = std::span(parts).subspan(2);
  const bool is_float = array.element->kind == Element::Kind::Float;
  switch (source) {
    case Source::Constant: {
      if (word == "const" ? more.size() != 1 : !more.empty()) {
        return fail(Errc::InvalidArgument, "{}",
                    word == "const" ? "const:TYPE:EXTENTS:VALUE is wanted"
                                    : "there is text behind the extents");
      }
      KW_ASSIGN(array.constant, number_bytes(*array.element, word == "const"  ? more[0]
                                                             : word == "ones" ? "1"
                                                                              : "0"));
      return array;
    }
    case Source::Iota:
      array.b = 1;
      KW_RETURN_IF_ERROR(options(more, {{"start", &array.a}, {"step", &array.b}}, array));
      return array;
    case Source::Uniform:
      array.b = is_float ? 1 : 9;
      KW_RETURN_IF_ERROR(options(more, {{"low", &array.a}, {"high", &array.b}}, array));
      if (!(array.a <= array.b) || std::isinf(array.b - array.a)) {
        return fail(Errc::InvalidArgument, "low={} and high={} are no range", array.a, array.b);
      }
      return array;
    case Source::Normal:
      array.b = 1;
      if (!is_float) {
        return fail(Errc::InvalidArgument, "normal makes floats: f64, f32, f16 or bf16");
      }
      KW_RETURN_IF_ERROR(options(more, {{"mean", &array.a}, {"std", &array.b}}, array));
      return array;
    case Source::File:
    case Source::Uninitialised:
      break;
  }
  if (!more.empty()) return fail(Errc::InvalidArgument, "there is text behind the extents");
  return array;
}

Result<Array> parse_array(std::string_view word, std::string_view rest) {
  if (word == "npy") {
    if (rest.empty()) return fail(Errc::InvalidArgument, "npy:PATH is wanted");
    Array array;
    array.source = Source::File;
    array.path = rest;
    return array;
  }
  if (word == "out") {
    const std::size_t equals = rest.rfind('=');
    if (equals == std::string_view::npos || equals == 0) {
      return fail(Errc::InvalidArgument, "out:PATH=TYPE:EXTENTS is wanted, as in out:y.npy=f32:64");
    }
    KW_ASSIGN(Array array, filled(Source::Uninitialised, word, rest.substr(equals + 1)));
    array.save_to = rest.substr(0, equals);
    return array;
  }
  static const std::map<std::string_view, Source> kSources{
      {"zeros", Source::Constant},       {"ones", Source::Constant},
      {"const", Source::Constant},       {"iota", Source::Iota},
      {"uniform", Source::Uniform},      {"normal", Source::Normal},
      {"uninit", Source::Uninitialised},
  };
  const auto known = kSources.find(word);
  if (known == kSources.end()) {
    return fail(
        Errc::InvalidArgument,
        "'{}' is no kind of argument: a type ({}), hex, null, npy, out, zeros, ones, const, "
        "iota, uniform, normal, uninit, arg or ro",
        word, element_names());
  }
  return filled(known->second, word, rest);
}

Result<Bytes> parse_hex(std::string_view digits) {
  Bytes out;
  if (digits.empty() || digits.size() % 2 != 0 || digits.size() > 8192) {
    return fail(Errc::InvalidArgument, "hex: takes two digits for each byte, 4096 bytes at most");
  }
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    unsigned value = 0;
    const char* const end = digits.data() + i + 2;
    const auto [stopped, error] = std::from_chars(digits.data() + i, end, value, 16);
    if (error != std::errc{} || stopped != end) {
      return fail(Errc::InvalidArgument, "'{}' is no byte", digits.substr(i, 2));
    }
    out.bytes.push_back(static_cast<char>(value));
  }
  return out;
}

Result<SameArray> parse_same(std::string_view rest) {
  SameArray out;
  const std::size_t plus = rest.find('+');
  KW_ASSIGN(out.argument, natural(rest.substr(0, plus), "number of an argument"));
  if (plus != std::string_view::npos) {
    KW_ASSIGN(out.offset, natural(rest.substr(plus + 1), "offset in bytes"));
  }
  return out;
}

using What = decltype(Argument::what);

Result<What> parse(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (text == "null") return What(Null{});
  if (colon == std::string_view::npos) {
    if (text.empty()) return fail(Errc::InvalidArgument, "an argument is empty");
    return What(Number{nullptr, std::string(text)});
  }
  const std::string_view word = text.substr(0, colon), rest = text.substr(colon + 1);
  if (const Element* element = find_element(word)) {
    return What(Number{element, std::string(rest)});
  }
  if (word == "hex") return parse_hex(rest).map([](Bytes b) { return What(std::move(b)); });
  if (word == "arg") return parse_same(rest).map([](SameArray s) { return What(s); });
  if (word == "ro") {
    const std::size_t inner = rest.find(':');
    if (inner == std::string_view::npos || find_element(rest.substr(0, inner)) != nullptr) {
      return fail(Errc::InvalidArgument, "ro: goes in front of an array");
    }
    KW_ASSIGN(Array array, parse_array(rest.substr(0, inner), rest.substr(inner + 1)));
    array.read_only = true;
    return What(std::move(array));
  }
  return parse_array(word, rest).map([](Array a) { return What(std::move(a)); });
}

/// The value of element `i`.
double drawn(const Array& array, RandomStream& random, std::uint64_t i) {
  switch (array.source) {
    case Source::Iota:
      return array.a + array.b * static_cast<double>(i);
    case Source::Uniform:
      if (array.element->kind == Element::Kind::Float) {
        return array.a + (array.b - array.a) * random.uniform();
      }
      return std::ceil(array.a) +
             std::floor((std::floor(array.b) - std::ceil(array.a) + 1) * random.uniform());
    case Source::Normal:
      return array.a + array.b * random.normal();
    case Source::File:
    case Source::Uninitialised:
    case Source::Constant:
      break;
  }
  return 0;
}

}  // namespace

Result<Argument> parse_argument(std::string_view text) {
  auto what = parse(text);
  if (!what) return wrap(what.error(), fmt::format("--arg '{}'", text));
  if (const auto* number = std::get_if<Number>(&*what); number != nullptr && number->element) {
    if (const auto bytes = number_bytes(*number->element, number->text); !bytes) {
      return wrap(bytes.error(), fmt::format("--arg '{}'", text));
    }
  }
  return Argument{std::string(text), std::move(*what)};
}

Result<std::uint64_t> open_array(Array& array) {
  if (array.source == Source::File) {
    KW_ASSIGN(const NpyHeader header, read_npy_header(array.path));
    array.element = header.element;
    array.shape = header.shape;
  }
  KW_ASSIGN(const std::int64_t count, element_count(array.shape));
  if (static_cast<std::uint64_t>(count) > kMaxArrayBytes / array.element->bytes) {
    return fail(Errc::ResourceExhausted, "an array of {} {} is larger than {} MiB", count,
                array.element->name, kMaxArrayBytes >> 20);
  }
  return static_cast<std::uint64_t>(count) * array.element->bytes;
}

Status fill_array(const Array& array, std::uint64_t fallback_seed, std::span<std::byte> to) {
  const std::size_t each = array.element->bytes;
  switch (array.source) {
    case Source::Uninitialised:
      return {};
    case Source::File: {
      KW_ASSIGN(const NpyHeader header, read_npy_header(array.path));
      if (header.data_bytes != to.size()) {
        return fail(Errc::Io, "{} changed while it was read", array.path);
      }
      return read_npy_data(array.path, header, to);
    }
    case Source::Constant:
      for (std::size_t at = 0; at < to.size(); at += each) {
        std::memcpy(to.data() + at, array.constant.data(), each);
      }
      return {};
    case Source::Iota:
    case Source::Uniform:
    case Source::Normal:
      break;
  }
  RandomStream random(array.seed.value_or(fallback_seed), purpose("vm.argument"));
  for (std::size_t at = 0; at < to.size(); at += each) {
    store(*array.element, drawn(array, random, at / each), to.data() + at);
  }
  return {};
}

}  // namespace kw::agent::vm
