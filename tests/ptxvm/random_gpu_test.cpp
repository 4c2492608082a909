// Random programs on a GPU through its driver and on the virtual machine: equal, bit for bit.
//
//   KW_RANDOM_PROGRAMS=N   how many (10000)       KW_RANDOM_FIRST=S   first seed (0)
//   KW_RANDOM_JSON=FILE    summary                KW_RANDOM_WORKERS=N processes (one per CPU, at
//   most 16)               KW_RANDOM_DUMP=DIR     PTX of the programs that differ or fail
//   KW_RANDOM_SECONDS=N    no batch starts later than that (all run)
//   KW_RANDOM_LEVEL=N      the driver's compiler optimises at level 0 to 4 (4)
//   KW_RANDOM_CUTS=1       program first + n is the first n + 1 statements of the first seed's:
//   which
//                          statement a program fails with that does not end
//   KW_RANDOM_PATIENCE=N   seconds after which a silent worker is ended, its program failed (20)
//
// Worker processes share the programs, so that a fault or an endless kernel on the device costs one
// program and no more, and the driver compiles in parallel. A program that differs is cut down to
// the first statements that differ, and compiled without optimisation to see whether that is why.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <thread>

#include "ptxvm/driver.h"
#include "ptxvm/random_run.h"
#include "ptxvm/worker_pool.h"

namespace kw::ptxvm {
namespace {

constexpr std::uint64_t kBatch = 20;  // programs per module

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

random::Program program_of(std::uint64_t n) {
  const std::uint64_t first = setting("KW_RANDOM_FIRST", 0);
  return setting("KW_RANDOM_CUTS", 0) != 0 ? random::generate(first, n - first + 1)
                                           : random::generate(n);
}

// One worker: lines "ok", "difference SEED TEXT", "compiler SEED TEXT", "failed SEED TEXT" and "at
// SEED TEXT" (what it does now).
class Comparison {
 public:
  explicit Comparison(std::FILE* out) : out_(out) {}

  bool open() {
    constexpr std::size_t kThreads = 3 * 128;
    return driver_.open() && driver_.allocate(&in_, kThreads * random::kInBytes) == 0 &&
           driver_.allocate(&result_, kThreads * random::kOutBytes) == 0 &&
           driver_.allocate(&sums_, random::kSumBytes) == 0;
  }

  void batch(std::uint64_t first, std::uint64_t end) {
    std::vector<random::Program> programs;
    std::string text = random::header();
    for (std::uint64_t seed = first; seed < end; ++seed) {
      programs.push_back(program_of(seed));
      text += programs.back().text;
    }
    number_ = first;
    at(end - first > 1 ? "all together: compiling" : "compiling");
    const auto module = load(text);
    void* device_module = nullptr;
    if (!module) return failed(first, module.error().message);
    const auto level = static_cast<unsigned>(setting("KW_RANDOM_LEVEL", 4));
    if (const int rc = driver_.load_at_level(&device_module, text.c_str(), level); rc != 0)
      return failed(first, "the driver refuses the module: error " + std::to_string(rc));
    for (const random::Program& p : programs) {
      const std::string where = compare(**module, device_module, p);
      if (where.empty()) {
        std::fputs("ok\n", out_);
      } else if (where[0] == '!') {
        failed(number_, where.substr(1));
      } else if (number_ != p.seed) {  // already cut
        failed(number_, where);
      } else {
        reduce(p.seed, where);
      }
      ++number_;
    }
    driver_.unload(device_module);
  }

 private:
  void at(const char* what) {
    std::fprintf(out_, "at %llu %s\n", static_cast<unsigned long long>(number_), what);
    std::fflush(out_);
  }

  // "", where the results differ, or "!" and why there is nothing to compare.
  std::string compare(const ptxvm::Program& module, void* device_module, const random::Program& p) {
    at("virtual machine");
    random::Buffers vm = random::buffers(p), device = vm;
    const std::string trouble = random::run_on_vm(module, p, vm, {});
    if (!trouble.empty()) return "!" + trouble;
    at("device");
    std::uint32_t n = p.n;
    void* arguments[] = {&in_, &result_, &sums_, &n};
    void* function = nullptr;
    int rc = driver_.upload(in_, device.in.data(), device.in.size());
    if (rc == 0) rc = driver_.upload(result_, device.out.data(), device.out.size());
    if (rc == 0) rc = driver_.upload(sums_, device.sums.data(), device.sums.size());
    if (rc == 0) rc = driver_.function(&function, device_module, p.name.c_str());
    if (rc == 0) rc = driver_.launch(function, p.grid, p.block, arguments);
    if (rc == 0) rc = driver_.synchronize();
    if (rc == 0) rc = driver_.download(device.out.data(), result_, device.out.size());
    if (rc == 0) rc = driver_.download(device.sums.data(), sums_, device.sums.size());
    if (rc != 0) {  // the context is lost
      at(("device, error " + std::to_string(rc)).c_str());
      _exit(4);
    }
    return random::difference(vm, device);
  }

  std::string compare_alone(const random::Program& p, unsigned level = 4) {
    const std::string text = random::header() + p.text;
    const auto module = load(text);
    void* device_module = nullptr;
    if (!module || driver_.load_at_level(&device_module, text.c_str(), level) != 0)
      return "!not loaded";
    const std::string where = compare(**module, device_module, p);
    driver_.unload(device_module);
    return where;
  }

  // The shortest beginning of the program that differs, and what its last statement adds.
  void reduce(std::uint64_t seed, std::string where) {
    std::uint64_t same = 0, differs = random::generate(seed).statements;
    while (!where.empty() && same + 1 < differs) {
      const std::uint64_t middle = (same + differs) / 2;
      const std::string here = compare_alone(random::generate(seed, middle));
      if (here.empty()) {
        same = middle;
      } else {
        differs = middle;
        where = here;
      }
    }
    const std::string before = random::generate(seed, same).text,
                      after = random::generate(seed, differs).text;
    std::size_t begin = before.find(".visible .entry"), first = after.find(".visible .entry");
    const std::size_t from = before.find("bar.sync 0;", begin),
                      to = after.find("bar.sync 0;", first);
    begin = from;
    first = to;
    while (begin < before.size() && first < after.size() && before[begin] == after[first])
      ++begin, ++first;
    first = after.rfind('\n', first) + 1;
    std::string text = after.substr(first, 500);
    if (const std::size_t end = text.find("mov.b32 %t0, 0;"); end != std::string::npos)
      text.resize(end);
    for (char& c : text) c = c == '\n' ? ' ' : c;
    // Where code that the driver's compiler has not optimised agrees with the virtual machine, the
    // compiler's own levels disagree: PTX leaves it open, or the compiler errs.
    const bool explained = compare_alone(random::generate(seed), 0).empty();
    std::fprintf(out_, "%s %llu %s (virtual machine / device) at statement %llu of %llu: %s\n",
                 explained ? "compiler" : "difference", static_cast<unsigned long long>(seed),
                 where.c_str(), static_cast<unsigned long long>(differs),
                 static_cast<unsigned long long>(random::generate(seed).statements), text.c_str());
    std::fflush(out_);
  }

  void failed(std::uint64_t seed, const std::string& why) {
    std::string line = why;
    std::replace(line.begin(), line.end(), '\n', ' ');
    std::fprintf(out_, "failed %llu %s\n", static_cast<unsigned long long>(seed), line.c_str());
    std::fflush(out_);
  }

  std::FILE* out_;
  std::uint64_t number_ = 0;  // of the program at hand
  Driver driver_;
  Driver::Address in_ = 0, result_ = 0, sums_ = 0;
};

struct Outcome {
  std::uint64_t equal = 0, not_started = 0;
  std::vector<std::string> differences, compiler, failures;
};

Outcome compare_all(std::uint64_t first, std::uint64_t count) {
  Outcome outcome;
  PoolSettings settings;
  settings.workers = std::max<std::uint64_t>(
      1, setting("KW_RANDOM_WORKERS", std::min(16u, std::thread::hardware_concurrency())));
  settings.batch = setting("KW_RANDOM_CUTS", 0) != 0 ? 1 : kBatch;
  settings.limit_s = static_cast<double>(setting("KW_RANDOM_SECONDS", 1'000'000));
  settings.patience_s = static_cast<double>(setting("KW_RANDOM_PATIENCE", 20));
  PoolHandlers handlers;
  handlers.start = [](std::FILE* out) -> std::function<void(Range)> {
    setenv("CUDA_CACHE_DISABLE", "1", 1);  // every program is compiled once
    auto comparison = std::make_shared<Comparison>(out);
    if (!comparison->open()) return {};
    return [comparison](Range range) { comparison->batch(range.first, range.end); };
  };
  handlers.line = [&](const std::string& line) {
    if (line == "ok") ++outcome.equal;
    if (line.starts_with("difference ")) outcome.differences.push_back(line.substr(11));
    if (line.starts_with("compiler ")) outcome.compiler.push_back(line.substr(9));
    if (line.starts_with("failed ")) outcome.failures.push_back(line.substr(7));
  };
  handlers.lost = [&](std::uint64_t seed, const std::string& why) {
    outcome.failures.push_back(std::to_string(seed) + " " + why);
    std::printf("  seed %s\n", outcome.failures.back().c_str());
    std::fflush(stdout);
  };
  outcome.not_started = run_in_workers(first, count, settings, handlers);
  return outcome;
}

std::string quoted_list(const std::vector<std::string>& lines) {
  std::string out = "[";
  for (const std::string& line : lines) {
    out += out.size() == 1 ? "\n    \"" : ",\n    \"";
    for (const char c : line) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out + "]";
}

TEST(PtxVmGpu, RandomProgramsGiveTheResultsOfTheDevice) {
  // Asked in a process of its own: a driver that has started cannot be used after a fork.
  const pid_t probe = fork();
  if (probe == 0) {
    Driver driver;
    _exit(driver.open() ? 0 : 1);
  }
  int status = 1;
  waitpid(probe, &status, 0);
  if (status != 0) {
    if (std::getenv("KW_REQUIRE_GPU") != nullptr) FAIL() << "no usable CUDA driver or device";
    GTEST_SKIP() << "no usable CUDA driver or device";
  }
  const std::uint64_t first = setting("KW_RANDOM_FIRST", 0),
                      count = setting("KW_RANDOM_PROGRAMS", 10000);
  const auto begin = std::chrono::steady_clock::now();
  const Outcome outcome = compare_all(first, count);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf(
      "%llu programs from seed %llu in %.1f s: %llu equal, %zu different, %zu where the "
      "compiler's levels disagree, %zu failed, %llu not started\n",
      static_cast<unsigned long long>(count), static_cast<unsigned long long>(first), seconds,
      static_cast<unsigned long long>(outcome.equal), outcome.differences.size(),
      outcome.compiler.size(), outcome.failures.size(),
      static_cast<unsigned long long>(outcome.not_started));
  for (const auto* list : {&outcome.differences, &outcome.failures, &outcome.compiler}) {
    for (std::size_t i = 0; i < std::min<std::size_t>(40, list->size()); ++i)
      std::printf("  seed %s\n", (*list)[i].c_str());
  }
  if (const char* path = std::getenv("KW_RANDOM_JSON"); path != nullptr) {
    std::ofstream(path) << "{\"programs\": " << count << ", \"first_seed\": " << first
                        << ", \"equal\": " << outcome.equal
                        << ", \"not_started\": " << outcome.not_started
                        << ", \"seconds\": " << seconds
                        << ",\n  \"differences\": " << quoted_list(outcome.differences)
                        << ",\n  \"compiler_levels_disagree\": " << quoted_list(outcome.compiler)
                        << ",\n  \"failures\": " << quoted_list(outcome.failures) << "}\n";
  }
  if (const char* folder = std::getenv("KW_RANDOM_DUMP"); folder != nullptr) {
    for (const auto* list : {&outcome.differences, &outcome.failures}) {
      for (const std::string& line : *list) {
        const std::uint64_t seed = std::stoull(line);
        std::ofstream(folder + std::string("/") + std::to_string(seed) + ".ptx")
            << random::header() << program_of(seed).text;
      }
    }
  }
  EXPECT_EQ(outcome.equal + outcome.compiler.size() + outcome.not_started, count);
  EXPECT_TRUE(outcome.differences.empty() && outcome.failures.empty());
}

}  // namespace
}  // namespace kw::ptxvm
