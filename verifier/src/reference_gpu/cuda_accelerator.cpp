#include "cuda_accelerator.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <vector>

#include "kw/launch/driver.h"
#include "parallel_copy.h"

namespace kw::verify::gpu {
namespace {

namespace cu = launch::cu;

/// One stream, so launches and copies are in order; freed memory is kept by size and given out
/// again, which is safe for the same reason.
class CudaAccelerator final : public Accelerator {
 public:
  CudaAccelerator(const cu::Table& api, launch::PrimaryContext context, launch::Module module,
                  launch::Stream stream, std::size_t capacity)
      : api_(&api),
        context_(std::move(context)),
        module_(std::move(module)),
        stream_(std::move(stream)),
        capacity_(capacity) {}
  ~CudaAccelerator() override { drop_cache(); }

  Result<std::uint64_t> allocate(std::size_t bytes) override {
    const std::size_t size = rounded(bytes);
    if (auto& spare = spare_[size]; !spare.empty()) {
      const cu::DevicePtr address = spare.back();
      spare.pop_back();
      sizes_[address] = size;
      return address;
    }
    cu::DevicePtr address = 0;
    cu::Result result = api_->memory_allocate(&address, size);
    if (result == cu::kOutOfMemory) {
      KW_RETURN_IF_ERROR(check(api_->stream_synchronize(stream_.get()), "cuStreamSynchronize"));
      drop_cache();
      result = api_->memory_allocate(&address, size);
    }
    if (result == cu::kOutOfMemory) {
      return fail(Errc::ResourceExhausted, "the reference needs {} more bytes of device memory",
                  size);
    }
    KW_RETURN_IF_ERROR(check(result, "cuMemAlloc"));
    sizes_[address] = size;
    return address;
  }

  void release(std::uint64_t address) override {
    const auto found = sizes_.find(address);
    if (found == sizes_.end()) return;
    spare_[found->second].push_back(address);
    sizes_.erase(found);
  }

  Status to_device(std::uint64_t to, std::span<const std::byte> from) override {
    if (from.empty()) return {};
    if (from.size() > 2 * kChunk) return to_device_in_chunks(to, from);
    KW_RETURN_IF_ERROR(check(api_->copy_to_device(to, from.data(), from.size(), stream_.get()),
                             "cuMemcpyHtoDAsync"));
    // The caller's bytes may go away; pageable copies are staged, mapped ones need not be.
    return check(api_->stream_synchronize(stream_.get()), "cuStreamSynchronize");
  }

  Status to_host(std::span<std::byte> to, std::uint64_t from) override {
    if (to.empty()) return {};
    KW_RETURN_IF_ERROR(
        check(api_->copy_to_host(to.data(), from, to.size(), stream_.get()), "cuMemcpyDtoHAsync"));
    return check(api_->stream_synchronize(stream_.get()), "cuStreamSynchronize");
  }

  Status launch(const char* kernel, std::uint32_t grid, std::uint32_t block,
                std::span<const std::byte> structure, const std::uint64_t* pointer) override {
    KW_ASSIGN(const cu::Function function, function_of(kernel));
    // The driver copies the parameters before the call returns; it only reads them.
    std::vector<std::byte> copy(structure.begin(), structure.end());
    std::uint64_t address = pointer == nullptr ? 0 : *pointer;
    void* parameters[] = {copy.data(), &address};
    return check(
        api_->launch(function, grid, 1, 1, block, 1, 1, 0, stream_.get(), parameters, nullptr),
        kernel);
  }

  void trim() override {
    (void)api_->stream_synchronize(stream_.get());
    drop_cache();
  }
  std::size_t capacity() const override { return capacity_; }

 private:
  static constexpr std::size_t kChunk = std::size_t{32} << 20;

  /// Through two pinned chunks: one is on the bus while the other is filled by several threads.
  Status to_device_in_chunks(std::uint64_t to, std::span<const std::byte> from) {
    if (!staging_) {
      KW_ASSIGN(staging_, launch::allocate_pinned(*api_, 2 * kChunk));
      for (int i = 0; i < 2; ++i) {
        KW_ASSIGN(launch::Event event, launch::make_event(*api_));
        staged_.push_back(std::move(event));
      }
    }
    auto* staging = static_cast<std::byte*>(staging_.get());
    std::size_t i = 0;
    for (std::size_t at = 0; at < from.size(); at += kChunk, ++i) {
      const std::size_t bytes = std::min(kChunk, from.size() - at);
      std::byte* slot = staging + (i % 2) * kChunk;
      const launch::Event& event = staged_[i % 2];
      if (i >= 2) {
        KW_RETURN_IF_ERROR(check(api_->event_synchronize(event.get()), "cuEventSynchronize"));
      }
      parallel_copy({slot, bytes}, from.subspan(at, bytes));
      KW_RETURN_IF_ERROR(
          check(api_->copy_to_device(to + at, slot, bytes, stream_.get()), "cuMemcpyHtoDAsync"));
      KW_RETURN_IF_ERROR(check(api_->event_record(event.get(), stream_.get()), "cuEventRecord"));
    }
    return check(api_->stream_synchronize(stream_.get()), "cuStreamSynchronize");
  }

  static std::size_t rounded(std::size_t bytes) {
    const std::size_t step = bytes < (std::size_t{1} << 20) ? 512 : std::size_t{1} << 20;
    return (std::max<std::size_t>(bytes, 1) + step - 1) / step * step;
  }
  Status check(cu::Result result, const char* call) const {
    return launch::check(*api_, result, call);
  }
  Result<cu::Function> function_of(const std::string& kernel) {
    if (const auto found = functions_.find(kernel); found != functions_.end()) return found->second;
    cu::Function function = nullptr;
    KW_RETURN_IF_ERROR(check(api_->module_function(&function, module_.get(), kernel.c_str()),
                             "cuModuleGetFunction"));
    functions_[kernel] = function;
    return function;
  }
  void drop_cache() noexcept {
    for (auto& [size, addresses] : spare_) {
      for (const cu::DevicePtr address : addresses) (void)api_->memory_free(address);
      addresses.clear();
    }
  }

  const cu::Table* api_;
  launch::PrimaryContext context_;
  launch::Module module_;
  launch::Stream stream_;
  launch::PinnedMemory staging_;
  std::vector<launch::Event> staged_;
  std::size_t capacity_;
  std::map<std::size_t, std::vector<cu::DevicePtr>> spare_;
  std::map<cu::DevicePtr, std::size_t> sizes_;
  std::map<std::string, cu::Function> functions_;
};

}  // namespace

Result<std::unique_ptr<Accelerator>> open_cuda_accelerator(const std::string& uuid,
                                                           const std::string& cubin) {
  KW_ASSIGN(const cu::Table* api, launch::load_driver());
  KW_ASSIGN(const int count, launch::device_count(*api));
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    KW_ASSIGN(const launch::DeviceFacts facts, launch::device_facts(*api, ordinal));
    if (!uuid.empty() && facts.uuid != uuid) continue;
    KW_ASSIGN(launch::PrimaryContext context, launch::PrimaryContext::retain(*api, ordinal));
    KW_ASSIGN(launch::Module module, launch::load_module(*api, cubin));
    KW_ASSIGN(launch::Stream stream, launch::make_stream(*api));
    std::size_t free_bytes = 0, total = 0;
    KW_RETURN_IF_ERROR(launch::check(*api, api->memory_info(&free_bytes, &total), "cuMemGetInfo"));
    return std::make_unique<CudaAccelerator>(*api, std::move(context), std::move(module),
                                             std::move(stream), free_bytes);
  }
  return fail(Errc::Unavailable, "no CUDA device {}", uuid.empty() ? "at all" : uuid);
}

}  // namespace kw::verify::gpu
