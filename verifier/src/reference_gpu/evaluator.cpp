#include "evaluator.h"

#include <algorithm>
#include <bit>

#include "evaluator_step.h"

namespace kw::verify::gpu {

std::size_t DeviceTensor::size() const {
  std::size_t n = 1;
  for (const std::int64_t extent : shape) n *= static_cast<std::size_t>(extent);
  return n;
}
bool DeviceTensor::contiguous() const {
  const Shape want = contiguous_strides(shape);
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] != 1 && strides[d] != want[d]) return false;
  }
  return true;
}

std::uint32_t grid_for(std::uint64_t n, std::uint32_t block) {
  return static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>((n + block - 1) / block, 1, std::uint64_t{132} * 16));
}

Operand operand(const DeviceTensor& x) {
  Operand o{};
  o.v = x.v ? x.v->address() : 0;
  o.e = x.e ? x.e->address() : 0;
  o.offset = x.offset;
  o.type = x.type;
  return o;
}
Operand scalar_operand(double value) {
  Operand o{};
  o.type = kScalar;
  o.value = value;
  // As num.h's constant(): exact, or rounded to FP32 by whoever uses it.
  const bool exact =
      !std::isfinite(value) || static_cast<double>(static_cast<float>(value)) == value;
  o.error = exact ? 0 : std::fabs(value) * 0x1p-24;
  return o;
}
Operand absent_operand() {
  Operand o{};
  o.type = kAbsent;
  return o;
}

Result<std::shared_ptr<Block>> Evaluator::block(std::size_t elements) {
  const std::size_t bytes = std::max<std::size_t>(elements, 1) * sizeof(double);
  KW_ASSIGN(const std::uint64_t address, device_.allocate(bytes));
  return std::make_shared<Block>(device_, address, bytes);
}

Result<DeviceTensor> Evaluator::make(Shape shape, bool with_error) {
  DeviceTensor t;
  t.strides = contiguous_strides(shape);
  t.shape = std::move(shape);
  KW_ASSIGN(t.v, block(t.size()));
  if (with_error) {
    KW_ASSIGN(t.e, block(t.size()));
  }
  return t;
}

Result<DeviceTensor> Evaluator::materialise(const DeviceTensor& x) {
  if (x.contiguous()) return x;
  Step step{*this, nullptr, nullptr, {}};
  KW_ASSIGN(DeviceTensor out, make(x.shape, x.e != nullptr));
  KW_RETURN_IF_ERROR(step.map(kCopy, {}, {x, std::nullopt}, exact_output(), out));
  return out;
}

Result<Evaluator::AllTotals> Evaluator::totals(const DeviceTensor& x) {
  Step step{*this, nullptr, nullptr, {}};
  KW_ASSIGN(const DeviceTensor flat, materialise(x));
  KW_ASSIGN(const Step::Totals t, step.totals(flat, {1, x.size(), 1}, kPlain, nullptr));
  AllTotals all;
  for (auto [block, value] : {std::pair{t.v, &all.v}, {t.c, &all.c}, {t.e, &all.e}}) {
    KW_RETURN_IF_ERROR(
        device_.to_host(std::as_writable_bytes(std::span(value, 1)), block->address()));
  }
  return all;
}

Result<std::vector<DeviceTensor>> Evaluator::run(const Graph& graph, const DeviceTensors& inputs) {
  DeviceTensors values = inputs;
  std::vector<std::size_t> last(graph.values.size(), 0);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    for (const ValueId id : graph.nodes[n].inputs) {
      if (id != kNoValue) last[static_cast<std::size_t>(id)] = n;
    }
  }
  for (const ValueId id : graph.outputs) last[static_cast<std::size_t>(id)] = graph.nodes.size();
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    Step step{*this, &graph, &node, {}};
    for (const ValueId id : node.inputs) {
      const auto found = values.find(id);
      if (id != kNoValue && found == values.end()) {
        return fail(Errc::Internal, "node {}: no tensor for '{}'", n, graph.value(id).name);
      }
      step.inputs.push_back(id == kNoValue ? std::nullopt : std::optional(found->second));
    }
    auto out = step.evaluate();
    if (!out)
      return wrap(out.error(), fmt::format("reference on the GPU, node {} ({})", n, node.op));
    for (std::size_t o = 0; o < node.outputs.size(); ++o) {
      if (node.outputs[o] == kNoValue) continue;
      if (o >= out->size() || !(*out)[o]) {
        return fail(Errc::Unsupported, "reference on the GPU, node {} ({}): output {}", n, node.op,
                    o);
      }
      values[node.outputs[o]] = std::move(*(*out)[o]);
    }
    for (const ValueId id : node.inputs) {
      if (id != kNoValue && last[static_cast<std::size_t>(id)] == n) values.erase(id);
    }
  }
  std::vector<DeviceTensor> outputs;
  for (const ValueId id : graph.outputs) {
    KW_ASSIGN(DeviceTensor t, materialise(values.at(id)));
    outputs.push_back(std::move(t));
  }
  return outputs;
}

}  // namespace kw::verify::gpu
