#include "kw/process/fd.h"

#include <unistd.h>

namespace kw::process {

void Fd::reset(int fd) noexcept {
  // Linux frees the descriptor even when close() is interrupted: never try twice.
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

}  // namespace kw::process
