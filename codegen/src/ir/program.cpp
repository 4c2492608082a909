#include "ir/program.h"

namespace kw::codegen {

std::string_view to_string(Combiner combiner) noexcept {
  switch (combiner) {
    case Combiner::None: return "none";
    case Combiner::Sum: return "sum";
    case Combiner::Prod: return "prod";
    case Combiner::Max: return "max";
    case Combiner::Min: return "min";
    case Combiner::ArgMax: return "argmax";
    case Combiner::ArgMin: return "argmin";
    case Combiner::Welford: return "welford";
    case Combiner::OnlineSoftmax: return "online_softmax";
  }
  return "none";
}

Shape Stage::parallel_extents() const { return Shape(extents.begin(), extents.begin() + parallel); }
Shape Stage::reduced_extents() const { return Shape(extents.begin() + parallel, extents.end()); }

int Program::producer(TensorId id) const {
  for (std::size_t s = 0; s < stages.size(); ++s) {
    for (const TensorId result : stages[s].results) {
      if (result == id) return static_cast<int>(s);
    }
  }
  return -1;
}

std::int64_t count_of(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  return count;
}

Index offset_of(const Program& program, const Scalar& load) {
  return linearise(load.at, program.tensor(load.tensor).strides);
}

}  // namespace kw::codegen
