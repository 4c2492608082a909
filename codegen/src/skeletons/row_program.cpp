#include "skeletons/row_program.h"

#include <algorithm>

namespace kw::codegen {
namespace {

constexpr std::size_t kMostPhases = 4;

const Stage& stage_at(const Program& program, int s) {
  return program.stages[static_cast<std::size_t>(s)];
}

/// Number of the row that an access to a reduction's result reads.
Index row_of_access(const Program& program, const Scalar& load) {
  const Stage& stage = stage_at(program, program.producer(load.tensor));
  std::vector<Index> at(static_cast<std::size_t>(stage.parallel));
  for (std::size_t d = 0; d < stage.store.size(); ++d) {
    if (const auto v = stage.store[d].as_variable()) at[static_cast<std::size_t>(*v)] = load.at[d];
  }
  return linearise(at, contiguous_strides(stage.parallel_extents()));
}

bool reads_result(const Program& program, const Region& region, ScalarId leaf) {
  const Scalar& s = program.scalars[leaf];
  if (s.op != Op::Load) return false;
  const int producer = program.producer(s.tensor);
  return region.contains(producer) && stage_at(program, producer).kind == Stage::Kind::Reduce;
}

/// Every access to a reduction's result is at row r: variable 0 of these (r, q) expressions.
bool follows_rows(const Program& program, const Region& region, ScalarId root,
                  const Shape& extents) {
  if (extents[0] == 1) return true;
  for (const ScalarId leaf : leaves_of(program.scalars, root)) {
    if (!reads_result(program, region, leaf)) continue;
    if (!(row_of_access(program, program.scalars[leaf]) == Index::variable(0))) return false;
  }
  return true;
}

struct Placed {
  ScalarId value = -1;
  Index offset;
};

/// A Map stage with its variables replaced; nothing when it does not follow the rows.
std::optional<Placed> place(Program& program, const Region& region, const Stage& stage,
                            const std::vector<Index>& variables, const Shape& extents) {
  Placed placed;
  placed.value =
      inline_maps(program, region, substitute(program, stage.body, variables, extents), extents);
  if (!follows_rows(program, region, placed.value, extents)) return std::nullopt;
  std::vector<Index> store;
  for (const Index& index : stage.store) store.push_back(substitute(index, variables, extents));
  placed.offset = linearise(store, program.tensor(stage.results.front()).strides);
  return placed;
}

/// Which of a Map's variables number the rows, read off its accesses to a reduction's result; the
/// others number the columns, in order.
std::optional<std::vector<Index>> variables_by_access(Program& program, const Region& region,
                                                      const Stage& map, const Stage& reduce,
                                                      const Shape& extents) {
  const ScalarId body = inline_maps(program, region, map.body, map.extents);
  const auto row = delinearise(Index::variable(0), reduce.parallel_extents(), extents);
  const auto column = delinearise(Index::variable(1), reduce.reduced_extents(), extents);
  std::vector<Index> variables(map.extents.size());
  std::vector<bool> known(map.extents.size(), false);
  for (const ScalarId leaf : leaves_of(program.scalars, body)) {
    if (!reads_result(program, region, leaf)) continue;
    const Scalar& load = program.scalars[leaf];
    const Stage& source = stage_at(program, program.producer(load.tensor));
    for (std::size_t d = 0; d < source.store.size(); ++d) {
      const auto p = source.store[d].as_variable();
      if (!p) continue;
      const auto v = load.at[d].as_variable();
      if (!v) return std::nullopt;
      variables[static_cast<std::size_t>(*v)] = row[static_cast<std::size_t>(*p)];
      known[static_cast<std::size_t>(*v)] = true;
    }
  }
  std::size_t next = 0;
  for (std::size_t v = 0; v < variables.size(); ++v) {
    if (known[v]) continue;
    if (next == column.size() || map.extents[v] != reduce.reduced_extents()[next])
      return std::nullopt;
    variables[v] = column[next++];
  }
  if (next != column.size()) return std::nullopt;
  return variables;
}

bool add_output(Program& program, const Region& region, const Stage& map, const Stage& reduce,
                RowProgram& rows) {
  const Shape extents = rows.extents();
  const std::int64_t count = count_of(map.extents);
  const TensorId tensor = map.results.front();
  if (count == rows.rows) {
    const auto at = delinearise(Index::variable(0), map.extents, extents);
    const auto placed = place(program, region, map, at, extents);
    if (!placed) return false;
    rows.single.push_back({tensor, placed->value, placed->offset});
    return true;
  }
  if (count != rows.rows * rows.columns) return false;
  const Index linear = Index::variable(0) * rows.columns + Index::variable(1);
  auto placed = place(program, region, map, delinearise(linear, map.extents, extents), extents);
  if (!placed) {
    const auto variables = variables_by_access(program, region, map, reduce, extents);
    if (!variables) return false;
    placed = place(program, region, map, *variables, extents);
    if (!placed) return false;
  }
  rows.mapped.push_back({tensor, placed->value, placed->offset});
  return true;
}

}  // namespace

bool RowProgram::is_result(const Scalars& scalars, ScalarId leaf) const {
  const Scalar& s = scalars[leaf];
  if (s.op != Op::Load) return false;
  return std::any_of(phases.begin(), phases.end(), [&](const RowPhase& phase) {
    return std::find(phase.results.begin(), phase.results.end(), s.tensor) != phase.results.end();
  });
}

std::optional<RowProgram> row_program(Program& program, const Region& region) {
  const Stage* first = nullptr;
  RowProgram rows;
  for (int s = region.first; s <= region.last; ++s) {
    const Stage& stage = stage_at(program, s);
    if (stage.kind != Stage::Kind::Map && stage.kind != Stage::Kind::Reduce) return std::nullopt;
    if (stage.kind == Stage::Kind::Map) continue;
    if (program.scalars[stage.body].type != DType::F32) return std::nullopt;
    if (first == nullptr) {
      first = &stage;
      rows.rows = count_of(stage.parallel_extents());
      rows.columns = count_of(stage.reduced_extents());
    }
    if (stage.parallel_extents() != first->parallel_extents() ||
        stage.reduced_extents() != first->reduced_extents()) {
      return std::nullopt;
    }
  }
  if (first == nullptr || rows.columns < 2) return std::nullopt;
  const Shape extents = rows.extents();
  for (int s = region.first; s <= region.last; ++s) {
    const Stage& stage = stage_at(program, s);
    if (stage.kind != Stage::Kind::Reduce) continue;
    auto at = delinearise(Index::variable(0), stage.parallel_extents(), extents);
    const auto column = delinearise(Index::variable(1), stage.reduced_extents(), extents);
    at.insert(at.end(), column.begin(), column.end());
    RowPhase phase;
    phase.combiner = stage.combiner;
    phase.body =
        inline_maps(program, region, substitute(program, stage.body, at, extents), extents);
    phase.results = stage.results;
    if (!follows_rows(program, region, phase.body, extents)) return std::nullopt;
    rows.phases.push_back(std::move(phase));
  }
  if (rows.phases.size() > kMostPhases) return std::nullopt;
  for (const TensorId t : region.outputs) {
    const Stage& stage = stage_at(program, program.producer(t));
    if (stage.kind == Stage::Kind::Map) {
      if (!add_output(program, region, stage, *first, rows)) return std::nullopt;
      continue;
    }
    const auto at = delinearise(Index::variable(0), stage.parallel_extents(), extents);
    std::vector<Index> store;
    for (const Index& index : stage.store) store.push_back(substitute(index, at, extents));
    const Tensor& tensor = program.tensor(t);
    rows.single.push_back(
        {t, program.scalars.load(t, tensor.dtype, store), linearise(store, tensor.strides)});
  }
  return rows;
}

RowProgram two_pass(Program& program, const RowProgram& rows) {
  RowProgram out = rows;
  out.phases.clear();
  Scalars& s = program.scalars;
  // The row's own result as an expression: any access at row r is bound by its tensor.
  const auto result = [&](TensorId t) {
    const Tensor& tensor = program.tensor(t);
    const Stage& stage = stage_at(program, program.producer(t));
    const auto at = delinearise(Index::variable(0), stage.parallel_extents(), rows.extents());
    std::vector<Index> store;
    for (const Index& index : stage.store) store.push_back(substitute(index, at, rows.extents()));
    return s.load(t, tensor.dtype, store);
  };
  for (const RowPhase& phase : rows.phases) {
    if (phase.combiner == Combiner::OnlineSoftmax) {
      const ScalarId max = result(phase.results[0]);
      const ScalarId shifted = s.unary(Op::Exp, s.binary(Op::Sub, phase.body, max));
      const ScalarId same = s.binary(Op::Eq, phase.body, max);
      out.phases.push_back({Combiner::Max, phase.body, {phase.results[0]}, 1});
      out.phases.push_back(
          {Combiner::Sum, s.select(same, s.constant(1), shifted), {phase.results[1]}, 1});
    } else if (phase.combiner == Combiner::Welford) {
      const ScalarId deviation = s.binary(Op::Sub, phase.body, result(phase.results[0]));
      out.phases.push_back(
          {Combiner::Sum, phase.body, {phase.results[0]}, static_cast<double>(rows.columns)});
      out.phases.push_back(
          {Combiner::Sum, s.binary(Op::Mul, deviation, deviation), {phase.results[1]}, 1});
    } else {
      out.phases.push_back(phase);
    }
  }
  return out;
}

RowProgram over(Program& program, const RowProgram& rows, const std::vector<Index>& values,
                const Shape& extents) {
  RowProgram out = rows;
  for (RowPhase& phase : out.phases) phase.body = substitute(program, phase.body, values, extents);
  for (RowOutput& output : out.mapped) {
    output.value = substitute(program, output.value, values, extents);
    output.offset = substitute(output.offset, values, extents);
  }
  return out;
}

RowLayout layout_of(const Program& program, const RowProgram& rows) {
  std::vector<ScalarId> roots;
  for (const RowPhase& phase : rows.phases) roots.push_back(phase.body);
  for (const RowOutput& output : rows.mapped) roots.push_back(output.value);
  // The step from the first element to its neighbour in q, and in r.
  const auto step = [](const Index& offset, std::size_t variable) {
    const auto value = [&](std::int64_t x) {
      std::vector<Index> at{Index(0), Index(0)};
      at[variable] = Index(x);
      return substitute(offset, at, {}).constant;
    };
    return value(1) - value(0);
  };
  int along = 0, across = 0;
  for (const ScalarId root : roots) {
    for (const ScalarId leaf : leaves_of(program.scalars, root)) {
      const Scalar& s = program.scalars[leaf];
      if (s.op == Op::Decode) ++along;
      if (s.op != Op::Load || rows.is_result(program.scalars, leaf)) continue;
      const Index offset = offset_of(program, s);
      along += step(offset, 1) == 1 ? 1 : 0;
      across += rows.rows > 1 && step(offset, 0) == 1 ? 1 : 0;
    }
  }
  return across > along ? RowLayout::AcrossRows : RowLayout::AlongRow;
}

}  // namespace kw::codegen
