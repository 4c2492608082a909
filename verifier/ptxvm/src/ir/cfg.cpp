#include "ir/cfg.h"

#include <algorithm>

namespace kw::ptxvm {
namespace {

bool ends_block(const FlatInstruction& in) {
  return in.kind == FlatInstruction::Kind::Branch || in.kind == FlatInstruction::Kind::Switch ||
         in.kind == FlatInstruction::Kind::Exit;
}

// Immediate post-dominators by the iterative algorithm of Cooper, Harvey and Kennedy ("A Simple,
// Fast Dominance Algorithm") on the reversed graph. Node n = blocks.size() is the virtual exit.
void find_post_dominators(std::vector<BasicBlock>& blocks) {
  const std::size_t n = blocks.size();
  std::vector<std::vector<std::uint32_t>> predecessors(n + 1), successors(n + 1);
  for (std::uint32_t b = 0; b < n; ++b) {
    successors[b] = blocks[b].successors;
    if (successors[b].empty()) successors[b].push_back(static_cast<std::uint32_t>(n));
  }
  const auto link = [&] {
    for (auto& list : predecessors) list.clear();
    for (std::uint32_t b = 0; b < n; ++b) {
      for (const std::uint32_t s : successors[b]) predecessors[s].push_back(b);
    }
  };
  std::vector<int> order(n + 1, -1);  // post-order number on the reversed graph
  std::vector<std::uint32_t> sequence;
  const auto walk = [&] {
    std::fill(order.begin(), order.end(), -1);
    sequence.clear();
    std::vector<std::pair<std::uint32_t, std::size_t>> stack{{static_cast<std::uint32_t>(n), 0}};
    std::vector<bool> seen(n + 1);
    seen[n] = true;
    while (!stack.empty()) {
      auto& [node, next] = stack.back();
      if (next < predecessors[node].size()) {
        const std::uint32_t p = predecessors[node][next++];
        if (!seen[p]) {
          seen[p] = true;
          stack.emplace_back(p, 0);
        }
      } else {
        order[node] = static_cast<int>(sequence.size());
        sequence.push_back(node);
        stack.pop_back();
      }
    }
  };
  link();
  walk();
  // Blocks that can never reach the end (endless loops) get an edge to it.
  std::vector<bool> reaches(n + 1);
  for (std::size_t b = 0; b <= n; ++b) reaches[b] = order[b] >= 0;
  std::vector<std::uint32_t> pending;
  for (std::uint32_t b = static_cast<std::uint32_t>(n); b-- > 0;) {
    if (reaches[b]) continue;
    successors[b].push_back(static_cast<std::uint32_t>(n));
    pending.push_back(b);
    reaches[b] = true;
    while (!pending.empty()) {
      const std::uint32_t node = pending.back();
      pending.pop_back();
      for (const std::uint32_t p : predecessors[node]) {
        if (reaches[p]) continue;
        reaches[p] = true;
        pending.push_back(p);
      }
    }
  }
  link();
  walk();
  std::vector<int> idom(n + 1, -1);
  idom[n] = static_cast<int>(n);
  const auto intersect = [&](int a, int b) {
    while (a != b) {
      while (order[static_cast<std::size_t>(a)] < order[static_cast<std::size_t>(b)])
        a = idom[static_cast<std::size_t>(a)];
      while (order[static_cast<std::size_t>(b)] < order[static_cast<std::size_t>(a)])
        b = idom[static_cast<std::size_t>(b)];
    }
    return a;
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t k = sequence.size(); k-- > 0;) {
      const std::uint32_t b = sequence[k];
      if (b == n) continue;
      int best = -1;
      for (const std::uint32_t s : successors[b]) {
        if (idom[s] < 0) continue;
        best = best < 0 ? static_cast<int>(s) : intersect(best, static_cast<int>(s));
      }
      if (best != idom[b]) {
        idom[b] = best;
        changed = true;
      }
    }
  }
  for (std::size_t b = 0; b < n; ++b)
    blocks[b].post_dominator = idom[b] == static_cast<int>(n) ? -1 : idom[b];
}

}  // namespace

Cfg build_cfg(const FlatKernel& kernel) {
  const auto& code = kernel.code;
  std::vector<bool> leader(code.size() + 1);
  leader[0] = true;
  for (std::size_t i = 0; i < code.size(); ++i) {
    if (ends_block(code[i])) leader[i + 1] = true;
    for (const std::uint32_t t : code[i].targets) leader[t] = true;
  }
  Cfg cfg;
  cfg.block_of.resize(code.size() + 1);
  for (std::uint32_t i = 0; i < code.size(); ++i) {
    if (leader[i]) cfg.blocks.push_back({i, i, {}, -1});
    cfg.blocks.back().end = i + 1;
    cfg.block_of[i] = static_cast<std::uint32_t>(cfg.blocks.size()) - 1;
  }
  cfg.block_of[code.size()] = static_cast<std::uint32_t>(cfg.blocks.size());
  for (std::uint32_t b = 0; b < cfg.blocks.size(); ++b) {
    BasicBlock& block = cfg.blocks[b];
    const FlatInstruction& last = code[block.end - 1];
    for (const std::uint32_t t : last.targets) block.successors.push_back(cfg.block_of[t]);
    const bool unconditional = last.guard < 0 && ends_block(last);
    if (!unconditional) block.successors.push_back(b + 1);
    std::sort(block.successors.begin(), block.successors.end());
    block.successors.erase(std::unique(block.successors.begin(), block.successors.end()),
                           block.successors.end());
  }
  find_post_dominators(cfg.blocks);
  return cfg;
}

}  // namespace kw::ptxvm
