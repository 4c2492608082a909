#include <array>
#include <sstream>

#include "ptxvm/random_writer.h"

namespace kw::ptxvm::random {
namespace {

// "opcode destination sources": pool kinds; R, D, F, G: a register or a literal; 1 and 2: a 32- or
// 64-bit divisor; 3 and 4: a number whose magnitude fits; 5 and 6: a shift, 7 and 8 a place in the
// word (literals below its width: the driver's compiler folds others in a way of its own).
// '!' makes NaN results canonical where PTX leaves the payload open; '#' asks for two registers (of
// one, the driver's compiler makes a move, which keeps a NaN's payload). abs avoids the least
// number, which that compiler takes as positive. All rounding is written out, so that nothing is
// contracted.
constexpr std::array kInteger32{"add.u32 r r R",
                                "sub.s32 r r R",
                                "mul.lo.s32 r r R",
                                "mul.hi.u32 r r R",
                                "mul.hi.s32 r r r",
                                "mad.lo.s32 r r r R",
                                "mad.hi.u32 r r r r",
                                "min.s32 r r R",
                                "max.u32 r r R",
                                "sad.s32 r r r r",
                                "div.u32 r r 1",
                                "rem.u32 r r 1",
                                "rem.s32 r r 1",
                                "neg.s32 r r",
                                "abs.s32 r 3",
                                "and.b32 r r R",
                                "or.b32 r r R",
                                "xor.b32 r r R",
                                "not.b32 r r",
                                "cnot.b32 r r",
                                "shl.b32 r r 5",
                                "shr.u32 r r 5",
                                "shr.s32 r r 5",
                                "shf.l.wrap.b32 r r r r",
                                "shf.r.clamp.b32 r r r r",
                                "popc.b32 r r",
                                "clz.b32 r r",
                                "brev.b32 r r",
                                "bfind.u32 r r",
                                "bfind.shiftamt.s32 r r",
                                "bfe.u32 r r 7 7",
                                "bfe.s32 r r 7 7",
                                "bfi.b32 r r r 7 7",
                                "prmt.b32 r r r r",
                                "prmt.b32.f4e r r r r",
                                "lop3.b32 r r r r L",
                                "dp4a.u32.u32 r r r r",
                                "dp4a.s32.u32 r r r r",
                                "dp2a.lo.s32.s32 r r r r",
                                "dp2a.hi.u32.u32 r r r r",
                                "add.sat.s32 r r R",
                                "sub.sat.s32 r r r",
                                "selp.b32 r r R p",
                                "slct.s32.s32 r r r r",
                                "mul24.lo.u32 r r r",
                                "mad24.lo.s32 r r r r",
                                "mov.b32 r u",
                                "bmsk.clamp.b32 r 7 7",
                                "szext.clamp.s32 r r 7",
                                "add.u32 r r u",
                                "mov.u32 r R"};
constexpr std::array kInteger64{
    "add.s64 d d D",        "sub.s64 d d D",        "mul.lo.s64 d d d",   "mul.hi.u64 d d d",
    "mul.hi.s64 d d d",     "mad.lo.s64 d d d d",   "mul.wide.u32 d r R", "mul.wide.s32 d r r",
    "mad.wide.u32 d r r d", "mad.wide.s32 d r r d", "min.s64 d d d",      "max.u64 d d D",
    "and.b64 d d D",        "xor.b64 d d d",        "or.b64 d d d",       "not.b64 d d",
    "shl.b64 d d 6",        "shr.u64 d d 6",        "shr.s64 d d 6",      "popc.b64 r d",
    "clz.b64 r d",          "brev.b64 d d",         "bfind.u64 r d",      "bfe.u64 d d 8 8",
    "bfi.b64 d d d 8 8",    "selp.b64 d d d p",     "div.u64 d d 2",      "rem.s64 d d 2",
    "abs.s64 d 4",          "neg.s64 d d",          "sad.s64 d d d d",    "slct.u64.s32 d d d r"};
constexpr std::array kInteger16{"add.u16 w w w",      "sub.s16 w w w",      "mul.lo.u16 w w w",
                                "mul.hi.s16 w w w",   "mad.lo.s16 w w w w", "mul.wide.u16 r w w",
                                "mul.wide.s16 r w w", "min.s16 w w w",      "max.u16 w w w",
                                "and.b16 w w w",      "xor.b16 w w w",      "shl.b16 w w 5",
                                "shr.u16 w w 5",      "shr.s16 w w 5",      "not.b16 w w",
                                "neg.s16 w w",        "selp.b16 w w w p"};
constexpr std::array kFloat32{
    "add.rn.f32 f f F",      "sub.rn.f32 f f f",       "mul.rn.f32 f f F",
    "fma.rn.f32 f f f f",    "fma.rn.f32 f f F f",     "add.rz.f32 f f f",
    "mul.rm.f32 f f f",      "fma.rp.f32 f f f f",     "add.rn.ftz.f32 f f f",
    "mul.rn.ftz.f32 f f f",  "fma.rn.ftz.f32 f f f f", "add.rn.sat.f32 f f f",
    "div.rn.f32 f f f",      "sqrt.rn.f32 f f",        "rcp.rn.f32 f f",
    "min.f32 f f f #",       "max.f32 f f F #",        "min.NaN.f32 f f f #",
    "max.ftz.f32 f f f #",   "abs.f32 f f !",          "neg.f32 f f !",
    "copysign.f32 f f f !",  "selp.f32 f f f p",       "slct.f32.f32 f f f f",
    "div.rz.f32 f f f",      "rcp.rm.f32 f f",         "sqrt.rp.ftz.f32 f f",
    "fma.rn.sat.f32 f f f f"};
constexpr std::array kFloat64{
    "add.rn.f64 g g G !", "sub.rn.f64 g g g !", "mul.rn.f64 g g G !",   "fma.rn.f64 g g g g !",
    "add.rz.f64 g g g !", "mul.rp.f64 g g g !", "fma.rm.f64 g g g g !", "div.rn.f64 g g g !",
    "sqrt.rn.f64 g g !",  "min.f64 g g g !",    "max.f64 g g g !",      "abs.f64 g g !",
    "neg.f64 g g !",      "rcp.rn.f64 g g !",   "selp.f64 g g g p",     "copysign.f64 g g g !"};
constexpr std::array kHalf{"add.rn.f16 h h h",        "sub.rn.f16 h h h",
                           "mul.rn.f16 h h h",        "fma.rn.f16 h h h h",
                           "add.rn.f16x2 x x x",      "mul.rn.f16x2 x x x",
                           "fma.rn.f16x2 x x x x",    "sub.rn.f16x2 x x x",
                           "fma.rn.relu.f16 h h h h", "fma.rn.sat.f16x2 x x x x",
                           "add.rn.ftz.f16x2 x x x",  "min.f16 h h h #",
                           "max.f16x2 x x x #",       "min.NaN.f16x2 x x x #",
                           "max.NaN.f16 h h h #",     "fma.rn.bf16 b b b b",
                           "fma.rn.bf16x2 y y y y",   "fma.rn.relu.bf16x2 y y y y",
                           "min.bf16 b b b #",        "max.bf16x2 y y y #",
                           "neg.f16 h h !",           "abs.f16 h h !"};
constexpr std::array kConvert{"cvt.u64.u32 d r",
                              "cvt.s64.s32 d r",
                              "cvt.u32.u64 r d",
                              "cvt.u32.u16 r w",
                              "cvt.s32.s16 r w",
                              "cvt.u16.u32 w r",
                              "cvt.s32.s8 r r",
                              "cvt.sat.s8.s32 r r",
                              "cvt.sat.u16.s32 w r",
                              "cvt.sat.s32.s64 r d",
                              "cvt.u32.u8 r r",
                              "cvt.rn.f32.u32 f r",
                              "cvt.rn.f32.s32 f r",
                              "cvt.rn.f32.s64 f d",
                              "cvt.rz.f32.u64 f d",
                              "cvt.rn.f64.s32 g r",
                              "cvt.rn.f64.u64 g d",
                              "cvt.rp.f64.s64 g d",
                              "cvt.rzi.s32.f32 r f",
                              "cvt.rni.u32.f32 r f",
                              "cvt.rmi.s64.f32 d f",
                              "cvt.rpi.s32.f32 r f",
                              "cvt.rzi.ftz.u32.f32 r f",
                              "cvt.rzi.s64.f64 d g",
                              "cvt.rni.s32.f64 r g",
                              "cvt.rn.f32.f64 f g !",
                              "cvt.rz.f32.f64 f g !",
                              "cvt.f64.f32 g f !",
                              "cvt.rn.f16.f32 h f",
                              "cvt.rz.f16.f32 h f",
                              "cvt.f32.f16 f h",
                              "cvt.rn.bf16.f32 b f",
                              "cvt.rn.f16x2.f32 x f f",
                              "cvt.rn.bf16x2.f32 y f f",
                              "cvt.rn.relu.f16x2.f32 x f f",
                              "cvt.rn.f16.s32 h r",
                              "cvt.rzi.s32.f16 r h",
                              "cvt.rn.f16.u64 h d",
                              "cvt.rmi.f32.f32 f f",
                              "cvt.rni.f16.f16 h h",
                              "cvt.sat.f32.f32 f f",
                              "cvt.rni.f64.f64 g g !",
                              "cvt.rna.tf32.f32 r f",
                              "mov.b32 r f",
                              "mov.b32 f r",
                              "mov.b64 g d",
                              "mov.b64 d g",
                              "mov.b16 w h",
                              "mov.b16 h w",
                              "mov.b32 x r",
                              "mov.b32 r y",
                              "mov.b16 b w",
                              "mov.b32 f x"};
constexpr std::array kPredicate{"setp.lt.s32 p r R",       "setp.ge.u32 p r R",
                                "setp.eq.s32 p r R",       "setp.ne.u64 p d D",
                                "setp.gt.s64 p d d",       "setp.lt.f32 p f F",
                                "setp.geu.f32 p f f",      "setp.nan.f32 p f f",
                                "setp.le.ftz.f32 p f f",   "setp.gt.f64 p g g",
                                "setp.neu.f64 p g g",      "setp.lt.f16 p h h",
                                "setp.ge.f16 p h h",       "setp.hi.u16 p w w",
                                "setp.lt.and.s32 p r R p", "setp.gt.or.u32 p r R p",
                                "setp.lt.xor.f32 p f f p", "and.pred p p p",
                                "xor.pred p p p",          "not.pred p p",
                                "or.pred p p p",           "testp.finite.f32 p f",
                                "testp.subnormal.f32 p f", "testp.normal.f64 p g"};
constexpr std::array kSet{"set.lt.u32.s32 r r R",     "set.ge.f32.f32 f f f",
                          "set.eq.s32.f32 r f f",     "set.gt.u32.f64 r g g",
                          "set.lt.f16x2.f16x2 x x x", "set.le.u32.f16 r h h",
                          "set.ne.f32.u32 f r r",     "set.ltu.f16x2.f16x2 x x x"};

constexpr std::uint64_t kEdges[] = {
    0,      1,          2,          7,          31,         32,         255,         0x7fff,
    0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe, 0x3f800000, 0x100000000, ~0ull};
constexpr std::string_view kSingles[] = {"0f3F800000", "0fBF800000", "0f00000000", "0f80000000",
                                         "0f3F000000", "0f40490FDB", "0f7F800000", "0f00800000",
                                         "0f00000001", "0f4B800000", "0f3DCCCCCD", "0f7FC00000"};
constexpr std::string_view kDoubles[] = {"0d3FF0000000000000", "0d0000000000000000",
                                         "0dBFE0000000000000", "0d4330000000000000",
                                         "0d3FB999999999999A", "0d0010000000000000"};

}  // namespace

const std::vector<Pool>& pools() {
  static const std::vector<Pool> all{{'r', 8, "b32", 4},  {'d', 5, "b64", 8}, {'f', 6, "f32", 4},
                                     {'g', 4, "f64", 8},  {'h', 4, "b16", 2}, {'b', 3, "b16", 2},
                                     {'w', 4, "b16", 2},  {'x', 3, "b32", 4}, {'y', 3, "b32", 4},
                                     {'p', 5, "pred", 0}, {'u', 4, "b32", 4}};
  return all;
}

std::string Writer::pick(char kind) {
  for (const Pool& p : pools()) {
    if (p.kind == kind)
      return std::string("%") + kind + std::to_string(below(static_cast<std::uint64_t>(p.count)));
  }
  return "?";
}

std::string Writer::fresh(char kind) {
  int& n = kind == 't' ? fresh_t_ : kind == 'q' ? fresh_q_ : kind == 's' ? fresh_s_ : fresh_i_;
  return std::string("%") + kind + std::to_string(n++);
}

std::string Writer::number(unsigned width) {
  const std::uint64_t mask = width == 64 ? ~0ull : (1ull << width) - 1;
  const std::uint64_t value = chance(60) ? kEdges[below(std::size(kEdges))] : bits() >> below(60);
  return std::to_string(width == 64 ? value >> 1 : value & mask);
}

std::string Writer::source(char kind, std::string* before, bool literals) {
  switch (kind) {
    case 'R':
      return chance(40) ? number(32) : pick('r');
    case 'D':
      return chance(40) ? number(64) : pick('d');
    case 'F':
      return chance(30) ? std::string(kSingles[below(std::size(kSingles))]) : pick('f');
    case 'G':
      return chance(30) ? std::string(kDoubles[below(std::size(kDoubles))]) : pick('g');
    case 'L':
      return std::to_string(below(256));
    case '1': {
      const std::string t = fresh('t');
      *before += "or.b32 " + t + ", " + pick('r') + ", " + std::to_string(1 + 2 * below(8)) + "; ";
      return t;
    }
    case '2': {
      const std::string q = fresh('q');
      *before += "or.b64 " + q + ", " + pick('d') + ", " + std::to_string(1 + 2 * below(8)) + "; ";
      return q;
    }
    case '3':
    case '4': {
      const std::string t = fresh(kind == '3' ? 't' : 'q');
      *before += (kind == '3' ? "shr.s32 " : "shr.s64 ") + t + ", " +
                 pick(kind == '3' ? 'r' : 'd') + ", 1; ";
      return t;
    }
    case '7':
    case '8':
      return chance(40) ? std::to_string(below(kind == '7' ? 32 : 64))
                        : source(kind == '7' ? '5' : '6', before, false);
    case '5':
    case '6': {
      if (literals && chance(50)) return std::to_string(below(kind == '5' ? 36 : 70));
      const std::string t = fresh('t');
      *before += "and.b32 " + t + ", " + pick('r') + ", " + (kind == '5' ? "63" : "127") + "; ";
      return t;
    }
    default:
      return pick(kind);
  }
}

void Writer::operation() {
  const auto choose = [&](const auto& table) {
    return std::string(table[below(std::size(table))]);
  };
  // No predicate on set: the driver's compiler converts the old value where the predicate is false.
  const std::uint64_t c = below(100);
  const bool may_guard = c < 97;
  std::istringstream words(c < 26   ? choose(kInteger32)
                           : c < 38 ? choose(kInteger64)
                           : c < 43 ? choose(kInteger16)
                           : c < 60 ? choose(kFloat32)
                           : c < 68 ? choose(kFloat64)
                           : c < 78 ? choose(kHalf)
                           : c < 89 ? choose(kConvert)
                           : c < 97 ? choose(kPredicate)
                                    : choose(kSet));
  std::string opcode, word, before, operands, destination;
  char kind = 0;
  bool canonical = false, distinct = false;
  words >> opcode;
  while (words >> word) {
    if (word == "!") {
      canonical = true;
    } else if (word == "#") {
      distinct = true;
    } else if (destination.empty()) {
      kind = word[0];
      destination = pick(kind);
    } else {
      operands += ", " + source(word[0], &before);
    }
  }
  if (distinct) {
    const std::size_t comma = operands.find(", ", 2);
    while (operands.substr(2, comma - 2) == operands.substr(comma + 2))
      operands = operands.substr(0, comma) + ", " + pick(kind);
  }
  const std::string guard =
      kind != 'p' && may_guard && chance(12) ? (chance(50) ? "@" : "@!") + pick('p') + " " : "";
  line(before + guard + opcode + " " + destination + operands + ";");
  if (!canonical) return;
  const std::string type = kind == 'g' ? "f64" : kind == 'f' ? "f32" : "f16";
  const std::string nan = fresh('s');
  line("setp.nan." + type + " " + nan + ", " + destination + ", " + destination + ";");
  const std::string value = kind == 'g'   ? "0d7FF8000000000000"
                            : kind == 'f' ? "0f7FFFFFFF"
                                          : "0x7fff";
  line("@" + nan + " mov." + (kind == 'h' ? "b16" : type) + " " + destination + ", " + value + ";");
}

std::string Writer::declarations() const {
  std::string out = "  ";
  for (const Pool& p : pools())
    out += ".reg ." + std::string(p.type) + " %" + p.kind + "<" + std::to_string(p.count) + ">; ";
  out += ".reg .b32 %t<" + std::to_string(fresh_t_ + 1) + ">; .reg .b64 %q<" +
         std::to_string(fresh_q_ + 1) + ">; .reg .pred %s<" + std::to_string(fresh_s_ + 1) +
         ">; .reg .f64 %i<" + std::to_string(fresh_i_ + 1) + ">;\n";
  return out;
}

}  // namespace kw::ptxvm::random
