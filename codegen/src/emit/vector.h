#pragma once
// Vectorised reads and writes of a functor: lane w of a vector runs over consecutive points of one
// dimension, and every access is classified by what its offset does with w.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "emit/functor.h"

namespace kw::codegen {

/// Variables of the space; the last one is the lane, with the vector width as its extent.
struct LaneSpace {
  std::vector<std::string> names;
  Shape extents;

  int lane() const { return static_cast<int>(names.size()) - 1; }
  std::int64_t width() const { return extents.back(); }
};

/// uniform: the same for all lanes. vector: consecutive, `aligned` elements at a time (a power of
/// two). gather: anything else, lane by lane.
struct LaneAccess {
  enum class Kind { Uniform, Vector, Gather } kind = Kind::Gather;
  std::int64_t aligned = 1;
};
LaneAccess classify(const Index& offset, const LaneSpace& space);

/// Whether whatever these roots load is the same for all lanes or one whole vector; `skip` leaves
/// (results bound elsewhere) stay out.
bool loads_whole_vectors(const Program& program, const std::vector<ScalarId>& roots,
                         const LaneSpace& space, const std::function<bool(ScalarId)>& skip);

/// Reads ahead whatever some expressions need: members of an Inputs struct, and the statements that
/// fill them. Leaves that only the chosen side of a Select may touch are left to the expression.
class LaneReader {
 public:
  using Pointer = std::function<std::string(TensorId)>;
  LaneReader(const Program& program, LaneSpace space, Pointer pointer, bool stream);

  /// Adds the leaves below these roots; `skip` leaves (results bound elsewhere) stay out.
  void add(const std::vector<ScalarId>& roots, const std::function<bool(ScalarId)>& skip = {});
  /// "    float a0[4];  // x\n" lines.
  std::string members() const;
  /// Statements `kw_load<...>(p0 + ..., in.a0);`
  std::string loads(const std::string& indent, const std::string& object) const;
  /// The value of a leaf in lane `w`, or "" when it is not read ahead.
  std::string lane_value(ScalarId leaf, const std::string& object) const;
  bool empty() const { return slots_.empty(); }
  /// Slots that are read with vector accesses: the bytes in flight of one load().
  int vector_reads() const;

 private:
  struct Slot {
    ScalarId leaf;
    LaneAccess access;
  };
  std::string scalar_read(const Scalar& leaf, const std::string& lane) const;

  const Program& program_;
  LaneSpace space_;
  Pointer pointer_;
  bool stream_;
  std::vector<Slot> slots_;
  std::map<ScalarId, std::size_t> index_;
};

/// Statements that write `values[w]` (an array `name` of the stored type) to a tensor at an offset
/// over the lane space.
std::string lane_store(const Index& offset, const LaneSpace& space, const std::string& pointer,
                       const std::string& name, bool stream, const std::string& indent);

}  // namespace kw::codegen
