// The reference on a GPU: one naive kernel per kind of operator, in double, with the same running
// errors as the interpreter on the CPU (num.h and functions.h stand before this text).

namespace kw::verify::gpu {

using namespace kw::reference;
typedef unsigned long long u64;

KW_HD double half_to_double(unsigned short bits) {
  const double sign = bits & 0x8000u ? -1.0 : 1.0;
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  if (exponent == 31) return fraction == 0 ? sign * kInf : not_a_number();
  if (exponent == 0) return sign * fraction * 5.9604644775390625e-8;
  return sign * (fraction + 1024) * ::ldexp(1.0, exponent - 25);
}

KW_HD Num load(const Operand& x, long long at) {
  at += x.offset;
  switch (x.type) {
    case kF64: {
      const double v = reinterpret_cast<const double*>(x.v)[at];
      return {v, x.e != 0 ? reinterpret_cast<const double*>(x.e)[at] : 0.0};
    }
    case kF32: return {static_cast<double>(reinterpret_cast<const float*>(x.v)[at]), 0};
    case kF16: return {half_to_double(reinterpret_cast<const unsigned short*>(x.v)[at]), 0};
    case kBF16: {
      const unsigned bits = static_cast<unsigned>(reinterpret_cast<const unsigned short*>(x.v)[at]);
      return {static_cast<double>(__uint_as_float(bits << 16)), 0};
    }
    case kI64: return {static_cast<double>(reinterpret_cast<const long long*>(x.v)[at]), 0};
    case kI32: return {static_cast<double>(reinterpret_cast<const int*>(x.v)[at]), 0};
    case kI16: return {static_cast<double>(reinterpret_cast<const short*>(x.v)[at]), 0};
    case kI8: return {static_cast<double>(reinterpret_cast<const signed char*>(x.v)[at]), 0};
    case kU8: return {static_cast<double>(reinterpret_cast<const unsigned char*>(x.v)[at]), 0};
    case kBool: return {reinterpret_cast<const unsigned char*>(x.v)[at] != 0 ? 1.0 : 0.0, 0};
    case kScalar: return {x.value, x.error};
    default: return {0, 0};
  }
}
KW_HD double at(u64 address, u64 i) { return reinterpret_cast<const double*>(address)[i]; }
KW_HD void put(u64 address, u64 i, double value) {
  if (address != 0) reinterpret_cast<double*>(address)[i] = value;
}
KW_HD void put(u64 v, u64 e, u64 i, Num n) {
  put(v, i, n.v);
  put(e, i, n.e);
}
KW_HD Num settled(Num n, const OutputType& type) {
  return settle_output(n, type.limit, type.roundoff, type.quantum);
}
KW_HD u64 thread_index() { return static_cast<u64>(blockIdx.x) * blockDim.x + threadIdx.x; }
KW_HD u64 thread_count() { return static_cast<u64>(gridDim.x) * blockDim.x; }

__device__ Num apply(int function, Num a, Num b, const double* p) {
  switch (function) {
    case kCopy: return a;
    case kNegate: return -a;
    case kAbs: return abs(a);
    case kRelu: return relu(a);
    case kRelu6: return relu6(a);
    case kExp: return exp(a);
    case kExp2: return exp2(a);
    case kExpm1: return expm1(a);
    case kLog: return log(a);
    case kLog2: return log2(a);
    case kLog10: return log10(a);
    case kLog1p: return log1p(a);
    case kSqrt: return sqrt(a);
    case kRsqrt: return rsqrt(a);
    case kReciprocal: return reciprocal(a);
    case kSquareOf: return square(a);
    case kSin: return sin(a);
    case kCos: return cos(a);
    case kTanh: return tanh(a);
    case kErf: return erf(a);
    case kErfc: return erfc(a);
    case kSigmoid: return sigmoid(a);
    case kSilu: return silu(a);
    case kMish: return mish(a);
    case kSelu: return selu(a);
    case kSoftsign: return softsign(a);
    case kHardsigmoid: return hardsigmoid(a);
    case kHardswish: return hardswish(a);
    case kLogSigmoid: return log_sigmoid(a);
    case kNot: return {a.v == 0 ? 1.0 : 0.0, a.e > 0 ? kInf : 0};
    case kRoot: return sqrt_nonnegative(a);
    case kGeluErf: return gelu_erf(a);
    case kGeluTanh: return gelu_tanh(a);
    case kLeakyRelu: return leaky_relu(a, p[0]);
    case kElu: return elu(a, p[0], p[1], p[2]);
    case kClamp: return clamp(a, constant(p[0]), constant(p[1]));
    case kSoftplus: return softplus_with(a, p[0], p[1]);
    case kAddScaled: return plus_scaled(a, b, constant(p[0]));
    case kSubScaled: return minus_scaled(a, b, constant(p[0]));
    case kReverseSub: return minus_scaled(b, a, constant(p[0]));
    case kTimes: return times(a, b);
    case kQuotient: return quotient(a, b);
    case kPower: return power(a, b);
    case kMaximum: return maximum(a, b);
    case kMinimum: return minimum(a, b);
    case kSquaredDifference: return squared_difference(a, b);
    case kAbsoluteDifference: return absolute_difference(a, b);
    case kSmoothL1: return smooth_l1_term(a, b, p[0]);
    case kHuber: return huber_term(a, b, p[0]);
    case kKl: return kl_term(a, b);
    case kEqual: {  // closer than their errors: in doubt
      const double e = a.e + b.e;
      const bool certain = e == 0 || is_nan(a.v) || is_nan(b.v) || magnitude(a.v - b.v) > e;
      return {a.v == b.v ? 1.0 : 0.0, certain ? 0 : kInf};
    }
    case kChoose: {
      const Num yes = constant(p[0]);
      const Num chosen = b.v != 0 ? yes : a;
      if (b.e == 0) return chosen;
      return {chosen.v, larger(yes.e, a.e) + magnitude(yes.v - a.v)};
    }
    case kDropout: {
      const double threshold = static_cast<double>(static_cast<float>(p[0]));
      if (in_doubt(b) && magnitude(b.v - threshold) <= b.e) return {a.v, kInf};
      return b.v >= threshold ? a * (constant(1) / (constant(1) - constant(p[0]))) : Num{0, 0};
    }
    case kLogSumExp: return is_finite(a.v) ? a + log(b) : Num{a.v, 0};
    case kAddProduct: {  // b is the product; a may start its accumulator
      const Num scaled = p[1] == 1 ? b : constant(p[1]) * b;
      if (p[0] == 0) return scaled;
      Num sum = scaled + constant(p[0]) * a;
      if (is_finite(sum.v)) sum.e += p[2] * magnitude(p[0] * a.v);
      return sum;
    }
    default: return {not_a_number(), kInf};
  }
}

extern "C" __global__ void __launch_bounds__(256) kw_map(const MapArguments m) {
  for (u64 i = thread_index(); i < m.n; i += thread_count()) {
    long long at_a = 0, at_b = 0;
    u64 rest = i;
    for (int d = m.rank - 1; d >= 0; --d) {
      long long coordinate = static_cast<long long>(rest);
      if (d > 0) {
        const u64 extent = static_cast<u64>(m.shape[d]);
        const u64 quotient_of = rest / extent;
        coordinate = static_cast<long long>(rest - quotient_of * extent);
        rest = quotient_of;
      }
      at_a += coordinate * m.in[0].stride[d];
      at_b += coordinate * m.in[1].stride[d];
    }
    const Num a = load(m.in[0], at_a);
    const Num b = load(m.in[1], at_b);
    put(m.out_v, m.out_e, i, settled(apply(m.function, a, b, m.p), m.type));
  }
}

KW_HD Num term_of(int mode, Num x, double centre) {
  switch (mode) {
    case kSquare: return x * x;
    case kDeviation: return squared_deviation(x, centre);
    case kExponential: return softmax_term(x, centre);
    case kAbsolute: return abs(x);
    default: return x;
  }
}

/// inner 1: one block per (outer, split); otherwise one thread per (outer, split, inner).
extern "C" __global__ void __launch_bounds__(256) kw_totals(const TotalsArguments t) {
  if (t.inner == 1) {
    __shared__ double v[256], c[256], e[256];
    for (u64 block = blockIdx.x; block < t.outer * t.split; block += gridDim.x) {
      const u64 o = block / t.split, s = block % t.split;
      const u64 begin = t.reduced * s / t.split, end = t.reduced * (s + 1) / t.split;
      const double centre = t.centre != 0 ? at(t.centre, o % t.centres) : 0.0;
      Totals sum;
      for (u64 r = begin + threadIdx.x; r < end; r += blockDim.x) {
        sum = sum + totals_of(term_of(t.mode, load(t.x, static_cast<long long>(o * t.reduced + r)), centre));
      }
      v[threadIdx.x] = sum.v, c[threadIdx.x] = sum.c, e[threadIdx.x] = sum.e;
      __syncthreads();
      for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) {
          v[threadIdx.x] += v[threadIdx.x + half];
          c[threadIdx.x] += c[threadIdx.x + half];
          e[threadIdx.x] += e[threadIdx.x + half];
        }
        __syncthreads();
      }
      if (threadIdx.x == 0) {
        put(t.v, block, v[0]);
        put(t.c, block, c[0]);
        put(t.e, block, e[0]);
      }
      __syncthreads();
    }
    return;
  }
  const u64 n = t.outer * t.split * t.inner;
  for (u64 i = thread_index(); i < n; i += thread_count()) {
    const u64 column = i % t.inner, block = i / t.inner;
    const u64 o = block / t.split, s = block % t.split;
    const u64 begin = t.reduced * s / t.split, end = t.reduced * (s + 1) / t.split;
    const double centre = t.centre != 0 ? at(t.centre, o * t.inner + column) : 0.0;
    Totals sum;
    for (u64 r = begin; r < end; ++r) {
      const u64 from = (o * t.reduced + r) * t.inner + column;
      sum = sum + totals_of(term_of(t.mode, load(t.x, static_cast<long long>(from)), centre));
    }
    put(t.v, i, sum.v);
    put(t.c, i, sum.c);
    put(t.e, i, sum.e);
  }
}

extern "C" __global__ void __launch_bounds__(256) kw_join(const JoinArguments j) {
  for (u64 i = thread_index(); i < j.outer * j.inner; i += thread_count()) {
    const u64 o = i / j.inner, column = i % j.inner;
    Totals sum;
    for (u64 s = 0; s < j.split; ++s) {
      const u64 from = (o * j.split + s) * j.inner + column;
      sum = sum + Totals{at(j.v, from), at(j.c, from), at(j.e, from)};
    }
    put(j.out_v, i, sum.v);
    put(j.out_c, i, sum.c);
    put(j.out_e, i, sum.e);
  }
}

extern "C" __global__ void __launch_bounds__(256) kw_finish(const FinishArguments f) {
  for (u64 i = thread_index(); i < f.n; i += thread_count()) {
    const Totals t{at(f.v, i), at(f.c, i), at(f.e, i)};
    Num n;
    if (f.finish == 2) {
      n = finish_variance(t, {at(f.mean_v, i), at(f.mean_e, i)}, f.terms, f.correction, f.factor);
    } else {
      n = finish_sum(t, f.terms, f.factor);
      if (f.finish == 1) n = n / constant(f.terms);
    }
    put(f.out_v, f.out_e, i, settled(n, f.type));
  }
}

extern "C" __global__ void __launch_bounds__(256) kw_extremum(const ExtremumArguments x) {
  __shared__ double v[256], e[256];
  if (x.inner == 1) {
    for (u64 o = blockIdx.x; o < x.outer; o += gridDim.x) {
      Num best{-kInf, 0};
      for (u64 r = threadIdx.x; r < x.reduced; r += blockDim.x) {
        const Num n = load(x.x, static_cast<long long>(o * x.reduced + r));
        best = maximum(best, x.largest ? n : -n);
      }
      v[threadIdx.x] = best.v, e[threadIdx.x] = best.e;
      __syncthreads();
      for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) {
          const Num joined = maximum({v[threadIdx.x], e[threadIdx.x]},
                                     {v[threadIdx.x + half], e[threadIdx.x + half]});
          v[threadIdx.x] = joined.v, e[threadIdx.x] = joined.e;
        }
        __syncthreads();
      }
      if (threadIdx.x == 0) put(x.out_v, x.out_e, o, x.largest ? Num{v[0], e[0]} : Num{-v[0], e[0]});
      __syncthreads();
    }
    return;
  }
  for (u64 i = thread_index(); i < x.outer * x.inner; i += thread_count()) {
    const u64 o = i / x.inner, column = i % x.inner;
    Num best{-kInf, 0};
    for (u64 r = 0; r < x.reduced; ++r) {
      const Num n = load(x.x, static_cast<long long>((o * x.reduced + r) * x.inner + column));
      best = maximum(best, x.largest ? n : -n);
    }
    put(x.out_v, x.out_e, i, x.largest ? best : -best);
  }
}

extern "C" __global__ void __launch_bounds__(256) kw_softmax(const SoftmaxArguments s) {
  for (u64 i = thread_index(); i < s.n; i += thread_count()) {
    const u64 group = i / (s.reduced * s.inner) * s.inner + i % s.inner;
    const Num top{at(s.maximum_v, group), at(s.maximum_e, group)};
    const Num sum{at(s.sum_v, group), at(s.sum_e, group)};
    const Num x = load(s.x, static_cast<long long>(i));
    Num out;
    if (!is_finite(top.v)) {  // inf - inf, or NaN
      out = {not_a_number(), top.e == kInf ? kInf : 0};
    } else if (s.log) {
      out = log_softmax(x, top, sum);
    } else {
      out = softmax_term(x, top.v) / sum;
    }
    put(s.out_v, s.out_e, i, settled(out, s.type));
  }
}

extern "C" __global__ void __launch_bounds__(256) kw_normalize(const NormalizeArguments a) {
  for (u64 i = thread_index(); i < a.n; i += thread_count()) {
    const u64 group = i / a.group_divisor % a.groups;
    const u64 w = i / a.weight_divisor % a.weights;
    Num x = load(a.x, static_cast<long long>(i));
    if (a.mean_v != 0) x = x - Num{at(a.mean_v, group), at(a.mean_e, group)};
    x = x * inverse_root({at(a.variance_v, group), at(a.variance_e, group)}, a.eps);
    if (a.weight.type != kAbsent) x = x * load(a.weight, static_cast<long long>(w));
    if (a.bias.type != kAbsent) x = x + load(a.bias, static_cast<long long>(w));
    put(a.out_v, a.out_e, i, settled(x, a.type));
  }
}

KW_HD void store_product(const ProductArguments& p, u64 to, double v, double c, double error) {
  const double bound = contraction_bound(v, c, p.inexact ? error : 0.0, static_cast<double>(p.k), p.factor);
  put(p.out_v, p.out_e, to, settled({v, bound}, p.type));
  put(p.out_c, to, c);
}

/// 64 x 64 outputs per block of 256 threads, 4 x 4 each, K in steps of 16.
template <bool Inexact>
__device__ void product_tile(const ProductArguments& p) {
  constexpr int kTile = 64, kStep = 16;
  __shared__ double a_v[kStep][kTile + 1], b_v[kStep][kTile + 1];
  __shared__ double a_e[Inexact ? kStep : 1][kTile + 1], b_e[Inexact ? kStep : 1][kTile + 1];
  const u64 tiles_m = (p.m + kTile - 1) / kTile, tiles_n = (p.n + kTile - 1) / kTile;
  const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
  for (u64 tile = blockIdx.x; tile < p.batches * tiles_m * tiles_n; tile += gridDim.x) {
    const u64 batch = tile / (tiles_m * tiles_n);
    const u64 m0 = tile / tiles_n % tiles_m * kTile, n0 = tile % tiles_n * kTile;
    const long long a_base = static_cast<long long>(batch) * p.a_batch;
    const long long b_base = static_cast<long long>(batch) * p.b_batch;
    double v[4][4] = {}, c[4][4] = {}, e[Inexact ? 4 : 1][4] = {};
    for (u64 k0 = 0; k0 < p.k; k0 += kStep) {
      for (int l = threadIdx.x; l < kTile * kStep; l += 256) {
        // Neighbouring threads read along whichever dimension lies close in memory.
        const int ak = p.a_column <= p.a_row ? l % kStep : l / kTile;
        const int am = p.a_column <= p.a_row ? l / kStep : l % kTile;
        const bool in_a = m0 + am < p.m && k0 + ak < p.k;
        const Num x = in_a ? load(p.a, a_base + static_cast<long long>(m0 + am) * p.a_row +
                                           static_cast<long long>(k0 + ak) * p.a_column)
                           : Num{0, 0};
        a_v[ak][am] = x.v;
        if constexpr (Inexact) a_e[ak][am] = x.e;
        const int bk = p.b_row < p.b_column ? l % kStep : l / kTile;
        const int bn = p.b_row < p.b_column ? l / kStep : l % kTile;
        const bool in_b = n0 + bn < p.n && k0 + bk < p.k;
        const Num y = in_b ? load(p.b, b_base + static_cast<long long>(k0 + bk) * p.b_row +
                                           static_cast<long long>(n0 + bn) * p.b_column)
                           : Num{0, 0};
        b_v[bk][bn] = y.v;
        if constexpr (Inexact) b_e[bk][bn] = y.e;
      }
      __syncthreads();
      // Padding is never multiplied: 0 * inf of a neighbour would be NaN.
      const int steps = p.k - k0 < kStep ? static_cast<int>(p.k - k0) : kStep;
      for (int k = 0; k < steps; ++k) {
        for (int i = 0; i < 4; ++i) {
          const double x = a_v[k][ty + 16 * i];
          for (int j = 0; j < 4; ++j) {
            const double y = b_v[k][tx + 16 * j];
            v[i][j] = ::fma(x, y, v[i][j]);
            c[i][j] = ::fma(magnitude(x), magnitude(y), c[i][j]);
            if constexpr (Inexact) {
              const double ex = a_e[k][ty + 16 * i], ey = b_e[k][tx + 16 * j];
              e[i][j] += magnitude(x) * ey + ex * (magnitude(y) + ey);
            }
          }
        }
      }
      __syncthreads();
    }
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < 4; ++j) {
        const u64 row = m0 + ty + 16 * i, column = n0 + tx + 16 * j;
        if (row >= p.m || column >= p.n) continue;
        store_product(p, (batch * p.m + row) * p.n + column, v[i][j], c[i][j],
                      Inexact ? e[Inexact ? i : 0][j] : 0.0);
      }
    }
  }
}
extern "C" __global__ void __launch_bounds__(256) kw_product(const ProductArguments p) {
  product_tile<false>(p);
}
extern "C" __global__ void __launch_bounds__(256) kw_product_inexact(const ProductArguments p) {
  product_tile<true>(p);
}

/// One block per output: for few outputs with long sums.
extern "C" __global__ void __launch_bounds__(256) kw_dot(const ProductArguments p) {
  __shared__ double v[256], c[256], e[256];
  for (u64 o = blockIdx.x; o < p.batches * p.m * p.n; o += gridDim.x) {
    const u64 column = o % p.n, row = o / p.n % p.m, batch = o / p.n / p.m;
    const long long a_base = static_cast<long long>(batch) * p.a_batch + static_cast<long long>(row) * p.a_row;
    const long long b_base = static_cast<long long>(batch) * p.b_batch + static_cast<long long>(column) * p.b_column;
    double sv = 0, sc = 0, se = 0;
    for (u64 k = threadIdx.x; k < p.k; k += blockDim.x) {
      const Num x = load(p.a, a_base + static_cast<long long>(k) * p.a_column);
      const Num y = load(p.b, b_base + static_cast<long long>(k) * p.b_row);
      sv = ::fma(x.v, y.v, sv);
      sc = ::fma(magnitude(x.v), magnitude(y.v), sc);
      if (p.inexact) se += magnitude(x.v) * y.e + x.e * (magnitude(y.v) + y.e);
    }
    v[threadIdx.x] = sv, c[threadIdx.x] = sc, e[threadIdx.x] = se;
    __syncthreads();
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
      if (threadIdx.x < half) {
        v[threadIdx.x] += v[threadIdx.x + half];
        c[threadIdx.x] += c[threadIdx.x + half];
        e[threadIdx.x] += e[threadIdx.x + half];
      }
      __syncthreads();
    }
    if (threadIdx.x == 0) store_product(p, o, v[0], c[0], e[0]);
    __syncthreads();
  }
}

}  // namespace kw::verify::gpu
