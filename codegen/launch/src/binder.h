#pragma once
// One pass over a plan; split over bind_buffers.cpp, bind_nodes.cpp and bind_args.cpp.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kw/launch/bind.h"

namespace kw::launch {

class Binder {
 public:
  Binder(const LaunchPlan& plan, const BindOptions& options) : plan_(plan), options_(options) {}
  Result<BoundPlan> run();

 private:
  enum class Phase { Setup, Run };

  // ---- bind_buffers.cpp
  Status bind_buffers();
  Status resolve_alias(std::size_t index, std::vector<int>& state);
  Status check_total() const;

  // ---- bind_nodes.cpp
  Status bind_phase(const std::vector<PlanNode>& nodes, Phase phase, std::vector<BoundNode>& out);
  Status bind_nodes(const std::vector<PlanNode>& nodes, const std::string& place,
                    std::vector<BoundNode>& out);
  Status bind_node(const KernelNode& node, const std::string& place, std::vector<BoundNode>& out);
  Status bind_node(const MemsetNode& node, const std::string& place, std::vector<BoundNode>& out);
  Status bind_node(const LoopNode& node, const std::string& place, std::vector<BoundNode>& out);
  Status bind_node(const PredicateNode& node, const std::string& place,
                   std::vector<BoundNode>& out);
  Status count_node(const std::string& place);
  Status add_occupancy(const std::vector<PlanNode>& nodes, const std::string& place);
  Result<Extent3> extent(const std::array<Expr, 3>& exprs, const std::string& place,
                         std::int64_t low, const std::array<std::int64_t, 3>& high);
  Status check_cluster(const BoundKernel& kernel, const std::string& place) const;

  // ---- bind_args.cpp
  Result<BoundParameter> bind_arg(const PlanArg& arg, const std::string& place);
  Result<BoundParameter> bind_struct(const StructArg& arg, const std::string& place);
  Result<BoundParameter> bind_tensor_map(const TensorMapArg& arg, const std::string& place);
  Result<std::vector<std::byte>> bind_scalar(const ScalarArg& arg, const std::string& place);
  /// A pointer `offset` bytes into the storage that `buffer` means now, with room for `bytes`.
  Result<BoundPointer> pointer(const std::string& buffer, const Expr& offset, std::int64_t bytes,
                               const std::string& place);

  /// The value of an expression, or an error that begins with its place.
  Result<std::int64_t> eval(const Expr& expr, std::string_view place) const;
  Result<std::int64_t> eval_in(const Expr& expr, std::string_view place, std::int64_t low,
                               std::int64_t high) const;
  void use(std::size_t buffer);
  void settle_liveness();

  const LaunchPlan& plan_;
  const BindOptions& options_;
  BoundPlan bound_;
  Symbols symbols_;
  std::map<std::string, std::size_t> meaning_;  // what a name means now: swaps change it
  std::string trail_;                           // " (i=7, j=0)" inside loops
  Phase phase_ = Phase::Run;
  int top_level_ = -1;      // node of the phase that is being bound, for liveness
  int overlaps_from_ = -1;  // the first node that may still run beside it
  std::size_t nodes_ = 0;   // bound so far
};

}  // namespace kw::launch
