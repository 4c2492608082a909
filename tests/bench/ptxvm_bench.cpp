// Speed of the PTX virtual machine: ms per launch, the least of several, on
// tests/ptxvm/data/kernels.ptx. Columns: bounds checks alone, every check, two host threads.
// --against DIR also runs the program DIR/vm, which prints "| X ms" for a kernel named on its
// command line, on the PTX under DIR/k, in turns with ours.
//
// --only NAME measures one kernel, --check LIST some of the checks (uninit,race,async,registers,
// index) in place of all.
//
// usage: ptxvm_bench [--repeats N] [--only NAME] [--check LIST] [--against DIR]

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <regex>

#include "ptxvm/harness.h"

namespace kw::ptxvm {
namespace {

struct Case {
  std::string name;
  std::string kernel;
  Dim3 grid, block;
  std::function<std::vector<std::byte>(Memory&)> arguments;
  std::string file;   // of the other program, under DIR/k
  std::string other;  // its name for the kernel
};

std::vector<float> floats(std::size_t n) { return random_floats(n, 1); }

std::vector<Case> cases() {
  static constexpr std::uint32_t n = 1u << 20, m = 256, rows = 1024, columns = 1024;
  const auto matrices = [](Memory& memory, const std::vector<std::uint16_t>* halves) {
    const auto input = [&](const char* name) {
      return halves != nullptr ? upload(memory, name, *halves)
                               : upload(memory, name, floats(std::size_t{m} * m));
    };
    const auto a = input("a"), b = input("b");
    const auto c = memory.allocate("c", std::size_t{m} * m * 4).value();
    return Arguments(a, b, c, m, m, m).bytes;
  };
  return {
      {"vadd",
       "vadd",
       {n / 256},
       {256},
       [=](Memory& memory) {
         const auto a = upload(memory, "a", floats(n)), b = upload(memory, "b", floats(n));
         return Arguments(a, b, memory.allocate("c", std::size_t{n} * 4).value(), n).bytes;
       },
       "k01_vadd.compute_80.ptx",
       "vadd"},
      {"softmax",
       "softmax",
       {rows},
       {256},
       [=](Memory& memory) {
         const auto x = upload(memory, "x", floats(std::size_t{rows} * columns));
         const auto y = memory.allocate("y", std::size_t{rows} * columns * 4).value();
         return Arguments(x, y, columns).bytes;
       },
       "k02_softmax.compute_80.ptx",
       "softmax"},
      {"layernorm",
       "layernorm",
       {512},
       {256},
       [=](Memory& memory) {
         const auto x = upload(memory, "x", floats(std::size_t{512} * columns)),
                    gamma = upload(memory, "gamma", floats(columns)),
                    beta = upload(memory, "beta", floats(columns));
         const auto y = memory.allocate("y", std::size_t{512} * columns * 4).value();
         return Arguments(x, gamma, beta, y, columns).bytes;
       },
       "k10_layernorm.compute_80.ptx",
       "ln"},
      {"sgemm",
       "sgemm",
       {m / 64, m / 64},
       {256},
       [=](Memory& memory) { return matrices(memory, nullptr); },
       "k04_sgemm.compute_80.ptx",
       "gemm"},
      {"mma.sync",
       "hgemm",
       {m / 64, m / 64},
       {128},
       [=](Memory& memory) {
         const std::vector<std::uint16_t> halves(std::size_t{m} * m, 0x3800);
         return matrices(memory, &halves);
       },
       "",
       ""},
  };
}

/// The parameters of DIR's kernels differ from ours in a few places.
std::vector<std::byte> other_arguments(const Case& c, Memory& memory) {
  std::vector<std::byte> bytes = c.arguments(memory);
  const std::uint32_t columns = 1024;
  const float epsilon = 1e-5f;
  const auto append = [&](const void* p) {
    const auto* b = static_cast<const std::byte*>(p);
    bytes.insert(bytes.end(), b, b + 4);
  };
  if (c.name == "softmax") append(&columns);
  if (c.name == "layernorm") append(&epsilon);
  return bytes;
}

double launch(const Program& program, Memory& memory, const Case& c,
              const std::vector<std::byte>& arguments, const Options& options) {
  const auto begin = std::chrono::steady_clock::now();
  const auto report = run(program, memory, {c.kernel, c.grid, c.block, 0, arguments}, options);
  const std::chrono::duration<double, std::milli> ms = std::chrono::steady_clock::now() - begin;
  if (!report || !report->clean()) {
    fmt::print(stderr, "{}: {}\n", c.name,
               report ? first_message(*report) : report.error().message);
    std::exit(1);
  }
  return ms.count();
}

double run_other(const std::string& folder, const std::string& name) {
  std::FILE* pipe = popen(("cd '" + folder + "' && REPS=3 ./vm " + name).c_str(), "r");
  if (pipe == nullptr) return std::numeric_limits<double>::infinity();
  std::string text;
  char buffer[512];
  while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) text += buffer;
  pclose(pipe);
  std::smatch found;
  static const std::regex kMs(R"(\| ([0-9.]+) ms)");
  return std::regex_search(text, found, kMs) ? std::stod(found[1])
                                             : std::numeric_limits<double>::infinity();
}

Options checks_of(const std::string& list) {
  if (list == "all") return with_all_checks();
  const auto named = [&](const char* name) {
    return ("," + list + ",").find("," + std::string(name) + ",") != std::string::npos;
  };
  Options some;
  some.check_uninitialised = named("uninit");
  some.check_races = named("race");
  some.check_async_copies = named("async");
  some.check_registers = named("registers");
  some.check_index_overflow = named("index");
  return some;
}

void measure(int repeats, const std::string& only, const std::string& check,
             const std::string& against) {
  fmt::print("{:<10} {:>9} {:>9} {:>6} {:>9} {:>6}", "ms", "bounds", check, "x", "2 threads", "x");
  if (!against.empty()) fmt::print(" | {:>9} {:>9} {:>6}", "same PTX", "other", "x");
  fmt::print("\n");
  double logarithms = 0, sgemm = 0;
  std::vector<Case> all_cases = cases();
  if (!only.empty()) std::erase_if(all_cases, [&](const Case& c) { return c.name != only; });
  for (const Case& c : all_cases) {
    Memory memory;
    const auto arguments = c.arguments(memory);
    Options bounds;
    bounds.check_uninitialised = false;
    Options two = bounds;
    two.threads = 2;
    const Options all = checks_of(check);
    std::shared_ptr<const Program> same;
    Memory other_memory;
    std::vector<std::byte> other_bytes;
    if (!against.empty() && !c.file.empty()) {
      same = load(read_file(against + "/k/" + c.file)).value();
      other_bytes = other_arguments(c, other_memory);
    }
    double ms[5];
    std::fill(ms, ms + 5, std::numeric_limits<double>::infinity());
    for (int k = 0; k < repeats; ++k) {
      ms[0] = std::min(ms[0], launch(kernels(), memory, c, arguments, bounds));
      ms[1] = std::min(ms[1], launch(kernels(), memory, c, arguments, all));
      ms[2] = std::min(ms[2], launch(kernels(), memory, c, arguments, two));
      if (!same) continue;
      ms[3] = std::min(ms[3], launch(*same, other_memory, c, other_bytes, bounds));
      ms[4] = std::min(ms[4], run_other(against, c.other));
    }
    fmt::print("{:<10} {:>9.2f} {:>9.2f} {:>6.2f} {:>9.2f} {:>6.2f}", c.name, ms[0], ms[1],
               ms[1] / ms[0], ms[2], ms[0] / ms[2]);
    if (same) fmt::print(" | {:>9.2f} {:>9.2f} {:>6.2f}", ms[3], ms[4], ms[4] / ms[3]);
    fmt::print("\n");
    logarithms += std::log(ms[1] / ms[0]);
    if (c.name == "sgemm") sgemm = ms[0];
    if (c.name == "mma.sync" && sgemm != 0)
      fmt::print("mma.sync over FFMA: {:.2f} times as fast\n", sgemm / ms[0]);
  }
  fmt::print("geometric mean: {:.2f}\n",
             std::exp(logarithms / static_cast<double>(all_cases.size())));
}

}  // namespace
}  // namespace kw::ptxvm

int main(int argc, char** argv) {
  int repeats = 10;
  std::string against, only, check = "all";
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--repeats") repeats = std::atoi(argv[i + 1]);
    if (flag == "--only") only = argv[i + 1];
    if (flag == "--check") check = argv[i + 1];
    if (flag == "--against") against = argv[i + 1];
  }
  kw::ptxvm::measure(repeats, only, check, against);
}
