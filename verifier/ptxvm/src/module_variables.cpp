// Module-scope variables as allocations of a Memory: what cuModuleLoad does with them.

#include <bit>
#include <cstring>

#include "memory_state.h"
#include "program_impl.h"

namespace kw::ptxvm {
namespace {

// An initialiser's value as the element's bits.
std::uint64_t element_bits(const Variable& v, const Variable::Initial& value,
                           std::uint64_t address) {
  if (!value.symbol.empty()) return address + value.value;
  if (value.type == Type::F64 && v.type == Type::F32) {
    return std::bit_cast<std::uint32_t>(static_cast<float>(std::bit_cast<double>(value.value)));
  }
  if (value.type == Type::F32 && v.type == Type::F64) {
    return std::bit_cast<std::uint64_t>(
        static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(value.value))));
  }
  return value.value;
}

}  // namespace

Result<std::vector<std::uint64_t>> ModuleVariables::addresses(Memory& memory,
                                                              const Program& program) {
  const Program::Impl& impl = program.impl();
  if (const auto it = memory.state_->modules.find(impl.id); it != memory.state_->modules.end())
    return it->second;
  const std::vector<Variable>& variables = impl.module.variables;
  std::vector<std::uint64_t> addresses(variables.size());
  for (std::size_t i = 0; i < variables.size(); ++i) {
    const Variable& v = variables[i];
    if (v.space == Variable::Space::Shared) continue;
    if (v.external)
      return fail(Errc::Unsupported, "extern variable {} at PTX line {} is not supported", v.name,
                  v.ptx_line);
    KW_ASSIGN(addresses[i], memory.allocate(v.name, v.size));
    // Without an initialiser a module variable is zero.
    const std::span<std::byte> bytes = memory.bytes(addresses[i]);
    if (!bytes.empty()) std::memset(bytes.data(), 0, bytes.size());
    KW_RETURN_IF_ERROR(memory.set_initialised(addresses[i], v.size, true));
  }
  const auto address_of = [&](const std::string& name) -> Result<std::uint64_t> {
    for (std::size_t i = 0; i < variables.size(); ++i) {
      if (variables[i].name == name && addresses[i] != 0) return addresses[i];
    }
    return fail(Errc::Unsupported, "the address of {} in an initialiser is not supported", name);
  };
  for (std::size_t i = 0; i < variables.size(); ++i) {
    const Variable& v = variables[i];
    if (v.space == Variable::Space::Shared) continue;
    const std::span<std::byte> bytes = memory.bytes(addresses[i]);
    const std::size_t element = size_of(v.type);
    for (std::size_t k = 0;
         k < v.initial.size() && element != 0 && (k + 1) * element <= bytes.size(); ++k) {
      std::uint64_t address = 0;
      if (!v.initial[k].symbol.empty()) {
        KW_ASSIGN(address, address_of(v.initial[k].symbol));
      }
      const std::uint64_t bits = element_bits(v, v.initial[k], address);
      std::memcpy(bytes.data() + k * element, &bits, std::min<std::size_t>(element, sizeof bits));
    }
    if (v.space == Variable::Space::Constant || v.function)
      KW_RETURN_IF_ERROR(memory.set_read_only(addresses[i], true));
  }
  memory.state_->modules.emplace(impl.id, addresses);
  return addresses;
}

Result<std::uint64_t> Memory::symbol(const Program& program, std::string_view name) {
  KW_ASSIGN(const std::vector<std::uint64_t> addresses, ModuleVariables::addresses(*this, program));
  const auto variables = program.variables();
  for (std::size_t i = 0; i < variables.size(); ++i) {
    if (variables[i].name == name && addresses[i] != 0) return addresses[i];
  }
  return fail(Errc::NotFound, "the module has no .global or .const variable {}", name);
}

}  // namespace kw::ptxvm
