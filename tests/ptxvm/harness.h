#pragma once
// Running kernels of the virtual machine in tests.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <initializer_list>
#include <optional>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "kw/ptxvm/run.h"

namespace kw::ptxvm {

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << path;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

inline std::shared_ptr<const Program> load_data(const std::string& name) {
  auto loaded = load(read_file(KW_SOURCE_DIR "/tests/ptxvm/data/" + name));
  if (!loaded) throw std::runtime_error(loaded.error().message);
  return *loaded;
}
/// The program of tests/ptxvm/data/kernels.cu, loaded once.
inline const Program& kernels() {
  static const auto program = load_data("kernels.ptx");
  return *program;
}
/// Of products.cu.
inline const Program& products() {
  static const auto program = load_data("products.ptx");
  return *program;
}

/// The line of kernels.cu that carries the comment "line: NAME".
inline std::uint32_t line_of(const std::string& name) {
  std::ifstream in(KW_SOURCE_DIR "/tests/ptxvm/data/kernels.cu");
  std::string text;
  for (std::uint32_t line = 1; std::getline(in, text); ++line) {
    if (text.ends_with("// line: " + name)) return line;
  }
  ADD_FAILURE() << "no line " << name;
  return 0;
}

/// Packs kernel arguments with their natural alignment.
class Arguments {
 public:
  template <class... T>
  explicit Arguments(const T&... values) {
    (add(values), ...);
  }
  std::vector<std::byte> bytes;

 private:
  template <class T>
  void add(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes.resize((bytes.size() + alignof(T) - 1) / alignof(T) * alignof(T));
    const auto* p = reinterpret_cast<const std::byte*>(&value);
    bytes.insert(bytes.end(), p, p + sizeof value);
  }
};

template <class T>
std::uint64_t upload(Memory& memory, const std::string& name, const std::vector<T>& data) {
  return memory.allocate_copy(name, std::as_bytes(std::span(data))).value();
}

template <class T>
std::vector<T> download(Memory& memory, std::uint64_t address) {
  const auto bytes = memory.bytes(address);
  std::vector<T> out(bytes.size() / sizeof(T));
  std::memcpy(out.data(), bytes.data(), out.size() * sizeof(T));
  return out;
}

inline Report run_kernel(const Program& program, Memory& memory, const std::string& kernel,
                         Dim3 grid, Dim3 block, const Arguments& arguments,
                         const Options& options = {}, std::uint32_t dynamic_shared = 0) {
  const auto report =
      run(program, memory, {kernel, grid, block, dynamic_shared, arguments.bytes}, options);
  if (!report) {
    ADD_FAILURE() << kernel << ": " << report.error().message;
    return {};
  }
  return *report;
}

inline std::string first_message(const Report& report) {
  return report.findings.empty() ? std::string("no finding") : report.findings.front().message;
}

inline std::vector<float> random_floats(std::size_t n, std::uint32_t seed, float low = -1,
                                        float high = 1) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> draw(low, high);
  std::vector<float> out(n);
  for (float& x : out) x = draw(engine);
  return out;
}

/// One warp runs `body`, which reads %rd1 (address of this lane's 64-byte input record) and writes
/// to %rd2 (its 64-byte output record). Registers %r, %rd, %f, %fd, %h (b16), %p are declared.
class Snippet {
 public:
  static constexpr std::size_t kRecord = 64;

  explicit Snippet(const std::string& body, const std::string& target = "sm_90") {
    std::string ptx = ".version 8.4\n.target " + target + "\n.address_size 64\n";
    ptx += ".visible .entry k(.param .u64 in, .param .u64 out)\n{\n";
    ptx +=
        ".reg .pred %p<16>;\n.reg .b16 %h<32>;\n.reg .b32 %r<64>;\n.reg .b64 %rd<32>;\n.reg .f32 "
        "%f<64>;\n.reg .f64 %fd<32>;\n";
    ptx +=
        "ld.param.u64 %rd1, [in];\nld.param.u64 %rd2, [out];\nmov.u32 %r0, %tid.x;\nmul.wide.u32 "
        "%rd3, %r0, 64;\n";
    ptx += "add.s64 %rd1, %rd1, %rd3;\nadd.s64 %rd2, %rd2, %rd3;\n";
    ptx += body + "\nret;\n}\n";
    auto loaded = load(ptx);
    if (!loaded) {
      ADD_FAILURE() << loaded.error().message << "\n" << ptx;
      return;
    }
    program_ = *loaded;
    refusal = program_->kernels().front().refusal;
  }

  /// records.size() lanes (a multiple of 32 or less), each given its record; returns output
  /// records.
  std::vector<std::array<std::byte, kRecord>> run_records(
      const std::vector<std::array<std::byte, kRecord>>& records, Options options = {}) {
    EXPECT_FALSE(refusal) << refusal->message;
    std::vector<std::array<std::byte, kRecord>> out(records.size());
    if (refusal || !program_) return out;
    Memory memory;
    const auto in_address = memory.allocate_copy("in", std::as_bytes(std::span(records))).value();
    const auto out_address = memory.allocate_copy("out", std::as_bytes(std::span(out))).value();
    report = run_kernel(*program_, memory, "k", {1, 1, 1},
                        {static_cast<std::uint32_t>(records.size()), 1, 1},
                        Arguments(in_address, out_address), options);
    EXPECT_TRUE(report.clean()) << first_message(report);
    EXPECT_TRUE(memory.read(out_address, std::as_writable_bytes(std::span(out))));
    return out;
  }

  /// One value of type In per lane at offset 0; one of type Out back.
  template <class Out, class In>
  std::vector<Out> map(const std::vector<In>& values, Options options = {}) {
    std::vector<Out> results;
    for (std::size_t first = 0; first < values.size(); first += 512) {
      const std::size_t count = std::min<std::size_t>(512, values.size() - first);
      std::vector<std::array<std::byte, kRecord>> records(count);
      for (std::size_t i = 0; i < count; ++i)
        std::memcpy(records[i].data(), &values[first + i], sizeof(In));
      const auto out = run_records(records, options);
      for (const auto& record : out) {
        Out value;
        std::memcpy(&value, record.data(), sizeof value);
        results.push_back(value);
      }
    }
    return results;
  }

  std::optional<Error> refusal;
  Report report;

 private:
  std::shared_ptr<const Program> program_;
};

}  // namespace kw::ptxvm
