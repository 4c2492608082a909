// Speed of the PTX virtual machine: ms per launch, the least of several taken in turns, on
// tests/ptxvm/data/kernels.ptx and products.ptx (the "wide" ones). Columns: bounds checks alone,
// every check, two host threads, and two processes of one thread each that run the launch at the
// same time: what the machine itself gives to two threads at best. What one thread does is measured
// in CPU time, which others on the machine disturb less; what two do, by the clock, and their
// speed-up is over one by the clock.
//
// --against DIR also runs the program DIR/vm, which prints "| X ms" for a kernel named on its
// command line, on the PTX under DIR/k. --only NAME measures one kernel, --check LIST some of the
// checks (uninit,race,async,registers,index) in place of all.
//
// usage: ptxvm_bench [--repeats N] [--only NAME] [--check LIST] [--against DIR] [--json FILE]

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
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
  const Program& (*program)() = kernels;
};

std::vector<float> floats(std::size_t n) { return random_floats(n, 1); }

// Uniform in [-1, 1), to ten bits.
std::vector<std::uint16_t> halves(std::size_t n) {
  std::vector<std::uint16_t> out;
  for (const float x : random_floats(n, 2)) {
    std::uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    const std::uint32_t half = magnitude < 0x38800000u ? 0 : (magnitude - (112u << 23)) >> 13;
    out.push_back(static_cast<std::uint16_t>(half | (bits >> 16 & 0x8000u)));
  }
  return out;
}

std::vector<Case> cases() {
  static constexpr std::uint32_t n = 1u << 20, m = 256, rows = 1024, columns = 1024;
  const auto matrices = [](Memory& memory, bool half) {
    const auto input = [&](const char* name) {
      return half ? upload(memory, name, halves(std::size_t{m} * m))
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
       [=](Memory& memory) { return matrices(memory, false); },
       "k04_sgemm.compute_80.ptx",
       "gemm"},
      {"mma.sync",
       "hgemm",
       {m / 64, m / 64},
       {128},
       [=](Memory& memory) { return matrices(memory, true); },
       "",
       ""},
      {"sgemm wide",
       "sgemm_wide",
       {m / 64, m / 128},
       {128},
       [=](Memory& memory) { return matrices(memory, false); },
       "",
       "",
       products},
      {"mma wide",
       "hgemm_wide",
       {m / 64, m / 128},
       {128},
       [=](Memory& memory) { return matrices(memory, true); },
       "",
       "",
       products},
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

/// ms of one launch, by the clock and of CPU time.
struct Elapsed {
  double clock, cpu;
};

double cpu_ms() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

Elapsed launch(const Program& program, Memory& memory, const Case& c,
               const std::vector<std::byte>& arguments, const Options& options) {
  const double cpu_begin = cpu_ms();
  const auto begin = std::chrono::steady_clock::now();
  const auto report = run(program, memory, {c.kernel, c.grid, c.block, 0, arguments}, options);
  const std::chrono::duration<double, std::milli> ms = std::chrono::steady_clock::now() - begin;
  const double cpu = cpu_ms() - cpu_begin;
  if (!report || !report->clean()) {
    fmt::print(stderr, "{}: {}\n", c.name,
               report ? first_message(*report) : report.error().message);
    std::exit(1);
  }
  return {ms.count(), cpu};
}

double run_other(const std::string& folder, const std::string& name) {
  std::FILE* pipe = popen(("cd '" + folder + "' && REPS=9 ./vm " + name).c_str(), "r");
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

/// Two processes that launch when told to, and so show what two of the machine's CPUs do together.
/// Between launches both sleep, and so does this process while they run.
class TwoProcesses {
 public:
  TwoProcesses(const Case& c, const Options& options) {
    for (Child& child : children_) {
      int orders[2], answers[2];
      if (pipe(orders) != 0 || pipe(answers) != 0) std::exit(3);
      child = {fork(), orders[1], answers[0]};
      if (child.pid != 0) continue;
      close(orders[1]);
      serve(c, options, orders[0], answers[1]);
    }
    wait_for_both();
  }
  ~TwoProcesses() {
    for (const Child& child : children_) tell(child.orders, kEnd);
    for (const Child& child : children_) waitpid(child.pid, nullptr, 0);
    for (const Child& child : children_) {
      close(child.orders);
      close(child.answers);
    }
  }
  TwoProcesses(const TwoProcesses&) = delete;
  TwoProcesses& operator=(const TwoProcesses&) = delete;

  /// From the start of both launches to the end of the later one.
  double launch_both() {
    const auto begin = std::chrono::steady_clock::now();
    for (const Child& child : children_) tell(child.orders, kGo);
    wait_for_both();
    const std::chrono::duration<double, std::milli> ms = std::chrono::steady_clock::now() - begin;
    return ms.count();
  }

 private:
  static constexpr char kGo = 1, kEnd = 0;
  struct Child {
    pid_t pid;
    int orders, answers;
  };

  static void tell(int to, char what) {
    if (write(to, &what, 1) != 1) std::exit(3);
  }
  static char hear(int from) {
    char what = kEnd;
    return read(from, &what, 1) == 1 ? what : kEnd;
  }
  void wait_for_both() const {
    for (const Child& child : children_) (void)hear(child.answers);
  }
  [[noreturn]] static void serve(const Case& c, const Options& options, int orders, int answers) {
    Memory memory;
    const auto arguments = c.arguments(memory);
    do {
      launch(c.program(), memory, c, arguments, options);
      tell(answers, kGo);
    } while (hear(orders) == kGo);
    _exit(0);
  }

  Child children_[2] = {};
};

/// Least ms per launch in each of the ways.
struct Times {
  static constexpr double kNever = std::numeric_limits<double>::infinity();
  double bounds = kNever, all = kNever, one = kNever, threads = kNever, processes = kNever;
  double same = kNever, other = kNever;
};

Times measure(const Case& c, int repeats, const Options& all, const std::string& against) {
  Options bounds;
  bounds.check_uninitialised = false;
  Options two = bounds;
  two.threads = 2;
  TwoProcesses processes(c, bounds);
  Memory memory, other_memory;
  const auto arguments = c.arguments(memory);
  std::shared_ptr<const Program> same;
  std::vector<std::byte> other_bytes;
  if (!against.empty() && !c.file.empty()) {
    same = load(read_file(against + "/k/" + c.file)).value();
    other_bytes = other_arguments(c, other_memory);
  }
  Times t;
  for (int k = 0; k < repeats; ++k) {
    const Elapsed one = launch(c.program(), memory, c, arguments, bounds);
    t.bounds = std::min(t.bounds, one.cpu);
    t.one = std::min(t.one, one.clock);
    t.all = std::min(t.all, launch(c.program(), memory, c, arguments, all).cpu);
    t.threads = std::min(t.threads, launch(c.program(), memory, c, arguments, two).clock);
    t.processes = std::min(t.processes, processes.launch_both());
    if (!same) continue;
    t.same = std::min(t.same, launch(*same, other_memory, c, other_bytes, bounds).cpu);
    t.other = std::min(t.other, run_other(against, c.other));
  }
  return t;
}

nlohmann::json to_json(const Times& t) {
  nlohmann::json out{{"bounds_ms", t.bounds},
                     {"checks_ms", t.all},
                     {"one_thread_clock_ms", t.one},
                     {"two_threads_ms", t.threads},
                     {"two_processes_ms", t.processes}};
  if (t.same != Times::kNever) out.update({{"same_ptx_ms", t.same}, {"other_ms", t.other}});
  return out;
}

nlohmann::json measure_all(int repeats, const std::string& only, const std::string& check,
                           const std::string& against) {
  fmt::print("{:<10} {:>9} {:>9} {:>6} {:>9} {:>6} {:>9} {:>6}", "ms", "bounds", check, "x",
             "2 threads", "x", "2 proc.", "x");
  if (!against.empty()) fmt::print(" | {:>9} {:>9} {:>6}", "same PTX", "other", "x");
  fmt::print("\n");
  double logarithms = 0, sgemm = 0, wide_sgemm = 0, other_sgemm = Times::kNever;
  nlohmann::json out = nlohmann::json::object();
  for (const Case& c : cases()) {
    if (!only.empty() && c.name != only) continue;
    const Times t = measure(c, repeats, checks_of(check), against);
    fmt::print("{:<10} {:>9.2f} {:>9.2f} {:>6.2f} {:>9.2f} {:>6.2f} {:>9.2f} {:>6.2f}", c.name,
               t.bounds, t.all, t.all / t.bounds, t.threads, t.one / t.threads, t.processes,
               2 * t.one / t.processes);
    if (t.same != Times::kNever)
      fmt::print(" | {:>9.2f} {:>9.2f} {:>6.2f}", t.same, t.other, t.other / t.same);
    fmt::print("\n");
    out[c.name] = to_json(t);
    logarithms += std::log(t.all / t.bounds);
    if (c.name == "sgemm") {
      sgemm = t.bounds;
      other_sgemm = t.same;
    }
    if (c.name == "sgemm wide") wide_sgemm = t.bounds;
    if (c.name != "mma.sync" && c.name != "mma wide") continue;
    const auto over = [&](double ffma, const char* what) {
      if (ffma != 0 && ffma != Times::kNever)
        fmt::print("{} is {:.2f} times as fast as {}\n", c.name, ffma / t.bounds, what);
    };
    over(sgemm, "sgemm");
    over(wide_sgemm, "sgemm wide");
    over(other_sgemm, "the other program's PTX of sgemm");
  }
  fmt::print("geometric mean: {:.2f}\n", std::exp(logarithms / static_cast<double>(out.size())));
  return {{"repeats", repeats}, {"checks", check}, {"kernels", out}};
}

}  // namespace
}  // namespace kw::ptxvm

int main(int argc, char** argv) {
  int repeats = 10;
  std::string against, only, json, check = "all";
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--repeats") repeats = std::atoi(argv[i + 1]);
    if (flag == "--only") only = argv[i + 1];
    if (flag == "--check") check = argv[i + 1];
    if (flag == "--against") against = argv[i + 1];
    if (flag == "--json") json = argv[i + 1];
  }
  const nlohmann::json result = kw::ptxvm::measure_all(repeats, only, check, against);
  if (!json.empty()) std::ofstream(json) << result.dump(1) << '\n';
}
