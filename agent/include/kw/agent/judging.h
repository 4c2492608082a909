#pragma once
// The judge as jobs see it: devices by name, opened when first asked for.

#include <memory>
#include <stop_token>
#include <string>

#include "kw/codegen/generator.h"
#include "kw/core/interfaces.h"
#include "kw/core/task.h"
#include "kw/verify/judge.h"

namespace kw::agent {

struct DeviceInfo {
  DeviceIdentity identity;
  codegen::Target target;  // what the generator is told of it
  bool has_time = false;   // it can time a candidate (a GPU)
};

/// Thread-safe. An Error is a failure of ours; what is wrong with a candidate is its Outcome.
class Judging {
 public:
  virtual ~Judging() = default;
  virtual Result<DeviceInfo> device(const std::string& name) = 0;
  virtual Result<Outcome> judge(const std::string& device, const Task& task,
                                const Candidate& candidate, const verify::JudgeOptions& options,
                                std::stop_token stop) = 0;
  /// Compiles ahead of judging, where there is a cache. The default does nothing.
  virtual Status prepare(const std::string& device, const Candidate& candidate,
                         std::stop_token stop);
};

/// "auto" resolved: "cuda:0" when there is a GPU, else "vm".
Result<std::string> resolve_device(const std::string& name);

/// The real one: verify::open_device() and verify::Judge. The compiler outlives it.
std::unique_ptr<Judging> make_judging(Compiler& compiler);

}  // namespace kw::agent
