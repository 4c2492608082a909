// Floating-point instructions on the conformance records, against exact arithmetic rounded once.

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "ptxvm/conformance.h"
#include "ptxvm/exact_float.h"

namespace kw::ptxvm {
namespace {

using conformance::Case;
using namespace exact;

// "cvt.rn.ftz.f16.f32": base, modifiers, types.
struct Name {
  std::string base;
  std::set<std::string> modifiers;
  std::vector<std::string> types;
  Rounding mode = Rounding::Nearest;
  bool to_integer = false;

  bool has(const char* m) const { return modifiers.contains(m); }
};

bool is_type(const std::string& part) {
  const std::string bare = part.ends_with("x2") ? part.substr(0, part.size() - 2) : part;
  return format(bare) != nullptr || ((part[0] == 'u' || part[0] == 's') && part.size() <= 3 &&
                                     std::isdigit(static_cast<unsigned char>(part[1])) != 0);
}

Name parse(const std::string& text) {
  Name out;
  std::size_t at = 0;
  while (at <= text.size()) {
    const std::size_t end = std::min(text.find('.', at), text.size());
    const std::string part = text.substr(at, end - at);
    at = end + 1;
    if (out.base.empty()) {
      out.base = part;
    } else if (is_type(part)) {
      out.types.push_back(part);
    } else if (const auto mode = rounding(part)) {
      out.mode = *mode;
      out.to_integer = part.ends_with('i');
    } else {
      out.modifiers.insert(part);
    }
  }
  return out;
}

std::uint64_t read(const std::vector<std::byte>& from, std::size_t at, std::size_t bytes) {
  std::uint64_t out = 0;
  std::memcpy(&out, &from[at], bytes);
  return out;
}

// What .sat and .relu make of a result.
Number clamped(const Name& n, Number y) {
  const bool below = y.kind != Number::Kind::Nan && y.negative;
  if (n.has("sat")) {
    if (y.nan() || below) return integer(0);
    if (y.infinite() || compare_to_one(y) > 0) return integer(1);
  }
  return n.has("relu") && below ? integer(0) : y;
}

std::uint64_t result(const Name& n, const Format& f, Number y) {
  if (n.has("ftz")) y = flush(f, y, n.mode);
  // Rounding cannot pass 0 or 1, so that clamping may come first.
  return encode(f, clamped(n, y), n.mode, n.has("satfinite"));
}

bool same(const Format& f, std::uint64_t want, std::uint64_t got) {
  if (f.nan == 0 && want == 0 && decode(f, got).nan()) return true;
  return want == got;
}

std::string hex(std::uint64_t x) {
  char text[24];
  std::snprintf(text, sizeof text, "%#llx", static_cast<unsigned long long>(x));
  return text;
}

Number arithmetic(const Name& n, const Number& a, const Number& b, const Number& c) {
  if (n.base == "add") return add(a, b, n.mode);
  if (n.base == "sub") return add(a, negate(b), n.mode);
  if (n.base == "mul") return multiply(a, b);
  if (n.base == "div") return divide(a, b);
  if (n.base == "rcp") return divide(integer(1), a);
  if (n.base == "sqrt") return square_root(a);
  return add(multiply(a, b), c, n.mode);
}

const std::set<std::string> kArithmetic{"add", "sub", "mul", "div", "rcp", "sqrt", "fma", "mad"};

class FloatOracle : public testing::TestWithParam<std::string> {};

TEST_P(FloatOracle, ArithmeticIsTheExactValueRoundedOnce) {
  std::size_t cases = 0;
  for (const Case& c : conformance::cases()) {
    const Name n = parse(c.name);
    if (c.approximate || n.base != GetParam() || n.types.size() != 1) continue;
    const std::string& type = n.types.front();
    const unsigned elements = type.ends_with("x2") ? 2 : 1;
    const Format* f = format(elements == 2 ? type.substr(0, type.size() - 2) : type);
    if (f == nullptr) continue;
    const auto in = conformance::inputs(c.inputs);
    std::string refusal;
    const auto out = conformance::run_on_vm(c, &refusal);
    ASSERT_FALSE(out.empty()) << refusal;
    const auto bytes = static_cast<std::size_t>(f->bits) / 8;
    for (std::size_t lane = 0; lane < conformance::kLanes; ++lane) {
      for (unsigned e = 0; e < elements; ++e) {
        Number x[3];
        for (std::size_t i = 0; i < 3; ++i) {
          x[i] = decode(*f, read(in, lane * conformance::kRecordBytes + 16 * i + e * bytes, bytes));
          if (n.has("ftz")) x[i] = flush(*f, x[i]);
        }
        const Number y = arithmetic(n, x[0], x[1], x[2]);
        const std::uint64_t want = y.nan() && !n.has("sat") ? f->nan : result(n, *f, y);
        const std::uint64_t got = read(out, lane * conformance::kResultBytes + e * bytes, bytes);
        ASSERT_TRUE(same(*f, want, got))
            << c.name << " lane " << lane << ": " << hex(got) << ", exactly " << hex(want);
      }
    }
    ++cases;
  }
  EXPECT_GE(cases, GetParam() == "mad" ? 3u : 12u);
}

INSTANTIATE_TEST_SUITE_P(Operations, FloatOracle, testing::ValuesIn(kArithmetic));

std::vector<const Case*> conversions(bool (*wanted)(const Name&)) {
  std::vector<const Case*> out;
  for (const Case& c : conformance::cases()) {
    const Name n = parse(c.name);
    if (n.base == "cvt" && !n.has("pack") && !n.has("tf32") && n.types.size() == 2 && wanted(n))
      out.push_back(&c);
  }
  return out;
}

// want(n, record offset, element) for each element of each lane.
template <class Want>
void check_conversions(const std::vector<const Case*>& cases, std::size_t bytes_of_element,
                       Want want) {
  for (const Case* c : cases) {
    const Name n = parse(c->name);
    const auto in = conformance::inputs(c->inputs);
    std::string refusal;
    const auto out = conformance::run_on_vm(*c, &refusal);
    ASSERT_FALSE(out.empty()) << refusal;
    const std::size_t bytes = bytes_of_element != 0
                                  ? bytes_of_element
                                  : c->result_bytes / (n.types[0].ends_with("x2") + 1u);
    for (std::size_t lane = 0; lane < conformance::kLanes; ++lane) {
      for (unsigned e = 0; e < c->result_bytes / bytes; ++e) {
        const auto expected = want(n, in, lane * conformance::kRecordBytes, e);
        if (!expected) continue;
        const std::uint64_t got = read(out, lane * conformance::kResultBytes + e * bytes, bytes);
        const Format* f = format(n.types[0]);
        ASSERT_TRUE(f != nullptr ? same(*f, *expected, got) : *expected == got)
            << c->name << " lane " << lane << ": " << hex(got) << ", exactly " << hex(*expected);
      }
    }
  }
}

TEST(FloatOracleConversions, BetweenFloats) {
  const auto cases = conversions(
      [](const Name& n) { return format(n.types[0]) != nullptr && format(n.types[1]) != nullptr; });
  EXPECT_GE(cases.size(), 60u);
  check_conversions(cases, 0, [](const Name& n, const auto& in, std::size_t record, unsigned) {
    const Format &to = *format(n.types[0]), &from = *format(n.types[1]);
    Number x = decode(from, read(in, record, static_cast<std::size_t>(from.bits) / 8));
    // To f16, .ftz is without effect on the device: it rounds the subnormal operand.
    if (n.has("ftz") && from.name == "f32" && to.name != "f16") x = flush(from, x);
    if (n.to_integer && x.kind == Number::Kind::Finite) x = to_integer(x, n.mode);
    if (n.has("ftz") && to.name == "f32") x = flush(to, x, n.mode);
    // Moves keep a NaN's payload or not: NaN is NaN here.
    if (x.nan() && !n.has("sat")) return std::optional<std::uint64_t>{};
    return std::optional(encode(to, clamped(n, x), n.mode, n.has("satfinite")));
  });
}

TEST(FloatOracleConversions, PairsAndEightBitFloats) {
  const auto cases = conversions([](const Name& n) { return n.types[0].ends_with("x2"); });
  EXPECT_GE(cases.size(), 20u);
  check_conversions(cases, 0, [](const Name& n, const auto& in, std::size_t record, unsigned e) {
    const Format& to = *format(n.types[0].substr(0, n.types[0].size() - 2));
    const bool packed = n.types[1].ends_with("x2");
    const Format& from = *format(packed ? n.types[1].substr(0, n.types[1].size() - 2) : n.types[1]);
    const auto bytes = static_cast<std::size_t>(from.bits) / 8;
    // Two sources: the first goes to the upper half.
    const std::size_t at = packed ? record + e * bytes : record + 16 * (1 - e);
    const Number x = decode(from, read(in, at, bytes));
    return std::optional(x.nan() ? to.nan : encode(to, clamped(n, x), n.mode, n.has("satfinite")));
  });
}

bool is_integer(const std::string& type) { return type[0] == 'u' || type[0] == 's'; }

TEST(FloatOracleConversions, FromIntegers) {
  const auto cases = conversions(
      [](const Name& n) { return format(n.types[0]) != nullptr && is_integer(n.types[1]); });
  EXPECT_GE(cases.size(), 90u);
  check_conversions(cases, 0, [](const Name& n, const auto& in, std::size_t record, unsigned) {
    const unsigned bits = static_cast<unsigned>(std::stoul(n.types[1].substr(1)));
    const std::uint64_t code = read(in, record, bits / 8);
    Integer value = code;
    if (n.types[1][0] == 's' && (code >> (bits - 1) & 1) != 0) value -= Integer(1) << bits;
    return std::optional(encode(*format(n.types[0]), clamped(n, integer(value)), n.mode));
  });
}

TEST(FloatOracleConversions, ToIntegersClamp) {
  const auto cases = conversions(
      [](const Name& n) { return is_integer(n.types[0]) && format(n.types[1]) != nullptr; });
  EXPECT_GE(cases.size(), 90u);
  // A narrow result fills its register: of it the bits of the type are looked at.
  for (const unsigned bits : {8u, 16u, 32u, 64u}) {
    std::vector<const Case*> some;
    for (const Case* c : cases) {
      if (parse(c->name).types[0].substr(1) == std::to_string(bits)) some.push_back(c);
    }
    for (const Case* c : some) {
      const Name n = parse(c->name);
      const Format& from = *format(n.types[1]);
      const auto in = conformance::inputs(c->inputs);
      std::string refusal;
      const auto out = conformance::run_on_vm(*c, &refusal);
      ASSERT_FALSE(out.empty()) << refusal;
      const bool is_signed = n.types[0][0] == 's';
      const Integer most = (Integer(1) << (bits - is_signed)) - 1,
                    least = is_signed ? Integer(-most - 1) : Integer(0);
      for (std::size_t lane = 0; lane < conformance::kLanes; ++lane) {
        Number x = decode(from, read(in, lane * conformance::kRecordBytes,
                                     static_cast<std::size_t>(from.bits) / 8));
        if (n.has("ftz")) x = flush(from, x);
        if (x.nan()) continue;  // recorded answers decide
        Integer want = x.negative ? least : most;
        if (!x.infinite()) {
          const Number whole = to_integer(x, n.mode);
          const Integer value = whole.negative ? Integer(-whole.magnitude) : whole.magnitude;
          want = value < least ? least : value > most ? most : value;
        }
        const std::uint64_t mask = ~std::uint64_t{0} >> (64 - bits);
        if (want < 0) want += Integer(1) << bits;
        const std::uint64_t got = read(out, lane * conformance::kResultBytes, bits / 8);
        ASSERT_EQ(got & mask, want.convert_to<std::uint64_t>()) << c->name << " lane " << lane;
      }
    }
  }
}

TEST(FloatOracleItself, AgreesWithTheHostOnF64AndF32) {
  const Format &f32 = *format("f32"), &f64 = *format("f64");
  for (const double a : {1.0, 1e-310, 3.0, -7.25, 1e300}) {
    for (const double b : {3.0, 1e-3, -5e-324, 1e10}) {
      const auto code = [](double x) { return std::bit_cast<std::uint64_t>(x); };
      const Number x = decode(f64, code(a)), y = decode(f64, code(b));
      EXPECT_EQ(encode(f64, add(x, y, Rounding::Nearest), Rounding::Nearest), code(a + b));
      EXPECT_EQ(encode(f64, multiply(x, y), Rounding::Nearest), code(a * b));
      EXPECT_EQ(encode(f64, divide(x, y), Rounding::Nearest), code(a / b));
      EXPECT_EQ(encode(f32, x, Rounding::Nearest),
                std::bit_cast<std::uint32_t>(static_cast<float>(a)));
    }
  }
}

}  // namespace
}  // namespace kw::ptxvm
