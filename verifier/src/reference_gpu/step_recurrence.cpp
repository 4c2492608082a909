// LSTM, GRU and plain RNN, layer by layer and step by step, as the CPU's recurrences.cpp.

#include <algorithm>

#include "evaluator_step.h"
#include "kw/reference/interpret.h"

namespace kw::verify::gpu {
namespace {

/// Rows [first, first + rows) of the leading dimension of a contiguous tensor.
DeviceTensor rows_of(const DeviceTensor& x, std::int64_t first, std::int64_t rows) {
  DeviceTensor out = x;
  out.offset += first * x.strides[0];
  out.shape[0] = rows;
  return out;
}

std::uint64_t address(const std::shared_ptr<Block>& block, std::int64_t element) {
  return block->address() + static_cast<std::uint64_t>(element) * sizeof(double);
}

}  // namespace

/// out [rows, n] = x w^T + bias with x [.., k] contiguous.
Status Evaluator::Step::project(const DeviceTensor& x, const DeviceTensor& w,
                                const std::optional<DeviceTensor>& bias, DeviceTensor& out) {
  ProjectArguments a{};
  a.x = operand(x), a.w = operand(w);
  a.bias = bias ? operand(*bias) : absent_operand();
  a.k = static_cast<std::uint64_t>(w.shape[1]);
  a.n = static_cast<std::uint64_t>(w.shape[0]);
  a.rows = a.k == 0 ? 0 : x.size() / a.k;
  a.factor = reference::contraction_factor(
      self.options_.policy.recurrence, static_cast<double>(a.k), false, self.options_.few_valued);
  a.bias_factor = factor(static_cast<double>(a.k));
  a.out_v = out.v->address(), a.out_e = out.e->address();
  if (a.rows * a.n == 0) return {};
  return self.device_.launch("kw_project", grid_for(a.rows * a.n), 256, a);
}

Result<Evaluator::Step::Results> Evaluator::Step::recurrence(std::string_view name) {
  const int cell = name == "lstm"       ? kLstmCell
                   : name == "gru"      ? kGruCell
                   : name == "rnn_tanh" ? kTanhCell
                                        : kReluCell;
  const std::int64_t gates = cell == kLstmCell ? 4 : cell == kGruCell ? 3 : 1;
  const std::size_t states = cell == kLstmCell ? 2 : 1;
  KW_ASSIGN(const bool biases, attr_bool_or(*node, "has_biases", true));
  KW_ASSIGN(const std::int64_t layers, attr_int_or(*node, "num_layers", 1));
  KW_ASSIGN(const bool both, attr_bool_or(*node, "bidirectional", false));
  KW_ASSIGN(const bool batch_first, attr_bool_or(*node, "batch_first", false));
  KW_ASSIGN(const bool train, attr_bool_or(*node, "train", false));
  KW_ASSIGN(const double p, attr_number_or(*node, "dropout", 0));
  if (train && p > 0) return fail(Errc::Unsupported, "live dropout between layers");
  const std::int64_t directions = both ? 2 : 1;
  const std::size_t each = biases ? 4 : 2;
  const auto units = static_cast<std::size_t>(layers * directions);
  if (inputs.size() != 1 + states + each * units || inputs[0]->shape.size() != 3) {
    return fail(Errc::Unsupported, "{} tensors", inputs.size());
  }
  std::vector<DeviceTensor> finals;  // copies, updated in place
  for (std::size_t s = 0; s < states; ++s) {
    KW_ASSIGN(DeviceTensor own, self.make(inputs[1 + s]->shape, true));
    KW_RETURN_IF_ERROR(map(kCopy, {}, {inputs[1 + s], std::nullopt}, exact_output(), own));
    finals.push_back(std::move(own));
  }
  const auto time_first = [](DeviceTensor x) {
    std::swap(x.shape[0], x.shape[1]);
    std::swap(x.strides[0], x.strides[1]);
    return x;
  };
  KW_ASSIGN(DeviceTensor x, self.materialise(batch_first ? time_first(*inputs[0]) : *inputs[0]));
  const std::int64_t steps = x.shape[0], batch = x.shape[1], width = finals[0].shape[2];
  KW_ASSIGN(DeviceTensor recurrent, self.make({batch, gates * width}, true));
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    KW_ASSIGN(DeviceTensor y, self.make({steps, batch, width * directions}, true));
    for (std::int64_t d = 0; d < directions; ++d) {
      const std::int64_t unit = layer * directions + d;
      std::vector<std::optional<DeviceTensor>> w(4);
      for (std::size_t i = 0; i < each; ++i) {
        const auto& input = inputs[1 + states + static_cast<std::size_t>(unit) * each + i];
        if (!input) return fail(Errc::InvalidArgument, "a weight is missing");
        KW_ASSIGN(w[i], self.materialise(*input));
      }
      if (w[1]->shape != Shape{gates * width, width} ||
          w[0]->shape != Shape{gates * width, x.shape[2]}) {
        return fail(Errc::InvalidArgument, "weights of layer {} have other shapes", layer);
      }
      KW_ASSIGN(DeviceTensor input, self.make({steps, batch, gates * width}, true));
      KW_RETURN_IF_ERROR(project(x, *w[0], w[2], input));
      const DeviceTensor h = rows_of(finals[0], unit, 1);
      CellArguments a{};
      a.hidden_v = recurrent.v->address(), a.hidden_e = recurrent.e->address();
      a.h_v = address(h.v, h.offset), a.h_e = address(h.e, h.offset);
      if (states == 2) {
        a.c_v = address(finals[1].v, unit * batch * width);
        a.c_e = address(finals[1].e, unit * batch * width);
      }
      a.batch = static_cast<std::uint64_t>(batch), a.width = static_cast<std::uint64_t>(width);
      a.line = static_cast<std::uint64_t>(width * directions);
      a.cell = cell;
      for (std::int64_t t = 0; t < steps; ++t) {
        const std::int64_t now = d == 1 ? steps - 1 - t : t;
        KW_RETURN_IF_ERROR(project(h, *w[1], w[3], recurrent));
        a.input_v = address(input.v, now * batch * gates * width);
        a.input_e = address(input.e, now * batch * gates * width);
        a.y_v = address(y.v, now * batch * width * directions + d * width);
        a.y_e = address(y.e, now * batch * width * directions + d * width);
        KW_RETURN_IF_ERROR(self.device_.launch("kw_cell", grid_for(a.batch * a.width), 256, a));
      }
    }
    x = std::move(y);
  }
  Results out(node->outputs.size());
  std::vector<DeviceTensor> made{batch_first ? time_first(x) : x};
  for (DeviceTensor& last : finals) made.push_back(std::move(last));
  for (std::size_t i = 0; i < out.size() && i < made.size(); ++i) {
    if (node->outputs[i] == kNoValue) continue;
    const OutputType type = output_type(graph->value(node->outputs[i]).dtype);
    KW_ASSIGN(DeviceTensor settled, self.make(made[i].shape, true));
    KW_RETURN_IF_ERROR(map(kCopy, {}, {made[i], std::nullopt}, type, settled));
    out[i] = std::move(settled);
  }
  return out;
}

}  // namespace kw::verify::gpu
