// window: pools, depthwise convolutions and others of few channels a group, plain FP32 arithmetic,
// with the pointwise work before and after inlined (window.cuh).

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "skeletons/parameters.h"
#include "skeletons/window_program.h"

namespace kw::codegen {
namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

struct WindowParameters {
  std::int64_t tile = 4;     // outputs of a thread
  std::int64_t block = 256;  // threads

  static constexpr ParameterField<WindowParameters> kFields[] = {
      {"tile", &WindowParameters::tile}, {"block", &WindowParameters::block}};
};

/// Reads of the image that a thread has in straight code.
constexpr std::int64_t kMostReads = 192;

struct Scene {
  Program& program;
  const Region& region;
  const WindowProgram& window;
  const Target& target;

  std::int64_t across() const { return window.tile ? window.extent(window.tile->o) : 1; }
  std::int64_t outputs() const {
    return count_of(Shape(window.extents.begin(), window.extents.begin() + window.parallel));
  }
  std::int64_t threads(std::int64_t tile) const {
    return outputs() / across() * ceil_div(across(), tile);
  }
  std::int64_t reads(std::int64_t tile) const {
    return window.rows(tile) * window.extent_of(window.inner);
  }
  std::vector<TensorId> pointers() const {
    std::vector<TensorId> all = region.inputs;
    all.insert(all.end(), region.outputs.begin(), region.outputs.end());
    return all;
  }
};

WindowParameters heuristic(const Scene& s) {
  WindowParameters p;
  p.tile = 1;
  if (s.window.tile) {
    double best = 0;
    for (std::int64_t tile = 1; tile <= 8 && tile <= s.across(); ++tile) {
      if (tile > 1 && s.reads(tile) > kMostReads) break;
      const double reads = static_cast<double>(s.reads(tile) + s.window.extent_of(s.window.inner)) *
                           static_cast<double>(ceil_div(s.across(), tile));
      if (best == 0 || reads < best) {
        best = reads;
        p.tile = tile;
      }
    }
  }
  while (p.tile > 1 && s.threads(p.tile) < 1024 * s.target.sm_count) p.tile = ceil_div(p.tile, 2);
  while (p.block > 64 && s.threads(p.tile) < p.block * s.target.sm_count) p.block /= 2;
  return p;
}

double cost(const Scene& s) {
  const WindowProgram& w = s.window;
  const WindowParameters p = heuristic(s);
  // A read of the image touches as many lines of the L1 cache as neighbours are apart.
  const double lines = static_cast<double>(std::clamp<std::int64_t>(w.lane_step, 1, 32));
  const double reads =
      static_cast<double>(s.reads(p.tile) * w.extent_of(w.outer)) / static_cast<double>(p.tile);
  const double taps = static_cast<double>(w.extent_of(w.inner) * w.extent_of(w.outer) *
                                          (w.tile ? w.extent(w.tile->t) : 1));
  std::vector<ScalarId> after;
  for (const WindowOutput& output : w.outputs) after.push_back(output.value);
  const double threads = static_cast<double>(s.threads(p.tile));
  const double enough = 1024.0 * static_cast<double>(s.target.sm_count);
  const double starved = std::clamp(enough / std::max(threads, 1.0), 1.0, 256.0);
  Work work;
  work.bytes = minimal_bytes(s.program, s.region) * starved;
  work.operations = static_cast<double>(s.outputs()) * starved *
                    (reads * (2 * lines + operations_of(s.program.scalars, {w.left}) / 2) + taps +
                     operations_of(s.program.scalars, after));
  return cost_of(work, s.target);
}

/// Writes the functor of window.cuh.
class Writer {
 public:
  Writer(const Scene& scene, const WindowParameters& parameters, std::string name,
         std::string index)
      : s_(scene),
        w_(scene.window),
        p_(parameters),
        name_(std::move(name)),
        index_(std::move(index)),
        pointers_(scene.pointers()) {}

  std::string text() const {
    return fmt::format("struct {} {{\n{}{}{}{}{}{}{}}};\n\n", name_,
                       member_text(s_.program, pointers_, s_.region), constants(), place(), left(),
                       right(), join(), store());
  }

 private:
  std::string pointer(TensorId t) const {
    return fmt::format("p{}", std::find(pointers_.begin(), pointers_.end(), t) - pointers_.begin());
  }

  std::string constants() const {
    const bool tiled = w_.tile.has_value();
    return fmt::format(
        "  using Value = float;\n"
        "  static constexpr int kTile = {}, kStride = {}, kStep = {}, kTaps = {};\n"
        "  static constexpr int kInner = {}, kOuter = {};\n"
        "  static constexpr bool kEven = {}, kWeighted = {};\n",
        p_.tile, tiled ? w_.tile->stride : 1, tiled ? w_.tile->step : 1,
        tiled ? w_.extent(w_.tile->t) : 1, w_.extent_of(w_.inner), w_.extent_of(w_.outer),
        s_.across() % p_.tile == 0, w_.right >= 0);
  }

  bool tiled(int v) const { return w_.tile && v == w_.tile->o; }

  /// Thread numbers count lanes first, then tiles, then the other variables.
  std::string place() const {
    std::vector<int> order;
    for (int v = 0; v < w_.parallel; ++v) {
      if (v != w_.lane && !tiled(v)) order.push_back(v);
    }
    if (w_.tile) order.push_back(w_.tile->o);
    order.push_back(w_.lane);
    std::string members, text;
    for (int v = 0; v < w_.parallel; ++v) members += fmt::format(" v{};", v);
    for (std::size_t i = order.size(); i-- > 0;) {
      const int v = order[i];
      const std::int64_t extent = tiled(v) ? ceil_div(w_.extent(v), p_.tile) : w_.extent(v);
      text += i == 0 ? fmt::format("    at.v{} = n;\n", v)
                     : fmt::format("    at.v{0} = n % {1};\n    n /= {1};\n", v, extent);
    }
    std::string count = "1";
    if (w_.tile) {
      text += fmt::format("    at.v{} *= kTile;\n", w_.tile->o);
      count = fmt::format("static_cast<int>({} - at.v{})", w_.extent(w_.tile->o), w_.tile->o);
    }
    std::string list;
    for (int v = 0; v < w_.parallel; ++v) list += fmt::format("{}v{}", v == 0 ? "" : ", ", v);
    return fmt::format(
        "  struct At {{\n    {0} {1};\n    int count;\n  }};\n"
        "  __device__ static __forceinline__ At at({0} n) {{\n    At at;\n{2}    at.count = {3};\n"
        "    return at;\n  }}\n",
        index_, list, text, count);
  }

  /// Names of the stage's variables; `tile` is what stands for the tile's output variable.
  std::vector<std::string> names(const std::string& tile) const {
    std::vector<std::string> all(w_.extents.size());
    for (int v = 0; v < w_.parallel; ++v) {
      all[static_cast<std::size_t>(v)] = tiled(v) ? tile : fmt::format("at.v{}", v);
    }
    number(w_.inner, "a", all);
    number(w_.outer, "b", all);
    if (w_.tile) all[static_cast<std::size_t>(w_.tile->t)] = "t";
    return all;
  }

  void number(const std::vector<int>& variables, const std::string& name,
              std::vector<std::string>& all) const {
    std::int64_t stride = 1;
    for (std::size_t i = variables.size(); i-- > 0;) {
      const int v = variables[i];
      const std::string quotient = stride == 1 ? name : fmt::format("{} / {}", name, stride);
      all[static_cast<std::size_t>(v)] =
          i == 0
              ? fmt::format("({})", quotient)
              : fmt::format("({} % {})", stride == 1 ? name : "(" + quotient + ")", w_.extent(v));
      stride *= w_.extent(v);
    }
  }

  Binding binding(const std::string& tile) const {
    return {names(tile), {}, [this](TensorId t) { return pointer(t); }, "    ", "t"};
  }

  std::string left() const {
    Binding b = binding(w_.tile ? fmt::format("(at.v{} * kStride + i)", w_.tile->o) : "0");
    const Guards guards(s_.program, w_.left);
    b.leaf = [&](ScalarId leaf) { return guards.read(leaf, b); };
    const Body body = emit_body(s_.program, {w_.left}, b);
    return fmt::format(
        "  __device__ __forceinline__ float left(const At& at, [[maybe_unused]] int i,\n"
        "      [[maybe_unused]] int a, [[maybe_unused]] int b) const {{\n{}    return {};\n  }}\n",
        body.statements, body.values.front());
  }

  std::string right() const {
    if (w_.right < 0) return {};
    const Binding b = binding(w_.tile ? fmt::format("at.v{}", w_.tile->o) : "0");
    const Body body = emit_body(s_.program, {w_.right}, b);
    return fmt::format(
        "  __device__ __forceinline__ float right([[maybe_unused]] const At& at, [[maybe_unused]] "
        "int "
        "t,\n      [[maybe_unused]] int a, [[maybe_unused]] int b) const {{\n{}    return {};\n  "
        "}}\n",
        body.statements, body.values.front());
  }

  std::string join() const {
    const char* empty = "0.0f";
    const char* join = w_.right >= 0 ? "fmaf(x, y, sum)" : "sum + x";
    if (w_.combiner == Combiner::Max && w_.right < 0) empty = "-KW_INF", join = "kw_max(sum, x)";
    if (w_.combiner == Combiner::Min && w_.right < 0) empty = "KW_INF", join = "kw_min(sum, x)";
    return fmt::format(
        "  __device__ static __forceinline__ float empty() {{ return {}; }}\n"
        "  __device__ static __forceinline__ float join(float sum, float x, [[maybe_unused]] float "
        "y) {{\n    return {};\n  }}\n",
        empty, join);
  }

  std::string store() const {
    Binding b = binding(w_.tile ? fmt::format("(at.v{} + j)", w_.tile->o) : "0");
    b.leaf = [this](ScalarId leaf) {
      const Scalar& s = s_.program.scalars[leaf];
      return s.op == Op::Load && s.tensor == w_.result ? std::string("sum") : std::string();
    };
    std::vector<ScalarId> values;
    for (const WindowOutput& output : w_.outputs) values.push_back(output.value);
    const Body body = emit_body(s_.program, values, b);
    std::string text = fmt::format(
        "  __device__ __forceinline__ void store(const At& at, [[maybe_unused]] int j, float sum) "
        "const {{\n{}",
        body.statements);
    for (std::size_t o = 0; o < w_.outputs.size(); ++o) {
      const TensorId t = w_.outputs[o].tensor;
      text +=
          fmt::format("    {}[{}] = {};\n", pointer(t), to_code(w_.outputs[o].offset, b.variables),
                      stored_value(body.values[o], s_.program.tensor(t).dtype));
    }
    return text + "  }\n";
  }

  /// What has to hold where a leaf is read. A guarded read becomes one without a branch: of the
  /// tensor's first element where it would fall outside.
  class Guards {
   public:
    Guards(const Program& program, ScalarId root) : program_(program) { walk(root, {}); }

    std::string read(ScalarId leaf, const Binding& binding) const {
      const Scalar& s = program_.scalars[leaf];
      const auto it = conditions_.find(leaf);
      if (s.op != Op::Load || program_.tensor(s.tensor).dtype != DType::F32 ||
          it == conditions_.end() || !it->second || it->second->empty()) {
        return {};
      }
      std::string inside;
      for (const ScalarId condition : *it->second) {
        const Scalar& c = program_.scalars[condition];
        const std::string at = to_code(c.at.front(), binding.variables);
        inside += fmt::format("{0}({1}) >= {2} && ({1}) < {3}", inside.empty() ? "" : " && ", at,
                              c.low, c.high);
      }
      return fmt::format("{}[{} ? {} : 0]", binding.pointer(s.tensor), inside,
                         to_code(offset_of(program_, s), binding.variables));
    }

   private:
    using Conditions = std::vector<ScalarId>;

    /// The same leaf on two ways, or behind anything but ranges: no guard is known for it.
    void walk(ScalarId id, const std::optional<Conditions>& conditions) {
      const Scalar& s = program_.scalars[id];
      if (s.op == Op::Load) {
        const auto [it, fresh] = conditions_.emplace(id, conditions);
        if (!fresh && it->second != conditions) it->second.reset();
        return;
      }
      if (s.op != Op::Select) {
        for (const ScalarId arg : s.args) walk(arg, conditions);
        return;
      }
      walk(s.args[0], conditions);
      std::optional<Conditions> within = conditions;
      if (within && program_.scalars[s.args[0]].op == Op::InRange) {
        within->push_back(s.args[0]);
      } else {
        within.reset();
      }
      walk(s.args[1], within);
      walk(s.args[2], std::nullopt);
    }

    const Program& program_;
    std::map<ScalarId, std::optional<Conditions>> conditions_;
  };

  const Scene& s_;
  const WindowProgram& w_;
  const WindowParameters& p_;
  const std::string name_, index_;
  const std::vector<TensorId> pointers_;
};

class WindowSkeleton final : public Skeleton {
 public:
  std::string_view name() const override { return "window@1"; }

  std::vector<Offer> match(Program& program, const Region& region,
                           const Target& target) const override {
    const auto window = window_program(program, region);
    if (!window) return {};
    return {{"direct", cost({program, region, *window, target})}};
  }

  ParameterSpace space(Program& program, const Region& region, std::string_view,
                       const Target& target) const override {
    const auto window = window_program(program, region);
    if (!window) return {};
    const Scene scene{program, region, *window, target};
    ParameterSpace space = declare(
        heuristic(scene), {{"tile", {1, 2, 3, 4, 5, 6, 7, 8}}, {"block", {64, 128, 256, 512}}});
    space.symbols["across"] = scene.across();
    space.symbols["inner"] = window->extent_of(window->inner);
    space.symbols["taps"] = window->tile ? window->extent(window->tile->t) : 1;
    constrain(space, "tile <= across");
    constrain(space, fmt::format("tile == 1 || tile * taps * inner <= {}", 2 * kMostReads));
    return space;
  }

  Result<Fragment> emit(Program& program, const Region& region, std::string_view,
                        const Config& config, const EmitContext& context) const override {
    const auto window = window_program(program, region);
    if (!window) return fail(Errc::Internal, "window does not match this region any more");
    const auto p = read_parameters<WindowParameters>(config);
    const Scene scene{program, region, *window, context.target};
    const std::int64_t threads = scene.threads(p.tile);
    const std::vector<TensorId> pointers = scene.pointers();
    const std::string index = threads > kLastInt32 ? "long long" : index_type(program, pointers);
    const std::string functor = context.type_name("Window");
    Fragment fragment;
    fragment.includes = {"window.cuh"};
    fragment.code = Writer(scene, p, functor, index).text();
    KernelNode kernel;
    kernel.kernel = context.entry("window");
    kernel.grid = {Expr(ceil_div(threads, p.block)), Expr(1), Expr(1)};
    kernel.block = {Expr(p.block), Expr(1), Expr(1)};
    for (const TensorId t : pointers) kernel.args.push_back(tensor_arg(program, t));
    fragment.code += fmt::format(
        "extern \"C\" __global__ void __launch_bounds__({0})\n{1}({2}) {{\n"
        "  kw_window<{0}, {3}>({4}{{{5}}}, {6});\n}}\n",
        p.block, kernel.kernel, parameter_text(program, pointers, region), index, functor,
        argument_text(pointers), threads);
    fragment.run.push_back({kernel.kernel, {}, std::move(kernel)});
    return fragment;
  }
};

}  // namespace

const Skeleton& window_skeleton() {
  static const WindowSkeleton skeleton;
  return skeleton;
}

}  // namespace kw::codegen
