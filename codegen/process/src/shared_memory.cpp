#include "kw/process/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

namespace kw::process {

namespace {

constexpr int kSizeSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

Result<std::byte*> map(int fd, std::size_t bytes, bool writable) {
  if (bytes == 0) return nullptr;
  void* data =
      ::mmap(nullptr, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) {
    return fail(Errc::ResourceExhausted, "mapping {} shared bytes: {}", bytes,
                std::strerror(errno));
  }
  return static_cast<std::byte*>(data);
}

}  // namespace

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : fd_(std::move(other.fd_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
  if (this != &other) {
    this->~SharedMemory();
    new (this) SharedMemory(std::move(other));
  }
  return *this;
}

SharedMemory::~SharedMemory() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

Result<SharedMemory> SharedMemory::create(const std::string& name, std::size_t bytes) {
  if (bytes > static_cast<std::size_t>(std::numeric_limits<off_t>::max())) {
    return fail(Errc::ResourceExhausted, "{} shared bytes are too many", bytes);
  }
  SharedMemory memory;
  memory.fd_ = Fd(::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory.fd_) return fail(Errc::Io, "memfd_create: {}", std::strerror(errno));
  if (::ftruncate(memory.fd(), static_cast<off_t>(bytes)) != 0 ||
      ::fcntl(memory.fd(), F_ADD_SEALS, kSizeSeals) != 0) {
    return fail(Errc::ResourceExhausted, "making {} shared bytes: {}", bytes, std::strerror(errno));
  }
  KW_ASSIGN(memory.data_, map(memory.fd(), bytes, true));
  memory.size_ = bytes;
  return memory;
}

Result<SharedMemory> SharedMemory::attach(Fd fd, std::size_t bytes, bool writable) {
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return fail(Errc::Io, "fstat: {}", std::strerror(errno));
  const int seals = ::fcntl(fd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || info.st_size < 0 ||
      static_cast<std::size_t>(info.st_size) != bytes) {
    return fail(Errc::Corrupt, "a descriptor is not a sealed memory file of {} bytes", bytes);
  }
  SharedMemory memory;
  memory.fd_ = std::move(fd);
  KW_ASSIGN(memory.data_, map(memory.fd(), bytes, writable));
  memory.size_ = bytes;
  return memory;
}

}  // namespace kw::process
