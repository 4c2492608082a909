#pragma once
// Bytes that two processes see: a memfd of fixed size.

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "kw/core/result.h"
#include "kw/process/fd.h"

namespace kw::process {

/// A mapping of a memfd whose size is sealed, so that nobody can shrink it under a reader (which
/// would be a SIGBUS). Zero-filled; pages are taken only when touched. Move-only; the bytes may be
/// written by the other process at any time until that process is dead.
class SharedMemory {
 public:
  SharedMemory() = default;
  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&& other) noexcept;
  ~SharedMemory();

  static Result<SharedMemory> create(const std::string& name, std::size_t bytes);
  /// Maps a memfd that came from elsewhere. Corrupt when its size differs or is not sealed.
  static Result<SharedMemory> attach(Fd fd, std::size_t bytes, bool writable);

  std::span<std::byte> bytes() noexcept { return {data_, size_}; }
  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  int fd() const noexcept { return fd_.get(); }

 private:
  Fd fd_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace kw::process
