// Steps of recurrent layers in double; errors as in the CPU's recurrences.cpp (kernels.cu stands before
// this text).

namespace kw::verify::gpu {

extern "C" __global__ void __launch_bounds__(256) kw_project(const ProjectArguments a) {
  for (u64 i = thread_index(); i < a.rows * a.n; i += thread_count()) {
    const u64 row = i / a.n, column = i % a.n;
    double v = 0, c = 0, squares = 0;
    for (u64 k = 0; k < a.k; ++k) {
      const Num x = load(a.x, static_cast<long long>(row * a.k + k));
      const double w = load(a.w, static_cast<long long>(column * a.k + k)).v;
      v = ::fma(x.v, w, v);
      c = ::fma(magnitude(x.v), magnitude(w), c);
      const double part = w * x.e;
      squares = ::fma(part, part, squares);
    }
    Num n{v, contraction_bound(v, c, 0, static_cast<double>(a.k), a.factor)};
    if (a.bias.type != kAbsent) {
      const Num b = load(a.bias, static_cast<long long>(column));
      n = n + b;
      if (is_finite(n.v)) n.e += a.bias_factor * magnitude(b.v);
    }
    n.e += ::sqrt(squares);
    put(a.out_v, a.out_e, i, n);
  }
}

extern "C" __global__ void __launch_bounds__(256) kw_cell(const CellArguments a) {
  for (u64 i = thread_index(); i < a.batch * a.width; i += thread_count()) {
    const u64 b = i / a.width, j = i % a.width;
    const u64 gates = a.cell == kLstmCell ? 4 : a.cell == kGruCell ? 3 : 1;
    const auto input = [&](u64 g) {
      const u64 k = (b * gates + g) * a.width + j;
      return Num{at(a.input_v, k), at(a.input_e, k)};
    };
    const auto hidden = [&](u64 g) {
      const u64 k = (b * gates + g) * a.width + j;
      return Num{at(a.hidden_v, k), at(a.hidden_e, k)};
    };
    Num h;
    if (a.cell == kLstmCell) {
      const auto gate = [&](u64 g) { return input(g) + hidden(g); };
      const Num kept = sigmoid(gate(1)) * Num{at(a.c_v, i), at(a.c_e, i)};
      const Num c = kept + sigmoid(gate(0)) * tanh(gate(2));
      put(a.c_v, a.c_e, i, c);
      h = sigmoid(gate(3)) * tanh(c);
    } else if (a.cell == kGruCell) {
      const Num r = sigmoid(input(0) + hidden(0)), z = sigmoid(input(1) + hidden(1));
      const Num n = tanh(input(2) + r * hidden(2));
      const Num old{at(a.h_v, i), at(a.h_e, i)};
      const Num blend = n + z * (old - n);
      const double keep = ::fmin(1.0, z.v + z.e), fresh = ::fmin(1.0, 1 - z.v + z.e);
      const double e = keep * old.e + fresh * n.e + z.e * magnitude(old.v - n.v) +
                       4 * kUlp * (magnitude(old.v) + magnitude(n.v)) + kTiny;
      h = {blend.v, e};
    } else {
      const Num sum = input(0) + hidden(0);
      h = a.cell == kReluCell ? relu(sum) : tanh(sum);
    }
    put(a.h_v, a.h_e, i, h);
    put(a.y_v, a.y_e, b * a.line + j, h);
  }
}

}  // namespace kw::verify::gpu
