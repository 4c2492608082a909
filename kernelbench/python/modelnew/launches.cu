
// ---- launches
#include <cuda_runtime.h>

#include <cstring>

namespace {

struct KwStep {  // a launch, or a fill where there is no kernel
  const void* kernel;
  unsigned grid[3], block[3], cluster[3];
  unsigned shared;
  bool cooperative, programmatic;
  unsigned short arguments;  // how many of kw_arguments are its own
};
struct KwArgument {
  unsigned bytes_at;  // in kw_bytes
  unsigned short bytes;
  unsigned short addresses;  // how many of kw_addresses are written into it
};
struct KwAddress {
  unsigned short at, storage;
  long long offset;
};
struct KwFill {
  unsigned short storage;
  unsigned char value;
  long long offset, bytes;
};

struct KwScratch {
  unsigned short storage;
  long long offset;  // in the workspace
};

const KwScratch kw_scratch[] = {
@SCRATCH@};
const short kw_given[] = {@GIVEN@};  // the storage of each tensor that a call is given; -1: no step touches it
const unsigned char kw_bytes[] = {@BYTES@};
const KwAddress kw_addresses[] = {
@ADDRESSES@};
const KwArgument kw_arguments[] = {
@ARGUMENTS@};
const KwFill kw_fills[] = {
@FILLS@};
const KwStep kw_steps[] = {
@STEPS@};

cudaError_t kw_launch(const KwStep& step, void** arguments, cudaStream_t stream) {
  cudaLaunchAttribute attributes[3];
  unsigned count = 0;
  if (step.cluster[0] * step.cluster[1] * step.cluster[2] > 1) {
    attributes[count].id = cudaLaunchAttributeClusterDimension;
    attributes[count].val.clusterDim.x = step.cluster[0];
    attributes[count].val.clusterDim.y = step.cluster[1];
    attributes[count++].val.clusterDim.z = step.cluster[2];
  }
  if (step.cooperative) {
    attributes[count].id = cudaLaunchAttributeCooperative;
    attributes[count++].val.cooperative = 1;
  }
  if (step.programmatic) {
    attributes[count].id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attributes[count++].val.programmaticStreamSerializationAllowed = 1;
  }
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(step.grid[0], step.grid[1], step.grid[2]);
  config.blockDim = dim3(step.block[0], step.block[1], step.block[2]);
  config.dynamicSmemBytes = step.shared;
  config.stream = stream;
  config.attrs = attributes;
  config.numAttrs = count;
  return cudaLaunchKernelExC(&config, step.kernel, arguments);
}

// More than 48 KiB of dynamic shared memory must be allowed, once for each device.
cudaError_t kw_prepare(int device) {
  static int prepared = -1;
  if (device == prepared) return cudaSuccess;
  for (const KwStep& step : kw_steps) {
    if (step.kernel == nullptr || step.shared <= 48 * 1024) continue;
    const auto most = cudaFuncAttributeMaxDynamicSharedMemorySize;
    if (const cudaError_t rc = cudaFuncSetAttribute(step.kernel, most, static_cast<int>(step.shared))) return rc;
  }
  prepared = device;
  return cudaSuccess;
}

const char* kw_enqueue(char* const* base, cudaStream_t stream) {
  const KwArgument* argument = kw_arguments;
  const KwAddress* address = kw_addresses;
  const KwFill* fill = kw_fills;
  alignas(16) unsigned char held[8192];
  void* pointers[512];
  for (const KwStep& step : kw_steps) {
    if (step.kernel == nullptr) {
      const KwFill& f = *fill++;
      void* to = base[f.storage] + f.offset;
      if (const cudaError_t rc = cudaMemsetAsync(to, f.value, static_cast<size_t>(f.bytes), stream)) {
        return cudaGetErrorString(rc);
      }
      continue;
    }
    unsigned used = 0;
    for (unsigned i = 0; i < step.arguments; ++i, ++argument) {
      unsigned char* here = held + used;
      std::memcpy(here, kw_bytes + argument->bytes_at, argument->bytes);
      for (unsigned j = 0; j < argument->addresses; ++j, ++address) {
        const char* target = base[address->storage] + address->offset;
        std::memcpy(here + address->at, &target, sizeof target);
      }
      pointers[i] = here;
      used += (argument->bytes + 15u) / 16u * 16u;
    }
    if (const cudaError_t rc = kw_launch(step, pointers, stream)) return cudaGetErrorString(rc);
  }
  return nullptr;
}

}  // namespace

extern "C" const char* kw_run(const unsigned long long* given, unsigned long long workspace, int device,
                              unsigned long long stream) {
  char* base[@STORAGES@] = {};
  for (const short storage : kw_given) {
    if (storage >= 0) base[storage] = reinterpret_cast<char*>(*given);
    ++given;
  }
  for (const KwScratch& s : kw_scratch) base[s.storage] = reinterpret_cast<char*>(workspace) + s.offset;
  int before = device;
  if (const cudaError_t rc = cudaGetDevice(&before)) return cudaGetErrorString(rc);
  if (before != device) cudaSetDevice(device);
  const cudaError_t ready = kw_prepare(device);
  const char* failed = ready != cudaSuccess ? cudaGetErrorString(ready)
                                            : kw_enqueue(base, reinterpret_cast<cudaStream_t>(stream));
  if (before != device) cudaSetDevice(before);
  return failed;
}
