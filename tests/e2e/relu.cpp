#include "relu.h"

#include <stdexcept>

#include "fakes/scripted_endpoint.h"
#include "kw/bench/tasks.h"
#include "kw/core/launch_plan.h"

namespace kw::e2e {
namespace {

std::string plan() {
  const auto task = bench::find_task(kReluTask);
  if (!task) throw std::runtime_error(task.error().message);
  LaunchPlan plan;
  KernelNode kernel;
  kernel.kernel = "relu";
  const ValueId x = task->graph.with_role(Role::Input).at(0);
  const ValueId y = task->graph.outputs.at(0);
  for (const ValueId id : {x, y}) {
    const Value& value = task->graph.value(id);
    PlanBuffer buffer;
    buffer.name = value.name;
    buffer.role = id == x ? Role::Input : Role::Output;
    buffer.dtype = value.dtype;
    buffer.bytes = Expr(byte_size(value).value());
    plan.buffers.push_back(buffer);
    kernel.args.push_back(BufferArg{value.name, Expr(0)});
  }
  plan.symbols["n"] = element_count(task->graph.value(x).shape).value();
  kernel.grid[0] = Expr::parse("ceil_div(n, 128)").value();
  kernel.block[0] = Expr(128);
  kernel.args.push_back(ScalarArg{"i64", Expr::parse("n").value()});
  plan.run.push_back({"main", {}, std::move(kernel)});
  return to_json(plan);
}

std::string kernel(const std::string& expression) {
  return "extern \"C\" __global__ void relu(const float* x, float* y, long long n) {\n"
         "  const long long i = blockIdx.x * 128ll + threadIdx.x;\n"
         "  if (i >= n) return;\n"
         "  const float v = x[i];\n"
         "  y[i] = " +
         expression + ";\n}";
}

}  // namespace

std::string good_relu_answer() {
  return fakes::good_answer(kernel("v < 0.f ? 0.f : v"), plan());  // NaN passes through
}
std::string wrong_relu_answer() { return fakes::good_answer(kernel("v + 1.f"), plan()); }
std::string host_code_answer() {
  return fakes::good_answer(kernel("v") + "\nint main() { relu<<<1, 1>>>(0, 0, 0); }", plan());
}

}  // namespace kw::e2e
