// LSTM, GRU and plain RNN, layer by layer and step by step.
//
// A worst-case error that runs along hundreds of steps grows without bound although the recurrence
// forgets. So the error of a step is that of its own products, functions and sums (as everywhere),
// while errors that arrive with the hidden state and with the layer's input add up as independent
// ones do: the root of the sum of squares. The margin
// lies in the worst-case part that every step adds.

#include <algorithm>

#include "contraction.h"
#include "functions.h"
#include "operator.h"

namespace kw::reference {
namespace {

/// x w^T + bias, errors of x entering as independent ones.
Result<Tensor> project(const Call& call, const Tensor& x, const Tensor& w, const Tensor* bias) {
  const ContractionRule rule{call.options.policy.recurrence, false, call.options.few_valued};
  const Tensor exact{x.shape, x.value, {}, {}};
  KW_ASSIGN(Tensor out, linear_tensor(call, exact, w, bias, rule));
  out.magnitude.clear();
  if (x.bound.empty()) return out;
  const auto k = static_cast<std::size_t>(w.shape[1]), n = static_cast<std::size_t>(w.shape[0]);
  for (std::size_t row = 0; row * k < x.size(); ++row) {
    const double* e = x.bound.data() + row * k;
    for (std::size_t j = 0; j < n; ++j) {
      double squares = 0;
      for (std::size_t i = 0; i < k; ++i) {
        const double part = w.value[j * k + i] * e[i];
        squares += part * part;
      }
      out.bound[row * n + j] += std::sqrt(squares);
    }
  }
  return out;
}

/// The state of one layer and direction.
struct State {
  Tensor h, c;
};

/// What one cell does with its gates. `input` and `hidden` are [batch, gates * H]: x W_ih^T + b_ih
/// at this step and h W_hh^T + b_hh.
using Cell = void (*)(const Tensor& input, std::size_t input_at, const Tensor& hidden,
                      std::size_t batch, std::size_t width, State& state);

void lstm_cell(const Tensor& input, std::size_t input_at, const Tensor& hidden, std::size_t batch,
               std::size_t width, State& state) {
  for (std::size_t b = 0; b < batch; ++b) {
    for (std::size_t j = 0; j < width; ++j) {
      const auto gate = [&](std::size_t g) {
        const std::size_t at = b * 4 * width + g * width + j;
        return num_at(input, input_at + at) + num_at(hidden, at);
      };
      const std::size_t at = b * width + j;
      const Num kept = sigmoid(gate(1)) * num_at(state.c, at);
      const Num c = kept + sigmoid(gate(0)) * tanh(gate(2));
      store(state.c, at, c);
      store(state.h, at, sigmoid(gate(3)) * tanh(c));
    }
  }
}

void gru_cell(const Tensor& input, std::size_t input_at, const Tensor& hidden, std::size_t batch,
              std::size_t width, State& state) {
  for (std::size_t b = 0; b < batch; ++b) {
    for (std::size_t j = 0; j < width; ++j) {
      const std::size_t base = b * 3 * width + j;
      const auto x = [&](std::size_t g) { return num_at(input, input_at + base + g * width); };
      const auto h = [&](std::size_t g) { return num_at(hidden, base + g * width); };
      const Num r = sigmoid(x(0) + h(0)), z = sigmoid(x(1) + h(1));
      const Num n = tanh(x(2) + r * h(2));
      const Num old = num_at(state.h, b * width + j);
      // (1 - z) n + z h, as n + z (h - n): an error of z weighs |h - n|, not |h| + |n|.
      const Num blend = n + z * (old - n);
      const double keep = std::min(1.0, z.v + z.e);
      const double fresh = std::min(1.0, 1 - z.v + z.e);
      const double e = keep * old.e + fresh * n.e + z.e * std::fabs(old.v - n.v) +
                       4 * kUlp * (std::fabs(old.v) + std::fabs(n.v)) + kTiny;
      store(state.h, b * width + j, {blend.v, e});
    }
  }
}

template <bool Relu>
void rnn_cell(const Tensor& input, std::size_t input_at, const Tensor& hidden, std::size_t batch,
              std::size_t width, State& state) {
  for (std::size_t at = 0; at < batch * width; ++at) {
    const Num sum = num_at(input, input_at + at) + num_at(hidden, at);
    store(state.h, at, Relu ? relu(sum) : tanh(sum));
  }
}

/// One direction of one layer over x [T, B, in]; writes columns [at, at + H) of y [T, B, ...].
struct Weights {
  const Tensor *input, *hidden, *input_bias, *hidden_bias;
};
Status run_direction(const Call& call, const Tensor& x, const Weights& w, Cell cell, bool reverse,
                     State& state, Tensor& y, std::size_t column) {
  const std::int64_t steps = x.shape[0], batch = x.shape[1], hidden = w.hidden->shape[1];
  KW_ASSIGN(const Tensor input, project(call, x, *w.input, w.input_bias));
  const auto rows = static_cast<std::size_t>(batch), width = static_cast<std::size_t>(hidden);
  const std::size_t per_step = rows * static_cast<std::size_t>(w.hidden->shape[0]);
  const auto line = static_cast<std::size_t>(y.shape[2]);
  for (std::int64_t t = 0; t < steps; ++t) {
    const auto now = static_cast<std::size_t>(reverse ? steps - 1 - t : t);
    KW_ASSIGN(const Tensor recurrent, project(call, state.h, *w.hidden, w.hidden_bias));
    cell(input, now * per_step, recurrent, rows, width, state);
    for (std::size_t b = 0; b < rows; ++b) {
      for (std::size_t j = 0; j < width; ++j) {
        store(y, (now * rows + b) * line + column + j, num_at(state.h, b * width + j));
      }
    }
  }
  return {};
}

/// Row `index` of [layers * directions, B, H], and back.
Tensor row_of(const Tensor& all, std::size_t index) {
  const std::size_t size = static_cast<std::size_t>(all.shape[1] * all.shape[2]);
  Tensor row = make_tensor({all.shape[1], all.shape[2]});
  for (std::size_t i = 0; i < size; ++i) store(row, i, num_at(all, index * size + i));
  return row;
}
void put_row(Tensor& all, std::size_t index, const Tensor& row) {
  for (std::size_t i = 0; i < row.size(); ++i) store(all, index * row.size() + i, num_at(row, i));
}

Tensor swap_first_two(const Tensor& x) {
  const Shape s = contiguous_strides(x.shape);
  return gather(x, {x.shape[1], x.shape[0], x.shape[2]}, {s[1], s[0], s[2]}, 0);
}

Result<Outputs> recurrence(const Call& call, std::int64_t gates, bool with_cell, Cell cell) {
  const std::size_t states = with_cell ? 2 : 1;
  KW_RETURN_IF_ERROR(need_inputs(call, 1 + states));
  KW_ASSIGN(const bool biases, attr_bool_or(call.node, "has_biases", true));
  KW_ASSIGN(const std::int64_t layers, attr_int_or(call.node, "num_layers", 1));
  KW_ASSIGN(const bool both, attr_bool_or(call.node, "bidirectional", false));
  KW_ASSIGN(const bool batch_first, attr_bool_or(call.node, "batch_first", false));
  KW_ASSIGN(const bool train, attr_bool_or(call.node, "train", false));
  KW_ASSIGN(const double p, attr_number_or(call.node, "dropout", 0));
  if (train && p > 0) return fail(Errc::Unsupported, "live dropout between layers");
  const auto directions = static_cast<std::size_t>(both ? 2 : 1);
  const std::size_t each = biases ? 4 : 2;
  const auto units = static_cast<std::size_t>(layers) * directions;
  if (call.count() != 1 + states + each * units) {
    return fail(Errc::Unsupported, "{} tensors where {} layers of {} directions have {}",
                call.count(), layers, directions, 1 + states + each * units);
  }
  Outputs finals;
  for (std::size_t s = 0; s < states; ++s) finals.push_back(call.in(1 + s));
  if (call.in(0).shape.size() != 3 || finals[0].shape.size() != 3 ||
      finals[0].shape[0] != static_cast<std::int64_t>(units)) {
    return fail(Errc::InvalidArgument, "needs x and states of rank 3");
  }
  Tensor x = batch_first ? swap_first_two(call.in(0)) : call.in(0);
  const std::int64_t hidden = finals[0].shape[2];
  for (std::size_t layer = 0; layer < static_cast<std::size_t>(layers); ++layer) {
    Tensor y =
        make_tensor({x.shape[0], x.shape[1], hidden * static_cast<std::int64_t>(directions)});
    for (std::size_t d = 0; d < directions; ++d) {
      const std::size_t unit = layer * directions + d, at = 1 + states + unit * each;
      const Weights w{&call.in(at), &call.in(at + 1), biases ? &call.in(at + 2) : nullptr,
                      biases ? &call.in(at + 3) : nullptr};
      if (w.hidden->shape != Shape{gates * hidden, hidden} ||
          w.input->shape != Shape{gates * hidden, x.shape[2]}) {
        return fail(Errc::InvalidArgument, "weights of layer {} have other shapes", layer);
      }
      State state{row_of(finals[0], unit), with_cell ? row_of(finals[1], unit) : Tensor{}};
      KW_RETURN_IF_ERROR(
          run_direction(call, x, w, cell, d == 1, state, y, d * static_cast<std::size_t>(hidden)));
      put_row(finals[0], unit, state.h);
      if (with_cell) put_row(finals[1], unit, state.c);
    }
    x = std::move(y);
  }
  Outputs outputs = one(batch_first ? swap_first_two(x) : std::move(x));
  for (Tensor& final : finals) outputs.push_back(std::move(final));
  return outputs;
}

Result<Outputs> lstm(const Call& call) { return recurrence(call, 4, true, lstm_cell); }
Result<Outputs> gru(const Call& call) { return recurrence(call, 3, false, gru_cell); }
Result<Outputs> rnn_tanh(const Call& call) { return recurrence(call, 1, false, rnn_cell<false>); }
Result<Outputs> rnn_relu(const Call& call) { return recurrence(call, 1, false, rnn_cell<true>); }

}  // namespace

std::vector<OperatorEntry> recurrence_operators() {
  return {{"lstm", lstm}, {"gru", gru}, {"rnn_tanh", rnn_tanh}, {"rnn_relu", rnn_relu}};
}

}  // namespace kw::reference
