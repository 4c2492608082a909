#include "kw/process/confine.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

// Written by hand rather than with libseccomp: two flat lists need no library, and a filter that is
// always there needs no second story about what happens without it.

namespace kw::process {

namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t kArchitecture = 0;
#endif

using Numbers = std::vector<long>;

Numbers compute_allowed() {
  return {
    // memory
    SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_brk, SYS_membarrier,
        // descriptors that are already there
        SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_close, SYS_fstat, SYS_lseek, SYS_recvmsg,
        SYS_sendmsg, SYS_ppoll, SYS_fcntl, SYS_eventfd2,
        // threads and their locks
        SYS_futex, SYS_set_robust_list, SYS_rseq, SYS_gettid, SYS_sched_yield,
        SYS_sched_getaffinity, SYS_exit, SYS_exit_group, SYS_getpid, SYS_tgkill,
        // signals, time, chance
        SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack,
        SYS_restart_syscall, SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep,
        SYS_nanosleep, SYS_gettimeofday, SYS_getrandom, SYS_getrusage, SYS_sysinfo, SYS_uname,
      SYS_getcwd,
#if defined(__x86_64__)
        SYS_poll, SYS_time, SYS_arch_prctl,
#endif
  };
}

Numbers gpu_denied() {
  return {
    SYS_execve, SYS_execveat, SYS_socket, SYS_socketpair, SYS_connect, SYS_bind, SYS_listen,
        SYS_accept4, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kill, SYS_mount,
        SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_setns, SYS_unshare, SYS_unlinkat,
        SYS_renameat2, SYS_linkat, SYS_symlinkat, SYS_mkdirat, SYS_mknodat, SYS_fchmodat,
        SYS_fchownat, SYS_truncate, SYS_setxattr, SYS_bpf, SYS_keyctl, SYS_add_key, SYS_init_module,
        SYS_finit_module, SYS_kexec_load, SYS_io_uring_setup,
#if defined(__x86_64__)
        SYS_fork, SYS_vfork, SYS_unlink, SYS_rename, SYS_renameat, SYS_link, SYS_symlink, SYS_mkdir,
        SYS_rmdir, SYS_mknod, SYS_chmod, SYS_chown, SYS_lchown, SYS_creat, SYS_accept,
#endif
  };
}

constexpr sock_filter statement(unsigned code, std::uint32_t k) {
  return {static_cast<std::uint16_t>(code), 0, 0, k};
}
constexpr sock_filter jump(unsigned code, std::uint32_t k, std::uint8_t yes, std::uint8_t no) {
  return {static_cast<std::uint16_t>(code), yes, no, k};
}
constexpr sock_filter answer(std::uint32_t what) { return statement(BPF_RET | BPF_K, what); }
constexpr std::uint32_t refuse(int error) {
  return SECCOMP_RET_ERRNO | (static_cast<std::uint32_t>(error) & SECCOMP_RET_DATA);
}

std::vector<sock_filter> build(const Numbers& listed, bool listed_are_allowed) {
  const std::uint32_t on_list = listed_are_allowed ? SECCOMP_RET_ALLOW : refuse(EPERM);
  const std::uint32_t off_list = listed_are_allowed ? refuse(EPERM) : SECCOMP_RET_ALLOW;
  std::vector<sock_filter> code;
  code.push_back(statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)));
  code.push_back(jump(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0));
  code.push_back(answer(SECCOMP_RET_KILL_PROCESS));
  code.push_back(statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
#if defined(__x86_64__)
  code.push_back(jump(BPF_JMP | BPF_JGE | BPF_K, 0x4000'0000U, 0, 1));  // the x32 ABI
  code.push_back(answer(refuse(EPERM)));
#endif
  // clone3's flags lie in memory, where a filter cannot look: ENOSYS makes libc use clone.
  code.push_back(jump(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1));
  code.push_back(answer(refuse(ENOSYS)));
  // A thread is a clone with CLONE_THREAD in its first argument; anything else is a new process.
  code.push_back(jump(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4));
  code.push_back(statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)));
  code.push_back(jump(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1));
  code.push_back(answer(SECCOMP_RET_ALLOW));
  code.push_back(answer(refuse(EPERM)));
  for (const long number : listed) {
    code.push_back(jump(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, 1));
    code.push_back(answer(on_list));
  }
  code.push_back(answer(off_list));
  return code;
}

}  // namespace

Status confine(Confinement confinement) {
  if (kArchitecture == 0) return fail(Errc::Unavailable, "no system-call filter here");
  const bool compute = confinement == Confinement::Compute;
  std::vector<sock_filter> code = build(compute ? compute_allowed() : gpu_denied(), compute);
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0) {
    return fail(Errc::Unavailable, "the kernel refuses a system-call filter: {}",
                std::strerror(errno));
  }
  return {};
}

}  // namespace kw::process
