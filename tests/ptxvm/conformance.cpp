#include "ptxvm/conformance.h"

#include <cstring>
#include <iterator>
#include <random>

#include "kw/ptxvm/run.h"

namespace kw::ptxvm::conformance {
namespace {

constexpr std::uint32_t kF32[] = {
    0,          0x80000000, 1,          0x80000001, 0x7fffff,   0x807fffff, 0x800000,   0x80800000,
    0x3f800000, 0xbf800000, 0x3f000000, 0x40000000, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000,
    0x7fc00000, 0xffc00000, 0x7f800001, 0x4b000000, 0x4f000000, 0xcf000000, 0x4f800000, 0x5f000000,
    0xdf000000, 0x3effffff, 0x3f7fffff, 0x3fc00000, 0x40200000, 0x38800000, 0x33800000, 0x477fe000,
    0x477fefff, 0x477ff000, 0x43800000, 0x42fe0000, 0x7e800000, 0x7f000000, 0x00000100, 0x3f800001};
constexpr std::uint64_t kF64[] = {0,
                                  0x8000000000000000,
                                  1,
                                  0x8000000000000001,
                                  0x000fffffffffffff,
                                  0x0010000000000000,
                                  0x3ff0000000000000,
                                  0xbff0000000000000,
                                  0x7fefffffffffffff,
                                  0xffefffffffffffff,
                                  0x7ff0000000000000,
                                  0xfff0000000000000,
                                  0x7ff8000000000000,
                                  0x7ff0000000000001,
                                  0x41dfffffffc00000,
                                  0x41e0000000000000,
                                  0xc1e0000000000000,
                                  0x43e0000000000000,
                                  0xc3e0000000000000,
                                  0x43f0000000000000,
                                  0x3810000000000000,
                                  0x36a0000000000000,
                                  0x3690000000000000,
                                  0x47efffffe0000000,
                                  0x47effffff0000000,
                                  0x3fe0000000000000,
                                  0x4004000000000000,
                                  0x40effc0000000000,
                                  0x40efffe000000000,
                                  0x3f10000000000000};
constexpr std::uint16_t k16[] = {0,      0x8000, 1,      0x8001, 0x3ff,  0x83ff, 0x400,  0x8400,
                                 0x3c00, 0xbc00, 0x3800, 0x4000, 0x7bff, 0xfbff, 0x7c00, 0xfc00,
                                 0x7e00, 0xfe00, 0x7c01, 0x5bff, 0x7800, 0x77ff, 0x3f80, 0xbf80,
                                 0x7f7f, 0x7f80, 0xff80, 0x7fc0, 0x7f,   0x80,   0x4300, 0x4f00};
constexpr std::uint64_t kInteger[] = {0,
                                      1,
                                      2,
                                      3,
                                      7,
                                      8,
                                      15,
                                      16,
                                      31,
                                      32,
                                      33,
                                      63,
                                      64,
                                      65,
                                      127,
                                      128,
                                      255,
                                      256,
                                      32767,
                                      32768,
                                      65535,
                                      65536,
                                      0x7fffffff,
                                      0x80000000,
                                      0xffffffff,
                                      0x100000000,
                                      0x7fffffffffffffff,
                                      0x8000000000000000,
                                      ~0ull,
                                      ~1ull,
                                      0x00ffffff,
                                      0x00800000};

template <class To, class From>
To bits(From from) {
  To to{};
  std::memcpy(&to, &from, sizeof from < sizeof to ? sizeof from : sizeof to);
  return to;
}

// One operand. r: random bits; mode 0: an edge value, 1: r itself, 2 and 3: moderate numbers.
std::uint64_t operand(const std::string& type, std::uint64_t r, unsigned mode) {
  const auto half = [](std::uint64_t q, unsigned m) {
    return m < 2 ? std::uint64_t{k16[q % 32]} : q & 0xffff;
  };
  if (type == "f16" || type == "bf16") return half(r, mode);
  if (type == "f16x2" || type == "bf16x2") {
    return half(r, mode) | half(r >> 20, static_cast<unsigned>(r >> 60) % 4) << 16;
  }
  const auto shifted = [r](std::uint64_t by) { return static_cast<std::int64_t>(r) >> by; };
  if (type == "f32") {
    if (mode == 0) return kF32[r % std::size(kF32)];
    if (mode == 1) return r & 0xffffffff;
    if (mode == 2) return (r & 0x807fffff) | (120 + (r >> 40) % 16) << 23;
    return bits<std::uint32_t>(static_cast<float>(shifted(r % 50)) /
                               static_cast<float>(1u << ((r >> 58) & 31)));
  }
  if (type == "f64") {
    if (mode == 0) return kF64[r % std::size(kF64)];
    if (mode == 1) return r;
    if (mode == 2) return (r & 0x800fffffffffffff) | (1015 + (r >> 52) % 17) << 52;
    return bits<std::uint64_t>(static_cast<double>(shifted(r % 60)) / 4);
  }
  if (mode == 0) return kInteger[r % 32];
  if (mode == 1) return r;
  if (mode == 2) return static_cast<std::uint64_t>(shifted(r % 63));
  return r % 70;
}

}  // namespace

std::vector<std::byte> inputs(const std::string& type) {
  if (type.starts_with("mma ")) {
    const std::size_t blank = type.find(' ', 4);
    return matrix_inputs(type.substr(4, blank - 4), type.substr(blank + 1));
  }
  if (type.starts_with("wmma ")) {
    const std::size_t blank = type.find(' ', 5);
    return whole_matrix_inputs(type.substr(5, blank - 5), type.substr(blank + 1));
  }
  std::mt19937_64 engine(12345);
  std::vector<std::byte> out(kLanes * kRecordBytes);
  for (std::size_t at = 0; at < out.size(); at += 16) {
    const std::uint64_t r = engine();
    const std::uint64_t value = operand(type, r, static_cast<unsigned>(engine() % 4));
    std::memcpy(&out[at], &value, sizeof value);
    std::memcpy(&out[at + 8], &r, sizeof r);
  }
  return out;
}

std::uint64_t digest(const Case& c, const std::vector<std::byte>& results) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    for (std::size_t k = 0; k < c.result_bytes; ++k) {
      hash = (hash ^ static_cast<std::uint64_t>(results[lane * kResultBytes + k])) * 0x100000001b3;
    }
  }
  return hash;
}

std::vector<std::byte> run_on_vm(const Case& c, std::string* refusal, const Options& options) {
  const auto program = load(c.ptx);
  if (!program) {
    *refusal = program.error().message;
    return {};
  }
  Memory memory;
  const std::uint64_t in = memory.allocate_copy("in", inputs(c.inputs)).value();
  const std::uint64_t out = memory.allocate("out", kLanes * kResultBytes).value();
  Launch launch{"k", {kLanes / 128}, {128}, 0, std::vector<std::byte>(16)};
  std::memcpy(launch.parameters.data(), &in, 8);
  std::memcpy(launch.parameters.data() + 8, &out, 8);
  const auto report = run(**program, memory, launch, options);
  if (!report || !report->clean()) {
    *refusal = report ? report->findings.front().message : report.error().message;
    return {};
  }
  const auto bytes = memory.bytes(out);
  return {bytes.begin(), bytes.end()};
}

}  // namespace kw::ptxvm::conformance
