// Convolutions and pooling in double with running errors (kernels.cu stands before this text).

namespace kw::verify::gpu {

/// Input coordinate that meets output coordinate o through tap t, or -1.
KW_HD int tap_source(const Window& w, bool transposed, int d, int o, int t) {
  if (!transposed) {
    const int i = o * w.stride[d] - w.padding[d] + t * w.dilation[d];
    return i >= 0 && i < w.in[d] ? i : -1;
  }
  const int shifted = o + w.padding[d] - t * w.dilation[d];
  if (shifted < 0 || shifted % w.stride[d] != 0) return -1;
  const int i = shifted / w.stride[d];
  return i < w.in[d] ? i : -1;
}

/// An output cell: image and coordinates.
struct Cell {
  u64 image;
  int o[3];
};
KW_HD Cell cell_of(const Window& w, u64 column) {
  const unsigned plane = static_cast<unsigned>(w.out[1]) * static_cast<unsigned>(w.out[2]);
  const unsigned cells = plane * static_cast<unsigned>(w.out[0]);
  Cell c;
  c.image = column / cells;
  const unsigned cell = static_cast<unsigned>(column - c.image * cells);
  c.o[0] = static_cast<int>(cell / plane);
  c.o[1] = static_cast<int>(cell / static_cast<unsigned>(w.out[2])) % w.out[1];
  c.o[2] = static_cast<int>(cell % static_cast<unsigned>(w.out[2]));
  return c;
}

/// Where term k = (channel within the group, tap) of a cell lies in x; false in the padding.
KW_HD bool term_source(const ConvolutionArguments& a, const Cell& c, u64 first_channel, unsigned k,
                       long long& at) {
  const Window& w = a.window;
  const unsigned row = static_cast<unsigned>(w.kernel[2]);
  const unsigned plane = static_cast<unsigned>(w.kernel[1]) * row;
  const unsigned taps = static_cast<unsigned>(w.kernel[0]) * plane;
  const unsigned channel = k / taps, t = k - channel * taps;
  const int tap[3] = {static_cast<int>(t / plane), static_cast<int>(t % plane / row),
                      static_cast<int>(t % row)};
  int i[3];
  for (int d = 0; d < 3; ++d) {
    i[d] = tap_source(w, a.transposed != 0, d, c.o[d], tap[d]);
    if (i[d] < 0) return false;
  }
  const u64 plane_at = c.image * a.in_channels + first_channel + channel;
  at = ((static_cast<long long>(plane_at) * w.in[0] + i[0]) * w.in[1] + i[1]) * w.in[2] + i[2];
  return true;
}

/// Where weight (output channel within the group, term k) lies.
KW_HD long long weight_at(const ConvolutionArguments& a, u64 group, u64 row, unsigned k) {
  const Window& w = a.window;
  const u64 taps = static_cast<u64>(w.kernel[0]) * w.kernel[1] * w.kernel[2];
  const u64 ins = a.in_channels / a.groups, outs = a.out_channels / a.groups;
  if (a.transposed == 0) return static_cast<long long>((group * outs + row) * ins * taps + k);
  const u64 channel = k / taps, t = k - channel * taps;
  return static_cast<long long>(((group * ins + channel) * outs + row) * taps + t);
}

/// `open`: a weight that is not finite meets padding (docs/formats/operators.md), so any value is right.
KW_HD void store_convolution(const ConvolutionArguments& a, u64 channel, u64 column, double v,
                             double c, double error, double terms, bool open) {
  const Window& w = a.window;
  const u64 cells = static_cast<u64>(w.out[0]) * w.out[1] * w.out[2];
  const u64 image = column / cells;
  const u64 to = (image * a.out_channels + channel) * cells + (column - image * cells);
  Num n{v, contraction_bound(v, c, a.inexact ? error : 0.0, terms, a.factor)};
  if (a.bias.type != kAbsent) {
    const Num b = load(a.bias, static_cast<long long>(channel));
    n = n + b;
    if (is_finite(n.v)) n.e += a.bias_factor * magnitude(b.v);
  }
  n = settled(n, a.type);
  if (open) n.e = kInf;
  put(a.out_v, a.out_e, to, n);
  put(a.out_c, to, c);
}

/// 64 channels x 64 cells per block of 256 threads, 4 x 4 each, terms in steps of 16.
template <bool Inexact>
__device__ void convolution_tile(const ConvolutionArguments& a) {
  constexpr int kTile = 64, kStep = 16;
  __shared__ double w_v[kStep][kTile + 1], x_v[kStep][kTile + 1];
  __shared__ double w_e[Inexact ? kStep : 1][kTile + 1], x_e[Inexact ? kStep : 1][kTile + 1];
  __shared__ unsigned char inside[kStep][kTile];  // a tap in the padding is no term
  const Window& w = a.window;
  const u64 rows = a.out_channels / a.groups, ins = a.in_channels / a.groups;
  const u64 columns = a.batch * w.out[0] * w.out[1] * w.out[2];
  const unsigned terms = static_cast<unsigned>(ins * w.kernel[0] * w.kernel[1] * w.kernel[2]);
  const u64 tiles_m = (rows + kTile - 1) / kTile, tiles_n = (columns + kTile - 1) / kTile;
  const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
  for (u64 tile = blockIdx.x; tile < a.groups * tiles_m * tiles_n; tile += gridDim.x) {
    const u64 group = tile / (tiles_m * tiles_n);
    const u64 m0 = tile / tiles_n % tiles_m * kTile, n0 = tile % tiles_n * kTile;
    const int mine = threadIdx.x % kTile;
    const bool have = n0 + mine < columns;
    const Cell cell = cell_of(w, have ? n0 + mine : 0);
    double v[4][4] = {}, c[4][4] = {}, e[Inexact ? 4 : 1][4] = {};
    unsigned open = 0;  // bit 4 * i + j
    for (unsigned k0 = 0; k0 < terms; k0 += kStep) {
      for (int r = 0; r < 4; ++r) {
        const int wk = threadIdx.x % kStep, wm = threadIdx.x / kStep + 16 * r;
        Num weight{0, 0};
        if (m0 + wm < rows && k0 + wk < terms) weight = load(a.w, weight_at(a, group, m0 + wm, k0 + wk));
        w_v[wk][wm] = weight.v;
        if constexpr (Inexact) w_e[wk][wm] = weight.e;
        const int xk = threadIdx.x / kTile + 4 * r;
        long long from = 0;
        const bool in = have && k0 + xk < terms && term_source(a, cell, group * ins, k0 + xk, from);
        const Num x = in ? load(a.x, from) : Num{0, 0};
        x_v[xk][mine] = x.v;
        if constexpr (Inexact) x_e[xk][mine] = x.e;
        inside[xk][mine] = in ? 1 : 0;
      }
      __syncthreads();
      for (int k = 0; k < kStep; ++k) {
        for (int j = 0; j < 4; ++j) {
          const int column = tx + 16 * j;
          if (!inside[k][column]) {
            for (int i = 0; i < 4; ++i) {
              if (!is_finite(w_v[k][ty + 16 * i])) open |= 1u << (4 * i + j);
            }
            continue;
          }
          const double x = x_v[k][column];
          for (int i = 0; i < 4; ++i) {
            const double y = w_v[k][ty + 16 * i];
            v[i][j] = ::fma(x, y, v[i][j]);
            c[i][j] = ::fma(magnitude(x), magnitude(y), c[i][j]);
            if constexpr (Inexact) {
              const double ex = x_e[k][column], ey = w_e[k][ty + 16 * i];
              if (ex > 0 || ey > 0) e[i][j] += magnitude(x) * ey + ex * (magnitude(y) + ey);
            }
          }
        }
      }
      __syncthreads();
    }
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < 4; ++j) {
        const u64 row = m0 + ty + 16 * i, column = n0 + tx + 16 * j;
        if (row >= rows || column >= columns) continue;
        store_convolution(a, group * rows + row, column, v[i][j], c[i][j],
                          Inexact ? e[Inexact ? i : 0][j] : 0.0, terms,
                          (open >> (4 * i + j)) & 1u);
      }
    }
  }
}
extern "C" __global__ void __launch_bounds__(256) kw_convolution(const ConvolutionArguments a) {
  convolution_tile<false>(a);
}
extern "C" __global__ void __launch_bounds__(256) kw_convolution_inexact(const ConvolutionArguments a) {
  convolution_tile<true>(a);
}

/// One output per thread: depthwise convolutions and groups of few channels.
extern "C" __global__ void __launch_bounds__(256) kw_convolution_narrow(const ConvolutionArguments a) {
  const Window& w = a.window;
  const u64 rows = a.out_channels / a.groups, ins = a.in_channels / a.groups;
  const u64 columns = a.batch * w.out[0] * w.out[1] * w.out[2];
  const unsigned terms = static_cast<unsigned>(ins * w.kernel[0] * w.kernel[1] * w.kernel[2]);
  for (u64 i = thread_index(); i < a.out_channels * columns; i += thread_count()) {
    const u64 channel = i / columns, column = i - channel * columns;
    const u64 group = channel / rows;
    const Cell cell = cell_of(w, column);
    double v = 0, c = 0, e = 0;
    bool open = false;
    for (unsigned k = 0; k < terms; ++k) {
      long long from = 0;
      const Num y = load(a.w, weight_at(a, group, channel % rows, k));
      if (!term_source(a, cell, group * ins, k, from)) {
        open = open || !is_finite(y.v);
        continue;
      }
      const Num x = load(a.x, from);
      v = ::fma(x.v, y.v, v);
      c = ::fma(magnitude(x.v), magnitude(y.v), c);
      if (x.e > 0 || y.e > 0) e += magnitude(x.v) * y.e + x.e * (magnitude(y.v) + y.e);
    }
    store_convolution(a, channel, column, v, c, e, terms, open);
  }
}

/// As contraction_factor() of the policy `ieee`.
KW_HD double sum_factor(double n, bool few_valued) {
  const double g = 9.5367431640625e-07 + 1.1920928955078125e-07 * ::sqrt(n);
  return few_valued ? larger(g, 5.9604644775390625e-08 * n) : g;
}

extern "C" __global__ void __launch_bounds__(256) kw_pool(const PoolArguments a) {
  const Window& w = a.window;
  const u64 cells = static_cast<u64>(w.out[0]) * w.out[1] * w.out[2];
  const u64 plane = static_cast<u64>(w.in[0]) * w.in[1] * w.in[2];
  for (u64 i = thread_index(); i < a.planes * cells; i += thread_count()) {
    const Cell cell = cell_of(w, i);
    int low[3], count[3], step[3];
    double padded = 1;
    for (int d = 0; d < 3; ++d) {
      if (a.adaptive) {
        low[d] = static_cast<int>(static_cast<long long>(cell.o[d]) * w.in[d] / w.out[d]);
        const long long end = (static_cast<long long>(cell.o[d] + 1) * w.in[d] + w.out[d] - 1) / w.out[d];
        count[d] = static_cast<int>(end) - low[d];
        step[d] = 1;
      } else {
        low[d] = cell.o[d] * w.stride[d] - w.padding[d];
        count[d] = w.kernel[d];
        step[d] = w.dilation[d];
        const int end = low[d] + w.kernel[d] < w.in[d] + w.padding[d] ? low[d] + w.kernel[d] : w.in[d] + w.padding[d];
        padded *= end - low[d];
      }
    }
    Totals sum;
    Num best{-kInf, 0};
    u64 terms = 0;
    for (int p = 0; p < count[0]; ++p) {
      const int i0 = low[0] + p * step[0];
      if (i0 < 0 || i0 >= w.in[0]) continue;
      for (int q = 0; q < count[1]; ++q) {
        const int i1 = low[1] + q * step[1];
        if (i1 < 0 || i1 >= w.in[1]) continue;
        for (int r = 0; r < count[2]; ++r) {
          const int i2 = low[2] + r * step[2];
          if (i2 < 0 || i2 >= w.in[2]) continue;
          const u64 from = cell.image * plane + (static_cast<u64>(i0) * w.in[1] + i1) * w.in[2] + i2;
          const Num x = load(a.x, static_cast<long long>(from));
          if (a.average) {
            sum = sum + totals_of(x);
          } else {
            best = terms == 0 ? x : maximum(best, x);
          }
          ++terms;
        }
      }
    }
    Num out = best;
    if (a.average) {
      const double n = static_cast<double>(terms);
      const double divisor = a.divisor != 0 ? a.divisor : a.adaptive || !a.include_padding ? n : padded;
      out = finish_sum(sum, n, sum_factor(n, a.few_valued != 0)) / constant(divisor);
    }
    put(a.out_v, a.out_e, i, settled(out, a.type));
  }
}

}  // namespace kw::verify::gpu
