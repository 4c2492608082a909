#include "cuda_device.h"

#include <condition_variable>
#include <mutex>

#include "facts_wire.h"
#include "helper_kernels.h"
#include "kw/compile/service.h"
#include "runner_process.h"

namespace kw::verify {

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kHostMemory = std::uint64_t{6} << 30;

process::ChildOptions child_options() {
  process::ChildOptions options;
  options.tree = process::Tree::Walk;  // drivers tell processes apart by their outer PID
  options.limits.open_files = 4096;
  options.limits.file_bytes = std::nullopt;  // drivers size shared memory files of their own
  // Nothing is cached on disk, and no kernel is loaded lazily inside a timed run.
  options.environment = {"CUDA_CACHE_DISABLE=1", "CUDA_MODULE_LOADING=EAGER"};
  options.inherit = {"LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER",
                     "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"};
  return options;
}

class CudaDevice final : public Device {
 public:
  explicit CudaDevice(launch::DeviceFacts facts) : facts_(std::move(facts)) {
    identity_ = {"cuda", facts_.name, facts_.uuid, facts_.driver, facts_.arch};
    shown_.sm_count = facts_.limits.sm_count;
    shown_.max_threads_per_block = facts_.limits.max_threads_per_block;
    shown_.shared_per_block = facts_.limits.shared_per_block;
    shown_.memory_bytes = facts_.limits.memory_bytes;
    shown_.l2_bytes = facts_.l2_bytes;
  }

  const DeviceIdentity& identity() const override { return identity_; }
  const DeviceLimits& limits() const override { return shown_; }
  const std::string& arch() const override { return facts_.arch; }

  Result<RunReply> run(const RunRequest& request, std::stop_token stop) override {
    KW_ASSIGN(const Turn turn, take_turn(stop));
    KW_ASSIGN(const std::string helpers, helper_cubin(stop));
    RunnerSetup setup;
    setup.role = "cuda";
    setup.child = child_options();
    setup.limits = facts_.limits;
    setup.greeting = encode_opening({facts_.ordinal, helpers});
    setup.spare = &spare_;
    setup.wants_cubin = true;
    setup.resident_limit = kHostMemory;
    setup.identity = identity_;
    const bool waited = spare_.has_value();
    auto reply = run_in_process(request, setup, stop);
    // A process that waited may have lost its device meanwhile.
    if (!reply && waited && reply.error().code != Errc::Cancelled) {
      reply = run_in_process(request, setup, stop);
    }
    // The next run's process gets its context while this run is being judged.
    if (auto next = start_runner(setup)) spare_ = std::move(*next);
    return reply;
  }

 private:
  /// One run at a time: two would share memory and clocks.
  class Turn {
   public:
    explicit Turn(CudaDevice& device) : device_(&device) {}
    Turn(Turn&& other) noexcept : device_(std::exchange(other.device_, nullptr)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (device_ == nullptr) return;
      const std::scoped_lock lock(device_->mutex_);
      device_->busy_ = false;
      device_->freed_.notify_one();
    }

   private:
    CudaDevice* device_;
  };

  Result<Turn> take_turn(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    if (!freed_.wait(lock, stop, [&] { return !busy_; })) {
      return fail(Errc::Cancelled, "cancelled while waiting for the GPU");
    }
    busy_ = true;
    return Turn(*this);
  }

  /// Compiled once per device; only the holder of the turn gets here.
  Result<std::string> helper_cubin(const std::stop_token& stop) {
    if (!helpers_.empty()) return helpers_;
    compile::CompileService compiler({.processes = 1});
    KW_ASSIGN(const CompileResult result,
              compiler.compile({helper_source(), facts_.arch, {}}, stop));
    if (const auto* failed = std::get_if<CompileFailure>(&result)) {
      return fail(Errc::Internal, "our own kernels do not compile: {}",
                  failed->diagnostics.front().text);
    }
    helpers_ = std::get<CompiledModule>(result).cubin;
    return helpers_;
  }

  launch::DeviceFacts facts_;
  DeviceIdentity identity_;
  DeviceLimits shown_;
  std::mutex mutex_;
  std::condition_variable_any freed_;
  bool busy_ = false;    // guarded by mutex_
  // Of whoever has the turn:
  std::string helpers_;
  std::optional<process::Child> spare_;
};

}  // namespace

Result<std::unique_ptr<Device>> open_cuda_device(int ordinal) {
  KW_ASSIGN(process::Child child, process::Child::spawn_role("cuda", child_options()));
  const process::Wait wait = process::Wait::within(60s);
  KW_RETURN_IF_ERROR(child.channel().send(kProbe, encode_ordinal(ordinal), wait));
  KW_ASSIGN(const process::Message message, child.channel().receive(wait));
  if (message.type != kFacts) return fail(Errc::Unavailable, "{}", message.body);
  KW_ASSIGN(launch::DeviceFacts facts, decode_facts(message.body));
  return std::make_unique<CudaDevice>(std::move(facts));
}

}  // namespace kw::verify
