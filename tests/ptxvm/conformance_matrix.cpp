#include <cmath>
#include <cstring>
#include <random>

#include "ptxvm/conformance.h"

namespace kw::ptxvm::conformance {
namespace {

struct Shape {
  std::string name, result, a, b;
  int a_registers, b_registers, c_registers;
  std::string c = {};  // type of C, if it is not the result's
  int d_registers = 0;
  std::string layouts = "row.col";
  bool saturate = false;
};

Case case_of(const Shape& s) {
  const auto reg = [](int n) { return "%r" + std::to_string(n + 10); };
  std::string body;
  const auto fragment = [&](int first, int count) {
    std::string out = "{";
    for (int i = 0; i < count; ++i) out += (i == 0 ? "" : ", ") + reg(first + i);
    return out + "}";
  };
  const auto load = [&](int first, int count, int offset) {
    for (int i = 0; i < count; ++i) {
      body +=
          "ld.global.b32 " + reg(first + i) + ", [%rd1+" + std::to_string(offset + 4 * i) + "];\n";
    }
  };
  load(0, s.a_registers, 0);
  load(4, s.b_registers, 16);
  load(6, s.c_registers, 24);
  const std::string name = "mma.sync.aligned." + s.name + "." + s.layouts +
                           (s.saturate ? ".satfinite." : ".") + s.result + "." + s.a + "." + s.b +
                           "." + (s.c.empty() ? s.result : s.c);
  const int d_registers = s.d_registers != 0 ? s.d_registers : s.c_registers;
  body += name + " " + fragment(14, d_registers) + ", " + fragment(0, s.a_registers) + ", " +
          fragment(4, s.b_registers) + ", " + fragment(6, s.c_registers) + ";\n";
  for (int i = 0; i < d_registers; ++i) {
    body += "st.global.b32 [%rd2+" + std::to_string(4 * i) + "], " + reg(14 + i) + ";\n";
  }
  return {name, "mma " + s.a + " " + (s.c.empty() ? s.result : s.c),
          static_cast<std::size_t>(4 * d_registers), module_of(body), false};
}

// A from this lane's record; B and C from the record of the lane 32 further on.
Case f64_case(const std::string& shape, int a, int b, int c) {
  std::string body =
      "mul.wide.u32 %rd20, %r0, 64;\nsub.s64 %rd20, %rd1, %rd20;\nadd.u32 %r20, %r0, 32;\nand.b32 "
      "%r20, %r20, 2047;\n"
      "mul.wide.u32 %rd21, %r20, 64;\nadd.s64 %rd20, %rd20, %rd21;\n";
  const auto fragment = [&](const std::string& base, int first, int count, int offset) {
    std::string out = "{";
    for (int i = 0; i < count; ++i) {
      const std::string r = "%fd" + std::to_string(first + i);
      if (!base.empty())
        body += "ld.global.f64 " + r + ", [" + base + "+" + std::to_string(offset + 8 * i) + "];\n";
      out += (i == 0 ? "" : ", ") + r;
    }
    return out + "}";
  };
  const std::string fa = fragment("%rd1", 0, a, 0), fb = fragment("%rd20", 8, b, 0),
                    fc = fragment("%rd20", 12, c, 32);
  const std::string name = "mma.sync.aligned." + shape + ".row.col.f64.f64.f64.f64";
  body += name + " " + fragment("", 16, c, 0) + ", " + fa + ", " + fb + ", " + fc + ";\n";
  for (int i = 0; i < c; ++i)
    body +=
        "st.global.f64 [%rd2+" + std::to_string(8 * i) + "], %fd" + std::to_string(16 + i) + ";\n";
  return {name, "mma f64 f64", static_cast<std::size_t>(8 * c), module_of(body), false};
}

// A number for an operand or accumulator of a warp in one of eight moods.
double draw(std::mt19937_64& engine, unsigned mood, bool accumulator) {
  const std::uint64_t r = engine();
  const double unit = static_cast<double>(r >> 11) * 0x1p-53, sign = (r & 1) != 0 ? 1 : -1;
  const auto scaled = [&](std::uint64_t range, int least) {
    return sign * (1 + unit) * std::ldexp(1.0, static_cast<int>((r >> 1) % range) + least);
  };
  switch (mood) {
    case 0:
      return unit;  // coherent: truncation shows as bias
    case 1:
      return sign * unit;
    case 2:
      return scaled(14, -7);
    case 3:
      return accumulator ? scaled(20, -4) : sign * unit;  // cancellation against the accumulator
    case 4:
      return (r >> 1) % 3 != 0 ? 0 : scaled(22, -14);  // sparse
    case 5:                                            // single bits near the alignment limit
      if (accumulator) return -1;
      return (r >> 1) % 4 == 0 ? 1
                               : sign * std::ldexp(1.0 + static_cast<double>((r >> 5) % 2) * 0.5,
                                                   -static_cast<int>((r >> 7) % 13));
    case 6:
      return scaled(28, accumulator ? -14 : -24);  // subnormal f16
    default:
      break;
  }
  if ((r >> 1) % 200 != 0) return sign * unit;
  return (r & 512) != 0 ? HUGE_VAL : (r & 1024) != 0 ? -HUGE_VAL : std::nan("");
}

std::uint32_t f32_bits(double x) {
  const float f = static_cast<float>(x);
  std::uint32_t out;
  std::memcpy(&out, &f, sizeof out);
  return out;
}

// One register: all its elements.
std::uint32_t fragment_register(const std::string& type, std::mt19937_64& engine, unsigned mood,
                                bool accumulator) {
  if (type == "f32") return f32_bits(draw(engine, mood, accumulator));
  if (type == "tf32")
    return f32_bits(draw(engine, mood, accumulator)) & (mood == 6 ? 0xffffffffu : 0xffffe000u);
  if (type == "f16" || type == "bf16") {
    std::uint32_t out = 0;
    for (unsigned half = 0; half < 2; ++half) {
      const double x = draw(engine, mood, accumulator);
      std::uint16_t code;
      if (type == "f16") {
        const auto h = static_cast<_Float16>(x);
        std::memcpy(&code, &h, sizeof code);
      } else {
        code = x == x ? static_cast<std::uint16_t>((f32_bits(x) + 0x8000u) >> 16) : 0x7fff;
      }
      out |= static_cast<std::uint32_t>(code) << (16 * half);
    }
    return out;
  }
  const auto r = static_cast<std::uint32_t>(engine());
  if (type == "s32") return mood < 4 ? r & 0xffff : r;
  if (type[0] != 'e') return r;  // s8, u8: every code
  if (mood == 0) return r & 0x3f3f3f3f;
  if (mood == 1) return r & 0xbfbfbfbf;
  return mood == 4 && engine() % 2 != 0 ? 0 : r;
}

}  // namespace

std::vector<Case> matrix_cases() {
  std::vector<Case> out;
  for (const Shape& s : {Shape{"m16n8k16", "f32", "f16", "f16", 4, 2, 4},
                         Shape{"m16n8k8", "f32", "f16", "f16", 2, 1, 4},
                         Shape{"m16n8k16", "f16", "f16", "f16", 4, 2, 2},
                         Shape{"m16n8k8", "f16", "f16", "f16", 2, 1, 2},
                         Shape{"m16n8k16", "f32", "bf16", "bf16", 4, 2, 4},
                         Shape{"m16n8k8", "f32", "bf16", "bf16", 2, 1, 4},
                         Shape{"m16n8k8", "f32", "tf32", "tf32", 4, 2, 4},
                         Shape{"m16n8k4", "f32", "tf32", "tf32", 2, 1, 4},
                         Shape{"m16n8k32", "f32", "e4m3", "e4m3", 4, 2, 4},
                         Shape{"m16n8k32", "f32", "e5m2", "e5m2", 4, 2, 4},
                         Shape{"m16n8k32", "f32", "e4m3", "e5m2", 4, 2, 4},
                         Shape{"m16n8k32", "s32", "s8", "s8", 4, 2, 4},
                         Shape{"m16n8k32", "s32", "u8", "s8", 4, 2, 4}}) {
    out.push_back(case_of(s));
  }
  for (const std::string a : {"s8", "u8"}) {
    for (const std::string b : {"s8", "u8"}) {
      for (const bool saturate : {false, true}) {
        if (saturate || a == b || a == "s8") {
          if (a != "s8" || b != "s8" || saturate)
            out.push_back(case_of({"m16n8k32", "s32", a, b, 4, 2, 4, "", 0, "row.col", saturate}));
        }
        out.push_back(case_of({"m16n8k16", "s32", a, b, 2, 1, 4, "", 0, "row.col", saturate}));
        out.push_back(case_of({"m8n8k16", "s32", a, b, 1, 1, 2, "", 0, "row.col", saturate}));
      }
    }
  }
  for (const std::string a : {"e4m3", "e5m2"}) {
    for (const std::string b : {"e4m3", "e5m2"}) {
      if (a == "e5m2" && b == "e4m3") out.push_back(case_of({"m16n8k32", "f32", a, b, 4, 2, 4}));
      out.push_back(case_of({"m16n8k32", "f16", a, b, 4, 2, 2}));
      out.push_back(case_of({"m16n8k16", "f32", a, b, 2, 1, 4}));
      out.push_back(case_of({"m16n8k16", "f16", a, b, 2, 1, 2}));
    }
  }
  for (const std::string layouts : {"row.col", "row.row", "col.col", "col.row"}) {
    out.push_back(case_of({"m8n8k4", "f32", "f16", "f16", 2, 2, 8, "f32", 8, layouts}));
    if (layouts != "row.row")
      out.push_back(case_of({"m8n8k4", "f16", "f16", "f16", 2, 2, 4, "f16", 4, layouts}));
    out.push_back(case_of({"m8n8k4", "f32", "f16", "f16", 2, 2, 4, "f16", 8, layouts}));
  }
  out.push_back(f64_case("m8n8k4", 1, 1, 2));
  out.push_back(f64_case("m16n8k4", 2, 1, 4));
  out.push_back(f64_case("m16n8k8", 4, 2, 4));
  out.push_back(f64_case("m16n8k16", 8, 4, 4));
  return out;
}

std::vector<std::byte> matrix_inputs(const std::string& element, const std::string& accumulator) {
  std::mt19937_64 engine(777);
  std::vector<std::byte> out(kLanes * kRecordBytes);
  if (element == "f64") {
    for (std::size_t at = 0; at < out.size(); at += 8) {
      const auto mood = static_cast<unsigned>(at / (32 * kRecordBytes) % 8);
      const double value = draw(engine, mood, false) *
                           (mood == 2 ? std::ldexp(1.0, static_cast<int>(engine() % 90)) : 1.0);
      std::memcpy(&out[at], &value, sizeof value);
    }
    return out;
  }
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    const auto mood = static_cast<unsigned>(lane / 32 % 8);
    for (std::size_t i = 0; i < 10; ++i) {  // A and B from register 0 on, C from register 6 on
      const bool c = i >= 6;
      const std::uint32_t value = fragment_register(c ? accumulator : element, engine, mood, c);
      std::memcpy(&out[lane * kRecordBytes + 4 * i], &value, sizeof value);
    }
  }
  for (std::size_t lane = 0; lane < kLanes; ++lane) {  // registers 4 to 7 of C, where it has them
    for (std::size_t i = 10; i < 14; ++i) {
      const std::uint32_t value =
          fragment_register(accumulator, engine, static_cast<unsigned>(lane / 32 % 8), true);
      std::memcpy(&out[lane * kRecordBytes + 4 * i], &value, sizeof value);
    }
  }
  return out;
}

std::vector<std::byte> whole_matrix_inputs(const std::string& element,
                                           const std::string& accumulator) {
  if (element == "f64") return matrix_inputs(element, accumulator);
  std::mt19937_64 engine(4242);
  std::vector<std::byte> out(kLanes * kRecordBytes);
  for (std::size_t at = 0; at < out.size(); at += 4) {
    const bool c = at / 1024 % 2 == 1;
    const std::uint32_t value = fragment_register(c ? accumulator : element, engine,
                                                  static_cast<unsigned>(at / 2048 % 8), c);
    std::memcpy(&out[at], &value, sizeof value);
  }
  return out;
}

}  // namespace kw::ptxvm::conformance
