#include "vm_device.h"

#include "runner_process.h"

namespace kw::verify {

namespace {

constexpr std::int64_t kMemoryBytes = std::int64_t{8} << 30;

launch::PlanLimits vm_limits() {
  launch::PlanLimits limits;
  limits.sm_count = 4;                   // few, so that persistent kernels make several trips
  limits.shared_per_block = 163 * 1024;  // sm_80
  limits.memory_bytes = kMemoryBytes;
  limits.max_cluster = 0;
  limits.tensor_maps = false;
  return limits;
}

class VmDevice final : public Device {
 public:
  VmDevice() : limits_(vm_limits()) {
    identity_ = {"ptxvm", "PTX virtual machine", "ptxvm", "1", arch_};
    shown_.sm_count = limits_.sm_count;
    shown_.max_threads_per_block = limits_.max_threads_per_block;
    shown_.shared_per_block = limits_.shared_per_block;
    shown_.memory_bytes = limits_.memory_bytes;
  }

  const DeviceIdentity& identity() const override { return identity_; }
  const DeviceLimits& limits() const override { return shown_; }
  const std::string& arch() const override { return arch_; }

  Result<RunReply> run(const RunRequest& request, std::stop_token stop) override {
    RunRequest untimed = request;
    untimed.timing.reset();  // the virtual machine's wall time says nothing about a kernel's
    RunnerSetup setup;
    setup.role = "ptxvm";
    setup.child.limits.open_files = 1024;
    setup.limits = limits_;
    setup.identity = identity_;
    setup.death = RejectKind::NotVerifiable;
    setup.resident_limit = 3 * static_cast<std::uint64_t>(kMemoryBytes);
    return run_in_process(untimed, setup, stop);
  }

 private:
  std::string arch_ = "sm_80";
  launch::PlanLimits limits_;
  DeviceLimits shown_;
  DeviceIdentity identity_;
};

}  // namespace

Result<std::unique_ptr<Device>> open_vm_device() { return std::make_unique<VmDevice>(); }

}  // namespace kw::verify
