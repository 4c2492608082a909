#pragma once
// What the reference needs of a device: memory, copies, launches. A CUDA GPU in production, the PTX
// virtual machine in tests.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "kw/core/result.h"

namespace kw::verify::gpu {

class Accelerator {
 public:
  virtual ~Accelerator() = default;
  /// 256-byte aligned; uninitialised.
  virtual Result<std::uint64_t> allocate(std::size_t bytes) = 0;
  virtual void release(std::uint64_t address) = 0;
  virtual Status to_device(std::uint64_t to, std::span<const std::byte> from) = 0;
  virtual Status to_host(std::span<std::byte> to, std::uint64_t from) = 0;
  /// A kernel of the loaded module whose parameters are one structure and, when `pointer` is given,
  /// an address after it. Launches run in order.
  virtual Status launch(const char* kernel, std::uint32_t grid, std::uint32_t block,
                        std::span<const std::byte> structure,
                        const std::uint64_t* pointer = nullptr) = 0;
  /// Gives memory that is kept for reuse back to the device.
  virtual void trim() {}
  /// Bytes that may be allocated in all.
  virtual std::size_t capacity() const = 0;

  template <typename T>
  Status launch(const char* kernel, std::uint32_t grid, std::uint32_t block, const T& structure) {
    return launch(kernel, grid, block, std::as_bytes(std::span(&structure, 1)));
  }
};

/// One allocation; shared by tensors that are views of it.
class Block {
 public:
  Block(Accelerator& device, std::uint64_t address, std::size_t bytes)
      : device_(&device), address_(address), bytes_(bytes) {}
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  ~Block() { device_->release(address_); }
  std::uint64_t address() const noexcept { return address_; }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  Accelerator* device_;
  std::uint64_t address_;
  std::size_t bytes_;
};

}  // namespace kw::verify::gpu
