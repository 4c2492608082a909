// row_reduce, rows of a few megabytes: the slices of a row are reduced by many blocks, and its
// outputs are written while it is still in the L2 cache, so that it comes from memory once. Work is
// a list of items: slices to reduce of row g, taken in turns with slices to write of row g - lag.
// Blocks draw items in order, and an item waits for earlier ones alone: whoever holds the first
// unfinished item runs it, however few blocks there are. Which block does what changes nothing:
// states of slices merge in their order.

/// Everything after the states of slices: what rows came to, and counters, zero before the launch.
template <class State>
struct KwWoven {
  State* slices;  // [rows][slices]
  State* rows;    // [rows]
  int* drawn;     // items given out
  int* done;      // [rows]: slices whose states are there; one more when the row's is
  __device__ __forceinline__ KwWoven(State* base, long long count, int each)
      : slices(base),
        rows(base + count * each),
        drawn(reinterpret_cast<int*>(base + count * (each + 1))),
        done(drawn + 1) {}
};

__device__ __forceinline__ int kw_acquire(const int* from) {
  int value;
  asm volatile("ld.acquire.gpu.global.s32 %0, [%1];" : "=r"(value) : "l"(from) : "memory");
  return value;
}

/// A slice's state; the last of a row merges them all and says so.
template <int kThreads, int kItems, class P, class State, class Index>
__device__ __forceinline__ void kw_woven_reduce(const P& p, const KwWoven<State>& w, Index r,
                                                int slice, int slices, Index begin, Index end) {
  __shared__ int before;
  typename P::Row row;
  State state = p.state(KwPhase<0>{});
  kw_pass<0, kThreads, kItems>(p, row, r, begin, end, state);
  state = kw_over_threads<kThreads>(state);
  if (threadIdx.x == 0) {
    w.slices[static_cast<long long>(r) * slices + slice] = state;
    __threadfence();
    before = atomicAdd(w.done + r, 1);
    __threadfence();
  }
  __syncthreads();
  if (before != slices - 1) return;
  state = p.state(KwPhase<0>{});
  for (int s = threadIdx.x; s < slices; s += kThreads) {
    state.merge(w.slices[static_cast<long long>(r) * slices + s]);
  }
  state = kw_over_threads<kThreads>(state);
  if (threadIdx.x == 0) {
    w.rows[r] = state;
    __threadfence();
    atomicAdd(w.done + r, 1);
  }
}

/// A slice's outputs, once the row's state is there.
template <int kThreads, int kItems, class P, class State, class Index>
__device__ __forceinline__ void kw_woven_apply(const P& p, const KwWoven<State>& w, Index r,
                                               int slice, int slices, Index begin, Index end) {
  typename P::Row row;
  kw_apply<kThreads, kItems>(p, row, r, begin, end, [&](typename P::Row& result) {
    if (threadIdx.x == 0) {
      while (kw_acquire(w.done + r) <= slices) {
      }
    }
    __syncthreads();
    p.finish(KwPhase<0>{}, w.rows[r], result);
  });
  if constexpr (P::kSingle) {
    if (slice == 0 && threadIdx.x == 0) p.store_single(row, r);
  }
}

template <int kThreads, int kItems, class Index, class P>
__device__ __forceinline__ void kw_rows_woven(const P& p, int rows, int slices,
                                              Index slice_vectors, int lag) {
  using State = decltype(p.state(KwPhase<0>{}));
  const KwWoven<State> w(p.partials(KwPhase<0>{}), rows, slices);
  __shared__ int next;
  const int items = 2 * (rows + lag) * slices;
  if (threadIdx.x == 0) next = atomicAdd(w.drawn, 1);
  __syncthreads();
  for (int item = next; item < items; item = next) {
    __syncthreads();  // everybody has read `next`
    if (threadIdx.x == 0) next = atomicAdd(w.drawn, 1);
    const int group = item / 2 / slices, slice = item / 2 % slices;
    const Index begin = static_cast<Index>(slice) * slice_vectors;
    const Index end = begin + slice_vectors < P::kVectors ? begin + slice_vectors : P::kVectors;
    const int r = item % 2 == 0 ? group : group - lag;
    if (r >= 0 && r < rows) {
      if (item % 2 == 0) {
        kw_woven_reduce<kThreads, kItems>(p, w, static_cast<Index>(r), slice, slices, begin, end);
      } else {
        kw_woven_apply<kThreads, kItems>(p, w, static_cast<Index>(r), slice, slices, begin, end);
      }
    }
    __syncthreads();
  }
}
