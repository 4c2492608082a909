#include "skeletons/scan_program.h"

#include <algorithm>

namespace kw::codegen {
namespace {

/// The one scan of a region whose other stages are pointwise, or -1.
int scan_of(const Program& program, const Region& region) {
  int found = -1;
  for (int s = region.first; s <= region.last; ++s) {
    const Stage::Kind kind = program.stages[static_cast<std::size_t>(s)].kind;
    if (kind == Stage::Kind::Map) continue;
    if (kind != Stage::Kind::Scan || found >= 0) return -1;
    found = s;
  }
  return found;
}

bool supported(Combiner combiner, DType type) {
  if (combiner == Combiner::OnlineSoftmax) return type == DType::F32;
  const bool known = combiner == Combiner::Sum || combiner == Combiner::Prod ||
                     combiner == Combiner::ArgMax || combiner == Combiner::ArgMin;
  return known && type != DType::Bool;
}

/// Every Load of a result below a root.
std::vector<ScalarId> result_loads(const Program& program, const ScanProgram& scan, ScalarId root) {
  std::vector<ScalarId> loads;
  for (const ScalarId leaf : leaves_of(program.scalars, root)) {
    if (scan.is_result(program.scalars, leaf)) loads.push_back(leaf);
  }
  return loads;
}

/// Variable j of the scan as sign * v + shift for one variable v of a later stage.
struct Match {
  int variable = -1;
  std::int64_t sign = 1, shift = 0;
};
std::optional<Match> match_of(const Index& at) {
  if (at.terms.size() != 1) return std::nullopt;
  const Index::Term& term = at.terms.front();
  if (term.atom->kind != IndexAtom::Kind::Variable) return std::nullopt;
  if (term.coefficient != 1 && term.coefficient != -1) return std::nullopt;
  return Match{term.atom->variable, term.coefficient, at.constant};
}

class Follower {
 public:
  Follower(Program& program, const Region& region, const Stage& stage, ScanProgram& scan)
      : program_(program), region_(region), stage_(stage), scan_(scan) {}

  /// Adds an output that a later pointwise stage fills; false where it does not follow the scan.
  bool add(TensorId t) {
    const Stage& map = program_.stages[static_cast<std::size_t>(program_.producer(t))];
    const ScalarId body = inline_maps(program_, region_, map.body, map.extents);
    const std::vector<ScalarId> loads = result_loads(program_, scan_, body);
    if (loads.empty()) return false;
    const std::vector<Index> at = program_.scalars[loads.front()].at;
    for (const ScalarId load : loads) {
      if (program_.scalars[load].at != at) return false;
    }
    std::vector<Index> places(map.extents.size());
    const Shape whole = scan_.extents();
    const std::vector<Index> rows =
        delinearise(Index::variable(0), stage_.parallel_extents(), whole);
    int placed = 0;
    along_ = -1;
    for (int j = 0; j <= stage_.parallel; ++j) {
      const auto match = match_of(at[result_dim(j)]);
      if (!match) return false;
      const auto v = static_cast<std::size_t>(match->variable);
      const std::int64_t extent = stage_.extents[static_cast<std::size_t>(j)];
      const Index self =
          j == stage_.parallel ? Index::variable(1) : rows[static_cast<std::size_t>(j)];
      places[v] = (self - Index(match->shift)) * match->sign;
      const IndexRange range = range_of(places[v], whole);
      if (range.low < 0 || range.high >= map.extents[v]) return false;
      if (j == stage_.parallel) {
        along_ = match->variable;
        low_ = range.low;
        high_ = range.high;
      } else if (map.extents[v] != extent) {
        return false;
      }
      ++placed;
    }
    if (placed != static_cast<int>(map.extents.size())) return false;
    scan_.outputs.push_back(
        {t, substitute(program_, body, places, whole), offset(t, map, places, whole)});
    const std::int64_t extent = map.extents[static_cast<std::size_t>(along_)];
    return border(t, map, body, places, 0, low_) &&
           border(t, map, body, places, high_ + 1, extent - high_ - 1);
  }

 private:
  /// The dimension of the results that variable j goes along.
  std::size_t result_dim(int j) const {
    for (std::size_t d = 0; d < stage_.store.size(); ++d) {
      if (stage_.store[d].as_variable() == j) return d;
    }
    return 0;
  }

  Index offset(TensorId t, const Stage& map, const std::vector<Index>& places,
               const Shape& extents) const {
    std::vector<Index> store;
    for (const Index& index : map.store)
      store.push_back(kw::codegen::substitute(index, places, extents));
    return linearise(store, program_.tensor(t).strides);
  }

  bool border(TensorId t, const Stage& map, ScalarId body, std::vector<Index> places,
              std::int64_t first, std::int64_t count) {
    if (count <= 0) return true;
    const Shape extents = {scan_.rows, count};
    places[static_cast<std::size_t>(along_)] = Index::variable(1) + Index(first);
    if (count == 1) places[static_cast<std::size_t>(along_)] = Index(first);
    const ScalarId value = substitute(program_, body, places, extents);
    if (!result_loads(program_, scan_, value).empty()) return false;
    scan_.borders.push_back({t, value, offset(t, map, places, extents), count});
    return true;
  }

  Program& program_;
  const Region& region_;
  const Stage& stage_;
  ScanProgram& scan_;
  int along_ = -1;
  std::int64_t low_ = 0, high_ = 0;
};

}  // namespace

bool ScanProgram::is_result(const Scalars& scalars, ScalarId leaf) const {
  const Scalar& s = scalars[leaf];
  return s.op == Op::Load && std::find(results.begin(), results.end(), s.tensor) != results.end();
}

std::optional<ScanProgram> scan_program(Program& program, const Region& region) {
  const int at = scan_of(program, region);
  if (at < 0 || region.outputs.empty()) return std::nullopt;
  const Stage stage = program.stages[static_cast<std::size_t>(at)];
  ScanProgram scan;
  scan.combiner = stage.combiner;
  scan.type = program.scalars[stage.body].type;
  if (!supported(scan.combiner, scan.type)) return std::nullopt;
  scan.columns = stage.extents.back();
  scan.rows = count_of(stage.parallel_extents());
  scan.results = stage.results;
  const Shape extents = scan.extents();
  std::vector<Index> values = delinearise(Index::variable(0), stage.parallel_extents(), extents);
  values.push_back(Index::variable(1));
  scan.body =
      inline_maps(program, region, substitute(program, stage.body, values, extents), extents);
  Follower follower(program, region, stage, scan);
  for (const TensorId t : region.outputs) {
    if (program.producer(t) != at) {
      // What a narrow result would be rounded to before it is read again is part of the meaning.
      for (const TensorId result : stage.results) {
        const DType stored = program.tensor(result).dtype;
        if (stored == DType::F16 || stored == DType::BF16) return std::nullopt;
      }
      if (!follower.add(t)) return std::nullopt;
      continue;
    }
    std::vector<Index> store;
    for (const Index& index : stage.store) store.push_back(substitute(index, values, extents));
    const Tensor& tensor = program.tensor(t);
    scan.outputs.push_back(
        {t, program.scalars.load(t, tensor.dtype, store), linearise(store, tensor.strides)});
  }
  return scan;
}

ScanProgram over(Program& program, const ScanProgram& scan, const std::vector<Index>& values,
                 const Shape& extents) {
  ScanProgram out = scan;
  out.body = substitute(program, scan.body, values, extents);
  for (ScanOutput& output : out.outputs) {
    output.value = substitute(program, output.value, values, extents);
    output.offset = substitute(output.offset, values, extents);
  }
  return out;
}

ScanLayout layout_of(const Program& program, const ScanProgram& scan) {
  int forward = 0, backward = 0, across = 0;
  const auto look = [&](const Index& offset) {
    const std::int64_t step = offset.coefficient_of(1);
    if (step == 1) {
      ++forward;
    } else if (step == -1) {
      ++backward;
    } else if (offset.depends_on(1)) {
      ++across;
    }
  };
  for (const ScanOutput& output : scan.outputs) look(output.offset);
  std::vector<ScalarId> roots = {scan.body};
  for (const ScanOutput& output : scan.outputs) roots.push_back(output.value);
  for (const ScalarId root : roots) {
    for (const ScalarId leaf : leaves_of(program.scalars, root)) {
      const Scalar& s = program.scalars[leaf];
      if (s.op == Op::Load && !scan.is_result(program.scalars, leaf)) look(offset_of(program, s));
    }
  }
  if (scan.rows > 1 && across > forward + backward) return ScanLayout::Across;
  return backward > forward ? ScanLayout::Backward : ScanLayout::Along;
}

}  // namespace kw::codegen
