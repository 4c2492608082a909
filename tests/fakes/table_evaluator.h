#pragma once
// An evaluator that computes its measurements, and remembers what it was asked.

#include <functional>
#include <vector>

#include "kw/core/interfaces.h"

namespace kw::fakes {

class TableEvaluator final : public Evaluator {
 public:
  explicit TableEvaluator(std::function<Measurement(const Config&)> measure)
      : measure_(std::move(measure)) {}
  Measurement evaluate(const Config& config, std::stop_token) override {
    evaluated.push_back(config);
    return measure_(config);
  }
  void prefetch(const std::vector<Config>& next) override {
    prefetched.insert(prefetched.end(), next.begin(), next.end());
  }

  std::vector<Config> evaluated;
  std::vector<Config> prefetched;

 private:
  std::function<Measurement(const Config&)> measure_;
};

}  // namespace kw::fakes
