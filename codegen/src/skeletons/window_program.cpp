#include "skeletons/window_program.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

namespace kw::codegen {
namespace {

constexpr std::int64_t kMostTaps = 512;
constexpr std::int64_t kMostUnrolled = 64;  // taps of a row and its column, in registers

/// The one reducing stage of a region whose other stages are pointwise, or -1.
int reduction_of(const Program& program, const Region& region) {
  int found = -1;
  for (int s = region.first; s <= region.last; ++s) {
    const Stage::Kind kind = program.stages[static_cast<std::size_t>(s)].kind;
    if (kind == Stage::Kind::Map) continue;
    if ((kind != Stage::Kind::Reduce && kind != Stage::Kind::Contract) || found >= 0) return -1;
    found = s;
  }
  return found;
}

/// Calls visit(index) for every index below a root; false when a leaf finds its way by memory.
template <typename Visit>
bool each_index(const Program& program, ScalarId root, const Visit& visit) {
  for (const ScalarId leaf : leaves_of(program.scalars, root)) {
    const Scalar& s = program.scalars[leaf];
    if (s.op == Op::Gather || s.op == Op::Decode) return false;
    for (const Index& index : s.at) visit(index);
  }
  return true;
}

bool uses(const Program& program, ScalarId root, int variable) {
  bool found = false;
  each_index(program, root, [&](const Index& at) { found = found || at.depends_on(variable); });
  return found;
}

/// `index` with stride * o + step * t replaced by v[o], or nothing where they occur otherwise.
std::optional<Index> fused(const Index& index, const WindowPair& pair) {
  for (const Index::Term& term : index.terms) {
    const bool divided = term.atom->kind != IndexAtom::Kind::Variable;
    if (divided && (term.atom->of.depends_on(pair.o) || term.atom->of.depends_on(pair.t))) {
      return std::nullopt;
    }
  }
  const std::int64_t o = index.coefficient_of(pair.o), t = index.coefficient_of(pair.t);
  if (o == 0 && t == 0) return index;
  if (o % pair.stride != 0 || o / pair.stride * pair.step != t) return std::nullopt;
  return index - Index::variable(pair.o) * o - Index::variable(pair.t) * t +
         Index::variable(pair.o) * (o / pair.stride);
}

std::optional<ScalarId> fused(Program& program, ScalarId root, const WindowPair& pair,
                              std::map<ScalarId, ScalarId>& done) {
  if (const auto it = done.find(root); it != done.end()) return it->second;
  Scalar copy = program.scalars[root];
  for (Index& at : copy.at) {
    const auto index = fused(at, pair);
    if (!index) return std::nullopt;
    at = *index;
  }
  for (ScalarId& arg : copy.args) {
    const auto value = fused(program, arg, pair, done);
    if (!value) return std::nullopt;
    arg = *value;
  }
  const ScalarId result = program.scalars.add(std::move(copy));
  done.emplace(root, result);
  return result;
}

/// The pair of a tap, if the image slides with it and the weights do not depend on where.
std::optional<WindowPair> pair_of(Program& program, const WindowProgram& w, int tap) {
  std::optional<WindowPair> pair;
  const bool plain = each_index(program, w.left, [&](const Index& at) {
    const std::int64_t step = at.coefficient_of(tap);
    if (step == 0) return;
    for (int o = w.parallel - 1; o >= 0 && !pair; --o) {
      const std::int64_t stride = at.coefficient_of(o);
      if (stride > 0) pair = WindowPair{o, tap, stride, step};
    }
  });
  if (!plain || !pair) return std::nullopt;
  if (w.right >= 0 && uses(program, w.right, pair->o)) return std::nullopt;
  std::map<ScalarId, ScalarId> done;
  if (!fused(program, w.left, *pair, done)) return std::nullopt;
  return pair;
}

/// An output that a later pointwise stage fills, element by element as the result.
std::optional<WindowOutput> follow(Program& program, const Region& region, const Stage& stage,
                                   TensorId result, TensorId t) {
  const Stage& map = program.stages[static_cast<std::size_t>(program.producer(t))];
  const ScalarId body = inline_maps(program, region, map.body, map.extents);
  const Shape extents = stage.parallel_extents();
  std::optional<std::vector<Index>> at;
  for (const ScalarId leaf : leaves_of(program.scalars, body)) {
    const Scalar& s = program.scalars[leaf];
    if (s.op != Op::Load || s.tensor != result) continue;
    if (at && *at != s.at) return std::nullopt;
    at = s.at;
  }
  if (!at || map.extents.size() != extents.size()) return std::nullopt;
  std::vector<Index> places(extents.size());
  std::set<int> seen;
  for (std::size_t d = 0; d < at->size(); ++d) {
    const auto stored = stage.store[d].as_variable();
    if (!stored) {
      if (!stage.store[d].is_constant() || (*at)[d] != stage.store[d]) return std::nullopt;
      continue;
    }
    const auto read = (*at)[d].as_variable();
    if (!read || !seen.insert(*read).second) return std::nullopt;
    const auto v = static_cast<std::size_t>(*read);
    if (map.extents[v] != extents[static_cast<std::size_t>(*stored)]) return std::nullopt;
    places[v] = Index::variable(*stored);
  }
  if (seen.size() != extents.size()) return std::nullopt;
  std::vector<Index> store;
  for (const Index& index : map.store) store.push_back(substitute(index, places, extents));
  return WindowOutput{t, substitute(program, body, places, extents),
                      linearise(store, program.tensor(t).strides)};
}

bool add_outputs(Program& program, const Region& region, const Stage& stage, WindowProgram& w) {
  for (const TensorId t : region.outputs) {
    if (program.producer(t) == w.stage) {
      const Tensor& tensor = program.tensor(t);
      w.outputs.push_back({t, program.scalars.load(t, tensor.dtype, stage.store),
                           linearise(stage.store, tensor.strides)});
    } else if (auto output = follow(program, region, stage, w.result, t)) {
      w.outputs.push_back(std::move(*output));
    } else {
      return false;
    }
  }
  return !w.outputs.empty();
}

/// The parallel variable along which the first output's elements lie closest.
int lane_of(const WindowProgram& w) {
  int best = -1;
  for (int v = 0; v < w.parallel; ++v) {
    const std::int64_t step = std::abs(w.outputs.front().offset.coefficient_of(v));
    if (step == 0) continue;
    if (best < 0 || step < std::abs(w.outputs.front().offset.coefficient_of(best))) best = v;
  }
  return best;
}

std::int64_t lane_step_of(const Program& program, const WindowProgram& w) {
  std::int64_t most = 0;
  for (const ScalarId leaf : leaves_of(program.scalars, w.left)) {
    const Scalar& s = program.scalars[leaf];
    if (s.op != Op::Load) continue;
    const Index offset = offset_of(program, s);
    const std::int64_t step = std::abs(offset.coefficient_of(w.lane));
    most = std::max<std::int64_t>(most, step == 0 && offset.depends_on(w.lane) ? 32 : step);
  }
  return most;
}

}  // namespace

std::int64_t WindowProgram::extent_of(const std::vector<int>& variables) const {
  std::int64_t product = 1;
  for (const int v : variables) product *= extent(v);
  return product;
}

std::int64_t WindowProgram::rows(std::int64_t count) const {
  if (!tile) return 1;
  std::set<std::int64_t> met;
  for (std::int64_t j = 0; j < count; ++j) {
    for (std::int64_t t = 0; t < extent(tile->t); ++t) {
      met.insert(j * tile->stride + t * tile->step);
    }
  }
  return static_cast<std::int64_t>(met.size());
}

std::optional<WindowProgram> window_program(Program& program, const Region& region) {
  const int at = reduction_of(program, region);
  if (at < 0) return std::nullopt;
  const Stage stage = program.stages[static_cast<std::size_t>(at)];
  WindowProgram w;
  w.stage = at;
  w.extents = stage.extents;
  w.parallel = stage.parallel;
  w.combiner = stage.combiner;
  w.result = stage.results.front();
  const bool contract = stage.kind == Stage::Kind::Contract;
  const bool known = contract || w.combiner == Combiner::Sum || w.combiner == Combiner::Max ||
                     w.combiner == Combiner::Min;
  if (!known || stage.results.size() != 1 || program.scalars[stage.body].type != DType::F32 ||
      program.tensor(w.result).dtype != DType::F32 || w.parallel == 0 ||
      count_of(stage.reduced_extents()) > kMostTaps) {
    return std::nullopt;
  }
  w.left = stage.body;
  if (contract) {
    const Scalar product = program.scalars[stage.body];
    if (product.op != Op::Mul) return std::nullopt;
    w.left = product.args[0];
    w.right = inline_maps(program, region, product.args[1], w.extents);
    if (!each_index(program, w.right, [](const Index&) {})) return std::nullopt;
  }
  w.left = inline_maps(program, region, w.left, w.extents);
  std::vector<WindowPair> pairs;
  for (int t = w.parallel; t < static_cast<int>(w.extents.size()); ++t) {
    if (const auto pair = pair_of(program, w, t)) pairs.push_back(*pair);
  }
  if (pairs.empty() || !add_outputs(program, region, stage, w)) return std::nullopt;
  w.lane = lane_of(w);
  if (w.lane < 0) return std::nullopt;
  w.lane_step = lane_step_of(program, w);

  // The tile: of what slides across the lanes, what overlaps most.
  double best = 0;
  for (const WindowPair& pair : pairs) {
    if (pair.o == w.lane) continue;
    WindowProgram tried = w;
    tried.tile = pair;
    const double shared =
        static_cast<double>(4 * w.extent(pair.t)) / static_cast<double>(tried.rows(4));
    if (shared >= best) {
      best = shared;
      w.tile = pair;
    }
  }
  if (w.tile) {
    std::map<ScalarId, ScalarId> done;
    w.left = *fused(program, w.left, *w.tile, done);
  }
  // The last taps are unrolled as far as registers go; what slides along the lanes is among them.
  std::int64_t unrolled = w.tile ? w.extent(w.tile->t) : 1;
  for (int t = static_cast<int>(w.extents.size()) - 1; t >= w.parallel; --t) {
    if (w.tile && t == w.tile->t) continue;
    const bool fits = w.outer.empty() && unrolled * w.extent(t) <= kMostUnrolled;
    if (fits) unrolled *= w.extent(t);
    (fits ? w.inner : w.outer).insert((fits ? w.inner : w.outer).begin(), t);
  }
  return w;
}

}  // namespace kw::codegen
