#pragma once
// A GPU inside its runner process: context, stream, and the helper kernels.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kw/launch/driver.h"
#include "kw/verify/device.h"

namespace kw::verify {

namespace cu = launch::cu;

/// A memory range on the device.
struct DeviceRange {
  cu::DevicePtr begin = 0;
  std::uint64_t bytes = 0;
};

/// Owns the context. One thread. What it enqueues is our own code: an error here is ours, unless a
/// kernel of the candidate has already spoilt the context.
class CudaSession {
 public:
  /// Loads driver and helper module, makes the context, launches once so that the driver has opened
  /// what it needs.
  static Result<std::unique_ptr<CudaSession>> open(int ordinal, const std::string& helper_cubin);

  const cu::Table& api() const noexcept { return *api_; }
  cu::Stream stream() const noexcept { return stream_.get(); }
  std::int64_t l2_bytes() const noexcept { return l2_bytes_; }
  unsigned sm_count() const noexcept { return sm_count_; }

  Status fill(const FillSpec& spec, cu::DevicePtr out);
  Status fill_bytes(DeviceRange range, std::uint8_t value);
  Status copy_in(cu::DevicePtr to, std::span<const std::byte> from);
  /// Through two pinned chunks, so that the bus and the host's copy overlap.
  Status copy_out(DeviceRange from, std::span<std::byte> to);
  /// One 64-bit hash per range; equal bytes at the same offsets give equal hashes.
  Result<std::vector<std::uint64_t>> hash(const std::vector<DeviceRange>& ranges);
  /// For each range, whether a byte differs from `value`. Ranges begin at any byte.
  Result<std::vector<bool>> differs(const std::vector<DeviceRange>& ranges, std::uint8_t value);
  /// Reads a range (16-byte aligned) past the candidate's lines in L2.
  Status enqueue_read(DeviceRange range);
  cu::Result synchronize() { return api_->stream_synchronize(stream_.get()); }

 private:
  CudaSession(const cu::Table& api, launch::PrimaryContext context)
      : api_(&api), context_(std::move(context)) {}
  Result<cu::Function> helper(const char* name);
  Status launch(cu::Function function, std::uint64_t threads, std::vector<void*> parameters);
  Status reserve_results(std::size_t words);
  Status reserve_staging(std::size_t bytes);

  const cu::Table* api_;
  launch::PrimaryContext context_;
  launch::Stream stream_;
  launch::Module helpers_;
  cu::Function fill_ = nullptr, hash_ = nullptr, guard_ = nullptr, read_ = nullptr;
  launch::DeviceMemory results_;  // 64-bit words
  std::size_t result_words_ = 0;
  launch::PinnedMemory staging_;  // two chunks, made when first needed
  std::size_t staging_chunk_ = 0;
  std::vector<launch::Event> staged_;
  std::int64_t l2_bytes_ = 0;
  unsigned sm_count_ = 1;
};

}  // namespace kw::verify
