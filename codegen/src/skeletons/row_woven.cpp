// row_reduce, `woven`: long rows whose outputs are written while the row is in the L2 cache
// (row_woven.cuh).

#include <fmt/format.h>

#include <algorithm>

#include "skeletons/parameters.h"
#include "skeletons/row_forms.h"

namespace kw::codegen {
namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

struct WovenParameters {
  std::int64_t vector = 4;
  std::int64_t threads = 256;
  std::int64_t items = 4;   // vectors in flight per thread
  std::int64_t slices = 1;  // of a row
  std::int64_t blocks = 4;  // of an SM
  std::int64_t lag = 2;     // rows between what is reduced and what is written

  static constexpr ParameterField<WovenParameters> kFields[] = {
      {"vector", &WovenParameters::vector}, {"threads", &WovenParameters::threads},
      {"items", &WovenParameters::items},   {"slices", &WovenParameters::slices},
      {"blocks", &WovenParameters::blocks}, {"lag", &WovenParameters::lag},
  };
};

constexpr std::int64_t kMostItems = 1 << 30;

class WovenForm final : public RowForm {
 public:
  std::string_view name() const override { return "woven"; }

  std::optional<double> cost(const RowContext& c) const override {
    if (c.rows.phases.size() != 1 || c.rows.mapped.empty() || c.rows.columns < 1024) {
      return std::nullopt;
    }
    const WovenParameters p = heuristic(c);
    if (2 * (c.rows.rows + p.lag) * p.slices > kMostItems) return std::nullopt;
    // Rows between reading and writing beyond the cache come from memory again.
    const double again = live_bytes(c, p) <= kCacheShare * l2(c) ? 0.1 : 1;
    // Items that nothing follows: a part of the first and of the last rows' time.
    const double ends = 1 + static_cast<double>(p.lag) / static_cast<double>(c.rows.rows);
    const double bytes = c.read_bytes() * (1 + again) + c.late_bytes() + c.write_bytes();
    const double threads = static_cast<double>(c.rows.rows * p.slices * p.threads);
    return std::max(row_cost(c, 1.05 * ends * bytes, c.operations(), threads, 2),
                    items_us(c, p) + 2 * kLaunchUs) +
           kWaitUs;
  }

  ParameterSpace space(const RowContext& c) const override {
    std::vector<std::int64_t> slices;
    for (std::int64_t s = 1; s <= 4096; s *= 2) slices.push_back(s);
    ParameterSpace space = declare(heuristic(c), {{"vector", {1, 2, 4}},
                                                  {"threads", {128, 256, 512}},
                                                  {"items", {1, 2, 4, 8}},
                                                  {"slices", slices},
                                                  {"blocks", {1, 2, 3, 4, 6, 8}},
                                                  {"lag", {1, 2, 3, 4, 6, 8, 12, 16}}});
    space.symbols["columns"] = c.rows.columns;
    space.symbols["rows"] = c.rows.rows;
    space.symbols["widest"] = c.widest();
    constrain(space, "vector <= widest");
    constrain(space, "vector * items <= 32");
    constrain(space, "slices <= max(ceil_div(columns, vector * threads), 1)");
    constrain(space, fmt::format("2 * (rows + lag) * slices <= {}", kMostItems));
    return space;
  }

  Fragment emit(const RowContext& c, const Config& config, const EmitContext& emit) const override {
    const auto p = read_parameters<WovenParameters>(config);
    RowFunctorOptions options;
    options.name = emit.type_name("Rows");
    options.index = c.index_type();
    options.width = p.vector;
    options.held = false;
    options.partials = true;
    Fragment fragment =
        row_fragment(c, options, c.rows, {"combiners.cuh", "row_reduce.cuh", "row_woven.cuh"});

    const Combiner combiner = c.rows.phases.front().combiner;
    const std::int64_t counters = c.rows.rows * (p.slices + 1) * state_bytes(combiner);
    const std::int64_t counter_bytes = 4 * (1 + c.rows.rows);
    PlanBuffer states;
    states.name = emit.workspace("states");
    states.bytes = Expr(counters + counter_bytes);
    MemsetNode zero;
    zero.buffer = states.name;
    zero.offset = Expr(counters);
    zero.bytes = Expr(counter_bytes);
    fragment.run.push_back({emit.entry("zero"), {}, std::move(zero)});

    RowEntry entry;
    entry.name = "rows";
    entry.threads = p.threads;
    entry.grid = {std::min(p.blocks * c.target.sm_count, 2 * c.rows.rows * p.slices), 1};
    entry.workspaces.emplace_back(fmt::format("{}* w0", state_name(combiner)),
                                  BufferArg{states.name, Expr(0)});
    fragment.workspaces.push_back(std::move(states));
    const std::int64_t vectors = ceil_div(c.rows.columns, p.vector);
    entry.call =
        fmt::format("kw_rows_woven<{}, {}, {}>({{}}, {}, {}, {}, {})", p.threads, p.items,
                    options.index, c.rows.rows, p.slices, ceil_div(vectors, p.slices), p.lag);
    fragment.run.push_back(add_entry(c, emit, options.name, entry, fragment));
    return fragment;
  }

 private:
  static constexpr double kWaitUs = 4;
  static constexpr double kCacheShare = 0.52;  // of the L2 cache that rows find room in

  static double l2(const RowContext& c) { return static_cast<double>(c.target.l2_bytes); }
  static std::int64_t chunk(const WovenParameters& p) { return p.threads * p.items * p.vector; }
  static std::int64_t running(const RowContext& c, const WovenParameters& p) {
    return p.blocks * c.target.sm_count;
  }

  /// Bytes between a row's first read and its last.
  static double live_bytes(const RowContext& c, const WovenParameters& p) {
    const std::int64_t rows = std::min(p.lag + 1, c.rows.rows);
    return static_cast<double>(rows) * c.read_bytes() / static_cast<double>(c.rows.rows);
  }

  /// An item waits for its first loads, for the block and for a counter, 4.4 us in all; each
  /// further chunk of it takes 1.5 (measured with four blocks an SM).
  static double items_us(const RowContext& c, const WovenParameters& p) {
    const std::int64_t slice = ceil_div(c.rows.columns, p.slices);
    const double item = 4.4 + 1.5 * static_cast<double>(ceil_div(slice, chunk(p)) - 1);
    const double items = 2.0 * static_cast<double>((c.rows.rows + p.lag) * p.slices);
    return item * std::max(items / static_cast<double>(running(c, p)), 1.0);
  }

  /// Long items cost least, but what is in flight has to stay in the cache.
  static WovenParameters heuristic(const RowContext& c) {
    WovenParameters p;
    p.vector = c.widest();
    if (p.vector == 1) p.items = 8;
    while (p.threads > 128 && chunk(p) * 2 > c.rows.columns) p.threads /= 2;
    std::optional<WovenParameters> best;
    for (std::int64_t blocks = 4; blocks >= 2; --blocks) {
      for (std::int64_t chunks = 4; chunks >= 1; --chunks) {
        WovenParameters tried = p;
        tried.blocks = blocks;
        tried.slices = std::clamp<std::int64_t>(c.rows.columns / (chunks * chunk(p)), 1, 4096);
        // A row's last slices are reduced before its first are written: half of the items in
        // flight.
        tried.lag = 1 + ceil_div(running(c, tried), 2 * tried.slices);
        if (best && live_bytes(c, tried) > kCacheShare * l2(c)) continue;
        if (!best || live_bytes(c, *best) > kCacheShare * l2(c) ||
            items_us(c, tried) < items_us(c, *best)) {
          best = tried;
        }
      }
    }
    return *best;
  }
};

}  // namespace

const RowForm& woven_row_form() {
  static const WovenForm form;
  return form;
}

}  // namespace kw::codegen
