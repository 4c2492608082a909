#include "prompt.h"

#include <algorithm>

#include "kw/core/json.h"

namespace kw::agent {
namespace {

std::string attr_text(const Attr& attr) {
  struct Writer {
    std::string operator()(std::monostate) const { return "None"; }
    std::string operator()(bool v) const { return v ? "true" : "false"; }
    std::string operator()(std::int64_t v) const { return fmt::format("{}", v); }
    std::string operator()(double v) const { return fmt::format("{}", v); }
    std::string operator()(const std::string& v) const { return "\"" + v + "\""; }
    std::string operator()(const std::vector<std::int64_t>& v) const { return kw::to_string(v); }
    std::string operator()(const std::vector<double>& v) const {
      return fmt::format("[{}]", fmt::join(v, ", "));
    }
  };
  return std::visit(Writer{}, attr);
}

std::string value_text(const Value& value) {
  std::string type(to_string(value.dtype));
  if (!value.format.empty()) type += " codes of " + value.format;
  return fmt::format("{}: {} {}", value.name, type, kw::to_string(value.shape));
}

std::string name_of(const Graph& graph, ValueId id) {
  return id == kNoValue ? "None" : graph.value(id).name;
}

std::string format_text(const Format& f) { return to_json(f); }

/// Four ways to begin, so that lanes do not all write the same kernel.
constexpr const char* kAngles[] = {
    "Favour few launches: fuse everything into as few kernels as possible.",
    "Favour memory bandwidth: vectorised 16-byte loads and stores, every byte read once.",
    "Favour occupancy and simplicity: plain indexing, one thread per few elements.",
    "Favour reuse: stage tiles in shared memory, keep accumulators in registers."};

constexpr const char* kRules =
    "You write CUDA kernels for Kernelwright. Answer with exactly two code blocks:\n\n"
    "1. One ```cuda block: one translation unit of device code. extern \"C\" __global__ kernels "
    "and "
    "__device__ helpers only. No main(), no runtime or driver calls, no <<<>>>, no host headers "
    "(no "
    "<iostream>, <vector>, <cstdint>, <torch/...>); toolkit device headers such as <cuda_fp16.h> "
    "and "
    "<mma.h> are fine. It is compiled by NVRTC.\n"
    "2. One ```json block: the launch plan, which is all that happens on the host. Buffers of the "
    "task keep their names, roles and exact sizes; workspace is yours and its name starts with "
    "\"ws_\". Arguments are passed in order and must match the kernel's parameters in type. "
    "Expressions are integer arithmetic over \"symbols\", with ceil_div, round_up, min and max.\n\n"
    "The kernels are judged against a double-precision reference on adversarial inputs, including "
    "NaN, infinities, denormals and huge values, under sanitizers that see every stray read and "
    "race. Outputs must be written completely on every run, inputs never. Then they are timed.";

/// A plan for this very task, with one kernel that takes all of its buffers.
LaunchPlan example_plan(const Graph& graph) {
  LaunchPlan plan;
  KernelNode kernel;
  kernel.kernel = "my_kernel";
  std::vector<ValueId> values;
  for (const Role role : {Role::Input, Role::Weight, Role::State}) {
    const auto some = graph.with_role(role);
    values.insert(values.end(), some.begin(), some.end());
  }
  for (const ValueId id : graph.outputs) {
    if (std::find(values.begin(), values.end(), id) == values.end()) values.push_back(id);
  }
  std::int64_t elements = 1;
  for (const ValueId id : values) {
    const Value& value = graph.value(id);
    PlanBuffer buffer;
    buffer.name = value.name;
    buffer.role = value.role == Role::Scratch ? Role::Output : value.role;
    buffer.dtype = value.dtype;
    buffer.bytes = Expr(byte_size(value).value_or(0));
    plan.buffers.push_back(std::move(buffer));
    kernel.args.push_back(BufferArg{value.name, Expr(0)});
    elements = element_count(value.shape).value_or(1);
  }
  plan.symbols["n"] = elements;
  kernel.grid[0] = Expr::parse("ceil_div(n, 256)").value_or(Expr(1));
  kernel.block[0] = Expr(256);
  kernel.args.push_back(ScalarArg{"i64", Expr::parse("n").value_or(Expr(0))});
  plan.run.push_back({"main", {}, std::move(kernel)});
  return plan;
}

}  // namespace

std::string describe_graph(const Graph& graph) {
  std::string out;
  const auto list = [&](Role role, const char* title) {
    for (const ValueId id : graph.with_role(role)) {
      out += fmt::format("{} {}\n", title, value_text(graph.value(id)));
    }
  };
  list(Role::Input, "input ");
  list(Role::Weight, "weight");
  list(Role::State, "state ");
  for (const Node& node : graph.nodes) {
    std::string arguments;
    for (const ValueId id : node.inputs) {
      arguments += (arguments.empty() ? "" : ", ") + name_of(graph, id);
    }
    for (const auto& [name, attr] : node.attrs) {
      arguments += fmt::format("{}{}={}", arguments.empty() ? "" : ", ", name, attr_text(attr));
    }
    std::string results;
    for (const ValueId id : node.outputs) {
      results += (results.empty() ? "" : ", ") + value_text(graph.value(id));
    }
    out += fmt::format("{} = {}({})\n", results, node.op, arguments);
  }
  std::string outputs;
  for (const ValueId id : graph.outputs) {
    outputs += (outputs.empty() ? "" : ", ") + value_text(graph.value(id));
  }
  return out + "return " + outputs + "\n";
}

std::string system_prompt() { return kRules; }

std::string task_prompt(const Task& task, const DeviceInfo& device, int lane) {
  std::string out = fmt::format("Task {}. The graph, with ATen operator semantics:\n\n{}\n",
                                task.name, describe_graph(task.graph));
  for (const Format& format : task.formats) {
    out += fmt::format("Number format {}: {}\n", format.name, format_text(format));
  }
  const Numerics contraction = numerics_of(task.policy.contraction);
  out += fmt::format(
      "Arithmetic policy: {}. A product of a contraction may have a relative error of 2^{}, sums "
      "accumulate in {}. Pointwise work and reductions are in full float32 accuracy or better.\n",
      to_string(task.policy), contraction.product_roundoff_log2, to_string(contraction.accumulate));
  if (task.determinism == Determinism::Bitwise) {
    out += "Two runs on the same inputs must agree bit for bit.\n";
  }
  const codegen::Target& target = device.target;
  out += fmt::format(
      "Device: {}, compiled for {}; {} SMs, {} bytes of shared memory per block at most, {} MiB of "
      "L2 cache.\n",
      device.identity.name, target.arch, target.sm_count, target.shared_per_block,
      target.l2_bytes >> 20);
  out += fmt::format("The form of the plan, with this task's buffers:\n{}\n",
                     to_json(example_plan(task.graph)));
  out += kAngles[static_cast<std::size_t>(lane) % std::size(kAngles)];
  return out;
}

std::string feedback_prompt(const RoundFeedback& feedback) {
  constexpr const char* kAgain =
      " Answer again with one complete ```cuda block and one complete ```json block.";
  if (feedback.finding) {
    return fmt::format("Your answer could not be used ({}): {}.{}",
                       to_string(feedback.finding->kind), feedback.finding->text, kAgain);
  }
  if (!feedback.outcome) return std::string("Your answer could not be judged.") + kAgain;
  if (const auto* passed = std::get_if<Passed>(&*feedback.outcome)) {
    std::string out = "Your kernel passed.";
    if (passed->timing) {
      out += fmt::format(" It takes {:.1f} us; the roofline of this task is {:.1f} us.",
                         passed->timing->median_us, passed->timing->floor_us);
    }
    return out + " Make it faster." + kAgain;
  }
  const Rejected& rejected = std::get<Rejected>(*feedback.outcome);
  std::string out = fmt::format("Your kernel was rejected ({}): {}", to_string(rejected.kind),
                                rejected.reason.substr(0, 4000));
  for (const auto& [name, value] : rejected.witness) {
    if (name.find("seed") != std::string::npos) continue;  // the judge's secret stays its own
    out += fmt::format("\n{}: {}", name, value.substr(0, 500));
  }
  return out + "\n" + kAgain;
}

std::string request_body(const ProposeRequest& request, const std::optional<std::string>& answer) {
  Json messages = Json::array();
  messages.push_back({{"role", "system"}, {"content", system_prompt()}});
  messages.push_back(
      {{"role", "user"}, {"content", task_prompt(request.task, request.device, request.lane)}});
  if (request.feedback && answer) {
    messages.push_back({{"role", "assistant"}, {"content", *answer}});
    messages.push_back({{"role", "user"}, {"content", feedback_prompt(*request.feedback)}});
  }
  const ModelSpec& model = *request.spec.model;
  const Json body = {{"model", model.model},
                     {"messages", std::move(messages)},
                     {"max_tokens", model.max_tokens},
                     {"stream", true},
                     {"stream_options", {{"include_usage", true}}}};
  return dump(body);
}

}  // namespace kw::agent
