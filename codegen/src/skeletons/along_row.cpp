// Forms of row_reduce for rows along memory (row_reduce.cuh, row_split.cuh).

#include <fmt/format.h>

#include <algorithm>

#include "skeletons/parameters.h"
#include "skeletons/row_forms.h"

namespace kw::codegen {
namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t pow2_ceil(std::int64_t x) {
  std::int64_t p = 1;
  while (p < x) p *= 2;
  return p;
}

/// Registers that a thread may spend on what it holds of a row.
constexpr std::int64_t kHeldRegisters = 64;

// ---- held ---------------------------------------------------------------------------------------

struct HeldParameters {
  std::int64_t vector = 4;    // elements per access
  std::int64_t threads = 32;  // that share a row
  std::int64_t rows = 4;      // of a block
  std::int64_t stream = 1;    // evict-first hints

  static constexpr ParameterField<HeldParameters> kFields[] = {
      {"vector", &HeldParameters::vector},
      {"threads", &HeldParameters::threads},
      {"rows", &HeldParameters::rows},
      {"stream", &HeldParameters::stream},
  };
};

/// A row stays in the registers of a part of a warp, a warp or a block.
class HeldForm final : public RowForm {
 public:
  std::string_view name() const override { return "held"; }

  std::optional<double> cost(const RowContext& c) const override {
    const HeldParameters p = heuristic(c);
    if (!fits(c, p)) return std::nullopt;
    return row_cost(c, c.read_bytes() + c.late_bytes() + c.write_bytes(), c.operations(),
                    static_cast<double>(c.rows.rows * p.threads), 1);
  }

  ParameterSpace space(const RowContext& c) const override {
    ParameterSpace space =
        declare(heuristic(c), {{"vector", {1, 2, 4}},
                               {"threads", {4, 8, 16, 32, 64, 128, 256, 512, 1024}},
                               {"rows", {1, 2, 4, 8, 16, 32}},
                               {"stream", {0, 1}}});
    space.symbols["columns"] = c.rows.columns;
    space.symbols["widest"] = c.widest();
    space.symbols["held"] = std::max(held_values(c.program, c.rows), 1);
    constrain(space, "vector <= widest");
    constrain(space, "threads * rows <= 1024 && (threads * rows) % 32 == 0");
    constrain(space, fmt::format("ceil_div(columns, vector * threads) * vector * held <= "
                                 "select(threads * rows > 512, {}, {})",
                                 kHeldRegisters / 2, kHeldRegisters));
    return space;
  }

  Fragment emit(const RowContext& c, const Config& config, const EmitContext& emit) const override {
    const auto p = read_parameters<HeldParameters>(config);
    const RowProgram rows = two_pass(c.program, c.rows);
    RowFunctorOptions options;
    options.name = emit.type_name("Rows");
    options.index = c.index_type();
    options.width = p.vector;
    options.stream_loads = options.stream_stores = p.stream != 0;
    options.stream_late = false;  // weights are shared by all rows
    Fragment fragment = row_fragment(c, options, rows, {"combiners.cuh", "row_reduce.cuh"});
    RowEntry entry;
    entry.name = "rows";
    entry.threads = p.threads * p.rows;
    entry.grid = {ceil_div(c.rows.rows, p.rows), 1};
    entry.call =
        fmt::format("kw_rows_held<{}, {}, {}, {}>({{}}, {})", p.threads, p.rows,
                    ceil_div(c.rows.columns, p.vector * p.threads), options.index, c.rows.rows);
    fragment.run.push_back(add_entry(c, emit, options.name, entry, fragment));
    return fragment;
  }

 private:
  static bool fits(const RowContext& c, const HeldParameters& p) {
    const std::int64_t items = ceil_div(c.rows.columns, p.vector * p.threads);
    const std::int64_t held = std::max(held_values(c.program, c.rows), 1);
    const std::int64_t most = p.threads * p.rows > 512 ? kHeldRegisters / 2 : kHeldRegisters;
    return items * p.vector * held <= most;
  }

  static HeldParameters heuristic(const RowContext& c) {
    HeldParameters p;
    p.vector = c.widest();
    const std::int64_t vectors = ceil_div(c.rows.columns, p.vector);
    const std::int64_t held = std::max(held_values(c.program, c.rows), 1);
    // About 16 floats a thread; a row of up to eight vectors a lane stays within a warp.
    const std::int64_t items = std::max<std::int64_t>(16 / (p.vector * held), 1);
    if (vectors <= 32 * 2 * items) {
      p.threads = std::clamp<std::int64_t>(pow2_ceil(ceil_div(vectors, items)), 4, 32);
    } else {
      p.threads = std::clamp<std::int64_t>(pow2_ceil(ceil_div(vectors, items)), 64, 1024);
    }
    p.rows = std::max<std::int64_t>(128 / p.threads, 1);
    while (p.rows > 1 && p.rows * p.threads > 32 && c.rows.rows < 2 * p.rows * c.target.sm_count) {
      p.rows /= 2;
    }
    p.stream = c.read_bytes() + c.write_bytes() > static_cast<double>(c.target.l2_bytes) ? 1 : 0;
    return p;
  }
};

// ---- looped -------------------------------------------------------------------------------------

struct LoopedParameters {
  std::int64_t vector = 4;
  std::int64_t threads = 512;
  std::int64_t items = 4;  // vectors in flight per thread

  static constexpr ParameterField<LoopedParameters> kFields[] = {
      {"vector", &LoopedParameters::vector},
      {"threads", &LoopedParameters::threads},
      {"items", &LoopedParameters::items},
  };
};

/// One block a row that is too long to hold.
class LoopedForm final : public RowForm {
 public:
  std::string_view name() const override { return "looped"; }

  std::optional<double> cost(const RowContext& c) const override {
    const double passes =
        static_cast<double>(c.rows.phases.size()) + (c.rows.mapped.empty() ? 0 : 1);
    // Passes after the first find in the L2 cache what the running blocks' rows leave there.
    const double running =
        static_cast<double>(std::min<std::int64_t>(c.rows.rows, 4 * c.target.sm_count));
    const double share = running * c.read_bytes() / static_cast<double>(c.rows.rows) /
                         static_cast<double>(c.target.l2_bytes);
    const double again = std::clamp(share, 0.25, 1.0) * (passes - 1);
    return row_cost(c, c.read_bytes() * (1 + again) + c.late_bytes() + c.write_bytes(),
                    c.operations(), static_cast<double>(c.rows.rows * 512), 1);
  }

  ParameterSpace space(const RowContext& c) const override {
    LoopedParameters p;
    p.vector = c.widest();
    while (p.threads > 32 && p.threads * p.vector * p.items > c.rows.columns) p.threads /= 2;
    ParameterSpace space = declare(p, {{"vector", {1, 2, 4}},
                                       {"threads", {32, 64, 128, 256, 512, 1024}},
                                       {"items", {1, 2, 4, 8}}});
    space.symbols["widest"] = c.widest();
    constrain(space, "vector <= widest");
    constrain(space, "vector * items <= 32");
    return space;
  }

  Fragment emit(const RowContext& c, const Config& config, const EmitContext& emit) const override {
    const auto p = read_parameters<LoopedParameters>(config);
    RowFunctorOptions options;
    options.name = emit.type_name("Rows");
    options.index = c.index_type();
    options.width = p.vector;
    options.held = false;
    Fragment fragment = row_fragment(c, options, c.rows, {"combiners.cuh", "row_reduce.cuh"});
    RowEntry entry;
    entry.name = "rows";
    entry.threads = p.threads;
    entry.grid = {c.rows.rows, 1};
    entry.call = fmt::format("kw_rows_looped<{}, {}, {}>({{}})", p.threads, p.items, options.index);
    fragment.run.push_back(add_entry(c, emit, options.name, entry, fragment));
    return fragment;
  }
};

// ---- split --------------------------------------------------------------------------------------

struct SplitParameters {
  std::int64_t vector = 4;
  std::int64_t threads = 256;
  std::int64_t items = 4;
  std::int64_t slices = 1;  // blocks that share a row

  static constexpr ParameterField<SplitParameters> kFields[] = {
      {"vector", &SplitParameters::vector},
      {"threads", &SplitParameters::threads},
      {"items", &SplitParameters::items},
      {"slices", &SplitParameters::slices},
  };
};

/// Several blocks a row; a kernel for each phase and one for the outputs.
class SplitForm final : public RowForm {
 public:
  std::string_view name() const override { return "split"; }

  std::optional<double> cost(const RowContext& c) const override {
    if (c.rows.columns < 1024) return std::nullopt;
    const SplitParameters p = heuristic(c);
    const int kernels = static_cast<int>(c.rows.phases.size()) + 1;
    const double passes = static_cast<double>(kernels) - (c.rows.mapped.empty() ? 1 : 0);
    // Against one kernel that reads as often (measured): 3 % for the states between kernels.
    return row_cost(c, 1.03 * (c.read_bytes() * passes + c.late_bytes() + c.write_bytes()),
                    c.operations(), static_cast<double>(c.rows.rows * p.slices * p.threads),
                    kernels);
  }

  ParameterSpace space(const RowContext& c) const override {
    std::vector<std::int64_t> slices;
    for (std::int64_t s = 1; s <= 16384; s *= 2) slices.push_back(s);
    ParameterSpace space = declare(heuristic(c), {{"vector", {1, 2, 4}},
                                                  {"threads", {64, 128, 256, 512}},
                                                  {"items", {1, 2, 4, 8}},
                                                  {"slices", slices}});
    space.symbols["columns"] = c.rows.columns;
    space.symbols["rows"] = c.rows.rows;
    space.symbols["widest"] = c.widest();
    constrain(space, "vector <= widest");
    constrain(space, "vector * items <= 32");
    constrain(space, "slices <= max(ceil_div(columns, vector * threads), 1)");
    constrain(space, "slices * rows <= 2147483647");
    return space;
  }

  Fragment emit(const RowContext& c, const Config& config, const EmitContext& emit) const override {
    const auto p = read_parameters<SplitParameters>(config);
    RowFunctorOptions options;
    options.name = emit.type_name("Rows");
    options.index = c.index_type();
    options.width = p.vector;
    options.held = false;
    options.partials = true;
    options.stream_loads = c.rows.phases.size() == 1 && c.rows.mapped.empty();
    Fragment fragment =
        row_fragment(c, options, c.rows, {"combiners.cuh", "row_reduce.cuh", "row_split.cuh"});

    RowEntry entry;
    entry.threads = p.threads;
    entry.grid = {p.slices * c.rows.rows, 1};
    for (std::size_t i = 0; i < c.rows.phases.size(); ++i) {
      const Combiner combiner = c.rows.phases[i].combiner;
      PlanBuffer states;
      states.name = emit.workspace(fmt::format("states{}", i));
      states.bytes = Expr(p.slices * c.rows.rows * state_bytes(combiner));
      entry.workspaces.emplace_back(fmt::format("{}* __restrict__ w{}", state_name(combiner), i),
                                    BufferArg{states.name, Expr(0)});
      fragment.workspaces.push_back(std::move(states));
    }
    const std::int64_t vectors = ceil_div(c.rows.columns, p.vector);
    const std::string rest =
        fmt::format("{{}}, {}, {}, {}", c.rows.rows, p.slices, ceil_div(vectors, p.slices));
    for (std::size_t i = 0; i < c.rows.phases.size(); ++i) {
      entry.name = fmt::format("reduce{}", i);
      entry.call = fmt::format("kw_split_reduce<{}, {}, {}, {}>({})", i, p.threads, p.items,
                               options.index, rest);
      fragment.run.push_back(add_entry(c, emit, options.name, entry, fragment));
    }
    entry.name = "apply";
    entry.call =
        fmt::format("kw_split_apply<{}, {}, {}>({})", p.threads, p.items, options.index, rest);
    if (c.rows.mapped.empty()) entry.grid = {c.rows.rows, 1};
    fragment.run.push_back(add_entry(c, emit, options.name, entry, fragment));
    return fragment;
  }

 private:
  static SplitParameters heuristic(const RowContext& c) {
    SplitParameters p;
    p.vector = c.widest();
    if (p.vector == 1) p.items = 8;
    while (p.threads > 64 && p.threads * p.items * p.vector * 2 > c.rows.columns) p.threads /= 2;
    // A block's work: enough to hide its start, little enough that the last wave is short.
    const std::int64_t chunk = p.threads * p.items * p.vector;
    const auto elements = static_cast<std::int64_t>(c.elements());
    const std::int64_t wanted = std::max(elements / (c.target.sm_count * 62), 4 * chunk);
    p.slices =
        std::clamp<std::int64_t>(c.rows.columns / wanted, 1, ceil_div(c.rows.columns, chunk));
    return p;
  }
};

}  // namespace

const std::vector<const RowForm*>& along_row_forms() {
  static const HeldForm held;
  static const LoopedForm looped;
  static const SplitForm split;
  static const std::vector<const RowForm*> forms = {&held, &shared_row_form(), &looped, &split,
                                                    &woven_row_form()};
  return forms;
}

}  // namespace kw::codegen
