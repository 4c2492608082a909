#pragma once
// The SM clock while a timing runs, from NVML where it is installed; and the lock that keeps two
// timings on one GPU apart.

#include <cstdint>
#include <string>

#include "kw/core/result.h"
#include "kw/process/fd.h"

namespace kw::verify {

class GpuClock {
 public:
  /// `uuid` as in DeviceFacts. Without NVML every reading is 0.
  explicit GpuClock(const std::string& uuid);
  int sm_mhz() const;
  /// NVML's bits for why clocks are held down now, without "idle" and "set by an application".
  std::uint64_t throttle_reasons() const;

 private:
  void* device_ = nullptr;
  int (*clock_info_)(void* device, int type, unsigned* mhz) = nullptr;
  int (*reasons_)(void* device, unsigned long long* reasons) = nullptr;
};

/// An advisory lock on /tmp/kernelwright-<uuid>.lock, shared by everything that times on that GPU.
class GpuLock {
 public:
  /// Opens the file (before a process is confined); does not lock yet.
  static Result<GpuLock> open(const std::string& uuid);
  /// Blocks until it is ours. Released when the object or the process ends.
  Status acquire();

 private:
  process::Fd file_;
};

}  // namespace kw::verify
