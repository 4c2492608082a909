// States of reductions. Each has
//   empty()        the state of no elements          add(x, at)   N elements; at: number of the first
//   merge(other)   the states of two sets            shuffled(d)  the state d lanes away (xor)
// Long rows are summed as trees: within an add, between a thread's adds only over short chains,
// then over lanes, warps and blocks.

template <int kFirst, int kCount, int N>
__device__ __forceinline__ float kw_tree_part(const float (&x)[N]) {
  if constexpr (kCount == 1) {
    return x[kFirst];
  } else {
    return kw_tree_part<kFirst, kCount / 2>(x) +
           kw_tree_part<kFirst + kCount / 2, kCount - kCount / 2>(x);
  }
}
template <int N>
__device__ __forceinline__ float kw_tree_sum(const float (&x)[N]) {
  return kw_tree_part<0, N>(x);
}

template <int N>
__device__ __forceinline__ float kw_tree_max(const float (&x)[N]) {
  float most = x[0];
#pragma unroll
  for (int i = 1; i < N; ++i) most = kw_max(most, x[i]);
  return most;
}

__device__ __forceinline__ float kw_lane(float x, int step) {
  return __shfl_xor_sync(0xffffffffu, x, step);
}
__device__ __forceinline__ long long kw_lane(long long x, int step) {
  return __shfl_xor_sync(0xffffffffu, x, step);
}

struct KwSum {
  static constexpr bool kOrdered = false;
  float sum;
  __device__ static __forceinline__ KwSum empty() { return {0.0f}; }
  template <int N>
  __device__ __forceinline__ void add(const float (&x)[N], long long) { sum += kw_tree_sum(x); }
  __device__ __forceinline__ void merge(const KwSum& o) { sum += o.sum; }
  __device__ __forceinline__ KwSum shuffled(int step) const { return {kw_lane(sum, step)}; }
};

struct KwProd {
  static constexpr bool kOrdered = false;
  float product;
  __device__ static __forceinline__ KwProd empty() { return {1.0f}; }
  template <int N>
  __device__ __forceinline__ void add(const float (&x)[N], long long) {
#pragma unroll
    for (int i = 0; i < N; ++i) product *= x[i];
  }
  __device__ __forceinline__ void merge(const KwProd& o) { product *= o.product; }
  __device__ __forceinline__ KwProd shuffled(int step) const { return {kw_lane(product, step)}; }
};

struct KwMax {
  static constexpr bool kOrdered = false;
  float value;
  __device__ static __forceinline__ KwMax empty() { return {-KW_INF}; }
  template <int N>
  __device__ __forceinline__ void add(const float (&x)[N], long long) {
    value = kw_max(value, kw_tree_max(x));
  }
  __device__ __forceinline__ void merge(const KwMax& o) { value = kw_max(value, o.value); }
  __device__ __forceinline__ KwMax shuffled(int step) const { return {kw_lane(value, step)}; }
};

struct KwMin {
  static constexpr bool kOrdered = false;
  float value;
  __device__ static __forceinline__ KwMin empty() { return {KW_INF}; }
  template <int N>
  __device__ __forceinline__ void add(const float (&x)[N], long long) {
#pragma unroll
    for (int i = 0; i < N; ++i) value = kw_min(value, x[i]);
  }
  __device__ __forceinline__ void merge(const KwMin& o) { value = kw_min(value, o.value); }
  __device__ __forceinline__ KwMin shuffled(int step) const { return {kw_lane(value, step)}; }
};

/// The first of equals; a NaN beats every number.
template <bool kMost>
struct KwArg {
  static constexpr bool kOrdered = true;
  float value;
  long long index;  // -1: of nothing yet
  __device__ static __forceinline__ KwArg empty() { return {0.0f, -1}; }
  __device__ __forceinline__ void offer(float x, long long at) {
    const bool nan = x != x, was = value != value;
    const bool better = nan ? !was : !was && (kMost ? x > value : x < value);
    const bool equal = nan ? was : x == value;
    if (index < 0 || better || (equal && at < index)) {
      value = x;
      index = at;
    }
  }
  template <int N>
  __device__ __forceinline__ void add(const float (&x)[N], long long at) {
#pragma unroll
    for (int i = 0; i < N; ++i) offer(x[i], at + i);
  }
  __device__ __forceinline__ void merge(const KwArg& o) {
    if (o.index >= 0) offer(o.value, o.index);
  }
  __device__ __forceinline__ KwArg shuffled(int step) const {
    return {kw_lane(value, step), kw_lane(index, step)};
  }
};

/// Mean and sum of squared deviations (Chan, Golub, LeVeque 1979). N elements join as a set of
/// their own with a shifted second pass, so that one division serves them all.
struct KwWelford {
  static constexpr bool kOrdered = false;
  float count, mean, m2;
  __device__ static __forceinline__ KwWelford empty() { return {0.0f, 0.0f, 0.0f}; }
  template <int N>
  __device__ __forceinline__ void add(const float (&x)[N], long long) {
    const float center = kw_tree_sum(x) * (1.0f / N);
    float square[N];
#pragma unroll
    for (int i = 0; i < N; ++i) square[i] = (x[i] - center) * (x[i] - center);
    merge({static_cast<float>(N), center, kw_tree_sum(square)});
  }
  __device__ __forceinline__ void merge(const KwWelford& o) {
    if (o.count == 0.0f) return;
    const float total = count + o.count;
    const float share = o.count / total;
    const float delta = o.mean - mean;
    mean += delta * share;
    m2 += o.m2 + delta * delta * (count * share);
    count = total;
  }
  __device__ __forceinline__ KwWelford shuffled(int step) const {
    return {kw_lane(count, step), kw_lane(mean, step), kw_lane(m2, step)};
  }
};

/// Largest x, and the sum of exp(x - largest). Equal arguments give 1, infinite ones too.
struct KwOnlineSoftmax {
  static constexpr bool kOrdered = false;
  float most, sum;
  __device__ static __forceinline__ KwOnlineSoftmax empty() { return {-KW_INF, 0.0f}; }
  __device__ static __forceinline__ float ratio(float x, float top) {
    return x == top ? 1.0f : expf(x - top);
  }
  template <int N>
  __device__ __forceinline__ void add(const float (&x)[N], long long) {
    const float top = kw_max(most, kw_tree_max(x));
    float terms[N];
#pragma unroll
    for (int i = 0; i < N; ++i) terms[i] = ratio(x[i], top);
    sum = sum * ratio(most, top) + kw_tree_sum(terms);
    most = top;
  }
  __device__ __forceinline__ void merge(const KwOnlineSoftmax& o) {
    const float top = kw_max(most, o.most);
    sum = sum * ratio(most, top) + o.sum * ratio(o.most, top);
    most = top;
  }
  __device__ __forceinline__ KwOnlineSoftmax shuffled(int step) const {
    return {kw_lane(most, step), kw_lane(sum, step)};
  }
};

/// Number of a phase, as a type: overloads of a generated functor are told apart by it.
template <int kNumber>
struct KwPhase {};

/// The state of kLanes neighbouring lanes (a power of two), the same in all of them.
template <int kLanes, class State>
__device__ __forceinline__ State kw_over_lanes(State state) {
#pragma unroll
  for (int step = 1; step < kLanes; step *= 2) {
    // The lower lane's state comes first, so that both lanes compute the same bits.
    const State other = state.shuffled(step);
    if (threadIdx.x & step) {
      State lower = other;
      lower.merge(state);
      state = lower;
    } else {
      state.merge(other);
    }
  }
  return state;
}

/// The state of kThreads neighbouring threads of a block: a power of two up to 32, or a multiple of
/// 32 (then every thread of the block has to come here).
template <int kThreads, class State>
__device__ __forceinline__ State kw_over_threads(State state) {
  if constexpr (kThreads <= 32) {
    return kw_over_lanes<kThreads>(state);
  } else {
    constexpr int kWarps = kThreads / 32;
    __shared__ State warps[32];
    state = kw_over_lanes<32>(state);
    const int warp = threadIdx.x / 32;
    __syncthreads();  // the array may still be read from the phase before
    if (threadIdx.x % 32 == 0) warps[warp] = state;
    __syncthreads();
    const int first = warp / kWarps * kWarps;  // of this thread's group
    state = warps[first];
#pragma unroll 4
    for (int w = 1; w < kWarps; ++w) state.merge(warps[first + w]);
    return state;
  }
}
