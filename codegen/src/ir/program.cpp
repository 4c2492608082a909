#include "ir/program.h"

#include <algorithm>

#include "ir/region.h"

namespace kw::codegen {

std::string_view to_string(Combiner combiner) noexcept {
  switch (combiner) {
    case Combiner::None:
      return "none";
    case Combiner::Sum:
      return "sum";
    case Combiner::Prod:
      return "prod";
    case Combiner::Max:
      return "max";
    case Combiner::Min:
      return "min";
    case Combiner::ArgMax:
      return "argmax";
    case Combiner::ArgMin:
      return "argmin";
    case Combiner::Welford:
      return "welford";
    case Combiner::OnlineSoftmax:
      return "online_softmax";
  }
  return "none";
}

Shape Stage::parallel_extents() const { return Shape(extents.begin(), extents.begin() + parallel); }
Shape Stage::reduced_extents() const { return Shape(extents.begin() + parallel, extents.end()); }

void finish(Program& program) {
  std::vector<bool> wanted(program.tensors.size());
  for (std::size_t t = 0; t < wanted.size(); ++t) wanted[t] = program.tensors[t].is_output;
  std::vector<Stage> kept;
  for (std::size_t s = program.stages.size(); s-- > 0;) {
    Stage& stage = program.stages[s];
    const bool alive = std::any_of(stage.results.begin(), stage.results.end(),
                                   [&](TensorId t) { return wanted[static_cast<std::size_t>(t)]; });
    if (!alive) continue;
    for (const TensorId t : tensors_read(program, stage))
      wanted[static_cast<std::size_t>(t)] = true;
    kept.push_back(std::move(stage));
  }
  std::reverse(kept.begin(), kept.end());
  program.stages = std::move(kept);
  for (Tensor& tensor : program.tensors) {
    tensor.producer = -1;
    tensor.readers.clear();
  }
  for (std::size_t s = 0; s < program.stages.size(); ++s) {
    const Stage& stage = program.stages[s];
    for (const TensorId t : tensors_read(program, stage)) {
      program.tensors[static_cast<std::size_t>(t)].readers.push_back(static_cast<int>(s));
    }
    for (const TensorId t : stage.results) {
      program.tensors[static_cast<std::size_t>(t)].producer = static_cast<int>(s);
    }
  }
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
