#pragma once
// A region: consecutive stages that one skeleton turns into kernels.

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "ir/program.h"

namespace kw::codegen {

struct Region {
  int first = 0, last = 0;        // stages [first, last]
  std::vector<TensorId> inputs;   // read, produced outside; in first-use order
  std::vector<TensorId> outputs;  // produced here, and read outside or given to the caller

  bool contains(int stage) const { return stage >= first && stage <= last; }
};

/// Tensors that a stage reads, once each, in first-use order.
std::vector<TensorId> tensors_read(const Program& program, const Stage& stage);
/// Inputs and outputs of stages [first, last].
Region make_region(const Program& program, int first, int last);

/// Rewrites an expression so that no Load refers to a tensor that a Map stage of the region
/// produces: the producer's body is substituted at the access. Loads of Reduce, Contract and Encode
/// results stay, to be bound by the skeleton. `extents` are those of the expression's variables.
ScalarId inline_maps(Program& program, const Region& region, ScalarId root, const Shape& extents);

/// Rewrites every variable: v_i becomes values[i], in a space with these extents.
ScalarId substitute(Program& program, ScalarId root, const std::vector<Index>& values,
                    const Shape& extents);

/// Whether a stage of the region finds its way by numbers in memory into what another one fills: no
/// access by substitution, so such a region is none.
bool gathers_inside(const Program& program, const Region& region);

/// Bytes a region must move at least: each input's touched elements once, each output once.
double minimal_bytes(const Program& program, const Region& region);

/// How a contraction's variables divide. Each list keeps the order of the stage's variables; `m`
/// occurs in lhs only, `n` in rhs only, `batch` in both, `k` is reduced. lhs and rhs are leaves
/// (Load or Decode) after inline_maps where prologues were matched, or whole expressions.
struct ContractionForm {
  int stage = -1;
  std::vector<int> batch, m, n, k;
  ScalarId lhs = -1, rhs = -1;
  std::int64_t extent_batch = 1, extent_m = 1, extent_n = 1, extent_k = 1;
};
std::optional<ContractionForm> contraction_form(const Program& program, int stage);

}  // namespace kw::codegen
