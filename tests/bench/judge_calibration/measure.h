#pragma once
// One random case of the calibration: a task, data of one family, a kernel's answer, and what the
// judge's own oracle says of it.

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "families.h"
#include "kw/core/result.h"

namespace kw::calibration {

enum class Half { Calibration, Test };  // of the seeds: disjoint streams

/// What is counted together.
struct Row {
  bool honest = true;
  std::string policy, scheme, task, family;
  int log2_k = 0;
  auto operator<=>(const Row&) const = default;
};
struct Count {
  std::uint64_t cases = 0, failed = 0, unjudged = 0;
  double most = 0;                // largest error in units of what is allowed, bound or bias
  double least = 1e300;           // smallest, over judged cases
};
struct Failure {
  std::uint64_t index = 0;
  Row row;
  std::int64_t k = 0;
  double in_bounds = 0, bias = 0;
  std::int64_t at = 0;  // the worst element
  double expected = 0, got = 0, bound = 0;
};
struct Tally {
  std::map<Row, Count> rows;
  std::vector<Failure> refused;  // honest ones, at most kMaxFailures
  static constexpr std::size_t kMaxFailures = 200;

  void add(const Row& row, const Failure& seen, bool failed, bool judged);
  void add(const Tally& other);
};

/// Case `index` of a half: an honest kernel on data of any family; every fourth also a kernel of
/// lower precision on coherent data, and every sixteenth one serial chain over more than
/// kLongestChain terms. Everything follows from (half, seed, index). `only` restricts it to one
/// task family.
Status run_case(Half half, std::uint64_t seed, std::uint64_t index, const std::string& only,
                Tally& tally);

}  // namespace kw::calibration
