#include "skeletons/contraction_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "emit/functor.h"

namespace kw::codegen {
namespace {

struct Affine {
  TensorId tensor = kNoTensor;
  std::int64_t constant = 0, batch = 0, row = 0, k = 0;
};

std::optional<Affine> affine_access(const Program& program, const ContractionOperand& operand) {
  const Scalar& leaf = program.scalars[operand.value];
  if (leaf.op != Op::Load || program.tensor(leaf.tensor).dtype != DType::F32) return std::nullopt;
  const Index offset = offset_of(program, leaf);
  if (!offset.is_affine()) return std::nullopt;
  return Affine{leaf.tensor, offset.constant, offset.coefficient_of(0), offset.coefficient_of(1),
                offset.coefficient_of(2)};
}

/// The dimension along which neighbours are closest in memory: k, unless rows are closer.
bool runs_along_k(std::int64_t row_stride, std::int64_t k_stride, std::int64_t rows) {
  if (rows == 1 || row_stride == 0) return true;
  return k_stride != 0 && std::abs(k_stride) <= std::abs(row_stride);
}

bool in_quads(const Affine& at, const ContractionOperand& operand) {
  const auto aligned = [](std::int64_t x) { return x % 4 == 0; };
  const bool along_k = runs_along_k(at.row, at.k, operand.space[1]);
  const std::int64_t along = along_k ? at.k : at.row, across = along_k ? at.row : at.k;
  const std::int64_t extent = along_k ? operand.space[2] : operand.space[1];
  return along == 1 && aligned(extent) && aligned(across) && aligned(at.batch) &&
         aligned(at.constant);
}

/// The same question for an expression: its first affine load decides.
bool expression_runs_along_k(const Program& program, const ContractionOperand& operand) {
  for (const ScalarId id : leaves_of(program.scalars, operand.value)) {
    const Scalar& leaf = program.scalars[id];
    if (leaf.op == Op::Decode) return true;
    if (leaf.op != Op::Load) continue;
    const Index offset = offset_of(program, leaf);
    if (!offset.is_affine() || !offset.depends_on(2)) continue;
    return runs_along_k(offset.coefficient_of(1), offset.coefficient_of(2), operand.space[1]);
  }
  return true;
}

std::string names_of(const std::vector<TensorId>& tensors, EntryPointers& entry) {
  std::string names;
  for (const TensorId t : tensors) names += (names.empty() ? "" : ", ") + entry.name(t);
  return names;
}

bool even(std::int64_t x) { return x % 2 == 0; }

/// Neighbouring columns are neighbours in memory.
bool runs_along_columns(const ContractionSite& site) {
  return site.out_offset.is_affine() && site.out_offset.coefficient_of(2) == 1;
}

/// Two neighbouring columns are one aligned 8-byte store.
bool stores_pairs(const Program& program, const ContractionSite& site) {
  const Index& at = site.out_offset;
  return program.tensor(site.output).dtype == DType::F32 && at.is_affine() && site.limits.empty() &&
         at.coefficient_of(2) == 1 && even(at.coefficient_of(1)) && even(at.coefficient_of(0)) &&
         even(at.constant) && even(site.n);
}

}  // namespace

std::string EntryPointers::name(TensorId tensor) {
  const auto it = std::find(tensors_.begin(), tensors_.end(), tensor);
  const auto which = it - tensors_.begin();
  if (it == tensors_.end()) tensors_.push_back(tensor);
  return fmt::format("p{}", which);
}

bool is_read_in_quads(const Program& program, const ContractionOperand& operand) {
  const auto at = affine_access(program, operand);
  return at && in_quads(*at, operand);
}

OperandText operand_text(const Program& program, const ContractionOperand& operand,
                         const std::string& name) {
  OperandText text;
  if (const auto at = affine_access(program, operand)) {
    text.along_k = runs_along_k(at->row, at->k, operand.space[1]);
    text.quads = in_quads(*at, operand);
    text.type = fmt::format("kw::Strided<{}, {}>", text.along_k, text.quads);
    text.pointers = {at->tensor};
    text.before = "{";
    text.after =
        fmt::format("{}, {}, {}, {}}}", at->constant == 0 ? "" : fmt::format(" + {}", at->constant),
                    operand.batched ? at->batch : 0, at->row, at->k);
    return text;
  }
  std::vector<TensorId> tensors;
  for (const ScalarId leaf : leaves_of(program.scalars, operand.value)) {
    const Scalar& s = program.scalars[leaf];
    if (s.op == Op::Load || s.op == Op::Gather) tensors.push_back(s.tensor);
  }
  const Functor functor =
      emit_functor(program, operand.value, name, 3, index_type(program, tensors));
  text.along_k = expression_runs_along_k(program, operand);
  text.definitions = functor.text + "\n";
  text.type = fmt::format("kw::Accessed<{}, {}>", name, text.along_k);
  text.pointers = functor.pointers;
  text.before = "{" + name + "{";
  text.after = "}}";
  return text;
}

std::string operand_value(const OperandText& operand, EntryPointers& entry) {
  return operand.type + operand.before + names_of(operand.pointers, entry) + operand.after;
}

EpilogueText epilogue_text(const Program& program, const ContractionSite& site,
                           const std::string& name) {
  EpilogueText text;
  text.type = name;
  std::vector<TensorId> tensors = {site.output};
  for (const ScalarId leaf : leaves_of(program.scalars, site.epilogue)) {
    const Scalar& s = program.scalars[leaf];
    if (s.op == Op::Load || s.op == Op::Gather) tensors.push_back(s.tensor);
  }
  const std::string index = index_type(program, tensors);
  const Functor value =
      emit_functor(program, site.epilogue, name + "Value", 3, index, site.product);
  text.pointers = value.pointers;
  text.pointers.push_back(site.output);
  const Tensor& output = program.tensor(site.output);
  const std::string at = to_code(site.out_offset, {"v0", "v1", "v2"});
  const std::string coordinates =
      fmt::format("    [[maybe_unused]] const {0} v0 = batch, v1 = row, v2 = column;\n", index);
  std::string limits;
  for (const ContractionSite::Limit& limit : site.limits) {
    limits += fmt::format("    if (!({} < {})) return;\n", to_code(limit.at, {"v0", "v1", "v2"}),
                          limit.extent);
  }
  text.definitions = value.text;
  text.definitions += fmt::format(
      "struct {0} {{\n  static constexpr bool kRunsAlongColumns = {6};\n"
      "  {0}Value value;\n  {1}* __restrict__ out;  // {2}\n"
      "  __device__ __forceinline__ void one(int batch, int row, int column, float sum) const {{\n"
      "{3}{7}    out[{4}] = {5};\n  }}\n",
      name, storage_name(output.dtype), output.name, coordinates, at,
      stored_value("value(v0, v1, v2, sum)", output.dtype), runs_along_columns(site), limits);
  text.definitions +=
      "  __device__ __forceinline__ void operator()(int, int batch, int row, int column, int "
      "columns,\n"
      "                                             float x, float y) const {\n";
  text.pairs = stores_pairs(program, site);
  if (text.pairs) {
    text.definitions += fmt::format(
        "    if (column >= columns) return;\n{}"
        "    *reinterpret_cast<float2*>(out + ({})) =\n"
        "        make_float2(value(v0, v1, v2, x), value(v0, v1, v2 + 1, y));\n",
        coordinates, at);
  } else {
    text.definitions +=
        "    if (column < columns) one(batch, row, column, x);\n"
        "    if (column + 1 < columns) one(batch, row, column + 1, y);\n";
  }
  text.definitions += "  }\n};\n\n";
  return text;
}

std::string epilogue_value(const EpilogueText& epilogue, EntryPointers& entry) {
  const std::vector<TensorId> inner(epilogue.pointers.begin(), epilogue.pointers.end() - 1);
  return fmt::format("{0}{{{0}Value{{{1}}}, {2}}}", epilogue.type, names_of(inner, entry),
                     entry.name(epilogue.pointers.back()));
}

}  // namespace kw::codegen
