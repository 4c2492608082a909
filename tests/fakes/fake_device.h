#pragma once
// A device whose kernels are C++ functions over buffers: the judge's logic, its error model and its
// replay can be tried on any behaviour without a compiler or a virtual machine.

#include <cstring>
#include <functional>
#include <map>
#include <utility>

#include "kw/verify/device.h"

namespace kw::fakes {

class OwnedBytes final : public verify::SharedBytes {
 public:
  explicit OwnedBytes(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
  std::span<const std::byte> view() const override { return bytes_; }
  int fd() const override { return -1; }

 private:
  std::vector<std::byte> bytes_;
};

/// The buffers of one run, by name.
struct FakeBuffers {
  std::map<std::string, std::vector<std::byte>> bytes;
  int call = 0;  // runs so far in this process

  template <typename T>
  std::span<T> of(const std::string& name) {
    std::vector<std::byte>& b = bytes.at(name);
    return {reinterpret_cast<T*>(b.data()), b.size() / sizeof(T)};
  }
};
using FakeKernel = std::function<void(FakeBuffers&)>;

class FakeDevice final : public verify::Device {
 public:
  explicit FakeDevice(FakeKernel kernel) : kernel_(std::move(kernel)) {
    identity_.klass = "ptxvm";
    identity_.name = "fake";
    identity_.arch = "sm_80";
  }
  const DeviceIdentity& identity() const override { return identity_; }
  const verify::DeviceLimits& limits() const override { return limits_; }
  const std::string& arch() const override { return identity_.arch; }

  Result<verify::RunReply> run(const verify::RunRequest& request, std::stop_token) override {
    verify::RunReply reply;
    reply.device = identity_;
    reply.cage = {.confined = confined, .own_namespace = true};
    reply.counters = counters;
    for (const PlanNode& node : request.plan.run) {
      if (const auto* kernel = std::get_if<KernelNode>(&node.what)) {
        if (traced) reply.counters.emplace("launched." + kernel->kernel, 1);
      }
    }
    if (request.timing && time) {
      for (const char* clock : {"time.stream_us", "time.device_us"}) {
        reply.counters.emplace(clock, time->median_us);
      }
      reply.counters.emplace("time.flush_bytes", 2.0 * static_cast<double>(limits_.l2_bytes));
      reply.counters.emplace("time.persisting_reset", 1);
    }
    FakeBuffers buffers;
    for (const verify::Trial& trial : request.trials) {
      verify::TrialResult result;
      std::map<std::string, std::vector<std::byte>> last;
      for (int repeat = 0; repeat < trial.repeats; ++repeat) {
        buffers.bytes.clear();
        for (const PlanBuffer& b : request.plan.buffers) {
          KW_ASSIGN(const std::int64_t size, b.bytes.eval(request.plan.symbols));
          buffers.bytes[b.name].assign(static_cast<std::size_t>(size), std::byte{trial.poison});
        }
        for (const verify::BufferFill& f : trial.fills) {
          if (f.bytes != nullptr) {
            buffers.bytes[f.buffer] = *f.bytes;
          } else {
            KW_RETURN_IF_ERROR(verify::fill(f.spec, buffers.bytes[f.buffer]));
          }
        }
        const auto before = buffers.bytes;
        kernel_(buffers);
        ++buffers.call;
        for (const verify::BufferFill& f : trial.fills) {
          if (buffers.bytes[f.buffer] != before.at(f.buffer)) {
            result.modified_inputs.push_back(f.buffer);
          }
        }
        for (const PlanBuffer& b : request.plan.buffers) {
          if (b.role != Role::Output && b.role != Role::State) continue;
          if (repeat > 0 && last[b.name] != buffers.bytes[b.name]) result.repeats_equal = false;
          last[b.name] = buffers.bytes[b.name];
          if (repeat + 1 < trial.repeats) continue;
          result.outputs.push_back({b.name, std::make_shared<OwnedBytes>(buffers.bytes[b.name])});
        }
      }
      reply.trials.push_back(std::move(result));
    }
    if (request.timing) {
      reply.timing = time;
      if (reply.timing && timed++ > 0 && later_us > 0) reply.timing->median_us = later_us;
    }
    return reply;
  }

  void pose_as(DeviceIdentity identity) { identity_ = std::move(identity); }

  std::optional<Timing> time;
  // What a harness that is not in order would say.
  std::map<std::string, double> counters;
  bool confined = true, traced = true;
  double later_us = 0;  // what later timed runs take, where that differs
  int timed = 0;

 private:
  FakeKernel kernel_;
  DeviceIdentity identity_;
  verify::DeviceLimits limits_{.l2_bytes = 1 << 20};
};

/// Gives every source the same PTX.
class FakeCompiler final : public Compiler {
 public:
  explicit FakeCompiler(std::string ptx) : ptx_(std::move(ptx)) {}
  Result<CompileResult> compile(const CompileRequest& request, std::stop_token) override {
    CompiledModule module;
    module.ptx = ptx_;
    module.arch = request.arch;
    module.compiler = "fake";
    return CompileResult{module};
  }

 private:
  std::string ptx_;
};

}  // namespace kw::fakes
