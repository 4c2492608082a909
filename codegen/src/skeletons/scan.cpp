// scan: every prefix of rows (cumsum, cumprod, cummax, logcumsumexp; reverse, exclusive and masked
// ones too), with the pointwise work before and after it inlined: each element is read and written
// once.

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "skeletons/parameters.h"
#include "skeletons/scan_functor.h"

namespace kw::codegen {
namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t power_of_two_from(std::int64_t x) {
  return static_cast<std::int64_t>(
      std::bit_ceil(static_cast<std::uint64_t>(std::max<std::int64_t>(x, 1))));
}

/// Schedule of rows along memory.
struct RowScan {
  std::int64_t vector = 4;   // elements per access
  std::int64_t group = 256;  // threads that share a row
  std::int64_t block = 256;  // threads
  std::int64_t items = 4;    // vectors of a thread in a chunk
  std::int64_t slices = 1;   // blocks that share a row

  static constexpr ParameterField<RowScan> kFields[] = {
      {"vector", &RowScan::vector}, {"group", &RowScan::group},   {"block", &RowScan::block},
      {"items", &RowScan::items},   {"slices", &RowScan::slices},
  };
};

/// Schedule of rows across memory.
struct ColumnScan {
  std::int64_t vector = 1;  // neighbouring rows of a thread
  std::int64_t x = 32;      // threads along the rows
  std::int64_t y = 8;       // threads that share a row
  std::int64_t items = 8;   // places of a thread in a chunk
  std::int64_t slices = 1;  // blocks that share a row

  static constexpr ParameterField<ColumnScan> kFields[] = {
      {"vector", &ColumnScan::vector}, {"x", &ColumnScan::x},           {"y", &ColumnScan::y},
      {"items", &ColumnScan::items},   {"slices", &ColumnScan::slices},
  };
};

/// A region seen as a scan, with what its forms ask about it.
struct Scene {
  Program& program;
  const Region& region;
  const ScanProgram& scan;
  ScanLayout layout;
  const Target& target;

  std::int64_t widest() const {
    for (const std::int64_t width : {4, 2}) {
      if (vectorises(program, scan, layout, width)) return width;
    }
    return 1;
  }
  std::vector<TensorId> pointers() const {
    std::vector<TensorId> all = region.inputs;
    all.insert(all.end(), region.outputs.begin(), region.outputs.end());
    return all;
  }
  std::string index() const {
    const double elements = static_cast<double>(scan.rows) * static_cast<double>(scan.columns);
    if (elements > static_cast<double>(kLastInt32)) return "long long";
    return index_type(program, pointers());
  }
  bool across() const { return layout == ScanLayout::Across; }
};

/// Enough blocks for every SM, so long as a slice is several chunks.
std::int64_t slices_for(std::int64_t blocks, std::int64_t chunks, const Target& target) {
  const std::int64_t wanted = ceil_div(4 * target.sm_count, std::max<std::int64_t>(blocks, 1));
  return std::clamp<std::int64_t>(wanted, 1, std::clamp<std::int64_t>(chunks / 2, 1, 256));
}

RowScan row_heuristic(const Scene& s, bool split) {
  RowScan p;
  p.vector = s.widest();
  const std::int64_t vectors = s.scan.columns / p.vector;
  // In flight, and in registers twice: of each input, and of the chunk before.
  p.items = (p.vector > 1 ? 4 : 8) / (s.region.inputs.size() > 1 ? 2 : 1);
  p.group = std::min<std::int64_t>(power_of_two_from(vectors), 256);
  // Few rows: more threads a row before idle SMs.
  while (p.group < 1024 && 2 * p.group <= vectors &&
         s.scan.rows * p.group < 512 * s.target.sm_count) {
    p.group *= 2;
  }
  p.block = std::max<std::int64_t>(p.group, 256);
  while (p.block > 64 && p.block > p.group &&
         s.scan.rows / (p.block / p.group) < 2 * s.target.sm_count) {
    p.block /= 2;
  }
  p.block = std::max<std::int64_t>(p.block, 32);
  while (p.items > 1 && (p.items / 2) * p.group >= vectors) p.items /= 2;
  if (split) {
    p.block = p.group = std::min<std::int64_t>(p.group, 256);
    p.block = std::max<std::int64_t>(p.block, 32);
    p.slices = slices_for(s.scan.rows, ceil_div(vectors, p.group * p.items), s.target);
  }
  return p;
}

/// States of a block in shared memory, two for each thread and lane.
constexpr std::int64_t kMostStates = 1024;

ColumnScan column_heuristic(const Scene& s, bool split) {
  ColumnScan p;
  const std::int64_t rows = s.scan.rows, columns = s.scan.columns;
  p.vector = std::min<std::int64_t>(s.widest(), 2);
  while (p.vector > 1 && rows / p.vector < 1024 * s.target.sm_count) p.vector /= 2;
  p.items = 8 / p.vector;
  while (p.items > 1 && p.items / 2 >= columns) p.items /= 2;
  p.y = 1;
  while (p.y < 16 && rows / p.vector * p.y < 1024 * s.target.sm_count && p.y * p.items < columns) {
    p.y *= 2;
  }
  p.x = p.y >= 8 ? 32 : 64;
  if (split) {
    p.y = std::min<std::int64_t>(p.y, 8);
    p.slices = std::min<std::int64_t>(
        slices_for(ceil_div(rows, p.vector * p.x), ceil_div(columns, p.y * p.items), s.target), 64);
  }
  return p;
}

double cost(const Scene& s, bool split) {
  double threads = 0;
  std::int64_t slices = 1;
  if (s.across()) {
    const ColumnScan p = column_heuristic(s, split);
    slices = p.slices;
    threads = static_cast<double>(ceil_div(s.scan.rows, p.vector) * p.y * p.slices);
  } else {
    const RowScan p = row_heuristic(s, split);
    slices = p.slices;
    threads = static_cast<double>(s.scan.rows * p.group * p.slices);
  }
  const double enough = 1024.0 * static_cast<double>(s.target.sm_count);
  const double starved = std::clamp(enough / std::max(threads, 1.0), 1.0, 256.0);
  std::vector<ScalarId> roots = {s.scan.body};
  for (const ScanOutput& output : s.scan.outputs) roots.push_back(output.value);
  double read = 0;
  for (const TensorId t : tensors_under(s.program, {s.scan.body})) {
    read += static_cast<double>(count_of(s.program.tensor(t).shape)) *
            static_cast<double>(size_of(s.program.tensor(t).dtype));
  }
  Work work;
  work.bytes = (minimal_bytes(s.program, s.region) + (slices > 1 ? read : 0)) * starved;
  work.operations = (operations_of(s.program.scalars, roots) + 20) * starved *
                    static_cast<double>(s.scan.rows) * static_cast<double>(s.scan.columns);
  work.launches = slices > 1 ? 2 : 1;
  return cost_of(work, s.target);
}

std::vector<std::int64_t> slice_domain(std::int64_t most) {
  std::vector<std::int64_t> slices;
  for (std::int64_t n = 2; n <= most; n *= 2) slices.push_back(n);
  return slices;
}

class ScanSkeleton final : public Skeleton {
 public:
  std::string_view name() const override { return "scan@1"; }

  std::vector<Offer> match(Program& program, const Region& region,
                           const Target& target) const override {
    const auto scan = scan_program(program, region);
    if (!scan) return {};
    const Scene scene{program, region, *scan, layout_of(program, *scan), target};
    const std::string form = scene.across() ? "columns" : "rows";
    std::vector<Offer> offers = {{form, cost(scene, false)}};
    const std::int64_t slices =
        scene.across() ? column_heuristic(scene, true).slices : row_heuristic(scene, true).slices;
    if (slices > 1) offers.push_back({form + "_split", cost(scene, true)});
    return offers;
  }

  ParameterSpace space(Program& program, const Region& region, std::string_view form,
                       const Target& target) const override {
    const auto scan = scan_program(program, region);
    if (!scan) return {};
    const Scene scene{program, region, *scan, layout_of(program, *scan), target};
    const bool split = form.ends_with("_split");
    ParameterSpace space = scene.across() ? column_space(scene, split) : row_space(scene, split);
    space.symbols["widest"] = scene.widest();
    space.symbols["columns"] = scan->columns;
    constrain(space, "vector <= widest");
    constrain(space, split ? "slices >= 2 && slices <= columns" : "slices == 1");
    return space;
  }

  Result<Fragment> emit(Program& program, const Region& region, std::string_view,
                        const Config& config, const EmitContext& context) const override {
    const auto scan = scan_program(program, region);
    if (!scan) return fail(Errc::Internal, "scan does not match this region any more");
    const Scene scene{program, region, *scan, layout_of(program, *scan), context.target};
    const auto rows = read_parameters<RowScan>(config);
    const auto columns = read_parameters<ColumnScan>(config);
    ScanFunctorOptions options;
    options.name = context.type_name("Scan");
    options.index = scene.index();
    options.layout = scene.layout;
    options.width = scene.across() ? columns.vector : rows.vector;
    ScanFunctor functor = scan_functor(program, region, *scan, scene.pointers(), options);
    Fragment fragment;
    fragment.includes = {"scan.cuh"};
    fragment.code = std::move(functor.text);
    note_formats(program, functor.roots, fragment);
    if (rows.slices > 1) {
      PlanBuffer runs;
      runs.name = context.workspace("runs");
      runs.bytes = Expr(scan->rows * rows.slices * run_bytes(*scan));
      fragment.workspaces.push_back(std::move(runs));
    }
    const auto add = [&](const char* name, bool totals) {
      fragment.run.push_back(
          scene.across() ? column_entry(scene, columns, options, context, name, totals, fragment)
                         : row_entry(scene, rows, options, context, name, totals, fragment));
    };
    if (rows.slices > 1) add("totals", true);
    add("scan", false);
    return fragment;
  }

 private:
  static ParameterSpace row_space(const Scene& s, bool split) {
    ParameterSpace space =
        declare(row_heuristic(s, split), {{"vector", {1, 2, 4}},
                                          {"group", {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}},
                                          {"block", {32, 64, 128, 256, 512, 1024}},
                                          {"items", {1, 2, 4, 8}},
                                          {"slices", split ? slice_domain(256) : Shape{1}}});
    constrain(space, "group <= block");
    constrain(space, "vector * items <= 32");
    return space;
  }

  static ParameterSpace column_space(const Scene& s, bool split) {
    ParameterSpace space =
        declare(column_heuristic(s, split), {{"vector", {1, 2, 4}},
                                             {"x", {16, 32, 64, 128, 256}},
                                             {"y", {1, 2, 4, 8, 16, 32}},
                                             {"items", {1, 2, 4, 8, 16}},
                                             {"slices", split ? slice_domain(64) : Shape{1}}});
    constrain(space, "x * y <= 1024 && (x * y) % 32 == 0");
    constrain(space, fmt::format("y == 1 || x * y * vector <= {}", kMostStates));
    constrain(space, "vector * items <= 32");
    return space;
  }

  static const char* part(std::int64_t slices, bool totals) {
    return slices == 1 ? "KwPart::Whole" : totals ? "KwPart::Totals" : "KwPart::Rest";
  }

  /// Adds a kernel that makes the functor from its arguments and calls `call`.
  static PlanNode entry(const Scene& s, const EmitContext& context, const std::string& name,
                        std::int64_t threads, std::int64_t blocks, std::int64_t slices,
                        const std::string& functor, const std::string& call, Fragment& fragment) {
    const std::vector<TensorId> pointers = s.pointers();
    KernelNode kernel;
    kernel.kernel = context.entry(name);
    kernel.grid = {Expr(blocks), Expr(slices), Expr(1)};
    kernel.block = {Expr(threads), Expr(1), Expr(1)};
    for (const TensorId t : pointers) kernel.args.push_back(tensor_arg(s.program, t));
    std::string parameters = parameter_text(s.program, pointers, s.region), runs = "nullptr";
    if (slices > 1) {
      parameters += fmt::format(", {}* __restrict__ runs", run_name(s.scan));
      runs = "runs";
      kernel.args.push_back(BufferArg{context.workspace("runs"), Expr(0)});
    }
    fragment.code += fmt::format(
        "extern \"C\" __global__ void __launch_bounds__({})\n{}({}) {{\n  {}({}{{{}}}, {});\n}}\n",
        threads, kernel.kernel, parameters, call.substr(0, call.find('|')), functor,
        argument_text(pointers), call.substr(call.find('|') + 1) + ", " + runs);
    return {kernel.kernel, {}, std::move(kernel)};
  }

  static PlanNode row_entry(const Scene& s, const RowScan& p, const ScanFunctorOptions& o,
                            const EmitContext& context, const std::string& name, bool totals,
                            Fragment& fragment) {
    const std::int64_t vectors = s.scan.columns / p.vector, chunk = p.group * p.items;
    const std::int64_t stretch = ceil_div(ceil_div(vectors, chunk), p.slices) * chunk;
    const std::string call = fmt::format("kw_scan_rows<{}, {}, {}, {}, {}, {}>|{}, {}", p.block,
                                         p.group, p.items, s.layout == ScanLayout::Backward,
                                         part(p.slices, totals), o.index, s.scan.rows, stretch);
    return entry(s, context, name, p.block, ceil_div(s.scan.rows, p.block / p.group), p.slices,
                 o.name, call, fragment);
  }

  static PlanNode column_entry(const Scene& s, const ColumnScan& p, const ScanFunctorOptions& o,
                               const EmitContext& context, const std::string& name, bool totals,
                               Fragment& fragment) {
    const std::int64_t vectors = s.scan.rows / p.vector;
    const std::string call =
        fmt::format("kw_scan_columns<{}, {}, {}, {}, {}>|{}, {}", p.x, p.y, p.items,
                    part(p.slices, totals), o.index, vectors, ceil_div(s.scan.columns, p.slices));
    return entry(s, context, name, p.x * p.y, ceil_div(vectors, p.x), p.slices, o.name, call,
                 fragment);
  }
};

}  // namespace

const Skeleton& scan_skeleton() {
  static const ScanSkeleton skeleton;
  return skeleton;
}

}  // namespace kw::codegen
