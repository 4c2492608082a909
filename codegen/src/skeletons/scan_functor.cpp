#include "skeletons/scan_functor.h"

#include <fmt/format.h>

#include <algorithm>

#include "emit/vector.h"
#include "skeletons/parameters.h"

namespace kw::codegen {
namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

LaneSpace lane_space(const ScanProgram& scan, ScanLayout layout, std::int64_t width) {
  if (layout == ScanLayout::Across) {
    return {{"q", "v", "w"}, {scan.columns, ceil_div(scan.rows, width), width}};
  }
  return {{"r", "u", "w"}, {scan.rows, ceil_div(scan.columns, width), width}};
}

/// (r, q) in terms of the vector space's variables; backward, vectors count from the row's end.
std::vector<Index> lane_values(const ScanProgram& scan, ScanLayout layout, std::int64_t width) {
  const Index vector = Index::variable(1) * width + Index::variable(2);
  if (layout == ScanLayout::Across) return {vector, Index::variable(0)};
  if (layout == ScanLayout::Along) return {Index::variable(0), vector};
  return {Index::variable(0), Index(scan.columns - 1) - vector};
}

ScanProgram lanes_of(Program& program, const ScanProgram& scan, ScanLayout layout,
                     std::int64_t width) {
  return over(program, scan, lane_values(scan, layout, width),
              lane_space(scan, layout, width).extents);
}

std::vector<ScalarId> values_of(const std::vector<ScanOutput>& outputs) {
  std::vector<ScalarId> values;
  for (const ScanOutput& output : outputs) values.push_back(output.value);
  return values;
}

class Writer {
 public:
  Writer(Program& program, const Region& region, const ScanProgram& scan,
         const std::vector<TensorId>& pointers, const ScanFunctorOptions& options)
      : program_(program),
        region_(region),
        scan_(scan),
        lanes_(lanes_of(program, scan, options.layout, options.width)),
        pointers_(pointers),
        o_(options),
        space_(lane_space(scan, options.layout, options.width)),
        inputs_(program, space_, pointer(), true) {
    inputs_.add({lanes_.body});
    inputs_.add(values_of(lanes_.outputs),
                [this](ScalarId leaf) { return scan_.is_result(program_.scalars, leaf); });
  }

  ScanFunctor write() const {
    ScanFunctor functor;
    functor.roots = {lanes_.body};
    for (const ScalarId value : values_of(lanes_.outputs)) functor.roots.push_back(value);
    for (const ScanBorder& border : scan_.borders) functor.roots.push_back(border.value);
    functor.text =
        fmt::format("struct {} {{\n{}", o_.name, member_text(program_, pointers_, region_));
    functor.text += constants() + load() + value() + store() + border() + "};\n\n";
    return functor;
  }

 private:
  LaneReader::Pointer pointer() const {
    return [this](TensorId t) {
      return fmt::format("p{}",
                         std::find(pointers_.begin(), pointers_.end(), t) - pointers_.begin());
    };
  }

  std::string constants() const {
    const bool across = o_.layout == ScanLayout::Across;
    std::int64_t border = 0;
    for (const ScanBorder& b : scan_.borders) border += b.count;
    return fmt::format(
        "  using State = {};\n"
        "  static constexpr int kWidth = {}, kBorder = {};\n"
        "  static constexpr {} {} = {};\n  struct Inputs {{\n{}  }};\n",
        run_name(scan_), o_.width, border, o_.index, across ? "kPlaces" : "kVectors",
        across ? scan_.columns : space_.extents[1], inputs_.members());
  }

  /// "int r, int u": the two numbers of a vector.
  std::string place() const {
    return fmt::format("[[maybe_unused]] {0} {1}, [[maybe_unused]] {0} {2}", o_.index,
                       space_.names[0], space_.names[1]);
  }

  std::string load() const {
    return fmt::format(
        "  __device__ __forceinline__ void load({}, [[maybe_unused]] Inputs& in) const {{\n{}  "
        "}}\n",
        place(), inputs_.loads("    ", "in"));
  }

  std::string value() const {
    const Binding binding{space_.names,
                          [this](ScalarId leaf) { return inputs_.lane_value(leaf, "in"); },
                          pointer(), "    ", "t"};
    const Body body = emit_body(program_, {lanes_.body}, binding);
    return fmt::format(
        "  __device__ __forceinline__ {} value([[maybe_unused]] const Inputs& in, "
        "[[maybe_unused]] int w,\n      {}) const {{\n{}    return {};\n  }}\n",
        compute_name(scan_.type), place(), body.statements, body.values.front());
  }

  /// A result of the scan, of the run that ends at lane w.
  std::string result(const Scalar& load) const {
    const bool first = load.tensor == scan_.results.front();
    switch (scan_.combiner) {
      case Combiner::Prod:
        return "prefixes[w].product";
      case Combiner::ArgMax:
      case Combiner::ArgMin:
        return first ? "prefixes[w].value" : "prefixes[w].index";
      case Combiner::OnlineSoftmax:
        return first ? "prefixes[w].most" : "prefixes[w].sum";
      default:
        return "prefixes[w].sum";
    }
  }

  std::string store() const {
    std::string text = fmt::format(
        "  __device__ __forceinline__ void store([[maybe_unused]] const Inputs& in,\n"
        "      const State (&prefixes)[{}], {}) const {{\n",
        o_.width, place());
    for (std::size_t i = 0; i < lanes_.outputs.size(); ++i) {
      text +=
          fmt::format("    {} y{}[{}];\n",
                      storage_name(program_.tensor(lanes_.outputs[i].tensor).dtype), i, o_.width);
    }
    text += fmt::format("#pragma unroll\n    for (int w = 0; w < {}; ++w) {{\n", o_.width);
    const Binding binding{space_.names,
                          [this](ScalarId leaf) {
                            if (scan_.is_result(program_.scalars, leaf)) {
                              return result(program_.scalars[leaf]);
                            }
                            return inputs_.lane_value(leaf, "in");
                          },
                          pointer(), "      ", "t"};
    const Body body = emit_body(program_, values_of(lanes_.outputs), binding);
    text += body.statements;
    for (std::size_t i = 0; i < lanes_.outputs.size(); ++i) {
      text += fmt::format(
          "      y{}[w] = {};\n", i,
          stored_value(body.values[i], program_.tensor(lanes_.outputs[i].tensor).dtype));
    }
    text += "    }\n";
    for (std::size_t i = 0; i < lanes_.outputs.size(); ++i) {
      text += lane_store(lanes_.outputs[i].offset, space_, pointer()(lanes_.outputs[i].tensor),
                         fmt::format("y{}", i), true, "    ");
    }
    return text + "  }\n";
  }

  std::string border() const {
    std::string text = fmt::format(
        "  __device__ __forceinline__ void border([[maybe_unused]] {} r, [[maybe_unused]] int b) "
        "const {{\n",
        o_.index);
    for (const ScanBorder& b : scan_.borders) {
      const Binding binding{{"r", "b"}, {}, pointer(), "      ", "t"};
      const Body body = emit_body(program_, {b.value}, binding);
      text += fmt::format(
          "    if (b >= 0 && b < {}) {{\n{}      {}[{}] = {};\n    }}\n    b -= {};\n", b.count,
          body.statements, pointer()(b.tensor), to_code(b.offset, binding.variables),
          stored_value(body.values.front(), program_.tensor(b.tensor).dtype), b.count);
    }
    return text + "  }\n";
  }

  Program& program_;
  const Region& region_;
  const ScanProgram& scan_;
  const ScanProgram lanes_;  // over the vector space
  const std::vector<TensorId>& pointers_;
  const ScanFunctorOptions& o_;
  const LaneSpace space_;
  LaneReader inputs_;
};

}  // namespace

ScanFunctor scan_functor(Program& program, const Region& region, const ScanProgram& scan,
                         const std::vector<TensorId>& pointers, const ScanFunctorOptions& options) {
  return Writer(program, region, scan, pointers, options).write();
}

bool vectorises(Program& program, const ScanProgram& scan, ScanLayout layout, std::int64_t width) {
  if (width == 1) return true;
  const std::int64_t extent = layout == ScanLayout::Across ? scan.rows : scan.columns;
  if (extent % width != 0) return false;
  const LaneSpace space = lane_space(scan, layout, width);
  const ScanProgram lanes = lanes_of(program, scan, layout, width);
  std::vector<ScalarId> roots = {lanes.body};
  for (const ScanOutput& output : lanes.outputs) {
    roots.push_back(output.value);
    if (classify(output.offset, space).aligned < width) return false;
  }
  return loads_whole_vectors(program, roots, space,
                             [&](ScalarId leaf) { return scan.is_result(program.scalars, leaf); });
}

std::string run_name(const ScanProgram& scan) {
  const std::string_view type = compute_name(scan.type);
  switch (scan.combiner) {
    case Combiner::Prod:
      return fmt::format("KwRunProd<{}>", type);
    case Combiner::ArgMax:
      return fmt::format("KwRunArg<{}, true>", type);
    case Combiner::ArgMin:
      return fmt::format("KwRunArg<{}, false>", type);
    case Combiner::OnlineSoftmax:
      return "KwRunSoftmax";
    default:
      return fmt::format("KwRunSum<{}>", type);
  }
}

std::int64_t run_bytes(const ScanProgram& scan) {
  switch (scan.combiner) {
    case Combiner::ArgMax:
    case Combiner::ArgMin:
      return 16;
    default:
      return 8;  // of the widest: doubles, or two floats
  }
}

}  // namespace kw::codegen
