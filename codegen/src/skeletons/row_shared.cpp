// row_reduce, `shared`: rows that registers cannot hold but the shared memory of a block, or of a
// thread block cluster (sm_90), can (row_shared.cuh).

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "skeletons/parameters.h"
#include "skeletons/row_forms.h"

namespace kw::codegen {
namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Static shared memory of the block's and the cluster's states.
constexpr std::int64_t kStateBytes = 1024;
constexpr std::int64_t kMostCluster = 8;  // the portable maximum

struct SharedParameters {
  std::int64_t vector = 4;
  std::int64_t threads = 512;
  std::int64_t items = 4;    // vectors in flight per thread
  std::int64_t cluster = 1;  // blocks that share a row

  static constexpr ParameterField<SharedParameters> kFields[] = {
      {"vector", &SharedParameters::vector},
      {"threads", &SharedParameters::threads},
      {"items", &SharedParameters::items},
      {"cluster", &SharedParameters::cluster},
  };
};

std::int64_t most_cluster(const Target& target) {
  int number = 0;
  const std::string_view digits =
      std::string_view(target.arch).substr(std::min<std::size_t>(3, target.arch.size()));
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number >= 90 ? kMostCluster : 1;
}

/// Floats that a phase reads for one element; nothing when it reads anything but vectors of F32.
std::optional<std::int64_t> floats_per_element(const RowContext& c) {
  for (const RowPhase& phase : c.rows.phases) {
    for (const ScalarId leaf : leaves_of(c.program.scalars, phase.body)) {
      const Scalar& s = c.program.scalars[leaf];
      if (c.rows.is_result(c.program.scalars, leaf)) continue;
      if (s.op != Op::Load && s.op != Op::Decode) return std::nullopt;
      const bool varies = std::any_of(s.at.begin(), s.at.end(),
                                      [](const Index& index) { return index.depends_on(1); });
      if (!varies || s.type != DType::F32) return std::nullopt;
    }
  }
  return std::max<std::int64_t>(held_values(c.program, c.rows), 1);
}

std::int64_t slice_vectors(const RowContext& c, const SharedParameters& p) {
  return ceil_div(ceil_div(c.rows.columns, p.vector), p.cluster);
}
std::int64_t slice_bytes(const RowContext& c, const SharedParameters& p, std::int64_t floats) {
  return slice_vectors(c, p) * p.vector * 4 * floats;
}

class SharedForm final : public RowForm {
 public:
  std::string_view name() const override { return "shared"; }

  std::optional<double> cost(const RowContext& c) const override {
    const auto floats = floats_per_element(c);
    if (!floats) return std::nullopt;
    const SharedParameters p = heuristic(c, *floats);
    if (slice_bytes(c, p, *floats) + kStateBytes > c.target.shared_per_block) return std::nullopt;
    // A block reads, then computes, then writes; two on an SM overlap. Clusters have not been timed
    // on a device yet and rank just behind `looped`, which has: the race decides.
    const double share = p.cluster > 1 ? 1.52 : 1.15;
    const double bytes = c.read_bytes() + c.late_bytes() + c.write_bytes();
    return row_cost(c, share * bytes, c.operations(),
                    static_cast<double>(c.rows.rows * p.cluster * p.threads), 1);
  }

  ParameterSpace space(const RowContext& c) const override {
    const std::int64_t floats = floats_per_element(c).value_or(1);
    ParameterSpace space = declare(heuristic(c, floats), {{"vector", {1, 2, 4}},
                                                          {"threads", {128, 256, 512, 1024}},
                                                          {"items", {1, 2, 4, 8}},
                                                          {"cluster", {1, 2, 4, 8}}});
    space.symbols["columns"] = c.rows.columns;
    space.symbols["floats"] = floats;
    space.symbols["widest"] = c.widest();
    space.symbols["most_cluster"] = most_cluster(c.target);
    space.symbols["shared"] = c.target.shared_per_block - kStateBytes;
    constrain(space, "vector <= widest && cluster <= most_cluster");
    constrain(space, "vector * items * floats <= select(threads > 512, 16, 32)");
    constrain(space,
              "ceil_div(ceil_div(columns, vector), cluster) * vector * 4 * floats <= shared");
    return space;
  }

  Fragment emit(const RowContext& c, const Config& config, const EmitContext& emit) const override {
    const auto p = read_parameters<SharedParameters>(config);
    RowFunctorOptions options;
    options.name = emit.type_name("Rows");
    options.index = c.index_type();
    options.width = p.vector;
    options.stream_loads = true;
    options.stream_late = false;  // weights are shared by all rows
    Fragment fragment =
        row_fragment(c, options, c.rows, {"combiners.cuh", "row_reduce.cuh", "row_shared.cuh"});
    RowEntry entry;
    entry.name = "rows";
    entry.threads = p.threads;
    entry.grid = {c.rows.rows * p.cluster, 1};
    entry.call = fmt::format("kw_rows_shared<{}, {}, {}, {}>({{}}, {})", p.threads, p.cluster,
                             p.items, options.index, slice_vectors(c, p));
    PlanNode node = add_entry(c, emit, options.name, entry, fragment);
    auto& kernel = std::get<KernelNode>(node.what);
    kernel.shared = Expr(slice_bytes(c, p, floats_per_element(c).value_or(1)));
    if (p.cluster > 1) kernel.cluster = {Expr(p.cluster), Expr(1), Expr(1)};
    fragment.run.push_back(std::move(node));
    return fragment;
  }

 private:
  static SharedParameters heuristic(const RowContext& c, std::int64_t floats) {
    SharedParameters p;
    p.vector = c.widest();
    // Two blocks of an SM overlap each other's reading and writing, where a cluster can be so
    // large.
    const std::int64_t half = c.target.shared_per_block / 2 - kStateBytes;
    while (p.cluster < most_cluster(c.target) && slice_bytes(c, p, floats) > half) p.cluster *= 2;
    const bool alone = slice_bytes(c, p, floats) > half;
    p.threads = alone ? 1024 : 512;
    while (p.threads > 128 && p.threads * 2 > slice_vectors(c, p)) p.threads /= 2;
    while (p.items > 1 && p.vector * p.items * floats > (alone ? 16 : 32)) p.items /= 2;
    return p;
  }
};

}  // namespace

const RowForm& shared_row_form() {
  static const SharedForm form;
  return form;
}

}  // namespace kw::codegen
