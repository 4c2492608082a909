#pragma once
// One launch on the virtual machine, from files to a reply.

#include <chrono>
#include <cstdint>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "argument.h"
#include "kw/core/interfaces.h"
#include "messages.h"

namespace kw::agent::vm {

/// More than a compiler emits for any source that it accepts.
inline constexpr std::size_t kMaxPtxBytes = 16u << 20;
inline constexpr std::size_t kMaxArguments = 128;

/// What is run: PTX, and what is known beside it when it was compiled here.
struct Module {
  std::string path;  // as given
  bool is_cuda = false;
  std::string text;  // CUDA source, or the PTX
  std::string ptx;
  std::string arch;      // "sm_80"; of a .ptx its .target is not known yet: ""
  std::string compiler;  // ""
  std::map<std::string, KernelResources> kernels;  // by mangled name; of a .cu only
};

/// Reads a .ptx, or a .cu and has it compiled for `arch` ("sm_80" or "compute_80"). A source that
/// does not compile is InvalidArgument with the compiler's messages.
Result<Module> load_module(const std::string& path, const std::string& arch, Compiler& compiler,
                           std::stop_token stop);

struct Wish {
  std::string kernel;  // "" for the only one
  ptxvm::Dim3 grid, block;
  std::uint32_t shared_bytes = 0;
  std::vector<Argument> arguments;
  ptxvm::Options options;
  std::uint32_t schedules = 1;
  std::string arch;  // for the cache model, where the module does not say
  std::chrono::seconds deadline{600};
};

/// An array argument and its bytes after the launch.
struct ArrayResult {
  std::size_t argument = 0;
  std::string text;  // of the argument
  const Element* element = nullptr;
  Shape shape;
  std::uint64_t bytes = 0;
  std::uint64_t unwritten = 0;  // bytes that nobody has written
  std::string saved_to;         // "": nowhere
};

struct Launched {
  Reply reply;
  std::vector<ArrayResult> arrays;
};

/// Runs it in a process of its own, which a crash or a hang takes down alone, and saves the arrays
/// that are to be saved if every block ran to its end. Errors: what is wrong with arguments, grid
/// or module (InvalidArgument, NotFound, Unsupported), DeadlineExceeded, ResourceExhausted,
/// Cancelled.
Result<Launched> launch(const Module& module, Wish wish, std::stop_token stop);

}  // namespace kw::agent::vm
