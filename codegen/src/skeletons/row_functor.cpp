#include "skeletons/row_functor.h"

#include <fmt/format.h>

#include <algorithm>

#include "skeletons/parameters.h"

namespace kw::codegen {
namespace {

/// Names and extents of the vector space: (r, u, w) along rows, (q, v, w) across them.
LaneSpace lane_space(const RowProgram& rows, RowLayout layout, std::int64_t width) {
  if (layout == RowLayout::AlongRow) {
    return {{"r", "u", "w"}, {rows.rows, (rows.columns + width - 1) / width, width}};
  }
  return {{"q", "v", "w"}, {rows.columns, (rows.rows + width - 1) / width, width}};
}

/// (r, q) in terms of the vector space's variables.
std::vector<Index> lane_values(RowLayout layout, std::int64_t width) {
  const Index vector = Index::variable(1) * width + Index::variable(2);
  if (layout == RowLayout::AlongRow) return {Index::variable(0), vector};
  return {vector, Index::variable(0)};
}

std::vector<ScalarId> phase_bodies(const RowProgram& rows) {
  std::vector<ScalarId> bodies;
  for (const RowPhase& phase : rows.phases) bodies.push_back(phase.body);
  return bodies;
}

std::vector<ScalarId> values_of(const std::vector<RowOutput>& outputs) {
  std::vector<ScalarId> values;
  for (const RowOutput& output : outputs) values.push_back(output.value);
  return values;
}

class Writer {
 public:
  Writer(Program& program, const Region& region, const RowProgram& rows,
         const std::vector<TensorId>& pointers, const RowFunctorOptions& options)
      : program_(program),
        region_(region),
        rows_(rows),
        lanes_(over(program, rows, lane_values(options.layout, options.width),
                    lane_space(rows, options.layout, options.width).extents)),
        pointers_(pointers),
        o_(options),
        space_(lane_space(rows, options.layout, options.width)),
        inputs_(program, space_, pointer(), options.stream_loads),
        late_(program, space_, pointer(), options.stream_late) {
    const auto result = [this](ScalarId leaf) { return rows_.is_result(program_.scalars, leaf); };
    inputs_.add(phase_bodies(lanes_), result);
    late_.add(values_of(lanes_.mapped), [&](ScalarId leaf) {
      return result(leaf) || (o_.held && !inputs_.lane_value(leaf, "in").empty());
    });
  }

  RowFunctor write() {
    RowFunctor functor;
    functor.roots = phase_bodies(lanes_);
    for (const ScalarId value : values_of(lanes_.mapped)) functor.roots.push_back(value);
    for (const ScalarId value : values_of(rows_.single)) functor.roots.push_back(value);
    functor.text =
        fmt::format("struct {} {{\n{}", o_.name, member_text(program_, pointers_, region_));
    if (o_.partials) {
      for (std::size_t i = 0; i < rows_.phases.size(); ++i) {
        functor.text +=
            fmt::format("  {}* __restrict__ w{};\n", state_name(rows_.phases[i].combiner), i);
      }
    }
    functor.text += constants() + structs() + loads() + phases();
    if (!rows_.mapped.empty()) functor.text += store();
    if (!rows_.single.empty()) functor.text += store_single();
    functor.text += "};\n\n";
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
    return fmt::format(
        "  static constexpr int kPhases = {}, kWidth = {};\n"
        "  static constexpr {} {} = {};\n"
        "  static constexpr bool kMapped = {}, kSingle = {};\n",
        rows_.phases.size(), o_.width, o_.index,
        o_.layout == RowLayout::AlongRow ? "kVectors" : "kColumns",
        o_.layout == RowLayout::AlongRow ? space_.extents[1] : rows_.columns, !rows_.mapped.empty(),
        !rows_.single.empty());
  }

  std::string structs() const {
    std::string text = fmt::format("  struct Inputs {{\n{}  }};\n", inputs_.members());
    text += fmt::format("  struct Late {{\n{}  }};\n  struct Row {{\n", late_.members());
    for (const TensorId t : results()) {
      const bool index = program_.tensor(t).dtype == DType::I64;
      text += fmt::format("    {} {};  // {}\n", index ? "long long" : "float", row_name(t),
                          program_.tensor(t).name);
    }
    return text + "  };\n";
  }

  std::vector<TensorId> results() const {
    std::vector<TensorId> all;
    for (const RowPhase& phase : rows_.phases) {
      for (const TensorId t : phase.results) {
        if (std::find(all.begin(), all.end(), t) == all.end()) all.push_back(t);
      }
    }
    return all;
  }

  std::string row_name(TensorId t) const {
    const auto all = results();
    return fmt::format("s{}", std::find(all.begin(), all.end(), t) - all.begin());
  }

  /// "int r, int u": the two numbers of a vector.
  std::string place() const {
    return fmt::format("[[maybe_unused]] {0} {1}, [[maybe_unused]] {0} {2}", o_.index,
                       space_.names[0], space_.names[1]);
  }

  std::string loads() const {
    return fmt::format(
        "  __device__ __forceinline__ void load({0}, [[maybe_unused]] Inputs& in) const {{\n{1}  "
        "}}\n"
        "  __device__ __forceinline__ void load_late({0}, [[maybe_unused]] Late& late) const "
        "{{\n{2}  }}\n",
        place(), inputs_.loads("    ", "in"), late_.loads("    ", "late"));
  }

  std::string leaf(ScalarId id, const std::string& row, bool lanes) const {
    const Scalar& s = program_.scalars[id];
    if (rows_.is_result(program_.scalars, id)) return row + "." + row_name(s.tensor);
    if (!lanes) return {};
    std::string bound = o_.held || row == "row" ? inputs_.lane_value(id, "in") : std::string();
    if (bound.empty() && row != "row") bound = late_.lane_value(id, "late");
    return bound;
  }

  std::string phases() const {
    std::string text;
    for (std::size_t i = 0; i < lanes_.phases.size(); ++i) {
      const RowPhase& phase = lanes_.phases[i];
      const std::string_view state = state_name(phase.combiner);
      const Binding binding{space_.names, [this](ScalarId id) { return leaf(id, "row", true); },
                            pointer(), "    ", "t"};
      const Body body = emit_body(program_, {phase.body}, binding);
      text += fmt::format(
          "  __device__ __forceinline__ float value(KwPhase<{}>, [[maybe_unused]] const Inputs& "
          "in,\n"
          "      [[maybe_unused]] int w, [[maybe_unused]] const Row& row, {}) const {{\n{}    "
          "return "
          "{};\n  }}\n",
          i, place(), body.statements, body.values.front());
      text += fmt::format(
          "  __device__ static __forceinline__ {0} state(KwPhase<{1}>) {{ return {0}::empty(); }}\n"
          "  __device__ static __forceinline__ void finish(KwPhase<{1}>, const {0}& state, Row& "
          "row) "
          "{{\n{2}  }}\n",
          state, i, finish(phase));
      if (o_.partials) {
        text += fmt::format(
            "  __device__ __forceinline__ {}* partials(KwPhase<{}>) const {{ return w{}; }}\n",
            state, i, i);
      }
    }
    return text;
  }

  std::string finish(const RowPhase& phase) const {
    std::vector<std::string> fields;
    switch (phase.combiner) {
      case Combiner::None:
      case Combiner::Sum:
        fields = {"sum"};
        break;
      case Combiner::Prod:
        fields = {"product"};
        break;
      case Combiner::Max:
      case Combiner::Min:
        fields = {"value"};
        break;
      case Combiner::ArgMax:
      case Combiner::ArgMin:
        fields = {"value", "index"};
        break;
      case Combiner::Welford:
        fields = {"mean", "m2"};
        break;
      case Combiner::OnlineSoftmax:
        fields = {"most", "sum"};
        break;
    }
    std::string text;
    for (std::size_t f = 0; f < fields.size(); ++f) {
      const std::string divisor =
          phase.divisor == 1 ? "" : " / " + literal(phase.divisor, DType::F32);
      text +=
          fmt::format("    row.{} = state.{}{};\n", row_name(phase.results[f]), fields[f], divisor);
    }
    return text;
  }

  std::string store() const {
    const bool along = o_.layout == RowLayout::AlongRow;
    const std::string row = along ? "rows[0]" : "rows[w]";
    std::string text = fmt::format(
        "  __device__ __forceinline__ void store({}[[maybe_unused]] const Late& late,\n"
        "      const Row (&rows)[{}], {}) const {{\n",
        o_.held ? "[[maybe_unused]] const Inputs& in, " : "", along ? 1 : o_.width, place());
    for (std::size_t i = 0; i < lanes_.mapped.size(); ++i) {
      text +=
          fmt::format("    {} y{}[{}];\n",
                      storage_name(program_.tensor(lanes_.mapped[i].tensor).dtype), i, o_.width);
    }
    text += fmt::format("#pragma unroll\n    for (int w = 0; w < {}; ++w) {{\n", o_.width);
    const Binding binding{space_.names, [&](ScalarId id) { return leaf(id, row, true); }, pointer(),
                          "      ", "t"};
    const Body body = emit_body(program_, values_of(lanes_.mapped), binding);
    text += body.statements;
    for (std::size_t i = 0; i < lanes_.mapped.size(); ++i) {
      text +=
          fmt::format("      y{}[w] = {};\n", i,
                      stored_value(body.values[i], program_.tensor(lanes_.mapped[i].tensor).dtype));
    }
    text += "    }\n";
    for (std::size_t i = 0; i < lanes_.mapped.size(); ++i) {
      text += lane_store(lanes_.mapped[i].offset, space_, pointer()(lanes_.mapped[i].tensor),
                         fmt::format("y{}", i), o_.stream_stores, "    ");
    }
    return text + "  }\n";
  }

  std::string store_single() const {
    std::string text = fmt::format(
        "  __device__ __forceinline__ void store_single(const Row& row, [[maybe_unused]] {} r) "
        "const "
        "{{\n",
        o_.index);
    const Binding binding{
        {"r", "0"}, [this](ScalarId id) { return leaf(id, "row", false); }, pointer(), "    ", "t"};
    const Body body = emit_body(program_, values_of(rows_.single), binding);
    text += body.statements;
    for (std::size_t i = 0; i < rows_.single.size(); ++i) {
      const RowOutput& output = rows_.single[i];
      text += fmt::format("    {}[{}] = {};\n", pointer()(output.tensor),
                          to_code(output.offset, binding.variables),
                          stored_value(body.values[i], program_.tensor(output.tensor).dtype));
    }
    return text + "  }\n";
  }

  Program& program_;
  const Region& region_;
  const RowProgram& rows_;
  const RowProgram lanes_;  // over the vector space
  const std::vector<TensorId>& pointers_;
  const RowFunctorOptions& o_;
  const LaneSpace space_;
  LaneReader inputs_, late_;
};

}  // namespace

RowFunctor row_functor(Program& program, const Region& region, const RowProgram& rows,
                       const std::vector<TensorId>& pointers, const RowFunctorOptions& options) {
  return Writer(program, region, rows, pointers, options).write();
}

std::string_view state_name(Combiner combiner) {
  switch (combiner) {
    case Combiner::None:
    case Combiner::Sum:
      return "KwSum";
    case Combiner::Prod:
      return "KwProd";
    case Combiner::Max:
      return "KwMax";
    case Combiner::Min:
      return "KwMin";
    case Combiner::ArgMax:
      return "KwArg<true>";
    case Combiner::ArgMin:
      return "KwArg<false>";
    case Combiner::Welford:
      return "KwWelford";
    case Combiner::OnlineSoftmax:
      return "KwOnlineSoftmax";
  }
  return "KwSum";
}

std::int64_t state_bytes(Combiner combiner) {
  switch (combiner) {
    case Combiner::ArgMax:
    case Combiner::ArgMin:
      return 16;
    case Combiner::Welford:
      return 12;
    case Combiner::OnlineSoftmax:
      return 8;
    default:
      return 4;
  }
}

bool vectorises(Program& program, const RowProgram& rows, RowLayout layout, std::int64_t width) {
  if (width == 1) return true;
  const std::int64_t extent = layout == RowLayout::AlongRow ? rows.columns : rows.rows;
  if (extent % width != 0) return false;
  const LaneSpace space = lane_space(rows, layout, width);
  const RowProgram lanes = over(program, rows, lane_values(layout, width), space.extents);
  std::vector<ScalarId> roots = phase_bodies(lanes);
  for (const RowOutput& output : lanes.mapped) {
    roots.push_back(output.value);
    if (classify(output.offset, space).aligned < width) return false;
  }
  return loads_whole_vectors(program, roots, space,
                             [&](ScalarId leaf) { return rows.is_result(program.scalars, leaf); });
}

int held_values(Program& program, const RowProgram& rows) {
  std::vector<ScalarId> seen;
  for (const RowPhase& phase : rows.phases) {
    for (const ScalarId leaf : leaves_of(program.scalars, phase.body)) {
      const Scalar& s = program.scalars[leaf];
      const bool read = s.op == Op::Load || s.op == Op::Decode;
      if (!read || rows.is_result(program.scalars, leaf)) continue;
      const bool varies = std::any_of(s.at.begin(), s.at.end(),
                                      [](const Index& index) { return index.depends_on(1); });
      if (varies && std::find(seen.begin(), seen.end(), leaf) == seen.end()) seen.push_back(leaf);
    }
  }
  return static_cast<int>(seen.size());
}

}  // namespace kw::codegen
