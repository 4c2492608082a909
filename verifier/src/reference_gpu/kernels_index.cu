// Index maps, scans, positions of extrema and einsum in double with running errors (kernels.cu stands
// before this text).

namespace kw::verify::gpu {

extern "C" __global__ void __launch_bounds__(256) kw_place(const PlaceArguments a) {
  for (u64 i = thread_index(); i < a.n; i += thread_count()) {
    long long from = 0, to = a.out_offset;
    u64 rest = i;
    for (int d = a.rank - 1; d >= 0; --d) {
      const u64 extent = static_cast<u64>(a.shape[d]);
      const long long coordinate = static_cast<long long>(d > 0 ? rest % extent : rest);
      rest = d > 0 ? rest / extent : 0;
      from += coordinate * a.in.stride[d];
      to += coordinate * a.out_stride[d];
    }
    put(a.out_v, a.out_e, static_cast<u64>(to), load(a.in, from));
  }
}

extern "C" __global__ void __launch_bounds__(256) kw_triangle(const TriangleArguments a) {
  for (u64 i = thread_index(); i < a.n; i += thread_count()) {
    const long long column = static_cast<long long>(i) % a.columns;
    const long long row = static_cast<long long>(i) / a.columns % a.rows;
    const bool keep = a.lower ? column - row <= a.diagonal : column - row >= a.diagonal;
    put(a.out_v, a.out_e, i, keep ? load(a.x, static_cast<long long>(i)) : Num{a.fill, 0});
  }
}

extern "C" __global__ void __launch_bounds__(256) kw_take(const TakeArguments a) {
  for (u64 i = thread_index(); i < a.n; i += thread_count()) {
    long long row = static_cast<long long>(load(a.index, static_cast<long long>(i / a.width)).v);
    if (row < 0) row += static_cast<long long>(a.rows);
    const bool inside = row >= 0 && row < static_cast<long long>(a.rows);
    const long long at = row * static_cast<long long>(a.width) + static_cast<long long>(i % a.width);
    put(a.out_v, a.out_e, i, inside ? load(a.table, at) : Num{not_a_number(), kInf});
  }
}

/// One element of every row: table [rows, width], index [rows].
extern "C" __global__ void __launch_bounds__(256) kw_pick(const TakeArguments a) {
  for (u64 i = thread_index(); i < a.n; i += thread_count()) {
    const long long column = static_cast<long long>(load(a.index, static_cast<long long>(i)).v);
    const bool inside = column >= 0 && column < static_cast<long long>(a.width);
    const long long at = static_cast<long long>(i * a.width) + column;
    put(a.out_v, a.out_e, i, inside ? load(a.table, at) : Num{not_a_number(), kInf});
  }
}

/// A scan's running value: as cumsum and cumprod of the CPU's reductions.cpp.
struct Running {
  double v = 0, c = 0, e = 0;  // of a sum
  Num product{1, 0};
  double highest = 1, lowest = 1;  // of |partial products| over any run of factors
};
__device__ Num advance(const ScanArguments& a, Running& r, Num x, u64 i) {
  if (a.product) {
    constexpr double kTinyNormal = 1.1754943508222875e-38;
    r.product = r.product * x;
    const double m = magnitude(x.v);
    r.highest = larger(m, r.highest * m);
    r.lowest = ::fmin(m, r.lowest * m);
    const bool leaves = r.highest > kLargestFloat / 4 || (r.lowest < kTinyNormal && r.product.v != 0);
    if (leaves && magnitude(r.product.v) > kTinyNormal) r.product.e = kInf;
    if (magnitude(r.product.v) <= kTinyNormal && r.product.e != kInf) r.product.e += kTinyNormal;
    return r.product;
  }
  r.v += x.v;
  r.c += magnitude(x.v);
  r.e += x.e;
  if (i == 0) return {r.v, r.e};
  if (a.integer || !is_finite(r.v)) return {r.v, 0};
  const double k = static_cast<double>(i + 1);
  if (is_finite(r.c) && r.c > kLargestFloat / 4) return {r.v, kInf};
  return {r.v, r.e + sum_factor(k, a.few_valued != 0) * r.c + 2.384185791015625e-07 * magnitude(r.v) + k * kTiny};
}

/// One thread per (outer, inner): for scans along a dimension that is not the last.
extern "C" __global__ void __launch_bounds__(128) kw_scan(const ScanArguments a) {
  for (u64 i = thread_index(); i < a.outer * a.inner; i += thread_count()) {
    const u64 base = i / a.inner * a.length * a.inner + i % a.inner;
    Running r;
    for (u64 k = 0; k < a.length; ++k) {
      const u64 at_k = base + k * a.inner;
      put(a.out_v, a.out_e, at_k, advance(a, r, load(a.x, static_cast<long long>(at_k)), k));
    }
  }
}

/// inner 1: a warp takes 32 rows and walks along them in squares that pass through shared memory.
extern "C" __global__ void __launch_bounds__(32) kw_scan_rows(const ScanArguments a) {
  __shared__ double v[32][33], e[32][33];
  const int lane = threadIdx.x;
  for (u64 row0 = 32ull * blockIdx.x; row0 < a.outer; row0 += 32ull * gridDim.x) {
    const int rows = a.outer - row0 < 32 ? static_cast<int>(a.outer - row0) : 32;
    Running r;
    for (u64 k0 = 0; k0 < a.length; k0 += 32) {
      const int columns = a.length - k0 < 32 ? static_cast<int>(a.length - k0) : 32;
      for (int row = 0; row < rows; ++row) {
        if (lane >= columns) continue;
        const Num x = load(a.x, static_cast<long long>((row0 + row) * a.length + k0 + lane));
        v[row][lane] = x.v, e[row][lane] = x.e;
      }
      __syncwarp();
      if (lane < rows) {
        for (int k = 0; k < columns; ++k) {
          const Num out = advance(a, r, {v[lane][k], e[lane][k]}, k0 + k);
          v[lane][k] = out.v, e[lane][k] = out.e;
        }
      }
      __syncwarp();
      for (int row = 0; row < rows; ++row) {
        if (lane >= columns) continue;
        put(a.out_v, a.out_e, (row0 + row) * a.length + k0 + lane, {v[row][lane], e[row][lane]});
      }
      __syncwarp();
    }
  }
}

/// The first of the largest (or smallest); NaN wins. In doubt where another is as near as the errors.
extern "C" __global__ void __launch_bounds__(128) kw_position(const PositionArguments a) {
  for (u64 i = thread_index(); i < a.outer * a.inner; i += thread_count()) {
    const u64 base = i / a.inner * a.reduced * a.inner + i % a.inner;
    const auto element = [&](u64 k) { return load(a.x, static_cast<long long>(base + k * a.inner)); };
    u64 best = 0;
    Num top = element(0);
    for (u64 k = 1; k < a.reduced && !is_nan(top.v); ++k) {
      const Num x = element(k);
      if (is_nan(x.v) || (a.largest ? x.v > top.v : x.v < top.v)) best = k, top = x;
    }
    bool doubt = false;
    if (a.x.e != 0) {
      for (u64 k = 0; k < a.reduced && !is_nan(top.v); ++k) {
        const Num x = element(k);
        const double e = x.e + top.e;
        doubt = doubt || (k != best && e > 0 && magnitude(x.v - top.v) <= e);
      }
    }
    put(a.out_v, a.out_e, i, {static_cast<double>(best), doubt ? kInf : 0});
  }
}

extern "C" __global__ void __launch_bounds__(256) kw_einsum(const EinsumArguments a) {
  for (u64 i = thread_index(); i < a.n; i += thread_count()) {
    long long base[kMaxTerms] = {};
    u64 rest = i;
    for (int d = a.kept - 1; d >= 0; --d) {
      const long long coordinate = static_cast<long long>(rest % static_cast<u64>(a.extent[d]));
      rest /= static_cast<u64>(a.extent[d]);
      for (int t = 0; t < a.operands; ++t) base[t] += coordinate * a.stride[t][d];
    }
    double v = 0, c = 0, e = 0;
    for (u64 k = 0; k < a.terms; ++k) {
      long long at_k[kMaxTerms];
      for (int t = 0; t < a.operands; ++t) at_k[t] = base[t];
      u64 left = k;
      for (int d = a.letters - 1; d >= a.kept; --d) {
        const long long coordinate = static_cast<long long>(left % static_cast<u64>(a.extent[d]));
        left /= static_cast<u64>(a.extent[d]);
        for (int t = 0; t < a.operands; ++t) at_k[t] += coordinate * a.stride[t][d];
      }
      double product = 1, most = 1;
      bool exact = true;
      for (int t = 0; t < a.operands; ++t) {
        const Num x = load(a.in[t], at_k[t]);
        product *= x.v;
        most *= magnitude(x.v) + x.e;
        exact = exact && x.e == 0;
      }
      v += product;
      c += magnitude(product);
      if (!exact) e += most - magnitude(product);
    }
    put(a.out_v, a.out_e, i, settled({v, contraction_bound(v, c, e, a.bound_terms, a.factor)}, a.type));
  }
}

}  // namespace kw::verify::gpu
