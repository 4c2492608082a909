#include "emit/vector.h"

#include <fmt/format.h>

#include <numeric>
#include <set>

#include "emit/format_code.h"

namespace kw::codegen {
namespace {

std::int64_t power_of_two_divisor(std::int64_t x, std::int64_t most) {
  std::int64_t p = 1;
  while (p < most && x % (2 * p) == 0) p *= 2;
  return p;
}

/// Leaves that are evaluated whatever the conditions are.
void unconditional(const Scalars& scalars, ScalarId id, std::set<ScalarId>& seen,
                   std::vector<ScalarId>& out) {
  if (!seen.insert(id).second) return;
  const Scalar& s = scalars[id];
  if (s.op == Op::Load || s.op == Op::Decode) out.push_back(id);
  const std::size_t sides = s.op == Op::Select ? 1 : s.args.size();
  for (std::size_t i = 0; i < sides; ++i) unconditional(scalars, s.args[i], seen, out);
  if (s.op != Op::Select) return;
  // A Select of values (not of places): both sides may be read when the condition is no guard.
  bool guard = false;
  std::set<ScalarId> visited;
  std::vector<ScalarId> stack{s.args[0]};
  while (!stack.empty()) {
    const ScalarId at = stack.back();
    stack.pop_back();
    if (!visited.insert(at).second) continue;
    guard = guard || scalars[at].op == Op::InRange;
    for (const ScalarId arg : scalars[at].args) stack.push_back(arg);
  }
  if (guard) return;
  unconditional(scalars, s.args[1], seen, out);
  unconditional(scalars, s.args[2], seen, out);
}

std::vector<std::string> with_lane(const LaneSpace& space, const std::string& lane) {
  std::vector<std::string> names = space.names;
  names.back() = lane;
  return names;
}

}  // namespace

LaneAccess classify(const Index& offset, const LaneSpace& space) {
  const int w = space.lane();
  if (!offset.depends_on(w)) return {LaneAccess::Kind::Uniform, 1};
  const Index rest = offset - Index::variable(w);
  if (rest.depends_on(w)) return {LaneAccess::Kind::Gather, 1};
  std::int64_t aligned = power_of_two_divisor(rest.constant, space.width());
  for (const Index::Term& term : rest.terms) {
    aligned = std::min(aligned, power_of_two_divisor(term.coefficient, space.width()));
  }
  return {LaneAccess::Kind::Vector, aligned};
}

bool loads_whole_vectors(const Program& program, const std::vector<ScalarId>& roots,
                         const LaneSpace& space, const std::function<bool(ScalarId)>& skip) {
  for (const ScalarId root : roots) {
    for (const ScalarId leaf : leaves_of(program.scalars, root)) {
      const Scalar& s = program.scalars[leaf];
      if (s.op != Op::Load || skip(leaf)) continue;
      const LaneAccess access = classify(offset_of(program, s), space);
      if (access.kind == LaneAccess::Kind::Uniform) continue;
      if (access.kind == LaneAccess::Kind::Gather || access.aligned < space.width()) return false;
    }
  }
  return true;
}

LaneReader::LaneReader(const Program& program, LaneSpace space, Pointer pointer, bool stream)
    : program_(program), space_(std::move(space)), pointer_(std::move(pointer)), stream_(stream) {}

void LaneReader::add(const std::vector<ScalarId>& roots,
                     const std::function<bool(ScalarId)>& skip) {
  std::set<ScalarId> seen;
  std::vector<ScalarId> leaves;
  for (const ScalarId root : roots) unconditional(program_.scalars, root, seen, leaves);
  for (const ScalarId leaf : leaves) {
    if ((skip && skip(leaf)) || index_.contains(leaf)) continue;
    const Scalar& s = program_.scalars[leaf];
    LaneAccess access;
    if (s.op == Op::Load) {
      access = classify(offset_of(program_, s), space_);
    } else if (!s.at[0].depends_on(space_.lane())) {
      // A run of codes inside one block: the block is a multiple of the width.
      access = classify(s.at[1], space_);
      if (access.kind == LaneAccess::Kind::Vector && access.aligned < space_.width()) {
        access.kind = LaneAccess::Kind::Gather;
      }
    }
    index_.emplace(leaf, slots_.size());
    slots_.push_back({leaf, access});
  }
}

int LaneReader::vector_reads() const {
  int count = 0;
  for (const Slot& slot : slots_) count += slot.access.kind == LaneAccess::Kind::Vector ? 1 : 0;
  return count;
}

std::string LaneReader::members() const {
  std::string text;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Scalar& s = program_.scalars[slots_[i].leaf];
    const bool uniform = slots_[i].access.kind == LaneAccess::Kind::Uniform;
    const TensorId t = s.op == Op::Load ? s.tensor : s.encoded.codes;
    text +=
        fmt::format("    {} a{}{};  // {}\n", compute_name(s.type), i,
                    uniform ? "" : fmt::format("[{}]", space_.width()), program_.tensor(t).name);
  }
  return text;
}

std::string LaneReader::scalar_read(const Scalar& leaf, const std::string& lane) const {
  const std::vector<std::string> names = with_lane(space_, lane);
  if (leaf.op == Op::Decode) {
    std::string args;
    for (const TensorId t : tensors_of(leaf.encoded)) args += pointer_(t) + ", ";
    return fmt::format("{}::element({}{}, {})", format_struct(leaf.encoded), args,
                       to_code(leaf.at[0], names), to_code(leaf.at[1], names));
  }
  const DType stored = program_.tensor(leaf.tensor).dtype;
  const std::string element =
      fmt::format("{}[{}]", pointer_(leaf.tensor), to_code(offset_of(program_, leaf), names));
  if (stored == DType::F16) return "__half2float(" + element + ")";
  if (stored == DType::BF16) return "__bfloat162float(" + element + ")";
  if (stored == DType::Bool) return "(" + element + " != 0)";
  return element;
}

std::string LaneReader::loads(const std::string& indent, const std::string& object) const {
  std::string text;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Scalar& s = program_.scalars[slots_[i].leaf];
    const std::string to = fmt::format("{}.a{}", object, i);
    switch (slots_[i].access.kind) {
      case LaneAccess::Kind::Uniform:
        text += fmt::format("{}{} = {};\n", indent, to, scalar_read(s, "0"));
        break;
      case LaneAccess::Kind::Gather:
        text += fmt::format("#pragma unroll\n{0}for (int w = 0; w < {1}; ++w) {2}[w] = {3};\n",
                            indent, space_.width(), to, scalar_read(s, "w"));
        break;
      case LaneAccess::Kind::Vector: {
        const std::vector<std::string> first = with_lane(space_, "0");
        if (s.op == Op::Decode) {
          std::string args;
          for (const TensorId t : tensors_of(s.encoded)) args += pointer_(t) + ", ";
          text += fmt::format("{}{}::run({}{}, {}, {});\n", indent, format_struct(s.encoded), args,
                              to_code(s.at[0], first),
                              to_code(s.at[1] - Index::variable(space_.lane()), first), to);
        } else {
          const Index base = offset_of(program_, s) - Index::variable(space_.lane());
          text += fmt::format("{}kw_load<{}, {}, {}>({} + ({}), {});\n", indent, space_.width(),
                              slots_[i].access.aligned, stream_, pointer_(s.tensor),
                              to_code(base, first), to);
        }
        break;
      }
    }
  }
  return text;
}

std::string LaneReader::lane_value(ScalarId leaf, const std::string& object) const {
  const auto it = index_.find(leaf);
  if (it == index_.end()) return {};
  const bool uniform = slots_[it->second].access.kind == LaneAccess::Kind::Uniform;
  return fmt::format("{}.a{}{}", object, it->second, uniform ? "" : "[w]");
}

std::string lane_store(const Index& offset, const LaneSpace& space, const std::string& pointer,
                       const std::string& name, bool stream, const std::string& indent) {
  const LaneAccess access = classify(offset, space);
  if (access.kind == LaneAccess::Kind::Vector) {
    const Index base = offset - Index::variable(space.lane());
    return fmt::format("{}kw_store<{}, {}, {}>({} + ({}), {});\n", indent, space.width(),
                       access.aligned, stream, pointer, to_code(base, space.names), name);
  }
  return fmt::format("#pragma unroll\n{0}for (int w = 0; w < {1}; ++w) {2}[{3}] = {4}[w];\n",
                     indent, space.width(), pointer, to_code(offset, with_lane(space, "w")), name);
}

}  // namespace kw::codegen
