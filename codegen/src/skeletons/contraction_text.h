#pragma once
// Device text of a contraction's operands and epilogue (contraction_operand.cuh says what the
// kernels ask of them).

#include <string>
#include <vector>

#include "skeletons/contraction_site.h"
#include "skeletons/skeleton.h"

namespace kw::codegen {

/// Global pointers of an entry: "p0", "p1", ... in the order in which they were asked for.
class EntryPointers {
 public:
  /// The name of the parameter for a tensor, added if it is new.
  std::string name(TensorId tensor);
  const std::vector<TensorId>& tensors() const { return tensors_; }

 private:
  std::vector<TensorId> tensors_;
};

struct OperandText {
  std::string definitions;         // functor, if the accessor is not affine
  std::string type;                // "kw::Strided<true, true>"
  std::vector<TensorId> pointers;  // in the order of the value
  std::string before, after;       // the value is type + before + pointer names + after
  bool along_k = true;             // neighbours in memory are neighbours in k
  bool quads = false;              // 16-byte loads
};
OperandText operand_text(const Program& program, const ContractionOperand& operand,
                         const std::string& name);
/// Whether the operand is FP32 in memory that is read by 16-byte loads; cheaper than its text.
bool is_read_in_quads(const Program& program, const ContractionOperand& operand);
/// "Type{p0, 0, 4096, 1}" in an entry.
std::string operand_value(const OperandText& operand, EntryPointers& entry);

struct EpilogueText {
  std::string definitions;
  std::string type;
  std::vector<TensorId> pointers;  // of the expression; the output comes last
  bool pairs = false;              // neighbouring columns are stored together
};
EpilogueText epilogue_text(const Program& program, const ContractionSite& site,
                           const std::string& name);
std::string epilogue_value(const EpilogueText& epilogue, EntryPointers& entry);

}  // namespace kw::codegen
