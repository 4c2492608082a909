#include "kw/ptxvm/memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "memory_state.h"

namespace kw::ptxvm {
namespace {

constexpr std::uint64_t kAlign = 256;
constexpr std::uint64_t kMaxAllocation = std::uint64_t{1} << 40;

std::uint64_t round_up(std::uint64_t value, std::uint64_t to) { return (value + to - 1) / to * to; }

// Handlers may read whole vectors past the last byte; the device never sees these bytes.
constexpr std::size_t kTail = 64;

}  // namespace

void FreeBytes::operator()(std::byte* p) const noexcept { std::free(p); }

Memory::Memory() : state_(std::make_unique<State>()) {}
Memory::~Memory() = default;
Memory::Memory(Memory&&) noexcept = default;
Memory& Memory::operator=(Memory&&) noexcept = default;

Result<std::uint64_t> Memory::allocate(std::string name, std::uint64_t size) {
  if (size > kMaxAllocation) {
    return fail(Errc::ResourceExhausted, "allocation '{}' of {} bytes exceeds the limit of {}",
                name, size, kMaxAllocation);
  }
  const std::uint64_t end = state_->next + round_up(size, kAlign) + kGuardBytes;
  if (end > kGlobalWindowEnd) {
    return fail(Errc::ResourceExhausted, "device address space is full at allocation '{}'", name);
  }
  Backing backing;
  const auto host_size = static_cast<std::size_t>(round_up(size + kTail, kAlign));
  backing.bytes.reset(static_cast<std::byte*>(std::aligned_alloc(kAlign, host_size)));
  backing.initialised.reset(new (std::nothrow)
                                std::uint8_t[static_cast<std::size_t>(size) + kTail]);
  if (!backing.bytes || !backing.initialised) {
    return fail(Errc::ResourceExhausted, "no host memory for allocation '{}' of {} bytes", name,
                size);
  }
  std::memset(backing.bytes.get(), 0xff, host_size);
  std::memset(backing.initialised.get(), 0, static_cast<std::size_t>(size));
  const std::uint64_t address = state_->next;
  backing.view = {std::move(name),          address, size, false, backing.bytes.get(),
                  backing.initialised.get()};
  state_->by_address.emplace(address, std::move(backing));
  state_->next = end;
  return address;
}

Result<std::uint64_t> Memory::allocate_copy(std::string name, std::span<const std::byte> data) {
  KW_ASSIGN(const std::uint64_t address, allocate(std::move(name), data.size()));
  KW_RETURN_IF_ERROR(write(address, data));
  return address;
}

Status Memory::release(std::uint64_t address) {
  if (state_->by_address.erase(address) == 0) {
    return fail(Errc::NotFound, "no allocation begins at device address {:#x}", address);
  }
  return {};
}

const Allocation* Memory::find(std::uint64_t address) const noexcept {
  auto it = state_->by_address.upper_bound(address);
  if (it == state_->by_address.begin()) return nullptr;
  const Allocation& found = std::prev(it)->second.view;
  return address - found.address < found.size ? &found : nullptr;
}

const Allocation* Memory::nearest(std::uint64_t address) const noexcept {
  const auto next = state_->by_address.upper_bound(address);
  const Allocation* best = nullptr;
  std::uint64_t distance = kGuardBytes;
  if (next != state_->by_address.begin()) {
    const Allocation& below = std::prev(next)->second.view;
    const std::uint64_t end = below.address + below.size;
    const std::uint64_t gap = address < end ? 0 : address - end;
    if (gap < distance) {
      best = &below;
      distance = gap;
    }
  }
  if (next != state_->by_address.end() && next->second.view.address - address < distance) {
    best = &next->second.view;
  }
  return best;
}

std::vector<const Allocation*> Memory::allocations() const {
  std::vector<const Allocation*> all;
  all.reserve(state_->by_address.size());
  for (const auto& [address, backing] : state_->by_address) all.push_back(&backing.view);
  return all;
}

std::span<std::byte> Memory::bytes(std::uint64_t address) noexcept {
  const auto it = state_->by_address.find(address);
  if (it == state_->by_address.end()) return {};
  return {it->second.view.bytes, static_cast<std::size_t>(it->second.view.size)};
}

std::span<const std::byte> Memory::bytes(std::uint64_t address) const noexcept {
  return const_cast<Memory*>(this)->bytes(address);
}

namespace {

// The allocation that holds the whole range, or an error naming what was attempted.
Result<const Allocation*> holding(const Memory& memory, std::uint64_t address, std::uint64_t size,
                                  std::string_view what) {
  const Allocation* found = memory.find(address);
  if (found == nullptr && size == 0) found = memory.nearest(address);
  if (found == nullptr || size > found->size || address - found->address > found->size - size) {
    return fail(Errc::InvalidArgument,
                "host {} of {} bytes at device address {:#x} is outside every allocation", what,
                size, address);
  }
  return found;
}

}  // namespace

Status Memory::write(std::uint64_t address, std::span<const std::byte> data) {
  KW_ASSIGN(const Allocation* to, holding(*this, address, data.size(), "write"));
  if (data.empty()) return {};
  std::memcpy(to->bytes + (address - to->address), data.data(), data.size());
  return set_initialised(address, data.size(), true);
}

Status Memory::read(std::uint64_t address, std::span<std::byte> data) const {
  KW_ASSIGN(const Allocation* from, holding(*this, address, data.size(), "read"));
  if (!data.empty()) std::memcpy(data.data(), from->bytes + (address - from->address), data.size());
  return {};
}

Status Memory::set_initialised(std::uint64_t address, std::uint64_t size, bool initialised) {
  KW_ASSIGN(const Allocation* in, holding(*this, address, size, "marking"));
  if (size != 0) {
    std::memset(in->initialised + (address - in->address), initialised ? 1 : 0,
                static_cast<std::size_t>(size));
    if (!initialised) state_->by_address.find(in->address)->second.complete = false;
  }
  return {};
}

bool Memory::is_initialised(std::uint64_t address, std::uint64_t size) const noexcept {
  const Allocation* in = find(address);
  if (in == nullptr || size > in->size || address - in->address > in->size - size) return size == 0;
  // Launches ask this of every allocation.
  Backing& backing = state_->by_address.find(in->address)->second;
  if (backing.complete) return true;
  const std::uint8_t* begin = in->initialised + (address - in->address);
  const bool initialised = std::memchr(begin, 0, static_cast<std::size_t>(size)) == nullptr;
  backing.complete = initialised && size == in->size;
  return initialised;
}

Status Memory::set_read_only(std::uint64_t address, bool read_only) {
  const auto it = state_->by_address.find(address);
  if (it == state_->by_address.end()) {
    return fail(Errc::NotFound, "no allocation begins at device address {:#x}", address);
  }
  it->second.view.read_only = read_only;
  return {};
}

}  // namespace kw::ptxvm
