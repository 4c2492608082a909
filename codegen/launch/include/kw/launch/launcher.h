#pragma once
// Runs a bound plan on a CUDA stream. The one launcher: the judge's runner, bundles and the C ABI
// use it alike.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "kw/launch/bound_plan.h"
#include "kw/launch/driver.h"

namespace kw::launch {

/// The entries that a plan names, ready to launch. Immutable after creation.
class Kernels {
 public:
  /// Looks up every kernel of the plan. InvalidArgument for an entry that the module lacks.
  static Result<Kernels> find(const cu::Table& api, cu::Module module, const LaunchPlan& plan);
  /// A BindOptions::occupancy for these kernels; it also allows the dynamic shared memory asked
  /// for.
  Result<std::int64_t> occupancy(const std::string& kernel, std::int64_t threads,
                                 std::int64_t shared_bytes) const;

  cu::Function function(const std::string& kernel) const { return functions_.at(kernel); }
  bool has(const std::string& kernel) const { return functions_.contains(kernel); }

 private:
  explicit Kernels(const cu::Table& api) : api_(&api) {}
  const cu::Table* api_;
  std::map<std::string, cu::Function> functions_;
};

/// Where each buffer of a BoundPlan lies; entries of aliases are ignored.
using Addresses = std::vector<cu::DevicePtr>;

/// A plan at fixed addresses, prepared once and launched any number of times: parameters are
/// encoded, attributes set, limits checked. One thread at a time; the context must be current. An
/// asynchronous fault of a kernel shows up at the next synchronisation, and the context is then
/// dead.
class Launcher {
 public:
  /// `plan`, `kernels` and what `addresses` names outlive the launcher. Errors: InvalidArgument for
  /// parameters that do not fit the kernel or shared memory above what it may have, Unsupported for
  /// a predicate (it needs the device to decide, which needs conditional graph nodes).
  static Result<Launcher> prepare(const cu::Table& api, const BoundPlan& plan,
                                  const Kernels& kernels, const Addresses& addresses);

  /// Fills that are due once, then the setup nodes.
  Status enqueue_setup(cu::Stream stream);
  /// Fills that are due for each run, then the run nodes, in stream order.
  Status enqueue_run(cu::Stream stream);
  /// The same, and `after` is called behind each run node with the kernel's name ("memset" for a fill).
  using AfterNode = std::function<Status(const std::string& kernel)>;
  Status enqueue_run(cu::Stream stream, const AfterNode& after);
  /// How often each kernel was handed to the driver so far.
  std::map<std::string, std::uint64_t> launched() const;
  /// The same run as one graph.
  Result<GraphExec> capture_run(cu::Stream stream);

 private:
  struct PreparedKernel {
    const BoundKernel* from = nullptr;
    cu::Function function = nullptr;
    std::vector<unsigned char> bytes;  // all parameters, each aligned
    std::vector<void*> pointers;       // into bytes
    std::uint64_t launched = 0;
  };
  struct Step {
    const BoundNode* node = nullptr;
    std::size_t kernel = 0;  // index into the phase's prepared kernels, for kernel nodes
  };
  struct Phase {
    std::vector<PreparedKernel> kernels;
    std::vector<Step> steps;
  };

  Launcher(const cu::Table& api, const BoundPlan& plan, Addresses addresses)
      : api_(&api), plan_(&plan), addresses_(std::move(addresses)) {}
  Result<Phase> prepare_phase(const std::vector<BoundNode>& nodes, const Kernels& kernels) const;
  Result<PreparedKernel> prepare_kernel(const BoundKernel& kernel, const Kernels& kernels) const;
  Status encode_tensor_map(const BoundTensorMap& map, unsigned char* out) const;
  Status check_signature(cu::Function function, const BoundKernel& kernel) const;
  Status enqueue(Phase& phase, cu::Stream stream, const AfterNode& after = {});
  Status enqueue_kernel(PreparedKernel& kernel, cu::Stream stream);
  Status enqueue_fills(BufferInit when, cu::Stream stream);
  cu::DevicePtr resolve(const BoundPointer& pointer) const {
    return addresses_[pointer.buffer] + static_cast<std::uint64_t>(pointer.offset);
  }

  const cu::Table* api_;
  const BoundPlan* plan_;
  Addresses addresses_;
  Phase setup_, run_;
};

}  // namespace kw::launch
