#include <sys/random.h>

#include "kw/agent/steps.h"

namespace kw::agent {

std::vector<std::int64_t> input_extents(const Task& task) {
  std::vector<std::int64_t> extents;
  for (const ValueId id : task.graph.with_role(Role::Input)) {
    const Shape& shape = task.graph.value(id).shape;
    extents.insert(extents.end(), shape.begin(), shape.end());
  }
  return extents;
}

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  while (getrandom(&seed, sizeof seed, 0) != static_cast<ssize_t>(sizeof seed)) {
  }
  return seed;
}

}  // namespace kw::agent
