// How well two timings of one kernel agree: every repetition times the kernel and a baseline (a
// plain copy) one after the other, each in a runner process of its own under the runner's protocol,
// and two neighbouring ratios are held against each other.
//   timing_repeatability [--device cuda] [--repetitions 100] [--seconds 400] [TASKS...]
// Default tasks: kernelbench:1/88, kernelbench:1/1. One JSON object on stdout; exits with 1 when
// fewer than 95 of 100 repetitions agree within 1 %, or a kernel takes less than 100 us.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <span>

#include "kw/bench/tasks.h"
#include "kw/codegen/generator.h"
#include "kw/compile/service.h"
#include "kw/core/json.h"
#include "kw/process/role.h"
#include "kw/verify/device.h"
#include "kw/verify/reference_role.h"
#include "kw/verify/roles.h"
#include "trial_plan.h"
#include "verifier/scene.h"

namespace kw::verify {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kCopied = std::int64_t{64} << 20;  // floats: about 170 us on an H100
constexpr double kWithin = 0.01;

/// A kernel ready to be run again and again.
struct Subject {
  std::string name;
  RunRequest request;
};

Result<Subject> subject(Compiler& compiler, const Device& device, const std::string& name,
                        const Task& task, const Candidate& candidate) {
  KW_ASSIGN(const CompileResult compiled,
            compiler.compile({candidate.source, device.arch(), {}}, {}));
  const auto* module = std::get_if<CompiledModule>(&compiled);
  if (module == nullptr) return fail(Errc::Internal, "{} does not compile", name);
  KW_ASSIGN(const TrialPlan plan, plan_trial(task, "", Family::AsDrawn, kNoValue, 1));
  Subject s;
  s.name = name;
  s.request.module = *module;
  s.request.plan = candidate.plan;
  s.request.trials = {plan.trial()};
  s.request.timing = TimingRequest{};
  return s;
}

Result<Subject> baseline(Compiler& compiler, const Device& device) {
  const Task task = scene::relu(kCopied / 4096, 4096);
  return subject(compiler, device, "copy", task,
                 scene::candidate(task,
                                  R"(
extern "C" __global__ void k(const float4* x, float4* y) {
  const long long n = )" + std::to_string(kCopied / 4) +
                                      R"(;
  for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < n;
       i += (long long)gridDim.x * blockDim.x) y[i] = x[i];
})",
                                  8 * device.limits().sm_count, 256));
}

Result<Subject> generated(Compiler& compiler, const Device& device, const std::string& name) {
  KW_ASSIGN(const Task task, bench::find_task(name));
  codegen::Target target;
  target.arch = device.arch();
  target.sm_count = device.limits().sm_count;
  target.shared_per_block = device.limits().shared_per_block;
  target.l2_bytes = device.limits().l2_bytes;
  KW_ASSIGN(const std::vector<Candidate> candidates, codegen::generate(task, target, 3));
  if (candidates.empty()) return fail(Errc::Unsupported, "{}: nothing is generated", name);
  return subject(compiler, device, name, task, candidates.front());
}

struct Reading {
  Timing timing;
  double clock_mhz = 0;
};
Result<Reading> measure(Device& device, const Subject& s) {
  KW_ASSIGN(const RunReply reply, device.run(s.request, {}));
  if (reply.fault) return fail(Errc::Internal, "{}: {}", s.name, reply.fault->reason);
  if (!reply.timing) return fail(Errc::Unsupported, "this device takes no times");
  const auto clock = reply.counters.find("min_sm_clock_mhz");
  return Reading{*reply.timing, clock == reply.counters.end() ? 0 : clock->second};
}

Json figures(std::vector<double> values) {
  Json json{{"least", nullptr}};
  if (values.empty()) return json;
  std::ranges::sort(values);
  const auto at = [&](double q) {
    return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
  };
  return {
      {"least", at(0)}, {"p05", at(0.05)}, {"median", at(0.5)}, {"p95", at(0.95)}, {"most", at(1)}};
}

struct Verdict {
  Json json;
  bool good = false;
};

Result<Verdict> repeat(Device& device, const Subject& s, const Subject& base, int repetitions,
                       Clock::time_point until) {
  std::vector<double> ratios, ours, theirs, clocks;
  Json readings = Json::array();
  while (static_cast<int>(ratios.size()) <= repetitions &&
         (ratios.size() < 2 || Clock::now() < until)) {
    KW_ASSIGN(const Reading a, measure(device, s));
    KW_ASSIGN(const Reading b, measure(device, base));
    ours.push_back(a.timing.median_us);
    theirs.push_back(b.timing.median_us);
    ratios.push_back(a.timing.median_us / b.timing.median_us);
    clocks.push_back(std::min(a.clock_mhz, b.clock_mhz));
    readings.push_back(
        {a.timing.median_us, a.timing.spread_us, b.timing.median_us, b.timing.spread_us});
  }
  int agree = 0;
  std::vector<double> apart;
  for (std::size_t i = 1; i < ratios.size(); ++i) {
    apart.push_back(std::fabs(ratios[i] / ratios[i - 1] - 1));
    agree += apart.back() <= kWithin ? 1 : 0;
  }
  std::vector<double> sorted = ratios;
  std::ranges::sort(sorted);
  const double median = sorted[sorted.size() / 2];
  const auto near =
      std::ranges::count_if(ratios, [&](double r) { return std::fabs(r / median - 1) <= kWithin; });
  // 95 % interval of the median ratio by order statistics.
  const double n = static_cast<double>(sorted.size());
  const auto low = static_cast<std::size_t>(std::max(0.0, std::floor(n / 2 - 0.98 * std::sqrt(n))));
  const auto high =
      static_cast<std::size_t>(std::min(n - 1, std::ceil(n / 2 + 0.98 * std::sqrt(n))));
  Verdict v;
  const bool long_enough = *std::ranges::min_element(ours) >= 100;
  const double share = static_cast<double>(agree) / static_cast<double>(apart.size());
  v.good = long_enough && share >= 0.95;
  v.json = {{"kernel", s.name},
            {"baseline", base.name},
            {"repetitions", apart.size()},
            {"agree_within_1_percent", agree},
            {"near_the_median", near},
            {"apart", figures(apart)},
            {"ratio", {{"median", median}, {"interval_95", {sorted[low], sorted[high]}}}},
            {"kernel_us", figures(ours)},
            {"baseline_us", figures(theirs)},
            {"least_sm_clock_mhz", figures(clocks)},
            {"readings_us", readings},
            {"at_least_100_us", long_enough},
            {"holds", v.good}};
  return v;
}

Result<int> run(std::span<char*> arguments) {
  std::string name = "cuda";
  int repetitions = 100;
  double seconds = 400;
  std::vector<std::string> tasks;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view text = arguments[i];
    const bool value = i + 1 < arguments.size();
    if (text == "--device" && value)
      name = arguments[++i];
    else if (text == "--repetitions" && value)
      repetitions = std::max(1, std::atoi(arguments[++i]));
    else if (text == "--seconds" && value)
      seconds = std::atof(arguments[++i]);
    else
      tasks.emplace_back(text);
  }
  if (tasks.empty()) tasks = {"kernelbench:1/88", "kernelbench:1/1"};
  KW_ASSIGN(const auto device, open_device(name));
  compile::CompileService compiler({.processes = 1});
  KW_ASSIGN(const Subject base, baseline(compiler, *device));
  Json list = Json::array();
  bool good = true;
  const auto begin = Clock::now();
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    KW_ASSIGN(const Subject s, generated(compiler, *device, tasks[i]));
    const double share = seconds * static_cast<double>(i + 1) / static_cast<double>(tasks.size());
    const auto until = begin + std::chrono::milliseconds(static_cast<std::int64_t>(1e3 * share));
    KW_ASSIGN(Verdict verdict, repeat(*device, s, base, repetitions, until));
    good = good && verdict.good;
    list.push_back(std::move(verdict.json));
  }
  const DeviceIdentity& id = device->identity();
  fmt::print("{}\n",
             dump({{"v", 1},
                   {"kind", "timing_repeatability"},
                   {"device", {{"name", id.name}, {"uuid", id.uuid}, {"driver", id.driver}}},
                   {"kernels", list}}));
  return good ? 0 : 1;
}

}  // namespace
}  // namespace kw::verify

int main(int argc, char** argv) {
  using namespace kw;
  const process::Role roles[] = {compile::compile_role(), verify::vm_role(), verify::cuda_role(),
                                 verify::reference_role()};
  if (const auto code = process::run_role_if_asked(argc, argv, roles)) return *code;
  const auto code = verify::run(std::span(argv, static_cast<std::size_t>(argc)).subspan(1));
  if (code) return *code;
  fmt::print(stderr, "error: {}\n", code.error().message);
  return 3;
}
