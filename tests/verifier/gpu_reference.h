#pragma once
// A graph evaluated by the reference's GPU kernels in the virtual machine and by the interpreter:
// the same values and the same bounds.

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "evaluator.h"
#include "fakes/vm_accelerator.h"
#include "fill_kernel.h"
#include "kw/compile/service.h"
#include "kw/core/random.h"
#include "kw/reference/interpret.h"
#include "trial.h"
#include "verifier/scene.h"

namespace kw::verify::gpu {

using Op = DrawStep::Op;

/// The reference's module; an error when it does not compile or load, Unavailable without NVRTC.
inline const Result<std::shared_ptr<const ptxvm::Program>>& program() {
  static const auto instance = []() -> Result<std::shared_ptr<const ptxvm::Program>> {
    compile::CompileService service({.processes = 1, .deadline = std::chrono::seconds(60)});
    KW_ASSIGN(const CompileResult compiled, service.compile({reference_source(), "sm_80", {}}, {}));
    if (const auto* failure = std::get_if<CompileFailure>(&compiled)) {
      return fail(Errc::Internal, "{}", failure->diagnostics.at(0).text);
    }
    return ptxvm::load(std::get<CompiledModule>(compiled).ptx);
  }();
  return instance;
}

class GpuReference : public testing::Test {
 protected:
  void SetUp() override {
    if (!program() && program().error().code == Errc::Unavailable) {
      GTEST_SKIP() << program().error().message;
    }
    ASSERT_TRUE(program()) << program().error().message;
    device_ = std::make_unique<fakes::VmAccelerator>(*program());
  }
  std::unique_ptr<fakes::VmAccelerator> device_;
};

inline std::vector<double> read(Accelerator& device, const DeviceTensor& t,
                                const std::shared_ptr<Block>& from) {
  std::vector<double> out(t.size());
  if (from == nullptr) return out;
  EXPECT_TRUE(device.to_host(std::as_writable_bytes(std::span(out)), from->address()));
  return out;
}

inline bool close(double a, double b, double tolerance) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  if (std::isinf(a) || std::isinf(b)) return a == b;
  return std::fabs(a - b) <= tolerance * std::fmax(std::fabs(a), std::fabs(b)) + 1e-300;
}

/// A graph over its inputs, evaluated both ways on several families.
inline void agree(Accelerator& device, const Task& task, const std::string& name,
                  const std::vector<Family>& families = {Family::AsDrawn, Family::Normal,
                                                         Family::Spiky, Family::NonFinite,
                                                         Family::Huge, Family::Denormal},
                  double bound_tolerance = 1e-6) {
  for (const Family family : families) {
    const auto plan = plan_trial(task, "", family, kNoValue, 3);
    ASSERT_TRUE(plan) << plan.error().message;
    const auto inputs = decode_inputs(task, *plan);
    ASSERT_TRUE(inputs);
    const auto want = reference::interpret(task.graph, {}, *inputs, {.policy = task.policy});
    ASSERT_TRUE(want) << name << ": " << want.error().message;
    DeviceTensors on_device;
    for (const auto& [id, tensor] : *inputs) {
      const Value& value = task.graph.value(id);
      const std::vector<std::byte> bytes = reference::encode_tensor(tensor, value.dtype);
      DeviceTensor t;
      t.shape = value.shape;
      t.strides = contiguous_strides(value.shape);
      t.type = static_cast<int>(value.dtype);
      const auto address = device.allocate(bytes.size());
      ASSERT_TRUE(address);
      ASSERT_TRUE(device.to_device(*address, bytes));
      t.v = std::make_shared<Block>(device, *address, bytes.size());
      on_device.emplace(id, std::move(t));
    }
    Evaluator evaluator(device, {task.policy, false});
    const auto got = evaluator.run(task.graph, on_device);
    ASSERT_TRUE(got) << name << ": " << got.error().message;
    ASSERT_EQ(got->size(), want->size());
    int shown = 0;
    for (std::size_t o = 0; o < got->size(); ++o) {
      const reference::Tensor& expected = (*want)[o];
      ASSERT_EQ((*got)[o].size(), expected.size()) << name;
      const std::vector<double> v = read(device, (*got)[o], (*got)[o].v);
      const std::vector<double> e = read(device, (*got)[o], (*got)[o].e);
      for (std::size_t i = 0; i < v.size() && shown < 3; ++i) {
        const double bound = expected.bound_at(i);
        const bool same_value = bound == reference::kUnjudged ||
                                close(v[i], expected.value[i], 1e-9) ||
                                std::fabs(v[i] - expected.value[i]) <= 1e-6 * bound;
        if (same_value && close(e[i], bound, bound_tolerance)) continue;
        ++shown;
        ADD_FAILURE() << name << ", " << to_string(family) << " output " << o << " element " << i
                      << ": " << v[i] << " +- " << e[i] << " instead of " << expected.value[i]
                      << " +- " << bound;
      }
    }
  }
}

inline Task task_of(std::vector<Shape> inputs, std::vector<Node> nodes, std::vector<Shape> made) {
  Task task;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    task.graph.values.push_back(scene::value(fmt::format("x{}", i), inputs[i], Role::Input));
    task.draws.push_back({static_cast<ValueId>(i), {{Op::Uniform, 0, 1}}});
  }
  for (std::size_t i = 0; i < made.size(); ++i) {
    task.graph.values.push_back(scene::value(fmt::format("y{}", i), made[i],
                                             i + 1 == made.size() ? Role::Output : Role::Scratch));
  }
  task.graph.nodes = std::move(nodes);
  task.graph.outputs = {static_cast<ValueId>(task.graph.values.size()) - 1};
  return task;
}
inline Task unary(const std::string& op, Attrs attrs = {}, Shape shape = {3, 37}) {
  return task_of({shape}, {{op, {0}, std::move(attrs), {1}}}, {shape});
}
inline Attr ints(std::vector<std::int64_t> list) { return list; }

}  // namespace kw::verify::gpu
