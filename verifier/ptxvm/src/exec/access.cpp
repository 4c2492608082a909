#include "exec/access.h"

#include <algorithm>
#include <cstring>

#include "exec/context.h"
#include "exec/operands.h"

namespace kw::ptxvm {
namespace {

constexpr auto kGeneric = static_cast<std::uint32_t>(Space::Generic);

// One lane's access resolved to a region, with what is wrong with it.
struct Resolved {
  Space space = Space::Global;
  std::uint64_t address = 0;  // within that space
  const Region* region = nullptr;
  Region own{};  // storage for regions that are not in the list
};

void resolve(Warp& w, const Ins* ins, unsigned lane, std::uint64_t address, std::uint32_t space,
             Resolved& out) {
  out.space = static_cast<Space>(space);
  out.address = address;
  if (space == kGeneric || out.space == Space::Parameter) {
    const std::uint64_t window = address & ~(kWindowBytes - 1);
    out.space = Space::Global;
    if (window == kSharedWindow) out.space = Space::Shared;
    if (window == kLocalWindow) out.space = Space::Local;
    if (window == kParameterWindow) out.space = Space::Parameter;
    if (out.space != Space::Global) out.address = address - window;
  }
  switch (out.space) {
    case Space::Shared:
      out.region = &w.shared;
      return;
    case Space::Local:
      out.own = {0,
                 w.local_bytes,
                 w.local + std::size_t{lane} * w.local_stride,
                 w.local_initialised + std::size_t{lane} * w.local_stride,
                 nullptr,
                 false,
                 false};
      out.region = &out.own;
      return;
    case Space::Parameter:
      out.own = {
          0, w.parameter_bytes, const_cast<std::byte*>(w.parameters), nullptr, nullptr, true, true};
      out.region = &out.own;
      return;
    default:
      out.region = find_region(w, ins, address);
      return;
  }
}

bool inside(const Region& r, std::uint64_t address, std::uint32_t bytes) {
  const std::uint64_t size = r.hi - r.lo;
  return size >= bytes && address - r.lo <= size - bytes && address >= r.lo;
}

void report(Warp& w, const Ins* ins, unsigned lane, FindingKind kind, const Resolved& at,
            std::uint32_t bytes, bool write) {
  RawFinding f;
  f.kind = kind;
  f.ins = ins;
  f.space = at.space;
  f.is_write = write;
  f.address = at.address;
  f.bytes = bytes;
  const char* verb = write ? "write" : "read";
  if (at.space == Space::Global || at.space == Space::Constant) {
    const LaunchContext& c = w.block->context;
    const Allocation* near = c.memory->find(at.address);
    if (near == nullptr) near = c.memory->nearest(at.address);
    if (near != nullptr) {
      f.allocation = near->name;
      f.offset = static_cast<std::int64_t>(at.address - near->address);
      f.message = fmt::format("{} of {} bytes at offset {} of '{}' ({} bytes)", verb, bytes,
                              f.offset, near->name, near->size);
    } else {
      if (kind == FindingKind::OutOfBounds) f.kind = FindingKind::InvalidAddress;
      f.message = fmt::format("{} of {} bytes at address {:#x}, which is in no allocation", verb,
                              bytes, at.address);
    }
  } else {
    const std::uint64_t size = at.region == nullptr ? 0 : at.region->hi;
    f.allocation = to_string(at.space);
    f.offset = static_cast<std::int64_t>(at.address);
    f.message = fmt::format("{} of {} bytes at offset {} of {} memory ({} bytes)", verb, bytes,
                            static_cast<std::int64_t>(at.address), to_string(at.space), size);
  }
  if (kind == FindingKind::UninitialisedRead) f.message += ", never written";
  if (kind == FindingKind::Misaligned) f.message += fmt::format(", not aligned to {}", bytes);
  if (kind == FindingKind::ReadOnlyWrite) f.message += ", which is read-only";
  w.block->worker->report(w, lane, std::move(f));
}

}  // namespace

const Region* find_region(Warp& w, const Ins* ins, std::uint64_t address) {
  const Region* const begin = w.regions;
  const Region* const end = begin + w.region_count;
  const Region* next = std::upper_bound(begin, end, address,
                                        [](std::uint64_t a, const Region& r) { return a < r.lo; });
  if (next == begin) return nullptr;
  const Region* found = next - 1;
  if (address >= found->hi) return nullptr;
  w.region_cache[ins->cache] = found;
  return found;
}

std::byte* checked_bytes(Warp& w, const Ins* ins, unsigned lane, std::uint64_t address,
                         std::uint32_t bytes, std::uint32_t space, AccessKind kind,
                         const std::byte* value) {
  Resolved at;
  resolve(w, ins, lane, address, space, at);
  const bool write = kind != AccessKind::Read;
  if (at.region == nullptr || !inside(*at.region, at.address, bytes)) {
    report(w, ins, lane, FindingKind::OutOfBounds, at, bytes, write);
    return nullptr;
  }
  // Sizes that are no power of two come from cp.async, which checks the whole copy's alignment.
  if ((bytes & (bytes - 1)) == 0 && at.address % bytes != 0) {
    report(w, ins, lane, FindingKind::Misaligned, at, bytes, write);
    return nullptr;
  }
  if (write && at.region->read_only) {
    report(w, ins, lane, FindingKind::ReadOnlyWrite, at, bytes, write);
    return nullptr;
  }
  const std::uint64_t offset = at.address - at.region->lo;
  if (w.track_initialised && !at.region->complete) {
    std::uint8_t* marks = at.region->initialised + offset;
    if (kind != AccessKind::Write && std::find(marks, marks + bytes, 0) != marks + bytes) {
      report(w, ins, lane, FindingKind::UninitialisedRead, at, bytes, false);
      std::memset(marks, 1, bytes);  // once per byte is enough
    }
    if (write) std::memset(marks, 1, bytes);
  }
  if (w.in_flight != nullptr && at.space == Space::Shared)
    w.block->async.touched(w, ins, lane, offset, bytes, write);
  if (w.races != nullptr)
    w.block->races->note(w, {ins, lane, at.space, at.region, offset, bytes, kind, value, true});
  return at.region->host + offset;
}

const Ins* access_slowly(Warp& w, const Ins* ins) {
  const AccessBits access{ins->y};
  const std::uint32_t element = access.bytes(), count = access.count();
  const std::uint32_t total = element * count;
  const std::uint32_t registers[4] = {ins->d, ins->b, ins->c, ins->x};
  const std::uint32_t lane_size = element == 1 ? 2 : element;
  if (w.count_memory) count_access(w, ins);
  for (unsigned k = 0; k < kLanes; ++k) {
    const unsigned l = w.reverse_lanes ? kLanes - 1 - k : k;
    if ((w.mask >> l & 1) == 0) continue;
    alignas(16) std::byte value[32];
    if (access.store()) {
      for (std::uint32_t v = 0; v < count; ++v)
        std::memcpy(value + v * element,
                    operand<char>(w, registers[v]) + std::size_t{l} * lane_size, element);
    }
    std::byte* host = checked_bytes(w, ins, l, w.address[l], total, access.space(),
                                    access.store() ? AccessKind::Write : AccessKind::Read,
                                    access.store() ? value : nullptr);
    for (std::uint32_t v = 0; v < count; ++v) {
      char* reg = operand<char>(w, registers[v]) + std::size_t{l} * lane_size;
      if (access.store()) {
        if (host != nullptr) std::memcpy(host + v * element, reg, element);
        continue;
      }
      std::uint64_t bits = 0;
      if (host != nullptr) std::memcpy(&bits, host + v * element, element);
      if (element == 1 && access.is_signed())
        bits = static_cast<std::uint64_t>(static_cast<std::int8_t>(bits));
      std::memcpy(reg, &bits, lane_size);
    }
  }
  return ins + 1;
}

void report_unwritten(Warp& w, const Ins* ins, unsigned lane) {
  if (!w.block->context.options->check_registers) return;
  RawFinding f;
  f.kind = FindingKind::UninitialisedRegister;
  // Arithmetic that used it first, if it is not used right here (lower/checks.h).
  const std::uint32_t origin = operand<std::uint32_t>(w, ins->a)[1];
  f.ins = ins;
  f.message = "this lane has never written a register that decides a branch, an address or a store";
  if (origin != 0) {
    f.ins = nullptr;
    f.source = origin - 1;
    f.has_other = true;
    f.other_source = ins->source;
    f.other_block = w.block->id;
    f.other_warp = w.index;
    f.other_lane = lane;
  }
  w.block->worker->report(w, lane, std::move(f));
}

void report_wrapped(Warp& w, const Ins* ins, unsigned lane, std::uint32_t source) {
  if (!w.block->context.options->check_index_overflow) return;
  RawFinding f;
  f.kind = FindingKind::IndexOverflow;
  f.ins = ins;
  f.space = Space::Global;
  f.has_other = true;
  f.other_source = source;
  f.other_block = w.block->id;
  f.other_warp = w.index;
  f.other_lane = lane;
  f.message = "the address was made by 32-bit arithmetic that wrapped";
  w.block->worker->report(w, lane, std::move(f));
}

}  // namespace kw::ptxvm
