#include "bind.h"

#include <cxxabi.h>

#include <cstdlib>
#include <cstring>
#include <memory>

#include "element.h"

namespace kw::agent::vm {
namespace {

using Kind = LaunchArgument::Kind;
using ptxvm::KernelInfo;
using ptxvm::ParameterInfo;

/// "sum<float>" of "void sum<float>(float const*, int)".
std::string_view bare_name(std::string_view shown) {
  int depth = 0;  // of <>, whose contents may have spaces and parentheses
  std::size_t begin = 0;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    if (shown[i] == '<') ++depth;
    if (shown[i] == '>') --depth;
    if (depth == 0 && shown[i] == ' ') begin = i + 1;  // a return type
    if (depth == 0 && shown[i] == '(' && !shown.substr(i).starts_with("(anonymous namespace)")) {
      return shown.substr(begin, i - begin);
    }
  }
  return shown;
}

/// Which parameters are pointers, as far as the mangled name says it: PTX before 8.3 has them as
/// plain u64.
std::vector<bool> pointers_of(const KernelInfo& kernel) {
  std::vector<bool> out;
  const std::string shown = demangled(kernel.name);
  const std::string_view bare = bare_name(shown);
  if (bare.size() == shown.size()) return out;
  const auto begin = static_cast<std::size_t>(bare.data() - shown.data()) + bare.size() + 1;
  int depth = 0;
  char last = ' ';
  for (std::size_t i = begin; i < shown.size(); ++i) {
    const char c = shown[i];
    if (depth == 0 && (c == ',' || c == ')')) out.push_back(last == '*');
    if (depth == 0 && c == ')') break;
    if (c == '<' || c == '(') ++depth;
    if (c == '>' || c == ')') --depth;
    if (c != ' ') last = c;
  }
  if (out.size() != kernel.parameters.size()) out.clear();
  return out;
}

/// The parameters, with everything that is known about pointers.
std::vector<ParameterInfo> parameters_of(const KernelInfo& kernel) {
  std::vector<ParameterInfo> out = kernel.parameters;
  const std::vector<bool> pointers = pointers_of(kernel);
  for (std::size_t i = 0; i < pointers.size(); ++i) {
    if (pointers[i] && out[i].size == 8) out[i].pointer = true;
  }
  return out;
}

bool is_array(const ParameterInfo& p) {
  const bool packed = p.type == "f16x2" || p.type == "bf16x2";
  const std::string_view digits =
      std::string_view(p.type).substr(p.type.find_first_of("0123456789"));
  return !packed &&
         p.size * 8 != static_cast<std::uint32_t>(std::atoi(std::string(digits).c_str()));
}

std::string parameter_type(const ParameterInfo& p) {
  if (p.pointer) return "pointer";
  return is_array(p) ? fmt::format("{} bytes", p.size) : p.type;
}

bool is_float(const ParameterInfo& p) {
  return p.type.starts_with('f') || p.type.starts_with("bf");
}

/// An argument that would fit, for messages.
std::string example(const ParameterInfo& p) {
  if (p.pointer) return "an array (npy:x.npy, zeros:f32:1024, out:y.npy=f32:1024) or null";
  if (is_array(p)) {
    return fmt::format("hex: with {} bytes", p.size) + (p.size == 2 ? ", or f16:1.5" : "");
  }
  if (is_float(p)) return p.type + ":1.5";
  const std::string number = (p.type.starts_with('b') ? "u" + p.type.substr(1) : p.type) + ":5";
  return p.size == 8 ? number + ", or an array where the kernel takes a pointer" : number;
}

/// What of `argument` goes into parameter `p`, or why it does not.
Result<std::string> value_for(const ParameterInfo& p, const LaunchArgument& argument,
                              std::span<const std::uint64_t> addresses) {
  const auto mismatch = [&](std::string_view why) {
    return fail(Errc::InvalidArgument, "{}: give {}", why, example(p));
  };
  const auto as_address = [&](std::uint64_t address) -> Result<std::string> {
    if (p.size != 8 || is_array(p) || is_float(p)) {
      return mismatch(fmt::format("it is {}, not a pointer", parameter_type(p)));
    }
    return std::string(reinterpret_cast<const char*>(&address), sizeof address);
  };
  switch (argument.kind) {
    case Kind::Array:
      if (argument.array >= addresses.size()) return fail(Errc::Internal, "no such array");
      return as_address(addresses[argument.array] + argument.offset);
    case Kind::Null:
      return as_address(0);
    case Kind::Bytes:
      if (argument.value.size() != p.size) {
        return mismatch(fmt::format("it takes {} bytes, {} given", p.size, argument.value.size()));
      }
      return argument.value;
    case Kind::Number: {
      const Element* element = find_element(argument.element);
      if (element == nullptr) return fail(Errc::Internal, "no such element");
      if (element->bytes != p.size) {
        return mismatch(fmt::format("it is {}, {} bytes", parameter_type(p), p.size));
      }
      const bool untyped = p.type.starts_with('b') || is_array(p);
      if (!untyped && is_float(p) != (element->kind == Element::Kind::Float)) {
        return mismatch(fmt::format("it is {}", parameter_type(p)));
      }
      return argument.value;
    }
    case Kind::Untyped: {
      if (p.pointer) return mismatch("it is a pointer");
      if (is_array(p)) return mismatch(fmt::format("it is a structure of {} bytes", p.size));
      const std::string name =
          p.type.starts_with('b') && !p.type.starts_with("bf") ? "u" + p.type.substr(1) : p.type;
      std::string spelled = name;
      if (spelled[0] == 's') spelled[0] = 'i';  // PTX's s32 is our i32
      // Compilers declare int parameters as .u32: a negative number means its two's complement.
      if (spelled[0] == 'u' && argument.value.starts_with('-')) spelled[0] = 'i';
      const Element* element = find_element(spelled);
      if (element == nullptr) return mismatch(fmt::format("it is {}", p.type));
      auto bytes = number_bytes(*element, argument.value);
      if (!bytes) return mismatch(bytes.error().message);
      return bytes;
    }
  }
  return fail(Errc::Internal, "an argument of no kind");
}

}  // namespace

std::string demangled(const std::string& name) {
  if (!name.starts_with("_Z")) return name;
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(
      abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), std::free);
  return status == 0 && text ? std::string(text.get()) : name;
}

Result<const KernelInfo*> find_entry(const ptxvm::Program& program, std::string_view name) {
  const auto kernels = program.kernels();
  if (kernels.empty()) return fail(Errc::NotFound, "the module has no kernel (no .entry)");
  if (name.empty() && kernels.size() == 1) return &kernels.front();
  if (const KernelInfo* exact = program.find_kernel(name)) return exact;
  const KernelInfo* found = nullptr;
  bool several = false;
  std::string all;
  for (const KernelInfo& kernel : kernels) {
    const std::string shown = demangled(kernel.name);
    if (all.size() < 2000) all += "\n  " + shown + (shown == kernel.name ? "" : "  " + kernel.name);
    if (name.empty() || (shown != name && bare_name(shown) != name)) continue;
    several = found != nullptr;
    found = &kernel;
  }
  if (found != nullptr && !several) return found;
  return fail(several ? Errc::InvalidArgument : Errc::NotFound, "{}; the module has:{}",
              name.empty() ? std::string("--kernel says which kernel to run")
              : several    ? fmt::format("'{}' is the name of several kernels", name)
                           : fmt::format("there is no kernel '{}'", name),
              all);
}

std::string signature_of(const KernelInfo& kernel) {
  std::string out;
  for (const ParameterInfo& p : parameters_of(kernel)) {
    out += (out.empty() ? "" : ", ") + parameter_type(p);
  }
  return "(" + out + ")";
}

Result<std::vector<std::byte>> bind_arguments(const KernelInfo& kernel,
                                              std::span<const LaunchArgument> arguments,
                                              std::span<const std::uint64_t> addresses) {
  const std::string name = demangled(kernel.name);
  if (arguments.size() != kernel.parameters.size()) {
    return fail(Errc::InvalidArgument,
                "{} takes {} parameters {}, {} given: one --arg each, in their order", name,
                kernel.parameters.size(), signature_of(kernel), arguments.size());
  }
  std::vector<std::byte> block(kernel.parameter_bytes);
  const std::vector<ParameterInfo> parameters = parameters_of(kernel);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const ParameterInfo& p = parameters[i];
    const auto value = value_for(p, arguments[i], addresses);
    if (!value) {
      return wrap(value.error(), fmt::format("--arg '{}' does not fit parameter {} of {} {}",
                                             arguments[i].shown, i, name, signature_of(kernel)));
    }
    std::memcpy(block.data() + p.offset, value->data(), value->size());
  }
  return block;
}

}  // namespace kw::agent::vm
