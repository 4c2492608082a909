#pragma once
// The contract between the cover and a skeleton: match a region at a cost, declare parameters, emit
// device code and plan nodes.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ir/region.h"
#include "kw/codegen/generator.h"

namespace kw::codegen {

/// One way to run a region. `form` names it within the skeleton ("warp", "block", "split",
/// "fp16x3", ...), so that (skeleton, form, stages) is all that a cover needs to record.
struct Offer {
  std::string form;
  double cost_us = 0;  // cost_of() below, plus whatever the form knows to be slow
};

/// What a region becomes. All names carry the context's prefix, so fragments never collide.
struct Fragment {
  std::vector<std::string> includes;   // embedded skeleton files, each inlined once, in this order
  std::string code;                    // functors and `extern "C" __global__` entries
  std::vector<PlanBuffer> workspaces;  // Scratch, names from EmitContext::workspace(); first_use
                                       // and last_use are filled in by the composer
  std::vector<PlanNode> setup;         // weights only
  std::vector<PlanNode> run;
  std::vector<Encoded> formats;  // whose structs (emit/format_code.h) the code uses
  bool uses_half = false;      // needs <cuda_fp16.h>; noticed by itself where the code says __half
  bool uses_bfloat16 = false;  // needs <cuda_bf16.h>
};

struct EmitContext {
  std::string prefix;  // "r0_"
  Target target;
  std::string entry(std::string_view name) const { return prefix + std::string(name); }
  /// "KwR0Stream": a struct of this region.
  std::string type_name(std::string_view name) const {
    return "KwR" + prefix.substr(1, prefix.size() - 2) + std::string(name);
  }
  std::string workspace(std::string_view name) const { return "ws_" + prefix + std::string(name); }
};

class Skeleton {
 public:
  virtual ~Skeleton() = default;
  /// "stream@1": name and version; a version changes when the emitted code does.
  virtual std::string_view name() const = 0;
  /// Every form that can run the whole region; empty when none can. Must be cheap: the cover calls
  /// it for every interval of stages. `program` gains scalars only.
  virtual std::vector<Offer> match(Program& program, const Region& region,
                                   const Target& target) const = 0;
  /// Parameters of a form at these shapes, names without prefix ("block"). Empty: nothing to tune.
  virtual ParameterSpace space(Program& program, const Region& region, std::string_view form,
                               const Target& target) const = 0;
  /// `config` is complete and allowed by space().
  virtual Result<Fragment> emit(Program& program, const Region& region, std::string_view form,
                                const Config& config, const EmitContext& context) const = 0;
};

/// generator.md section 2.10: max(bytes / copy rate, operations / path rate) + launches.
struct Work {
  double bytes = 0;
  double operations = 0;         // instructions on the plain pipes, or flops of the path
  double operations_per_us = 0;  // rate of that path; 0: FP32 pipes
  int launches = 1;
  int grid_barriers = 0;
};
double cost_of(const Work& work, const Target& target);

/// Lower bounds that many skeletons share.
inline constexpr double kLaunchUs = 2.0;
inline constexpr double kGridBarrierUs = 1.5;

/// All skeletons, in the order in which ties are broken; the fallback is last.
const std::vector<const Skeleton*>& all_skeletons();
const Skeleton& stream_skeleton();
const Skeleton& row_reduce_skeleton();
const Skeleton& encode_skeleton();
const Skeleton& contraction_skeleton();
const Skeleton& recurrence_skeleton();
const Skeleton& join_skeleton();
const Skeleton& scan_skeleton();
const Skeleton& window_skeleton();
const Skeleton& fallback_skeleton();

/// A kernel argument that is the address of a tensor's buffer.
PlanArg tensor_arg(const Program& program, TensorId tensor);

}  // namespace kw::codegen
