#include "launch.h"

#include <poll.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "kw/process/child.h"
#include "kw/process/shared_memory.h"
#include "npy.h"
#include "role.h"

namespace kw::agent::vm {
namespace {

using namespace std::chrono_literals;
using process::SharedMemory;
using process::Wait;

constexpr auto kWatchPeriod = 200ms;

Result<std::string> read_text(const std::string& path, std::size_t limit) {
  std::error_code ec;
  const auto size = std::filesystem::file_size(path, ec);
  if (ec) return fail(Errc::NotFound, "{}: {}", path, ec.message());
  if (size > limit) {
    return fail(Errc::InvalidArgument, "{} has {} bytes, more than {}", path, size, limit);
  }
  std::ifstream file(path, std::ios::binary);
  std::string text(static_cast<std::size_t>(size), '\0');
  if (!file.read(text.data(), static_cast<std::streamsize>(size))) {
    return fail(Errc::Io, "{} cannot be read", path);
  }
  return text;
}

std::string compiler_messages(const std::string& path, const CompileFailure& failure) {
  std::string out;
  for (const Diagnostic& each : failure.diagnostics) {
    out += fmt::format("\n{}:{}: {}", path, each.line, each.text);
  }
  return out;
}

/// The arrays of a launch, filled, with what crosses about them.
struct Prepared {
  std::vector<LaunchArgument> arguments;
  std::vector<LaunchArray> arrays;
  std::vector<SharedMemory> memory;
  std::vector<ArrayResult> results;
};

Status prepare_array(Array array, const Argument& argument, std::size_t index, std::uint64_t seed,
                     Prepared& out) {
  KW_ASSIGN(const std::uint64_t bytes, open_array(array));
  std::uint64_t total = bytes;
  for (const LaunchArray& each : out.arrays) total += each.bytes;
  if (total > kMaxArrayBytes) {
    return fail(Errc::ResourceExhausted, "the arrays together are larger than {} MiB",
                kMaxArrayBytes >> 20);
  }
  KW_ASSIGN(SharedMemory memory,
            SharedMemory::create("kw-vm-array",
                                 static_cast<std::size_t>(std::max<std::uint64_t>(bytes, 1))));
  KW_RETURN_IF_ERROR(
      fill_array(array, seed + index, memory.bytes().first(static_cast<std::size_t>(bytes))));
  out.arguments.back().kind = LaunchArgument::Kind::Array;
  out.arguments.back().array = static_cast<std::uint32_t>(out.arrays.size());
  out.arrays.push_back({fmt::format("argument {} ({})", index, argument.text), bytes,
                        array.source != Array::Source::Uninitialised, array.read_only});
  out.memory.push_back(std::move(memory));
  out.results.push_back(
      {index, argument.text, array.element, array.shape, bytes, 0, array.save_to});
  return {};
}

Result<Prepared> prepare(const std::vector<Argument>& arguments, std::uint64_t seed) {
  if (arguments.size() > kMaxArguments) {
    return fail(Errc::InvalidArgument, "{} arguments are more than {}", arguments.size(),
                kMaxArguments);
  }
  Prepared out;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    LaunchArgument& to = out.arguments.emplace_back();
    to.shown = arguments[i].text;
    if (const auto* number = std::get_if<Number>(&arguments[i].what)) {
      to.kind = number->element ? LaunchArgument::Kind::Number : LaunchArgument::Kind::Untyped;
      to.value = number->text;
      if (number->element) {
        to.element = number->element->name;
        KW_ASSIGN(to.value, number_bytes(*number->element, number->text));
      }
    } else if (const auto* bytes = std::get_if<Bytes>(&arguments[i].what)) {
      to.kind = LaunchArgument::Kind::Bytes;
      to.value = bytes->bytes;
    } else if (const auto* array = std::get_if<Array>(&arguments[i].what)) {
      if (auto status = prepare_array(*array, arguments[i], i, seed, out); !status) {
        return wrap(status.error(), fmt::format("--arg '{}'", arguments[i].text));
      }
    }
  }
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto* same = std::get_if<SameArray>(&arguments[i].what);
    if (same == nullptr) continue;
    if (same->argument >= arguments.size() ||
        !std::holds_alternative<Array>(arguments[same->argument].what)) {
      return fail(Errc::InvalidArgument, "--arg '{}': argument {} is no array (they count from 0)",
                  arguments[i].text, same->argument);
    }
    LaunchArgument& to = out.arguments[i];
    to.kind = LaunchArgument::Kind::Array;
    to.array = out.arguments[same->argument].array;
    to.offset = same->offset;
  }
  return out;
}

/// Waits for the answer under the deadline; watches how much memory the process takes.
Result<Reply> converse(process::Child& child, std::chrono::seconds limit, std::uint64_t resident,
                       const std::stop_token& stop) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= deadline) {
      return fail(Errc::DeadlineExceeded,
                  "not finished within {} s: --deadline and --budget set the bounds",
                  limit.count());
    }
    const Wait slice{std::min<process::Deadline>(deadline, now + kWatchPeriod), stop};
    const Status ready = process::Waiter(slice).until(child.channel().fd(), POLLIN);
    if (!ready && ready.error().code == Errc::DeadlineExceeded) {
      if (child.resident_bytes() <= resident) continue;
      return fail(Errc::ResourceExhausted, "the virtual machine took more than {} MiB of memory",
                  resident >> 20);
    }
    if (!ready) return tl::unexpected(ready.error());
    auto message = child.channel().receive({deadline, stop});
    if (message && message->type == kDone) return decode_reply(message->body);
    if (message && message->type == kBroken) return tl::unexpected(decode_error(message->body));
    if (!message && message.error().code == Errc::Cancelled) return tl::unexpected(message.error());
    return fail(Errc::Internal, "the virtual machine's process ended: {}", to_string(child.kill()));
  }
}

}  // namespace

Result<Module> load_module(const std::string& path, const std::string& arch, Compiler& compiler,
                           std::stop_token stop) {
  Module module;
  module.path = path;
  module.is_cuda = path.ends_with(".cu");
  if (!module.is_cuda && !path.ends_with(".ptx")) {
    return fail(Errc::InvalidArgument, "'{}' is neither a .cu nor a .ptx", path);
  }
  KW_ASSIGN(module.text, read_text(path, module.is_cuda ? kMaxSourceBytes : kMaxPtxBytes));
  if (!module.is_cuda) {
    module.ptx = module.text;
    return module;
  }
  module.arch = arch.starts_with("compute_") ? "sm_" + arch.substr(8) : arch;
  KW_ASSIGN(CompileResult compiled, compiler.compile({module.text, module.arch, {}}, stop));
  if (const auto* failure = std::get_if<CompileFailure>(&compiled)) {
    return fail(Errc::InvalidArgument, "{} does not compile for {}:{}", path, module.arch,
                compiler_messages(path, *failure));
  }
  CompiledModule& made = std::get<CompiledModule>(compiled);
  module.ptx = std::move(made.ptx);
  module.kernels = std::move(made.kernels);
  module.compiler = std::move(made.compiler);
  return module;
}

Result<Launched> launch(const Module& module, Wish wish, std::stop_token stop) {
  KW_ASSIGN(Prepared prepared, prepare(wish.arguments, wish.options.seed));
  Request request;
  request.ptx = module.ptx;
  request.kernel = wish.kernel;
  request.grid = wish.grid;
  request.block = wish.block;
  request.shared_bytes = wish.shared_bytes;
  request.options = wish.options;
  request.schedules = wish.schedules;
  request.arch = module.arch.empty() ? wish.arch : module.arch;
  for (const auto& [name, resources] : module.kernels) {
    request.registers[name] = static_cast<std::uint32_t>(resources.registers);
  }
  request.arguments = std::move(prepared.arguments);
  request.arrays = prepared.arrays;

  std::uint64_t resident = std::uint64_t{8} << 30;
  std::vector<int> descriptors;
  for (std::size_t i = 0; i < prepared.memory.size(); ++i) {
    descriptors.push_back(prepared.memory[i].fd());
    resident += 3 * prepared.arrays[i].bytes;
  }
  process::ChildOptions options;
  options.limits.open_files = 1024;
  KW_ASSIGN(process::Child child, process::Child::spawn_role(launch_role().name, options));
  KW_RETURN_IF_ERROR(
      child.channel().send(kRun, encode(request), descriptors, Wait::within(30s, stop)));
  KW_ASSIGN(Reply reply, converse(child, wish.deadline, resident, stop));
  child.kill();  // before anything is read: the arrays cannot change any more

  Launched out;
  out.arrays = std::move(prepared.results);
  if (reply.unwritten.size() != out.arrays.size()) {
    return fail(Errc::Internal, "the virtual machine's process answered for other arrays");
  }
  for (std::size_t i = 0; i < out.arrays.size(); ++i) {
    ArrayResult& array = out.arrays[i];
    array.unwritten = reply.unwritten[i];
    if (array.saved_to.empty()) continue;
    if (!reply.completed) {
      array.saved_to.clear();
      continue;
    }
    const auto bytes = std::as_const(prepared.memory[i]).bytes();
    KW_RETURN_IF_ERROR(write_npy(array.saved_to, *array.element, array.shape,
                                 bytes.first(static_cast<std::size_t>(array.bytes))));
  }
  out.reply = std::move(reply);
  return out;
}

}  // namespace kw::agent::vm
