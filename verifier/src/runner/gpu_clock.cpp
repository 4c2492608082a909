#include "gpu_clock.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace kw::verify {

namespace {

constexpr int kNvmlClockSm = 1;  // NVML_CLOCK_SM

template <typename F>
F symbol(void* library, const char* name) {
  return reinterpret_cast<F>(::dlsym(library, name));
}

}  // namespace

GpuClock::GpuClock(const std::string& uuid) {
  void* library = ::dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return;
  const auto init = symbol<int (*)()>(library, "nvmlInit_v2");
  const auto by_uuid = symbol<int (*)(const char*, void**)>(library, "nvmlDeviceGetHandleByUUID");
  const auto info = symbol<int (*)(void*, int, unsigned*)>(library, "nvmlDeviceGetClockInfo");
  if (init == nullptr || by_uuid == nullptr || info == nullptr) return;
  if (init() != 0 || by_uuid(uuid.c_str(), &device_) != 0) return;
  clock_info_ = info;
  reasons_ = symbol<int (*)(void*, unsigned long long*)>(
      library, "nvmlDeviceGetCurrentClocksThrottleReasons");
}

int GpuClock::sm_mhz() const {
  unsigned mhz = 0;
  if (clock_info_ == nullptr || clock_info_(device_, kNvmlClockSm, &mhz) != 0) return 0;
  return static_cast<int>(mhz);
}

std::uint64_t GpuClock::throttle_reasons() const {
  unsigned long long reasons = 0;
  if (reasons_ == nullptr || reasons_(device_, &reasons) != 0) return 0;
  constexpr unsigned long long kIdle = 1, kApplicationClocks = 2;
  return reasons & ~(kIdle | kApplicationClocks);
}

Result<GpuLock> GpuLock::open(const std::string& uuid) {
  const std::string path = "/tmp/kernelwright-" + uuid + ".lock";
  GpuLock lock;
  // The file may be another user's, whom the sticky folder protects from O_CREAT: then it is opened
  // as it is. flock() needs no write access.
  lock.file_ = process::Fd(::open(path.c_str(), O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
                                  S_IRUSR | S_IRGRP | S_IROTH));
  if (!lock.file_) {
    lock.file_ = process::Fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  }
  if (!lock.file_) {
    return fail(Errc::Io, "opening the timing lock {}: {}", path, std::strerror(errno));
  }
  return lock;
}

Status GpuLock::acquire() {
  while (::flock(file_.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return fail(Errc::Io, "taking the timing lock: {}", std::strerror(errno));
  }
  return {};
}

}  // namespace kw::verify
