#include "kw/verify/roofline.h"

#include <algorithm>
#include <array>
#include <map>

#include "kw/verify/degeneracy.h"
#include "window_reads.h"

namespace kw::verify {
namespace {

struct Datasheet {
  std::string_view name;  // part of the device's name
  double bytes_per_s;
  double half, fp16x3, tf32, fp32;  // operations per second, dense
};
// Vendor datasheets; fp16x3 is a third of the half rate.
constexpr std::array kDevices{
    Datasheet{"H200", 4.8e12, 989e12, 330e12, 495e12, 67e12},
    Datasheet{"H100 PCIe", 2.0e12, 756e12, 252e12, 378e12, 51e12},
    Datasheet{"H100", 3.35e12, 989e12, 330e12, 495e12, 67e12},
    Datasheet{"A100", 2.04e12, 312e12, 104e12, 156e12, 19.5e12},
};

const Datasheet* datasheet(const DeviceIdentity& device) {
  if (device.klass != "cuda") return nullptr;
  for (const Datasheet& sheet : kDevices) {
    if (device.name.find(sheet.name) != std::string::npos) return &sheet;
  }
  return nullptr;
}

double elements(const Shape& shape) {
  double n = 1;
  for (const std::int64_t extent : shape) n *= static_cast<double>(extent);
  return n;
}

/// Values that some output is computed from, and the share of each that no algorithm can leave
/// unread. A slice, a gather or a triangle may leave most of its operand unread, so everything
/// above one of them is left out; a window operator reads what lies in its windows.
std::map<ValueId, double> needed_share(const Graph& graph) {
  std::map<ValueId, double> needed;
  const auto need = [&](ValueId id, double share) {
    double& most = needed[id];
    most = std::max(most, share);
  };
  for (const ValueId id : graph.outputs) need(id, 1);
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    const bool wanted = std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
      const auto found = needed.find(id);
      return found != needed.end() && found->second == 1;
    });
    if (!wanted) continue;
    const std::string_view op = node.op;
    if (const auto reads = window_reads(graph, node)) {
      need(node.inputs[0], reads->input_share);
      if (reads->whole_weight) need(node.inputs[1], 1);
      for (std::size_t i = 2; i < node.inputs.size(); ++i) {
        if (node.inputs[i] != kNoValue) need(node.inputs[i], 1);
      }
      continue;
    }
    const bool partial = op.find("slice") != op.npos || op.find("select") != op.npos ||
                         op.find("gather") != op.npos || op.find("embedding") != op.npos ||
                         op.find("tri") != op.npos || op.find("diag") != op.npos ||
                         op.find("pool") != op.npos || op.find("conv") != op.npos ||
                         op.find("where") != op.npos || op.find("like") != op.npos;
    if (partial) continue;
    for (const ValueId id : node.inputs) {
      if (id != kNoValue) need(id, 1);
    }
  }
  return needed;
}

}  // namespace

bool is_contraction(std::string_view op) {
  for (const std::string_view name :
       {"matmul", "mm", "bmm", "linear", "addmm", "baddbmm", "mv", "dot"}) {
    if (op == "aten." + std::string(name) || op.starts_with("aten." + std::string(name) + ".")) {
      return true;
    }
  }
  return false;
}

Roofline roofline(const Task& task, const DeviceIdentity& device) {
  Roofline r;
  const Graph& graph = task.graph;
  const std::map<ValueId, double> needed = needed_share(graph);
  for (const auto& [id, share] : needed) {
    const Value& value = graph.value(id);
    const bool output =
        std::find(graph.outputs.begin(), graph.outputs.end(), id) != graph.outputs.end();
    if (!output && graph.producer(id) >= 0) continue;
    r.bytes += share * elements(value.shape) * static_cast<double>(size_of(value.dtype));
  }
  const bool all_of_it = algebraic(graph).empty();
  for (const Node& node : graph.nodes) {
    if (!all_of_it || !is_contraction(node.op) || node.outputs.empty()) continue;
    const auto found = needed.find(node.outputs[0]);
    if (found == needed.end() || found->second < 1) continue;
    const std::size_t first = node.op.find("add") != std::string::npos ? 1 : 0;
    const Shape& a = graph.value(node.inputs[first]).shape;
    const double k = a.empty() ? 1 : static_cast<double>(a.back());
    r.operations += 2 * k * elements(graph.value(node.outputs[0]).shape);
  }
  const Datasheet* sheet = datasheet(device);
  if (sheet == nullptr) return r;
  r.bytes_us = r.bytes / sheet->bytes_per_s * 1e6;
  double rate = sheet->half;
  if (task.policy.contraction == PolicyClass::Ieee) rate = sheet->fp16x3;
  if (task.policy.contraction == PolicyClass::Exact) rate = sheet->fp16x3;
  r.operations_us = r.operations / rate * 1e6;
  return r;
}

double roofline_floor_us(const Task& task, const DeviceIdentity& device) {
  return roofline(task, device).floor_us();
}

}  // namespace kw::verify
