#pragma once
// What a process gives up before it touches what a stranger wrote (seccomp-bpf).

#include "kw/core/result.h"

namespace kw::process {

enum class Confinement {
  /// Computes, allocates, talks over descriptors it already has, makes threads. Opens nothing,
  /// starts nothing, no sockets. Allow-list; a refused call returns EPERM.
  Compute,
  /// A process that drives a GPU and has created its context: may still open and ioctl, but starts
  /// no process, makes no socket, and changes no name in any file system. Deny-list.
  GpuDriver,
};

/// Applies to every thread of the process, for ever, and to its children. Unavailable where the
/// kernel or the architecture (neither x86-64 nor arm64) has no filter for us.
Status confine(Confinement confinement);

}  // namespace kw::process
