#include <algorithm>

#include "binder.h"

namespace kw::launch {

namespace {

bool is_caller_input(Role role) { return role == Role::Input || role == Role::Weight; }

}  // namespace

std::optional<std::size_t> BoundPlan::find(const std::string& name) const {
  const auto found = std::ranges::find(buffers, name, &BoundBuffer::name);
  if (found == buffers.end()) return std::nullopt;
  return static_cast<std::size_t>(found - buffers.begin());
}

Status Binder::bind_buffers() {
  if (plan_.buffers.size() > kMaxPlanBuffers) {
    return fail(Errc::ResourceExhausted, "/buffers: more than {}", kMaxPlanBuffers);
  }
  for (std::size_t i = 0; i < plan_.buffers.size(); ++i) {
    const PlanBuffer& from = plan_.buffers[i];
    const std::string place = fmt::format("/buffers/{}", i);
    if (from.name.empty()) return fail(Errc::InvalidArgument, "{}/name: empty", place);
    if (!meaning_.emplace(from.name, i).second) {
      return fail(Errc::InvalidArgument, "{}/name: a second buffer named '{}'", place, from.name);
    }
    BoundBuffer to;
    to.name = from.name;
    to.role = from.role;
    to.dtype = from.dtype;
    to.root = i;
    to.init = from.init;
    to.fill = from.fill;
    KW_ASSIGN(to.bytes, eval_in(from.bytes, place + "/bytes", 0, options_.limits.memory_bytes));
    if (from.init != BufferInit::None && from.role != Role::Scratch) {
      return fail(Errc::InvalidArgument, "{}/init: only scratch has an initial fill", place);
    }
    bound_.buffers.push_back(std::move(to));
  }
  std::vector<int> state(plan_.buffers.size(), 0);
  for (std::size_t i = 0; i < plan_.buffers.size(); ++i) {
    KW_RETURN_IF_ERROR(resolve_alias(i, state));
  }
  return check_total();
}

/// Depth-first along the chain of aliases; `state` is 0 new, 1 on the way, 2 done.
Status Binder::resolve_alias(std::size_t index, std::vector<int>& state) {
  const PlanBuffer& from = plan_.buffers[index];
  BoundBuffer& to = bound_.buffers[index];
  const std::string place = fmt::format("/buffers/{}/alias_of", index);
  if (state[index] == 2) return {};
  if (state[index] == 1) {
    return fail(Errc::InvalidArgument, "{}: '{}' is an alias of itself", place, from.name);
  }
  state[index] = 1;
  if (!from.alias_of.empty()) {
    const auto target = meaning_.find(from.alias_of);
    if (target == meaning_.end()) {
      return fail(Errc::InvalidArgument, "{}: no buffer named '{}'", place, from.alias_of);
    }
    KW_RETURN_IF_ERROR(resolve_alias(target->second, state));
    const BoundBuffer& base = bound_.buffers[target->second];
    if (from.role != Role::Scratch || is_caller_input(base.role)) {
      return fail(
          Errc::InvalidArgument,
          "{}: only scratch may be an alias, and not of an input or a weight ('{}' of '{}')", place,
          from.name, base.name);
    }
    if (from.init != BufferInit::None) {
      return fail(Errc::InvalidArgument, "{}: an alias has no initial fill of its own", place);
    }
    KW_ASSIGN(
        const std::int64_t offset,
        eval_in(from.alias_offset, fmt::format("/buffers/{}/alias_offset", index), 0, base.bytes));
    if (offset % 16 != 0) {
      return fail(Errc::InvalidArgument, "/buffers/{}/alias_offset: {} is no multiple of 16", index,
                  offset);
    }
    if (to.bytes > base.bytes - offset) {
      return fail(Errc::InvalidArgument,
                  "{}: '{}' ({} bytes at {}) is larger than what is left of '{}' ({} bytes)", place,
                  from.name, to.bytes, offset, base.name, base.bytes);
    }
    to.root = base.root;
    to.offset = base.offset + offset;
  }
  state[index] = 2;
  return {};
}

Status Binder::check_total() const {
  std::int64_t total = 0;  // each is at most memory_bytes and there are at most 1024: no overflow
  for (std::size_t i = 0; i < bound_.buffers.size(); ++i) {
    if (bound_.buffers[i].is_root(i)) total += bound_.buffers[i].bytes;
  }
  if (total > options_.limits.memory_bytes) {
    return fail(Errc::ResourceExhausted, "/buffers: {} bytes in all, the device has {}", total,
                options_.limits.memory_bytes);
  }
  return {};
}

}  // namespace kw::launch
