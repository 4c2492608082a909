#include "kw/launch/launcher.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace kw::launch {

namespace {

constexpr int kCaptureThreadLocal = 1;

/// CUtensorMapDataType.
Result<int> tensor_map_type(DType type) {
  switch (type) {
    case DType::U8:
    case DType::I8:
    case DType::Bool:
      return 0;
    case DType::I32:
      return 3;
    case DType::I64:
      return 5;
    case DType::F16:
      return 6;
    case DType::F32:
      return 7;
    case DType::F64:
      return 8;
    case DType::BF16:
      return 9;
    case DType::I16:
      return 1;  // UINT16: the bits are copied
  }
  return fail(Errc::Internal, "a tensor map of an unknown type");
}

/// CUtensorMapSwizzle of bind()'s 0, 32, 64, 128.
int swizzle_code(int bytes) { return bytes == 0 ? 0 : bytes == 32 ? 1 : bytes == 64 ? 2 : 3; }

void collect_kernels(const std::vector<PlanNode>& nodes, std::vector<std::string>& names) {
  for (const PlanNode& node : nodes) {
    if (const auto* kernel = std::get_if<KernelNode>(&node.what)) names.push_back(kernel->kernel);
    if (const auto* loop = std::get_if<LoopNode>(&node.what)) collect_kernels(loop->body, names);
    if (const auto* predicate = std::get_if<PredicateNode>(&node.what)) {
      collect_kernels(predicate->body, names);
    }
  }
}

/// Allows `bytes` of dynamic shared memory: beside the static part, it must fit the opt-in maximum,
/// which the driver checks here.
Status allow_shared(const cu::Table& api, cu::Function function, std::int64_t bytes) {
  int allowed = 0;
  KW_RETURN_IF_ERROR(
      check(api, api.function_attribute(&allowed, cu::kFunctionMaxDynamicShared, function),
            "cuFuncGetAttribute"));
  if (bytes <= allowed) return {};
  if (const cu::Result rc = api.function_set_attribute(function, cu::kFunctionMaxDynamicShared,
                                                       static_cast<int>(bytes))) {
    int fixed = 0;
    api.function_attribute(&fixed, cu::kFunctionStaticSharedBytes, function);
    return fail(Errc::InvalidArgument,
                "{} bytes of dynamic shared memory beside {} static ones do not fit ({})", bytes,
                fixed, driver_error(api, rc, "cuFuncSetAttribute").message);
  }
  return {};
}

}  // namespace

Result<Kernels> Kernels::find(const cu::Table& api, cu::Module module, const LaunchPlan& plan) {
  std::vector<std::string> names;
  collect_kernels(plan.setup, names);
  collect_kernels(plan.run, names);
  Kernels kernels(api);
  for (const std::string& name : names) {
    if (kernels.has(name)) continue;
    cu::Function function = nullptr;
    const cu::Result rc = api.module_function(&function, module, name.c_str());
    if (rc == cu::kNotFound) {
      return fail(Errc::InvalidArgument, "the module has no entry '{}'", name);
    }
    KW_RETURN_IF_ERROR(check(api, rc, "cuModuleGetFunction"));
    kernels.functions_[name] = function;
  }
  return kernels;
}

Result<std::int64_t> Kernels::occupancy(const std::string& kernel, std::int64_t threads,
                                        std::int64_t shared_bytes) const {
  const auto found = functions_.find(kernel);
  if (found == functions_.end()) {
    return fail(Errc::InvalidArgument, "the module has no entry '{}'", kernel);
  }
  KW_RETURN_IF_ERROR(allow_shared(*api_, found->second, shared_bytes));
  int blocks = 0;
  KW_RETURN_IF_ERROR(check(*api_,
                           api_->occupancy(&blocks, found->second, static_cast<int>(threads),
                                           static_cast<std::size_t>(shared_bytes)),
                           "cuOccupancyMaxActiveBlocksPerMultiprocessor"));
  if (blocks == 0) {
    return fail(Errc::InvalidArgument,
                "'{}' does not fit an SM with {} threads and {} shared bytes", kernel, threads,
                shared_bytes);
  }
  return blocks;
}

Result<Launcher> Launcher::prepare(const cu::Table& api, const BoundPlan& plan,
                                   const Kernels& kernels, const Addresses& addresses) {
  if (addresses.size() != plan.buffers.size()) {
    return fail(Errc::InvalidArgument, "{} addresses for {} buffers", addresses.size(),
                plan.buffers.size());
  }
  Launcher launcher(api, plan, addresses);
  KW_ASSIGN(launcher.setup_, launcher.prepare_phase(plan.setup, kernels));
  KW_ASSIGN(launcher.run_, launcher.prepare_phase(plan.run, kernels));
  return launcher;
}

Result<Launcher::Phase> Launcher::prepare_phase(const std::vector<BoundNode>& nodes,
                                                const Kernels& kernels) const {
  Phase phase;
  for (const BoundNode& node : nodes) {
    if (std::holds_alternative<BoundPredicate>(node.what)) {
      return fail(
          Errc::Unsupported,
          "{}: predicates are not run on CUDA devices by this release; let the kernels read "
          "the flag and return at once",
          node.place);
    }
    Step step{&node, phase.kernels.size()};
    if (const auto* kernel = std::get_if<BoundKernel>(&node.what)) {
      auto prepared = prepare_kernel(*kernel, kernels);
      if (!prepared) return wrap(prepared.error(), node.place);
      phase.kernels.push_back(std::move(*prepared));
    }
    phase.steps.push_back(step);
  }
  return phase;
}

Result<Launcher::PreparedKernel> Launcher::prepare_kernel(const BoundKernel& kernel,
                                                          const Kernels& kernels) const {
  if (!kernels.has(kernel.kernel)) {
    return fail(Errc::InvalidArgument, "the module has no entry '{}'", kernel.kernel);
  }
  PreparedKernel out;
  out.from = &kernel;
  out.function = kernels.function(kernel.kernel);
  KW_RETURN_IF_ERROR(check_signature(out.function, kernel));
  KW_RETURN_IF_ERROR(allow_shared(*api_, out.function, kernel.shared_bytes));
  std::vector<std::size_t> offsets;
  std::size_t size = 0;
  for (const BoundParameter& parameter : kernel.parameters) {
    size = (size + parameter.align - 1) / parameter.align * parameter.align;
    offsets.push_back(size);
    size += parameter.bytes.size();
  }
  out.bytes.resize(size + 1);  // never empty
  for (std::size_t i = 0; i < kernel.parameters.size(); ++i) {
    const BoundParameter& parameter = kernel.parameters[i];
    unsigned char* at = out.bytes.data() + offsets[i];
    std::memcpy(at, parameter.bytes.data(), parameter.bytes.size());
    for (const PointerPatch& patch : parameter.pointers) {
      const cu::DevicePtr target = resolve(patch.pointer);
      std::memcpy(at + patch.at, &target, sizeof target);
    }
    if (parameter.tensor_map) KW_RETURN_IF_ERROR(encode_tensor_map(*parameter.tensor_map, at));
    out.pointers.push_back(at);
  }
  return out;
}

/// The driver reads as many bytes per parameter as the kernel declares: a plan that gives fewer
/// would make it read past ours.
Status Launcher::check_signature(cu::Function function, const BoundKernel& kernel) const {
  if (api_->function_parameter == nullptr)
    return {};  // before 12.4; the virtual machine has checked
  for (std::size_t i = 0;; ++i) {
    std::size_t offset = 0, bytes = 0;
    const bool declared = api_->function_parameter(function, i, &offset, &bytes) == cu::kSuccess;
    const bool given = i < kernel.parameters.size();
    if (!declared && !given) return {};
    if (declared != given) {
      return fail(Errc::InvalidArgument, "'{}' takes {} than {} parameters", kernel.kernel,
                  declared ? "more" : "fewer", kernel.parameters.size());
    }
    if (bytes != kernel.parameters[i].bytes.size()) {
      return fail(Errc::InvalidArgument, "'{}' takes {} bytes as parameter {}, the plan gives {}",
                  kernel.kernel, bytes, i, kernel.parameters[i].bytes.size());
    }
  }
}

Status Launcher::encode_tensor_map(const BoundTensorMap& map, unsigned char* out) const {
  if (api_->tensor_map_tiled == nullptr) {
    return fail(Errc::Unsupported, "tensor maps need a driver for CUDA 12");
  }
  KW_ASSIGN(const int type, tensor_map_type(map.dtype));
  constexpr std::array<std::uint32_t, 5> kOnes{1, 1, 1, 1, 1};
  constexpr int kInterleaveNone = 0, kPromote128 = 2;
  cu::TensorMap encoded{};
  KW_RETURN_IF_ERROR(check(
      *api_,
      api_->tensor_map_tiled(&encoded, type, static_cast<std::uint32_t>(map.dims.size()),
                             reinterpret_cast<void*>(resolve(map.base)), map.dims.data(),
                             map.strides.data(), map.box.data(), kOnes.data(), kInterleaveNone,
                             swizzle_code(map.swizzle), kPromote128, map.fill_nan ? 1 : 0),
      "cuTensorMapEncodeTiled"));
  std::memcpy(out, &encoded, sizeof encoded);
  return {};
}

Status Launcher::enqueue_setup(cu::Stream stream) {
  KW_RETURN_IF_ERROR(enqueue_fills(BufferInit::Once, stream));
  return enqueue(setup_, stream);
}

Status Launcher::enqueue_run(cu::Stream stream) { return enqueue_run(stream, {}); }

Status Launcher::enqueue_run(cu::Stream stream, const AfterNode& after) {
  KW_RETURN_IF_ERROR(enqueue_fills(BufferInit::EachRun, stream));
  return enqueue(run_, stream, after);
}

std::map<std::string, std::uint64_t> Launcher::launched() const {
  std::map<std::string, std::uint64_t> counts;
  for (const Phase* phase : {&setup_, &run_}) {
    for (const PreparedKernel& kernel : phase->kernels) {
      if (kernel.launched > 0) counts[kernel.from->kernel] += kernel.launched;
    }
  }
  return counts;
}

Status Launcher::enqueue_fills(BufferInit when, cu::Stream stream) {
  for (std::size_t i = 0; i < plan_->buffers.size(); ++i) {
    const BoundBuffer& buffer = plan_->buffers[i];
    if (buffer.init != when || !buffer.is_root(i) || buffer.bytes == 0) continue;
    KW_RETURN_IF_ERROR(check(*api_,
                             api_->fill_bytes(addresses_[i], buffer.fill,
                                              static_cast<std::size_t>(buffer.bytes), stream),
                             "cuMemsetD8Async"));
  }
  return {};
}

Status Launcher::enqueue(Phase& phase, cu::Stream stream, const AfterNode& after) {
  for (const Step& step : phase.steps) {
    Status status;
    const std::string* kernel_name = nullptr;
    if (const auto* memset = std::get_if<BoundMemset>(&step.node->what)) {
      status = check(*api_,
                     api_->fill_bytes(resolve(memset->where), memset->value,
                                      static_cast<std::size_t>(memset->bytes), stream),
                     "cuMemsetD8Async");
    } else {
      PreparedKernel& kernel = phase.kernels[step.kernel];
      status = enqueue_kernel(kernel, stream);
      kernel.launched += status ? 1 : 0;
      kernel_name = &kernel.from->kernel;
    }
    if (status && after) status = after(kernel_name != nullptr ? *kernel_name : "memset");
    if (!status) return wrap(status.error(), step.node->place);
  }
  return {};
}

Status Launcher::enqueue_kernel(PreparedKernel& kernel, cu::Stream stream) {
  const BoundKernel& from = *kernel.from;
  const Extent3 &g = from.grid, &b = from.block, &c = from.cluster;
  void** parameters = kernel.pointers.data();
  const bool clustered = c[0] * c[1] * c[2] > 1;
  // Drivers before 11.8 know neither attribute; a programmatic launch is then an ordinary one.
  const bool programmatic = from.programmatic && api_->launch_ex != nullptr;
  if (!clustered && !programmatic) {
    if (from.cooperative) {
      return check(*api_,
                   api_->launch_cooperative(kernel.function, g[0], g[1], g[2], b[0], b[1], b[2],
                                            from.shared_bytes, stream, parameters),
                   "cuLaunchCooperativeKernel");
    }
    return check(*api_,
                 api_->launch(kernel.function, g[0], g[1], g[2], b[0], b[1], b[2],
                              from.shared_bytes, stream, parameters, nullptr),
                 "cuLaunchKernel");
  }
  if (api_->launch_ex == nullptr) {
    return fail(Errc::Unsupported, "clusters need a driver for CUDA 11.8");
  }
  std::array<cu::LaunchAttribute, 3> attributes{};
  unsigned count = 0;
  if (clustered) {
    attributes[count].id = cu::kAttributeClusterDimension;
    attributes[count++].value.cluster = {c[0], c[1], c[2]};
  }
  if (programmatic) {
    attributes[count].id = cu::kAttributeProgrammaticSerialization;
    attributes[count++].value.flag = 1;
  }
  if (from.cooperative) {
    attributes[count].id = cu::kAttributeCooperative;
    attributes[count++].value.flag = 1;
  }
  const cu::LaunchConfig config{
      g[0], g[1], g[2], b[0], b[1], b[2], from.shared_bytes, stream, attributes.data(), count};
  return check(*api_, api_->launch_ex(&config, kernel.function, parameters, nullptr),
               "cuLaunchKernelEx");
}

Result<GraphExec> Launcher::capture_run(cu::Stream stream) {
  KW_RETURN_IF_ERROR(check(*api_, api_->stream_begin_capture(stream, kCaptureThreadLocal),
                           "cuStreamBeginCapture"));
  const Status enqueued = enqueue_run(stream);
  cu::Graph graph = nullptr;
  const cu::Result ended = api_->stream_end_capture(stream, &graph);
  const auto destroy = [this](void* g) { api_->graph_destroy(g); };
  const std::unique_ptr<void, decltype(destroy)> owner(graph, destroy);
  if (!enqueued) return tl::unexpected(enqueued.error());
  KW_RETURN_IF_ERROR(check(*api_, ended, "cuStreamEndCapture"));
  cu::GraphExec exec = nullptr;
  KW_RETURN_IF_ERROR(
      check(*api_, api_->graph_instantiate(&exec, graph, 0), "cuGraphInstantiateWithFlags"));
  return GraphExec(exec, {api_});
}

}  // namespace kw::launch
