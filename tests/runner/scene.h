#pragma once
// A vector addition, its plan and its inputs, to be broken by tests.

#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "kw/compile/service.h"
#include "kw/verify/device.h"

namespace kw::verify::testing_scene {

inline constexpr const char* kAdd =
    "extern \"C\" __global__ void add(const float* a, const float* b, float* y, int n) {\n"
    "  int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
    "  if (i < n) y[i] = a[i] + b[i];\n"
    "}\n";

inline compile::CompileService& compiler() {
  static compile::CompileService instance({.processes = 1});
  return instance;
}

inline CompiledModule compiled(const std::string& source, const std::string& arch = "sm_80") {
  auto result = compiler().compile({source, arch, {}}, {}).value();
  if (auto* failed = std::get_if<CompileFailure>(&result)) {
    throw std::runtime_error(failed->diagnostics.front().text);
  }
  return std::get<CompiledModule>(std::move(result));
}

inline PlanBuffer buffer(std::string name, Role role, std::int64_t bytes) {
  PlanBuffer out;
  out.name = std::move(name);
  out.role = role;
  out.bytes = bytes;
  return out;
}

inline PlanNode launch(std::string kernel, std::vector<PlanArg> args, std::int64_t grid,
                       std::int64_t block) {
  KernelNode node;
  node.kernel = std::move(kernel);
  node.grid[0] = grid;
  node.block[0] = block;
  node.args = std::move(args);
  return {"", {}, std::move(node)};
}

inline BufferFill given(std::string name, const std::vector<float>& values) {
  const auto* raw = reinterpret_cast<const std::byte*>(values.data());
  BufferFill fill;
  fill.buffer = std::move(name);
  fill.bytes = std::make_shared<std::vector<std::byte>>(raw, raw + 4 * values.size());
  return fill;
}

inline BufferFill drawn(std::string name, std::int64_t elements, std::uint64_t seed) {
  BufferFill fill;
  fill.buffer = std::move(name);
  fill.spec.elements = fill.spec.row = elements;
  fill.spec.seed = seed;
  fill.spec.family = Family::Uniform;
  return fill;
}

/// y = a + b over n floats, 64 threads per block.
inline RunRequest add_request(const std::string& source, std::int64_t n,
                              const std::string& arch = "sm_80") {
  RunRequest request;
  request.module = compiled(source, arch);
  request.plan.buffers = {buffer("a", Role::Input, 4 * n), buffer("b", Role::Input, 4 * n),
                          buffer("y", Role::Output, 4 * n)};
  request.plan.run = {launch(
      "add", {BufferArg{"a", 0}, BufferArg{"b", 0}, BufferArg{"y", 0}, ScalarArg{"i32", Expr(n)}},
      (n + 63) / 64, 64)};
  std::vector<float> a, b;
  for (std::int64_t i = 0; i < n; ++i) {
    a.push_back(static_cast<float>(i));
    b.push_back(0.5f);
  }
  Trial trial;
  trial.fills = {given("a", a), given("b", b)};
  request.trials = {trial};
  request.seed = 1;
  return request;
}

inline std::vector<float> floats(const OutputBytes& output) {
  std::vector<float> values(output.bytes->view().size() / 4);
  std::memcpy(values.data(), output.bytes->view().data(), 4 * values.size());
  return values;
}

}  // namespace kw::verify::testing_scene
