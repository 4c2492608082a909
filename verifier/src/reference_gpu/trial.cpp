#include "trial.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>

#include "device_source.h"
#include "evaluator.h"
#include "evaluator_step.h"
#include "fill_kernel.h"
#include "kw/reference/interpret.h"
#include "num.h"
#include "slices.h"

namespace kw::verify::gpu {
namespace {

std::atomic<std::size_t> slice_budget{0};
constexpr std::uint32_t kCompareBlocks = 512;

/// Raw inputs on the device, filled there.
Result<DeviceTensors> draw_inputs(Accelerator& device, const Task& task, const TrialPlan& plan) {
  DeviceTensors inputs;
  const std::vector<ValueId> ids = filled_values(task.graph);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const Value& value = task.graph.value(ids[i]);
    const BufferFill& from = plan.fills[i];
    DeviceTensor t;
    t.shape = value.shape;
    t.strides = value.strides.empty() ? contiguous_strides(value.shape) : value.strides;
    t.type = static_cast<int>(value.dtype);
    const std::size_t bytes =
        static_cast<std::size_t>(storage_elements(value)) * size_of(value.dtype);
    KW_ASSIGN(const std::uint64_t address, device.allocate(std::max<std::size_t>(bytes, 16)));
    t.v = std::make_shared<Block>(device, address, bytes);
    if (from.bytes != nullptr) {
      KW_RETURN_IF_ERROR(device.to_device(address, *from.bytes));
    } else if (bytes > 0) {
      KW_ASSIGN(const FillLaunch fill, fill_launch(from.spec, address));
      KW_RETURN_IF_ERROR(device.launch(kFillKernel, fill.grid, fill.block,
                                       std::span(fill.parameters).first(fill.sizes[0]), &address));
    }
    inputs.emplace(ids[i], std::move(t));
  }
  return inputs;
}

double elements(const Shape& shape) {
  double n = 1;
  for (const std::int64_t extent : shape) n *= static_cast<double>(extent);
  return n;
}

/// Rows of the sliced dimension that fit: every value that a node makes counts with its error, and
/// once more for copies and totals on the way.
std::int64_t rows_per_slice(const Accelerator& device, const Graph& head, const Slicing& slicing,
                            double held) {
  double per_row = 0, fixed = held;
  for (const Node& node : head.nodes) {
    for (const ValueId id : node.outputs) {
      if (id == kNoValue) continue;
      const double bytes = elements(head.value(id).shape) * 3 * sizeof(double);
      const bool sliced = slicing.dim[static_cast<std::size_t>(id)] >= 0;
      if (sliced) {
        per_row += bytes / static_cast<double>(std::max<std::int64_t>(slicing.extent, 1));
      } else {
        fixed += bytes;
      }
    }
  }
  const std::size_t wanted = slice_budget.load();
  double budget = std::fmin(0.8 * static_cast<double>(device.capacity()) - fixed, 12e9);
  if (wanted > 0) budget = static_cast<double>(wanted);
  const double rows = std::floor(budget / std::fmax(per_row, 1));
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(std::fmax(rows, 1)), 1,
                                  std::max<std::int64_t>(slicing.extent, 1));
}

DeviceTensors slice_inputs(const DeviceTensors& inputs, const Slicing& slicing, std::int64_t start,
                           std::int64_t rows) {
  DeviceTensors cut_inputs = inputs;
  for (auto& [id, t] : cut_inputs) {
    const int d = slicing.dim[static_cast<std::size_t>(id)];
    if (d < 0) continue;
    t.offset += start * t.strides[static_cast<std::size_t>(d)];
    t.shape[static_cast<std::size_t>(d)] = rows;
  }
  return cut_inputs;
}

/// Adds one slice to a comparison. `first` is the flat index of the slice's first element.
Status compare_slice(Accelerator& device, const Value& value, const DeviceTensor& expected,
                     std::span<const std::byte> got, std::int64_t first, const CompareRules& rules,
                     Comparison& into, double& signed_sum, double& signed_count) {
  const std::size_t n = expected.size();
  into.elements += static_cast<std::int64_t>(n);
  if (n == 0) return {};
  const std::size_t width = size_of(value.dtype);
  const auto bytes = got.subspan(static_cast<std::size_t>(first) * width, n * width);
  KW_ASSIGN(const std::uint64_t raw, device.allocate(bytes.size()));
  const Block hold(device, raw, bytes.size());
  KW_RETURN_IF_ERROR(device.to_device(raw, bytes));
  const auto blocks =
      static_cast<std::uint32_t>(std::clamp<std::size_t>((n + 127) / 128, 1, kCompareBlocks));
  KW_ASSIGN(const std::uint64_t out, device.allocate(blocks * sizeof(ComparePartial)));
  const Block hold_out(device, out, blocks * sizeof(ComparePartial));
  CompareArguments a{};
  a.got.v = raw;
  a.got.type = static_cast<int>(value.dtype);
  a.n = n;
  a.v = expected.v->address() + static_cast<std::uint64_t>(expected.offset) * sizeof(double);
  a.e = expected.e
            ? expected.e->address() + static_cast<std::uint64_t>(expected.offset) * sizeof(double)
            : 0;
  a.c = expected.c
            ? expected.c->address() + static_cast<std::uint64_t>(expected.offset) * sizeof(double)
            : 0;
  a.largest = reference::largest_finite(value.dtype);
  a.flushed = rules.flushed();
  a.alike = rules.alike_share();
  a.out = out;
  KW_RETURN_IF_ERROR(device.launch("kw_compare", blocks, 128, a));
  std::vector<ComparePartial> parts(blocks);
  KW_RETURN_IF_ERROR(device.to_host(std::as_writable_bytes(std::span(parts)), out));
  std::uint64_t wrong_at = kNone, worst_at = kNone;
  double worst = -1;
  for (const ComparePartial& p : parts) {
    into.judged += static_cast<std::int64_t>(p.judged);
    into.finite += static_cast<std::int64_t>(p.finite);
    into.wrong += static_cast<std::int64_t>(p.wrong);
    signed_sum += p.signed_sum;
    signed_count += static_cast<double>(p.signed_count);
    wrong_at = std::min<std::uint64_t>(wrong_at, p.first_wrong);
    if (p.worst_at != kNone && p.worst > worst) {
      worst = p.worst;
      worst_at = p.worst_at;
    }
  }
  // The first wrong element of all, or else the worst: its numbers are fetched once.
  const bool had_wrong = into.wrong > 0 && into.worst_index >= 0 && std::isnan(into.mean_signed);
  const std::uint64_t pick = wrong_at != kNone ? wrong_at : worst_at;
  const bool take = pick != kNone && !had_wrong &&
                    (wrong_at != kNone || into.worst_index < 0 || worst > into.worst);
  if (worst > into.worst) into.worst = worst;
  if (!take) return {};
  into.worst_index = first + static_cast<std::int64_t>(pick);
  into.got = reference::decode_element(value.dtype, bytes.data() + pick * width);
  KW_RETURN_IF_ERROR(device.to_host(std::as_writable_bytes(std::span(&into.expected, 1)),
                                    a.v + pick * sizeof(double)));
  into.bound = 0;
  if (a.e != 0) {
    KW_RETURN_IF_ERROR(device.to_host(std::as_writable_bytes(std::span(&into.bound, 1)),
                                      a.e + pick * sizeof(double)));
  }
  if (a.c != 0) {
    double c = 0;
    KW_RETURN_IF_ERROR(
        device.to_host(std::as_writable_bytes(std::span(&c, 1)), a.c + pick * sizeof(double)));
    into.bound += a.flushed + a.alike * c;
  }
  if (wrong_at != kNone) into.mean_signed = NAN;  // marks "first wrong found" until the end
  return {};
}

struct Running {
  Comparison comparison;
  double signed_sum = 0, signed_count = 0;
};

/// The tail of a graph that ends in a full reduction, on the CPU.
Result<TrialVerdict> judge_tail(const Task& task, const TrialPlan& plan, const Parts& parts,
                                const Evaluator::AllTotals& t,
                                const std::vector<std::span<const std::byte>>& outputs) {
  const Graph& graph = task.graph;
  const Node& node = graph.nodes[*parts.reduction];
  const double n = elements(parts.head.value(parts.reduced).shape);
  const double g = reference::contraction_factor(PolicyClass::Ieee, n, false, plan.few_valued);
  reference::Num value = reference::finish_sum({t.v, t.c, t.e}, n, g);
  KW_ASSIGN(const std::int64_t reduction, attr_int_or(node, "reduction", 1));
  const bool sum = node.op.starts_with("aten.sum") || reduction == 2;
  if (!sum) value = value / reference::constant(n);
  const OutputType type = output_type(graph.value(node.outputs[0]).dtype);
  value = reference::settle_output(value, type.limit, type.roundoff, type.quantum);
  reference::Tensors inputs;
  reference::Tensor scalar = reference::make_tensor({});
  scalar.value[0] = value.v;
  scalar.bound = {value.e};
  inputs.emplace(node.outputs[0], std::move(scalar));
  const std::vector<ValueId> ids = filled_values(graph);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (storage_elements(graph.value(ids[i])) > 4096) continue;
    KW_ASSIGN(const std::vector<std::byte> bytes, materialise(plan.fills[i]));
    KW_ASSIGN(reference::Tensor decoded, reference::decode_tensor(graph.value(ids[i]), bytes));
    inputs.emplace(ids[i], std::move(decoded));
  }
  reference::Options options;
  options.policy = task.policy;
  options.few_valued = plan.few_valued;
  KW_ASSIGN(
      const std::vector<reference::Tensor> expected,
      reference::interpret(parts.tail, reference::format_table(task.formats), inputs, options));
  TrialVerdict verdict;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    KW_ASSIGN(Comparison c,
              compare(graph.value(graph.outputs[i]), expected[i], outputs[i], CompareRules{}));
    verdict.outputs.push_back(c);
  }
  return verdict;
}

}  // namespace

std::string reference_source() {
  return device_source({"fill_element.cuh", "fill_kernel.cu", "num.h", "functions.h",
                        "error_units.h", "arguments.h", "kernels.cu", "kernels_compare.cu",
                        "kernels_window.cu", "kernels_index.cu", "kernels_recurrence.cu"});
}
void set_slice_budget(std::size_t bytes) { slice_budget = bytes; }

Result<TrialVerdict> judge_trial(Accelerator& device, const Task& task, const TrialPlan& plan,
                                 const std::vector<std::span<const std::byte>>& outputs,
                                 std::stop_token stop) {
  const Parts parts = split(task.graph);
  for (const ValueId id : task.graph.outputs) {
    const Value& value = task.graph.value(id);
    if (!value.strides.empty() && value.strides != contiguous_strides(value.shape)) {
      return fail(Errc::Unsupported, "output '{}' is strided", value.name);
    }
  }
  KW_ASSIGN(const DeviceTensors inputs, draw_inputs(device, task, plan));
  double held = 0;
  for (const auto& [id, t] : inputs) held += static_cast<double>(t.v->bytes());
  Slicing slicing;
  if (auto found = find_slicing(parts.head)) {
    slicing = std::move(*found);
  } else {
    slicing.dim.assign(parts.head.values.size(), -1);
  }
  const std::int64_t rows = rows_per_slice(device, parts.head, slicing, held);
  Evaluator evaluator(device, {task.policy, plan.few_valued});
  Evaluator::AllTotals totals;
  std::vector<Running> running(task.graph.outputs.size());
  for (std::int64_t start = 0; start < slicing.extent; start += rows) {
    if (stop.stop_requested()) return fail(Errc::Cancelled, "judging was cancelled");
    const std::int64_t count = std::min(rows, slicing.extent - start);
    KW_ASSIGN(const std::vector<DeviceTensor> results,
              evaluator.run(cut(parts.head, slicing, count),
                            slice_inputs(inputs, slicing, start, count)));
    if (parts.reduction) {
      KW_ASSIGN(const Evaluator::AllTotals t, evaluator.totals(results[0]));
      totals.v += t.v, totals.c += t.c, totals.e += t.e;
      continue;
    }
    for (std::size_t o = 0; o < results.size(); ++o) {
      const Value& value = task.graph.value(task.graph.outputs[o]);
      const bool sliced = slicing.dim[static_cast<std::size_t>(task.graph.outputs[o])] == 0;
      const std::int64_t row =
          results[o].size() == 0
              ? 0
              : static_cast<std::int64_t>(results[o].size()) / (sliced ? count : 1);
      Running& r = running[o];
      KW_RETURN_IF_ERROR(compare_slice(device, value, results[o], outputs[o],
                                       sliced ? start * row : 0, rules_for(task, plan, o),
                                       r.comparison, r.signed_sum, r.signed_count));
    }
  }
  if (parts.reduction) return judge_tail(task, plan, parts, totals, outputs);
  TrialVerdict verdict;
  for (std::size_t o = 0; o < running.size(); ++o) {
    Comparison c = running[o].comparison;
    c.mean_signed = 0;
    const CompareRules rules = rules_for(task, plan, o);
    if (rules.test_mean && running[o].signed_count > 0) {
      c.mean_signed = running[o].signed_sum / running[o].signed_count;
      c.mean_allowed = rules.mean_allowed(running[o].signed_count);
    }
    verdict.outputs.push_back(c);
  }
  return verdict;
}

}  // namespace kw::verify::gpu
