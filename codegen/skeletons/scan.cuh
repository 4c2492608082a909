// scan: every prefix of a row, one pass: each element is read once and every prefix written once. F
// is generated from the region:
//   F::State                     a run of elements: empty(), of(x, q), join(the run that follows)
//   F::kWidth, F::Inputs         elements of a vector, and what reading one fills
//   f.load(a, b, in)             reads a vector; (a, b) = (row, vector of the row) where rows lie along
//                                memory, (place, vector of rows) where they lie across it
//   f.value(in, w, a, b)         element w of it
//   f.store(in, prefixes, a, b)  the prefixes that end at its elements go to the outputs
//   f.border(row, b)             outputs beside the row's own, b < F::kBorder
// Runs join in the order of the row, in a tree whose shape depends on nothing but the launch: the
// same bits in every run.

template <class T>
__device__ __forceinline__ T kw_up(T x, int step, int width) {
  return __shfl_up_sync(0xffffffffu, x, step, width);
}
template <class T>
__device__ __forceinline__ T kw_from(T x, int lane, int width) {
  return __shfl_sync(0xffffffffu, x, lane, width);
}

template <class T>
struct KwRunSum {
  T sum;
  __device__ static __forceinline__ KwRunSum empty() { return {T(0)}; }
  __device__ static __forceinline__ KwRunSum of(T x, long long) { return {x}; }
  __device__ __forceinline__ void join(const KwRunSum& o) { sum += o.sum; }
  __device__ __forceinline__ KwRunSum up(int n, int width) const { return {kw_up(sum, n, width)}; }
  __device__ __forceinline__ KwRunSum from(int lane, int width) const {
    return {kw_from(sum, lane, width)};
  }
};

template <class T>
struct KwRunProd {
  T product;
  __device__ static __forceinline__ KwRunProd empty() { return {T(1)}; }
  __device__ static __forceinline__ KwRunProd of(T x, long long) { return {x}; }
  __device__ __forceinline__ void join(const KwRunProd& o) { product *= o.product; }
  __device__ __forceinline__ KwRunProd up(int n, int width) const {
    return {kw_up(product, n, width)};
  }
  __device__ __forceinline__ KwRunProd from(int lane, int width) const {
    return {kw_from(product, lane, width)};
  }
};

/// The last of equals; a NaN stays, and a later one takes its place.
template <class T, bool kMost>
struct KwRunArg {
  T value;
  long long index;  // -1: of nothing yet
  __device__ static __forceinline__ KwRunArg empty() { return {T(0), -1}; }
  __device__ static __forceinline__ KwRunArg of(T x, long long at) { return {x, at}; }
  __device__ __forceinline__ void join(const KwRunArg& o) {
    if (o.index < 0) return;
    const bool no_worse = kMost ? o.value >= value : o.value <= value;
    if (index < 0 || o.value != o.value || (value == value && no_worse)) *this = o;
  }
  __device__ __forceinline__ KwRunArg up(int n, int width) const {
    return {kw_up(value, n, width), kw_up(index, n, width)};
  }
  __device__ __forceinline__ KwRunArg from(int lane, int width) const {
    return {kw_from(value, lane, width), kw_from(index, lane, width)};
  }
};

/// Largest x, and the sum of exp(x - largest). Equal arguments give 1, infinite ones too.
struct KwRunSoftmax {
  float most, sum;
  __device__ static __forceinline__ KwRunSoftmax empty() { return {-KW_INF, 0.0f}; }
  __device__ static __forceinline__ KwRunSoftmax of(float x, long long) { return {x, 1.0f}; }
  __device__ static __forceinline__ float ratio(float x, float top) {
    return x == top ? 1.0f : expf(x - top);
  }
  __device__ __forceinline__ void join(const KwRunSoftmax& o) {
    const float top = kw_max(most, o.most);
    sum = sum * ratio(most, top) + o.sum * ratio(o.most, top);
    most = top;
  }
  __device__ __forceinline__ KwRunSoftmax up(int n, int width) const {
    return {kw_up(most, n, width), kw_up(sum, n, width)};
  }
  __device__ __forceinline__ KwRunSoftmax from(int lane, int width) const {
    return {kw_from(most, lane, width), kw_from(sum, lane, width)};
  }
};

/// Inclusive scans over kLanes lanes, kItems of them side by side.
template <int kLanes, int kItems, class State>
__device__ __forceinline__ void kw_scan_lanes(State (&run)[kItems]) {
  const int lane = threadIdx.x % kLanes;
#pragma unroll
  for (int step = 1; step < kLanes; step *= 2) {
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      State before = run[i].up(step, kLanes);
      before.join(run[i]);
      if (lane >= step) run[i] = before;
    }
  }
}

/// The runs [0, count) joined by kLanes lanes, each a stretch of its own; the same in all lanes.
template <int kLanes, class State>
__device__ __forceinline__ State kw_join_runs(const State* runs, int count) {
  const int lane = threadIdx.x % kLanes, each = (count + kLanes - 1) / kLanes;
  State run[1] = {State::empty()};
  for (int i = lane * each; i < (lane + 1) * each && i < count; ++i) run[0].join(runs[i]);
  kw_scan_lanes<kLanes>(run);
  return run[0].from(kLanes - 1, kLanes);
}

/// A chunk of a row, kGroup threads wide: warps one after the other, in a warp kItems stripes of 32
/// vectors. `walk` counts vectors in the order of the row, which is memory's backwards if kReverse.
template <int kGroup, int kItems, bool kReverse, class Index, class F>
struct KwRowChunk {
  static constexpr int kLanes = kGroup < 32 ? kGroup : 32;
  static constexpr int kWidth = F::kWidth;
  using State = typename F::State;

  __device__ static __forceinline__ Index walk(Index first, int item) {
    const int thread = threadIdx.x % kGroup;
    return first + (thread / kLanes * kItems + item) * kLanes + thread % kLanes;
  }
  __device__ static __forceinline__ Index place(Index walk) {
    return kReverse ? F::kVectors - 1 - walk : walk;
  }
  __device__ static __forceinline__ void load(const F& f, Index row, Index first, Index end,
                                              typename F::Inputs (&in)[kItems]) {
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      const Index u = walk(first, i);
      if (u < end) f.load(row, place(u), in[i]);
    }
  }
  /// Prefixes within each vector, what comes before each vector in this warp, and the warp's run.
  __device__ static __forceinline__ void runs(const F& f, Index row, Index first, Index end,
                                              const typename F::Inputs (&in)[kItems],
                                              State (&prefix)[kItems][kWidth],
                                              State (&before)[kItems], State& whole) {
    State last[kItems];
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      const Index u = walk(first, i);
      State run = State::empty();
#pragma unroll
      for (int j = 0; j < kWidth; ++j) {
        const int w = kReverse ? kWidth - 1 - j : j;
        if (u < end) {
          const State one = State::of(f.value(in[i], w, row, place(u)),
                                      static_cast<long long>(u) * kWidth + j);
          if (j == 0) {
            run = one;
          } else {
            run.join(one);
          }
        }
        prefix[i][w] = run;
      }
      last[i] = run;
    }
    kw_scan_lanes<kLanes>(last);
    whole = State::empty();
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      before[i] = whole;
      const State lanes = last[i].up(1, kLanes);
      if (threadIdx.x % kLanes != 0) before[i].join(lanes);
      whole.join(last[i].from(kLanes - 1, kLanes));
    }
  }
};

/// Whole: a block has all of its rows. Otherwise blockIdx.y is a slice of them, in two launches: the
/// runs of slices (Totals), then the prefixes (Rest), which begin with what those say comes before.
enum class KwPart { Whole, Totals, Rest };

/// Rows along memory, kBlock / kGroup of them a block. A slice holds `stretch` vectors (a multiple of
/// a chunk) of each; `slices` is [rows, gridDim.y].
template <int kBlock, int kGroup, int kItems, bool kReverse, KwPart kPart, class Index, class F>
__device__ __forceinline__ void kw_scan_rows(const F& f, Index rows, Index stretch,
                                             typename F::State* slices) {
  using Chunk = KwRowChunk<kGroup, kItems, kReverse, Index, F>;
  using State = typename F::State;
  constexpr int kWidth = F::kWidth, kLanes = Chunk::kLanes, kWarps = kGroup / kLanes;
  constexpr Index kVectors = kGroup * kItems;  // of a chunk
  __shared__ State warps[2][kWarps > 1 ? kBlock / 32 : 1];
  const Index row = static_cast<Index>(blockIdx.x) * (kBlock / kGroup) + threadIdx.x / kGroup;
  const bool active = row < rows;
  const Index begin = static_cast<Index>(blockIdx.y) * stretch;
  const Index after = F::kVectors - begin < stretch ? F::kVectors : begin + stretch;
  const Index end = active ? after : 0;
  State carry = State::empty();
  if constexpr (kPart == KwPart::Rest) {
    const Index known = active ? row : rows - 1;
    carry = kw_join_runs<kLanes>(slices + static_cast<long long>(known) * gridDim.y,
                                 static_cast<int>(blockIdx.y));
  }
  if (kPart != KwPart::Totals && F::kBorder > 0 && blockIdx.y == 0 && active) {
    for (int b = threadIdx.x % kGroup; b < F::kBorder; b += kGroup) f.border(row, b);
  }
  typename F::Inputs in[kItems], next[kItems];
  Chunk::load(f, row, begin, end, in);
  int turn = 0;
  for (Index first = begin; first < after; first += kVectors, turn ^= 1) {
    if (first + kVectors < after) Chunk::load(f, row, first + kVectors, end, next);
    State prefix[kItems][kWidth], before[kItems], whole;
    Chunk::runs(f, row, first, end, in, prefix, before, whole);
    State base = carry;
    if constexpr (kWarps > 1) {
      const int warp = threadIdx.x / 32, first_warp = threadIdx.x / kGroup * kWarps;
      if (threadIdx.x % 32 == 0) warps[turn][warp] = whole;
      __syncthreads();
      State all = State::empty();
#pragma unroll 8
      for (int w = 0; w < kWarps; ++w) {
        if (first_warp + w == warp) base.join(all);
        all.join(warps[turn][first_warp + w]);
      }
      carry.join(all);
    } else {
      carry.join(whole);
    }
    if constexpr (kPart != KwPart::Totals) {
#pragma unroll
      for (int i = 0; i < kItems; ++i) {
        const Index u = Chunk::walk(first, i);
        State start = base;
        start.join(before[i]);
#pragma unroll
        for (int w = 0; w < kWidth; ++w) {
          State run = start;
          run.join(prefix[i][w]);
          prefix[i][w] = run;
        }
        if (u < end) f.store(in[i], prefix[i], row, Chunk::place(u));
      }
    }
    if (first + kVectors < after) {
#pragma unroll
      for (int i = 0; i < kItems; ++i) in[i] = next[i];
    }
  }
  if constexpr (kPart == KwPart::Totals) {
    if (active && threadIdx.x % kGroup == 0) {
      slices[static_cast<long long>(row) * gridDim.y + blockIdx.y] = carry;
    }
  }
}

/// Rows across memory: kX threads along the rows, kY share each, kItems places in flight a thread.
/// A slice holds `stretch` places; `slices` is [gridDim.y, vectors * kWidth].
template <int kX, int kY, int kItems, KwPart kPart, class Index, class F>
__device__ __forceinline__ void kw_scan_columns(const F& f, Index vectors, Index stretch,
                                                typename F::State* slices) {
  using State = typename F::State;
  constexpr int kWidth = F::kWidth;
  __shared__ State shares[2][kY][kY > 1 ? kX * kWidth : 1];
  const int x = threadIdx.x % kX, y = threadIdx.x / kX;
  const Index v = static_cast<Index>(blockIdx.x) * kX + x;
  const bool active = v < vectors;
  const Index begin = static_cast<Index>(blockIdx.y) * stretch;
  const Index after = F::kPlaces - begin < stretch ? F::kPlaces : begin + stretch;
  const Index end = active ? after : 0;
  const long long lane0 = static_cast<long long>(v) * kWidth;
  State carry[kWidth];
#pragma unroll
  for (int w = 0; w < kWidth; ++w) carry[w] = State::empty();
  if constexpr (kPart == KwPart::Rest) {
    for (int s = 0; s < static_cast<int>(blockIdx.y) && active; ++s) {
      const State* const runs = slices + static_cast<long long>(s) * vectors * kWidth + lane0;
#pragma unroll
      for (int w = 0; w < kWidth; ++w) carry[w].join(runs[w]);
    }
  }
  if (kPart != KwPart::Totals && F::kBorder > 0 && blockIdx.y == 0 && active) {
    for (int b = y; b < F::kBorder; b += kY) {
      for (int w = 0; w < kWidth; ++w) f.border(static_cast<Index>(lane0) + w, b);
    }
  }
  int turn = 0;
  for (Index first = begin; first < after; first += kY * kItems, turn ^= 1) {
    const Index q = first + y * kItems;
    typename F::Inputs in[kItems];
#pragma unroll
    for (int j = 0; j < kItems; ++j) {
      if (q + j < end) f.load(q + j, v, in[j]);
    }
    State prefix[kItems][kWidth], share[kWidth];
#pragma unroll
    for (int w = 0; w < kWidth; ++w) {
      State run = State::empty();
#pragma unroll
      for (int j = 0; j < kItems; ++j) {
        if (q + j < end) run.join(State::of(f.value(in[j], w, q + j, v), q + j));
        prefix[j][w] = run;
      }
      share[w] = run;
      if (kY > 1) shares[turn][y][w * kX + x] = run;
    }
    if (kY > 1) __syncthreads();
#pragma unroll
    for (int w = 0; w < kWidth; ++w) {
      State base = carry[w];
      if constexpr (kY > 1) {
        State all = State::empty();
#pragma unroll 8
        for (int i = 0; i < kY; ++i) {
          if (i == y) base.join(all);
          all.join(shares[turn][i][w * kX + x]);
        }
        carry[w].join(all);
      } else {
        carry[w].join(share[w]);
      }
#pragma unroll
      for (int j = 0; j < kItems; ++j) {
        State whole = base;
        whole.join(prefix[j][w]);
        prefix[j][w] = whole;
      }
    }
    if constexpr (kPart != KwPart::Totals) {
#pragma unroll
      for (int j = 0; j < kItems; ++j) {
        if (q + j < end) f.store(in[j], prefix[j], q + j, v);
      }
    }
  }
  if constexpr (kPart == KwPart::Totals) {
#pragma unroll
    for (int w = 0; w < kWidth && active && y == 0; ++w) {
      slices[static_cast<long long>(blockIdx.y) * vectors * kWidth + lane0 + w] = carry[w];
    }
  }
}
