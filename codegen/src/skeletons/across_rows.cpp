// Forms of row_reduce for rows across memory (column_reduce.cuh).

#include <fmt/format.h>

#include <algorithm>

#include "skeletons/parameters.h"
#include "skeletons/row_forms.h"

namespace kw::codegen {
namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

constexpr std::int64_t kHeldRegisters = 72;

struct ColumnParameters {
  std::int64_t vector = 1;  // neighbouring rows of a thread
  std::int64_t x = 64;      // threads along the rows
  std::int64_t y = 1;       // threads that share a row
  std::int64_t items = 8;   // elements of a row in flight per thread
  std::int64_t slices = 1;  // blocks that share a row

  static constexpr ParameterField<ColumnParameters> kFields[] = {
      {"vector", &ColumnParameters::vector}, {"x", &ColumnParameters::x},
      {"y", &ColumnParameters::y},           {"items", &ColumnParameters::items},
      {"slices", &ColumnParameters::slices},
  };
};

RowFunctorOptions options_for(const RowContext& c, const EmitContext& emit,
                              const ColumnParameters& p) {
  RowFunctorOptions options;
  options.name = emit.type_name("Columns");
  options.index = c.index_type();
  options.layout = RowLayout::AcrossRows;
  options.width = p.vector;
  return options;
}

/// States of a block in shared memory, one a thread and lane.
constexpr std::int64_t kMostStates = 2048;
void fit_states(ColumnParameters& p) {
  while (p.x > 32 && p.x * p.y * p.vector > kMostStates) p.x /= 2;
}

ParameterSpace declare_columns(const RowContext& c, const ColumnParameters& p,
                               const Domains& domains) {
  Domains all = {{"vector", {1, 2, 4}}, {"x", {16, 32, 64, 128, 256}}, {"y", {1, 2, 4, 8, 16, 32}}};
  all.insert(all.end(), domains.begin(), domains.end());
  ParameterSpace space = declare(p, all);
  space.symbols["columns"] = c.rows.columns;
  space.symbols["widest"] = c.widest();
  space.symbols["held"] = std::max(held_values(c.program, c.rows), 1);
  constrain(space, "vector <= widest");
  constrain(space, "x * y <= 1024 && (x * y) % 32 == 0");
  constrain(space, fmt::format("x * y * vector <= {}", kMostStates));
  return space;
}

/// Rows in registers: read once whatever the number of phases.
class ColumnsHeld final : public RowForm {
 public:
  std::string_view name() const override { return "columns_held"; }

  std::optional<double> cost(const RowContext& c) const override {
    const ColumnParameters p = heuristic(c);
    if (p.y * p.x > 1024 || p.y > c.rows.columns) return std::nullopt;
    if (ceil_div(c.rows.columns, p.y) * p.vector * held(c) > kHeldRegisters) return std::nullopt;
    return row_cost(c, c.read_bytes() + c.late_bytes() + c.write_bytes(), c.operations(),
                    static_cast<double>(c.rows.rows / p.vector * p.y), 1);
  }

  ParameterSpace space(const RowContext& c) const override {
    ParameterSpace space = declare_columns(c, heuristic(c), {});
    constrain(space, fmt::format("ceil_div(columns, y) * vector * held <= {}", kHeldRegisters));
    return space;
  }

  Fragment emit(const RowContext& c, const Config& config, const EmitContext& emit) const override {
    const auto p = read_parameters<ColumnParameters>(config);
    RowFunctorOptions options = options_for(c, emit, p);
    options.stream_loads = true;
    Fragment fragment = row_fragment(c, options, two_pass(c.program, c.rows),
                                     {"combiners.cuh", "column_reduce.cuh"});
    RowEntry entry;
    entry.name = "columns";
    entry.threads = p.x * p.y;
    const std::int64_t vectors = c.rows.rows / p.vector;
    entry.grid = {ceil_div(vectors, p.x), 1};
    entry.call = fmt::format("kw_columns_held<{}, {}, {}, {}>({{}}, {})", p.x, p.y,
                             ceil_div(c.rows.columns, p.y), options.index, vectors);
    fragment.run.push_back(add_entry(c, emit, options.name, entry, fragment));
    return fragment;
  }

 private:
  static std::int64_t held(const RowContext& c) {
    return std::max<std::int64_t>(held_values(c.program, c.rows), 1);
  }

  static ColumnParameters heuristic(const RowContext& c) {
    ColumnParameters p;
    p.items = 1;
    p.x = 128;
    while (ceil_div(c.rows.columns, p.y) * held(c) > 64) {
      p.y *= 2;
      if (p.x > 32) p.x /= 2;
    }
    // Small tensors: more threads a row before fewer blocks than SMs.
    while (p.x > 32 && ceil_div(c.rows.rows, p.x) < 2 * c.target.sm_count) p.x /= 2;
    while (ceil_div(c.rows.rows, p.x) < 2 * c.target.sm_count && p.y * p.x < 256 &&
           2 * p.y <= c.rows.columns) {
      p.y *= 2;
    }
    return p;
  }
};

/// Rows that are read again for every phase and for the outputs.
class ColumnsLooped final : public RowForm {
 public:
  std::string_view name() const override { return "columns_looped"; }

  std::optional<double> cost(const RowContext& c) const override {
    const ColumnParameters p = heuristic(c);
    const double passes =
        static_cast<double>(c.rows.phases.size()) + (c.rows.mapped.empty() ? 0 : 1);
    return row_cost(c, c.read_bytes() * passes + c.late_bytes() + c.write_bytes(), c.operations(),
                    static_cast<double>(c.rows.rows / p.vector * p.y), 1);
  }

  ParameterSpace space(const RowContext& c) const override {
    ParameterSpace space = declare_columns(c, heuristic(c), {{"items", {1, 2, 4, 8, 16}}});
    constrain(space, "vector * items <= 32");
    return space;
  }

  Fragment emit(const RowContext& c, const Config& config, const EmitContext& emit) const override {
    const auto p = read_parameters<ColumnParameters>(config);
    RowFunctorOptions options = options_for(c, emit, p);
    options.held = false;
    options.stream_loads = c.rows.phases.size() == 1 && c.rows.mapped.empty();
    Fragment fragment = row_fragment(c, options, c.rows, {"combiners.cuh", "column_reduce.cuh"});
    RowEntry entry;
    entry.name = "columns";
    entry.threads = p.x * p.y;
    const std::int64_t vectors = c.rows.rows / p.vector;
    entry.grid = {ceil_div(vectors, p.x), 1};
    entry.call = fmt::format("kw_columns_looped<{}, {}, {}, {}>({{}}, {})", p.x, p.y, p.items,
                             options.index, vectors);
    fragment.run.push_back(add_entry(c, emit, options.name, entry, fragment));
    return fragment;
  }

 private:
  static ColumnParameters heuristic(const RowContext& c) {
    ColumnParameters p;
    p.vector = c.widest();
    p.items = 8;
    p.x = 256;
    p.y = 4;
    while (p.vector > 1 && c.rows.rows / (p.vector * p.x) < 2 * c.target.sm_count) p.vector /= 2;
    while (p.x > 32 && c.rows.rows / (p.vector * p.x) < 2 * c.target.sm_count) p.x /= 2;
    while (p.y < 16 && c.rows.rows / (p.vector * p.x) < 4 * c.target.sm_count &&
           2 * p.y * p.items <= c.rows.columns) {
      p.y *= 2;
    }
    while (p.items > 1 && p.y * p.items > c.rows.columns) p.items /= 2;
    while (p.y > 1 && p.y > c.rows.columns) p.y /= 2;
    fit_states(p);
    return p;
  }
};

/// Few long rows: their slices go to different blocks, a second kernel merges the states.
class ColumnsSplit final : public RowForm {
 public:
  std::string_view name() const override { return "columns_split"; }

  std::optional<double> cost(const RowContext& c) const override {
    if (c.rows.phases.size() != 1 || !c.rows.mapped.empty()) return std::nullopt;
    const ColumnParameters p = heuristic(c);
    if (p.slices < 2) return std::nullopt;
    return row_cost(c, c.read_bytes() + c.write_bytes(), c.operations(),
                    static_cast<double>(c.rows.rows / p.vector * p.y * p.slices), 2);
  }

  ParameterSpace space(const RowContext& c) const override {
    std::vector<std::int64_t> slices;
    for (std::int64_t s = 2; s <= 4096 && s <= c.rows.columns; s *= 2) slices.push_back(s);
    ParameterSpace space =
        declare_columns(c, heuristic(c), {{"items", {1, 2, 4, 8, 16}}, {"slices", slices}});
    constrain(space, "vector * items <= 32");
    return space;
  }

  Fragment emit(const RowContext& c, const Config& config, const EmitContext& emit) const override {
    const auto p = read_parameters<ColumnParameters>(config);
    RowFunctorOptions options = options_for(c, emit, p);
    options.held = false;
    options.partials = true;
    options.stream_loads = true;
    Fragment fragment = row_fragment(c, options, c.rows, {"combiners.cuh", "column_reduce.cuh"});
    const Combiner combiner = c.rows.phases.front().combiner;
    PlanBuffer states;
    states.name = emit.workspace("states");
    states.bytes = Expr(p.slices * c.rows.rows * state_bytes(combiner));
    RowEntry entry;
    entry.workspaces.emplace_back(fmt::format("{}* __restrict__ w0", state_name(combiner)),
                                  BufferArg{states.name, Expr(0)});
    fragment.workspaces.push_back(std::move(states));
    entry.name = "slices";
    entry.threads = p.x * p.y;
    const std::int64_t vectors = c.rows.rows / p.vector;
    entry.grid = {ceil_div(vectors, p.x), p.slices};
    entry.call = fmt::format("kw_columns_split<{}, {}, {}, {}>({{}}, {}, {})", p.x, p.y, p.items,
                             options.index, vectors, ceil_div(c.rows.columns, p.slices));
    fragment.run.push_back(add_entry(c, emit, options.name, entry, fragment));
    entry.name = "merge";
    entry.threads = 128;
    entry.grid = {ceil_div(c.rows.rows, entry.threads), 1};
    entry.call = fmt::format("kw_columns_merge<{}, {}>({{}}, {}, {})", entry.threads, options.index,
                             c.rows.rows, p.slices);
    fragment.run.push_back(add_entry(c, emit, options.name, entry, fragment));
    return fragment;
  }

 private:
  static ColumnParameters heuristic(const RowContext& c) {
    ColumnParameters p;
    p.vector = c.widest();
    p.x = 32;
    p.y = 8;
    while (p.vector > 1 && c.rows.rows < p.vector * p.x) p.vector /= 2;
    const std::int64_t blocks = ceil_div(c.rows.rows, p.vector * p.x);
    p.slices =
        std::clamp<std::int64_t>(ceil_div(8 * c.target.sm_count, blocks), 1,
                                 std::max<std::int64_t>(c.rows.columns / (p.y * p.items), 1));
    return p;
  }
};

}  // namespace

const std::vector<const RowForm*>& across_rows_forms() {
  static const ColumnsHeld held;
  static const ColumnsLooped looped;
  static const ColumnsSplit split;
  static const std::vector<const RowForm*> forms = {&held, &looped, &split};
  return forms;
}

}  // namespace kw::codegen
