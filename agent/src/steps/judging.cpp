#include "kw/agent/judging.h"

#include <map>
#include <mutex>

#include "kw/verify/device.h"

namespace kw::agent {
namespace {

codegen::Target target_of(const verify::Device& device) {
  if (device.identity().klass == "ptxvm") return codegen::virtual_machine_target();
  const verify::DeviceLimits& limits = device.limits();
  codegen::Target target;
  target.arch = device.arch();
  target.sm_count = limits.sm_count;
  target.shared_per_block = limits.shared_per_block;
  target.l2_bytes = limits.l2_bytes;
  return target;
}

class RealJudging final : public Judging {
 public:
  explicit RealJudging(Compiler& compiler) : compiler_(compiler) {}

  Result<DeviceInfo> device(const std::string& name) override {
    KW_ASSIGN(const Opened* opened, open(name));
    return DeviceInfo{opened->device->identity(), target_of(*opened->device),
                      opened->device->identity().klass == "cuda"};
  }

  Result<Outcome> judge(const std::string& device, const Task& task, const Candidate& candidate,
                        const verify::JudgeOptions& options, std::stop_token stop) override {
    KW_ASSIGN(const Opened* opened, open(device));
    return opened->judge->judge(task, candidate, options, std::move(stop));
  }

  Status prepare(const std::string& device, const Candidate& candidate,
                 std::stop_token stop) override {
    KW_ASSIGN(const Opened* opened, open(device));
    CompileRequest request;
    request.source = candidate.source;
    request.arch = opened->device->arch();
    KW_RETURN_IF_ERROR(compiler_.compile(request, std::move(stop)));
    return {};
  }

 private:
  struct Opened {
    std::unique_ptr<verify::Device> device;
    std::unique_ptr<verify::Judge> judge;
  };

  Result<const Opened*> open(const std::string& name) {
    const std::lock_guard lock(mutex_);
    const auto known = devices_.find(name);
    if (known != devices_.end()) return &known->second;
    KW_ASSIGN(auto device, verify::open_device(name));
    auto judge = std::make_unique<verify::Judge>(compiler_, *device);
    return &devices_.emplace(name, Opened{std::move(device), std::move(judge)}).first->second;
  }

  Compiler& compiler_;
  std::mutex mutex_;
  std::map<std::string, Opened> devices_;  // guarded by mutex_; entries stay put
};

}  // namespace

Status Judging::prepare(const std::string&, const Candidate&, std::stop_token) { return {}; }

Result<std::string> resolve_device(const std::string& name) {
  if (name != "auto") return name;
  auto device = verify::open_device("cuda:0");
  if (device) return std::string("cuda:0");
  return std::string("vm");
}

std::unique_ptr<Judging> make_judging(Compiler& compiler) {
  return std::make_unique<RealJudging>(compiler);
}

}  // namespace kw::agent
