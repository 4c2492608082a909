#include <algorithm>

#include "binder.h"

namespace kw::launch {

namespace {

/// Positions of the nodes in an order that respects `after` (a node without it follows the node
/// before it), keeping the written order where both are legal.
Result<std::vector<std::size_t>> topological_order(const std::vector<PlanNode>& nodes,
                                                   const std::string& place) {
  std::map<std::string, std::size_t> by_id;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].id.empty()) continue;
    if (!by_id.emplace(nodes[i].id, i).second) {
      return fail(Errc::InvalidArgument, "{}/{}/id: a second node '{}'", place, i, nodes[i].id);
    }
  }
  std::vector<std::vector<std::size_t>> before(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].after.empty() && i > 0) before[i].push_back(i - 1);
    for (const std::string& id : nodes[i].after) {
      const auto found = by_id.find(id);
      if (found == by_id.end()) {
        return fail(Errc::InvalidArgument, "{}/{}/after: no node '{}' here", place, i, id);
      }
      before[i].push_back(found->second);
    }
  }
  std::vector<std::size_t> order;
  std::vector<bool> done(nodes.size(), false);
  while (order.size() < nodes.size()) {
    const auto ready = [&](std::size_t i) {
      return !done[i] && std::ranges::all_of(before[i], [&](std::size_t b) { return done[b]; });
    };
    std::size_t next = 0;
    while (next < nodes.size() && !ready(next)) ++next;
    if (next == nodes.size()) {
      const auto stuck = std::ranges::find(done, false) - done.begin();
      return fail(Errc::InvalidArgument, "{}/{}/after: the nodes wait for one another", place,
                  stuck);
    }
    done[next] = true;
    order.push_back(next);
  }
  return order;
}

std::string node_place(const std::string& place, std::size_t index) {
  return fmt::format("{}/{}", place, index);
}

}  // namespace

Result<BoundPlan> bind(const LaunchPlan& plan, const BindOptions& options) {
  return Binder(plan, options).run();
}
Status check_plan(const LaunchPlan& plan, const BindOptions& options) {
  KW_RETURN_IF_ERROR(bind(plan, options));
  return {};
}

Result<BoundPlan> Binder::run() {
  symbols_ = plan_.symbols;
  symbols_["sm_count"] = options_.limits.sm_count;
  for (const auto& [name, value] : options_.symbols) symbols_[name] = value;
  KW_RETURN_IF_ERROR(bind_buffers());
  KW_RETURN_IF_ERROR(add_occupancy(plan_.setup, "/setup"));
  KW_RETURN_IF_ERROR(add_occupancy(plan_.run, "/run"));
  KW_RETURN_IF_ERROR(bind_phase(plan_.setup, Phase::Setup, bound_.setup));
  KW_RETURN_IF_ERROR(bind_phase(plan_.run, Phase::Run, bound_.run));
  return std::move(bound_);
}

Result<std::int64_t> Binder::eval(const Expr& expr, std::string_view place) const {
  auto value = expr.eval(symbols_);
  if (!value) {
    return fail(value.error().code, "{}: {}{}", place, value.error().message, trail_);
  }
  return value;
}

Result<std::int64_t> Binder::eval_in(const Expr& expr, std::string_view place, std::int64_t low,
                                     std::int64_t high) const {
  KW_ASSIGN(const std::int64_t value, eval(expr, place));
  if (value < low || value > high) {
    return fail(Errc::InvalidArgument, "{}: {} is not in {}..{}{}", place, value, low, high,
                trail_);
  }
  return value;
}

/// Widens the liveness of a root.
void Binder::use(std::size_t buffer) {
  BoundBuffer& used = bound_.buffers[buffer];
  if (phase_ == Phase::Setup) {
    used.persistent = true;
    return;
  }
  used.first_use = used.first_use < 0 ? overlaps_from_ : std::min(used.first_use, overlaps_from_);
  used.last_use = std::max(used.last_use, top_level_);
}

/// occupancy.<kernel>, for the kernels that some expression asks about. It may depend on block and
/// shared memory, but these may not depend on it.
Status Binder::add_occupancy(const std::vector<PlanNode>& nodes, const std::string& place) {
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const std::string here = node_place(place, i);
    if (const auto* loop = std::get_if<LoopNode>(&nodes[i].what)) {
      const auto hidden = symbols_.extract(loop->variable);
      symbols_[loop->variable] = 0;  // block and shared memory are those of the first iteration
      const Status status = add_occupancy(loop->body, here + "/body");
      symbols_.erase(loop->variable);
      if (hidden) symbols_[hidden.key()] = hidden.mapped();
      KW_RETURN_IF_ERROR(status);
    } else if (const auto* predicate = std::get_if<PredicateNode>(&nodes[i].what)) {
      KW_RETURN_IF_ERROR(add_occupancy(predicate->body, here + "/body"));
    } else if (const auto* kernel = std::get_if<KernelNode>(&nodes[i].what)) {
      std::int64_t blocks = 1;
      if (options_.occupancy) {
        std::int64_t threads = 1;
        for (const Expr& extent : kernel->block) {
          KW_ASSIGN(const std::int64_t size,
                    eval_in(extent, here + "/block", 1, options_.limits.max_threads_per_block));
          threads *= size;
        }
        KW_ASSIGN(const std::int64_t shared,
                  eval_in(kernel->shared, here + "/shared", 0, options_.limits.shared_per_block));
        auto found = options_.occupancy(kernel->kernel, threads, shared);
        if (!found) return wrap(found.error(), here + "/kernel");
        blocks = *found;
      }
      const auto [entry, fresh] = symbols_.emplace("occupancy." + kernel->kernel, blocks);
      if (!fresh) entry->second = std::min(entry->second, blocks);
    }
  }
  return {};
}

Status Binder::bind_phase(const std::vector<PlanNode>& nodes, Phase phase,
                          std::vector<BoundNode>& out) {
  phase_ = phase;
  const std::string place = phase == Phase::Setup ? "/setup" : "/run";
  const auto names = meaning_;  // every run begins with names as declared
  KW_ASSIGN(const std::vector<std::size_t> order, topological_order(nodes, place));
  for (std::size_t position = 0; position < order.size(); ++position) {
    const std::size_t i = order[position];
    const auto* kernel = std::get_if<KernelNode>(&nodes[i].what);
    top_level_ = static_cast<int>(position);
    // A programmatic launch may run beside its predecessors back to the last ordinary one.
    const bool overlaps = position > 0 && kernel != nullptr && kernel->programmatic;
    if (!overlaps) overlaps_from_ = top_level_;
    KW_RETURN_IF_ERROR(
        std::visit([&](const auto& node) { return bind_node(node, node_place(place, i), out); },
                   nodes[i].what));
  }
  meaning_ = names;
  if (phase == Phase::Setup) return {};
  settle_liveness();
  return {};
}

/// A plan may widen what was seen, never shorten it. What outlives a run is live all the time.
void Binder::settle_liveness() {
  for (std::size_t i = 0; i < bound_.buffers.size(); ++i) {
    BoundBuffer& buffer = bound_.buffers[i];
    const PlanBuffer& declared = plan_.buffers[i];
    buffer.persistent = buffer.persistent || buffer.init == BufferInit::Once;
    if (buffer.persistent || buffer.first_use < 0) {
      buffer.first_use = buffer.last_use = -1;
      continue;
    }
    if (buffer.init == BufferInit::EachRun) buffer.first_use = 0;  // filled before the first node
    if (declared.first_use >= 0) {
      buffer.first_use = std::min(buffer.first_use, declared.first_use);
      buffer.last_use = std::max(buffer.last_use, declared.last_use);
    }
  }
}

Status Binder::bind_nodes(const std::vector<PlanNode>& nodes, const std::string& place,
                          std::vector<BoundNode>& out) {
  KW_ASSIGN(const std::vector<std::size_t> order, topological_order(nodes, place));
  for (const std::size_t i : order) {
    KW_RETURN_IF_ERROR(
        std::visit([&](const auto& node) { return bind_node(node, node_place(place, i), out); },
                   nodes[i].what));
  }
  return {};
}

Status Binder::count_node(const std::string& place) {
  if (++nodes_ > kMaxBoundNodes) {
    return fail(Errc::ResourceExhausted, "{}: the plan unrolls to more than {} nodes", place,
                kMaxBoundNodes);
  }
  return {};
}

Result<Extent3> Binder::extent(const std::array<Expr, 3>& exprs, const std::string& place,
                               std::int64_t low, const std::array<std::int64_t, 3>& high) {
  Extent3 out{};
  for (std::size_t i = 0; i < 3; ++i) {
    KW_ASSIGN(const std::int64_t value,
              eval_in(exprs[i], fmt::format("{}/{}", place, i), low, high[i]));
    out[i] = static_cast<std::uint32_t>(value);
  }
  return out;
}

Status Binder::check_cluster(const BoundKernel& kernel, const std::string& place) const {
  const std::int64_t blocks =
      std::int64_t{kernel.cluster[0]} * kernel.cluster[1] * kernel.cluster[2];
  if (blocks == 1) return {};
  if (blocks > options_.limits.max_cluster) {
    return fail(options_.limits.max_cluster == 0 ? Errc::Unsupported : Errc::InvalidArgument,
                "{}/cluster: {} blocks, this device allows {}", place, blocks,
                options_.limits.max_cluster);
  }
  for (std::size_t i = 0; i < 3; ++i) {
    if (kernel.grid[i] % kernel.cluster[i] != 0) {
      return fail(Errc::InvalidArgument, "{}/grid/{}: {} is no multiple of the cluster's {}", place,
                  i, kernel.grid[i], kernel.cluster[i]);
    }
  }
  return {};
}

Status Binder::bind_node(const KernelNode& node, const std::string& place,
                         std::vector<BoundNode>& out) {
  const PlanLimits& limits = options_.limits;
  KW_RETURN_IF_ERROR(count_node(place));
  if (options_.kernels && !options_.kernels->contains(node.kernel)) {
    return fail(Errc::InvalidArgument, "{}/kernel: the module has no entry '{}'", place,
                node.kernel);
  }
  BoundKernel kernel;
  kernel.kernel = node.kernel;
  kernel.cooperative = node.cooperative;
  kernel.programmatic = node.programmatic;
  KW_ASSIGN(kernel.grid, extent(node.grid, place + "/grid", 0, limits.max_grid));
  KW_ASSIGN(kernel.block, extent(node.block, place + "/block", 1, limits.max_block));
  KW_ASSIGN(kernel.cluster, extent(node.cluster, place + "/cluster", 1, {16, 16, 16}));
  const std::int64_t threads = std::int64_t{kernel.block[0]} * kernel.block[1] * kernel.block[2];
  if (threads > limits.max_threads_per_block) {
    return fail(Errc::InvalidArgument, "{}/block: {} threads, the limit is {}{}", place, threads,
                limits.max_threads_per_block, trail_);
  }
  KW_ASSIGN(const std::int64_t shared,
            eval_in(node.shared, place + "/shared", 0, limits.shared_per_block));
  kernel.shared_bytes = static_cast<std::uint32_t>(shared);
  std::size_t parameter_bytes = 0;
  for (std::size_t i = 0; i < node.args.size(); ++i) {
    KW_ASSIGN(BoundParameter parameter,
              bind_arg(node.args[i], fmt::format("{}/args/{}", place, i)));
    parameter_bytes = (parameter_bytes + parameter.align - 1) / parameter.align * parameter.align +
                      parameter.bytes.size();
    kernel.parameters.push_back(std::move(parameter));
  }
  if (static_cast<std::int64_t>(parameter_bytes) > limits.parameter_bytes) {
    return fail(Errc::InvalidArgument, "{}/args: {} bytes, the limit is {}", place, parameter_bytes,
                limits.parameter_bytes);
  }
  if (kernel.grid[0] == 0 || kernel.grid[1] == 0 || kernel.grid[2] == 0) return {};
  KW_RETURN_IF_ERROR(check_cluster(kernel, place));
  out.push_back({place + trail_, std::move(kernel)});
  return {};
}

Status Binder::bind_node(const MemsetNode& node, const std::string& place,
                         std::vector<BoundNode>& out) {
  KW_RETURN_IF_ERROR(count_node(place));
  KW_ASSIGN(const std::int64_t bytes,
            eval_in(node.bytes, place + "/bytes", 0, options_.limits.memory_bytes));
  KW_ASSIGN(const BoundPointer where, pointer(node.buffer, node.offset, bytes, place));
  const Role role = bound_.buffers[where.buffer].role;
  if (role == Role::Input || role == Role::Weight) {
    return fail(Errc::InvalidArgument, "{}/buffer: '{}' may not be written, its role is {}", place,
                node.buffer, to_string(role));
  }
  if (bytes > 0) out.push_back({place + trail_, BoundMemset{where, bytes, node.value}});
  return {};
}

Status Binder::bind_node(const LoopNode& node, const std::string& place,
                         std::vector<BoundNode>& out) {
  if (node.variable.empty() || symbols_.contains(node.variable)) {
    return fail(Errc::InvalidArgument, "{}/variable: '{}' is empty or taken", place, node.variable);
  }
  KW_ASSIGN(const std::int64_t count,
            eval_in(node.count, place + "/count", 0, static_cast<std::int64_t>(kMaxBoundNodes)));
  for (std::size_t i = 0; i < node.swap.size(); ++i) {
    const auto& [a, b] = node.swap[i];
    const auto first = meaning_.find(a), second = meaning_.find(b);
    const std::string at = fmt::format("{}/swap/{}", place, i);
    if (first == meaning_.end() || second == meaning_.end()) {
      return fail(Errc::InvalidArgument, "{}: no buffer named '{}'", at,
                  first == meaning_.end() ? a : b);
    }
    for (const std::size_t index : {first->second, second->second}) {
      const BoundBuffer& buffer = bound_.buffers[index];
      if (buffer.role == Role::Input || buffer.role == Role::Weight) {
        return fail(Errc::InvalidArgument, "{}: '{}' cannot take turns, its role is {}", at,
                    buffer.name, to_string(buffer.role));
      }
      use(buffer.root);
    }
    if (bound_.buffers[first->second].bytes != bound_.buffers[second->second].bytes) {
      return fail(Errc::InvalidArgument, "{}: '{}' and '{}' differ in size", at, a, b);
    }
  }
  const std::string outside = trail_;
  for (std::int64_t i = 0; i < count; ++i) {
    KW_RETURN_IF_ERROR(count_node(place));
    symbols_[node.variable] = i;
    trail_ = outside.empty() ? fmt::format(" ({}={})", node.variable, i)
                             : fmt::format("{}, {}={})", outside.substr(0, outside.size() - 1),
                                           node.variable, i);
    KW_RETURN_IF_ERROR(bind_nodes(node.body, place + "/body", out));
    for (const auto& [a, b] : node.swap) std::swap(meaning_[a], meaning_[b]);
  }
  symbols_.erase(node.variable);
  trail_ = outside;
  return {};
}

Status Binder::bind_node(const PredicateNode& node, const std::string& place,
                         std::vector<BoundNode>& out) {
  KW_RETURN_IF_ERROR(count_node(place));
  BoundPredicate predicate;
  KW_ASSIGN(predicate.word, pointer(node.buffer, node.offset, 4, place));
  if (predicate.word.offset % 4 != 0) {
    return fail(Errc::InvalidArgument, "{}/offset: {} is no multiple of 4", place,
                predicate.word.offset);
  }
  KW_RETURN_IF_ERROR(bind_nodes(node.body, place + "/body", predicate.body));
  out.push_back({place + trail_, std::move(predicate)});
  return {};
}

}  // namespace kw::launch
