#include "exec/order.h"

#include <algorithm>

namespace kw::ptxvm {
namespace {

bool before(const BlockSeen::Lane& a, std::uint32_t thread) { return a.thread < thread; }

}  // namespace

bool BlockSeen::knows(std::uint32_t warp, std::uint32_t lane, Stamp t) const noexcept {
  if (warp < warps.size() && t <= warps[warp]) return true;
  const std::uint32_t thread = warp * 32 + lane;
  const auto at = std::lower_bound(lanes.begin(), lanes.end(), thread, before);
  return at != lanes.end() && at->thread == thread && t <= at->until;
}

void BlockSeen::learn(std::uint32_t thread, Stamp until) {
  if (thread / 32 < warps.size() && until <= warps[thread / 32]) return;
  const auto at = std::lower_bound(lanes.begin(), lanes.end(), thread, before);
  if (at != lanes.end() && at->thread == thread) {
    at->until = std::max(at->until, until);
  } else {
    lanes.insert(at, {thread, until});
  }
}

void BlockSeen::join(const BlockSeen& other) {
  if (warps.size() < other.warps.size()) warps.resize(other.warps.size());
  for (std::size_t v = 0; v < other.warps.size(); ++v)
    warps[v] = std::max(warps[v], other.warps[v]);
  for (const Lane& l : other.lanes) learn(l.thread, l.until);
}

std::shared_ptr<const ForeignSeen> joined(const std::shared_ptr<const ForeignSeen>& a,
                                          const std::shared_ptr<const ForeignSeen>& b) {
  if (!a || a == b) return b;
  if (!b) return a;
  auto out = std::make_shared<ForeignSeen>();
  out->reserve(std::max(a->size(), b->size()));
  std::size_t i = 0, k = 0;
  while (i < a->size() || k < b->size()) {
    if (k == b->size() || (i < a->size() && (*a)[i].first < (*b)[k].first)) {
      out->push_back((*a)[i++]);
    } else if (i == a->size() || (*b)[k].first < (*a)[i].first) {
      out->push_back((*b)[k++]);
    } else {
      if ((*a)[i].second == (*b)[k].second) {
        out->push_back((*a)[i]);
      } else {
        auto both = std::make_shared<BlockSeen>(*(*a)[i].second);
        both->join(*(*b)[k].second);
        out->emplace_back((*a)[i].first, std::move(both));
      }
      ++i;
      ++k;
    }
  }
  return out;
}

void View::join(const View& other) {
  own.join(other.own);
  foreign = joined(foreign, other.foreign);
  pending = joined(pending, other.pending);
  for (unsigned k = 0; k < 2; ++k) {
    const auto& theirs = other.fenced[k];
    if (!theirs || theirs == fenced[k]) continue;
    if (!fenced[k]) {
      fenced[k] = theirs;
      continue;
    }
    auto both = std::make_shared<Fenced>(*fenced[k]);
    both->own.join(theirs->own);
    both->foreign = joined(both->foreign, theirs->foreign);
    fenced[k] = std::move(both);
  }
}

std::shared_ptr<const ForeignSeen> with_block(const std::shared_ptr<const ForeignSeen>& to,
                                              std::uint32_t position, const BlockSeen& seen) {
  auto one = std::make_shared<ForeignSeen>();
  one->emplace_back(position, std::make_shared<BlockSeen>(seen));
  return joined(to, one);
}

const BlockSeen* find_block(const ForeignSeen* foreign, std::uint32_t position) noexcept {
  if (foreign == nullptr) return nullptr;
  const auto at =
      std::lower_bound(foreign->begin(), foreign->end(), position,
                       [](const auto& entry, std::uint32_t p) { return entry.first < p; });
  return at != foreign->end() && at->first == position ? at->second.get() : nullptr;
}

}  // namespace kw::ptxvm
