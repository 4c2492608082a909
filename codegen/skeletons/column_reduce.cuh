// row_reduce, rows across memory: neighbouring threads take neighbouring rows (kWidth rows a
// thread), kY threads share a row. Here vector v holds rows v*kWidth .. and Inputs are the kWidth
// elements at place q. Beside what row_reduce.cuh lists: P::kColumns, elements of a row.

template <int kX, int kY, int kWidth, class State>
__device__ __forceinline__ void kw_over_y(State (&state)[kWidth]) {
  if constexpr (kY > 1) {
    __shared__ State all[kY][kX * kWidth];
    const int x = threadIdx.x % kX, y = threadIdx.x / kX;
    __syncthreads();  // the array may still be read from the phase before
#pragma unroll
    for (int w = 0; w < kWidth; ++w) all[y][w * kX + x] = state[w];
    __syncthreads();
#pragma unroll
    for (int w = 0; w < kWidth; ++w) {
      state[w] = all[0][w * kX + x];
#pragma unroll
      for (int i = 1; i < kY; ++i) state[w].merge(all[i][w * kX + x]);
    }
  }
}

/// kItems elements of each of the thread's rows join.
template <int kPhase, int kItems, int kStep, class P, class State, class Index>
__device__ __forceinline__ void kw_add_columns(const P& p, const typename P::Inputs (&in)[kItems],
                                               const typename P::Row (&rows)[P::kWidth], Index q,
                                               Index v, State (&state)[P::kWidth]) {
#pragma unroll
  for (int w = 0; w < P::kWidth; ++w) {
    if constexpr (State::kOrdered) {
#pragma unroll
      for (int j = 0; j < kItems; ++j) {
        const float x[1] = {p.value(KwPhase<kPhase>{}, in[j], w, rows[w], q + j * kStep, v)};
        state[w].add(x, q + j * kStep);
      }
    } else {
      float x[kItems];
#pragma unroll
      for (int j = 0; j < kItems; ++j) {
        x[j] = p.value(KwPhase<kPhase>{}, in[j], w, rows[w], q + j * kStep, v);
      }
      state[w].add(x, 0);
    }
  }
}

template <int kPhase, class P, class State, class Index>
__device__ __forceinline__ void kw_add_column(const P& p, const typename P::Inputs& in,
                                              const typename P::Row (&rows)[P::kWidth], Index q,
                                              Index v, State (&state)[P::kWidth]) {
#pragma unroll
  for (int w = 0; w < P::kWidth; ++w) {
    const float x[1] = {p.value(KwPhase<kPhase>{}, in, w, rows[w], q, v)};
    state[w].add(x, q);
  }
}

template <int kPhase, int kX, int kY, class P, class State>
__device__ __forceinline__ void kw_finish_columns(const P& p, State (&state)[P::kWidth],
                                                  typename P::Row (&rows)[P::kWidth]) {
  kw_over_y<kX, kY>(state);
#pragma unroll
  for (int w = 0; w < P::kWidth; ++w) p.finish(KwPhase<kPhase>{}, state[w], rows[w]);
}

template <int kPhase, int kX, int kY, int kItems, class P, class Index>
__device__ __forceinline__ void kw_held_columns(const P& p, const typename P::Inputs (&in)[kItems],
                                                typename P::Row (&rows)[P::kWidth], Index q,
                                                Index v, bool active) {
  if constexpr (kPhase < P::kPhases) {
    using State = decltype(p.state(KwPhase<kPhase>{}));
    State state[P::kWidth];
#pragma unroll
    for (int w = 0; w < P::kWidth; ++w) state[w] = p.state(KwPhase<kPhase>{});
    if (active) {
#pragma unroll
      for (int j = 0; j < kItems; ++j) {
        if (P::kColumns == kItems * kY || q + j * kY < P::kColumns) {
          kw_add_column<kPhase>(p, in[j], rows, q + j * kY, v, state);
        }
      }
    }
    kw_finish_columns<kPhase, kX, kY>(p, state, rows);
    kw_held_columns<kPhase + 1, kX, kY, kItems>(p, in, rows, q, v, active);
  }
}

template <class P, class Index>
__device__ __forceinline__ void kw_store_singles(const P& p,
                                                 const typename P::Row (&rows)[P::kWidth], Index v) {
#pragma unroll
  for (int w = 0; w < P::kWidth; ++w) p.store_single(rows[w], v * P::kWidth + w);
}

/// Every row stays in the registers of its kY threads: read once.
template <int kX, int kY, int kItems, class Index, class P>
__device__ __forceinline__ void kw_columns_held(const P& p, Index vectors) {
  const Index v = static_cast<Index>(blockIdx.x) * kX + threadIdx.x % kX;
  const Index q = threadIdx.x / kX;
  const bool active = v < vectors;
  typename P::Inputs in[kItems];
  if (active) {
#pragma unroll
    for (int j = 0; j < kItems; ++j) {
      if (P::kColumns == kItems * kY || q + j * kY < P::kColumns) p.load(q + j * kY, v, in[j]);
    }
  }
  typename P::Row rows[P::kWidth];
  kw_held_columns<0, kX, kY, kItems>(p, in, rows, q, v, active);
  if (!active) return;
  if constexpr (P::kMapped) {
#pragma unroll
    for (int j = 0; j < kItems; ++j) {
      if (P::kColumns == kItems * kY || q + j * kY < P::kColumns) {
        typename P::Late late;
        p.load_late(q + j * kY, v, late);
        p.store(in[j], late, rows, q + j * kY, v);
      }
    }
  }
  if constexpr (P::kSingle) {
    if (q == 0) kw_store_singles(p, rows, v);
  }
}

/// One phase over q = begin + y, + kY, ... below end, kItems of them in flight.
template <int kPhase, int kY, int kItems, class P, class State, class Index>
__device__ __forceinline__ void kw_column_pass(const P& p,
                                               const typename P::Row (&rows)[P::kWidth], Index v,
                                               Index begin, Index end, State (&state)[P::kWidth]) {
  Index q = begin;
  typename P::Inputs in[kItems];
#pragma unroll 1
  for (; q + (kItems - 1) * kY < end; q += kItems * kY) {
#pragma unroll
    for (int j = 0; j < kItems; ++j) p.load(q + j * kY, v, in[j]);
    kw_add_columns<kPhase, kItems, kY>(p, in, rows, q, v, state);
  }
#pragma unroll 1
  for (; q < end; q += kY) {
    p.load(q, v, in[0]);
    kw_add_column<kPhase>(p, in[0], rows, q, v, state);
  }
}

template <int kPhase, int kX, int kY, int kItems, class P, class Index>
__device__ __forceinline__ void kw_looped_columns(const P& p, typename P::Row (&rows)[P::kWidth],
                                                  Index v, bool active) {
  if constexpr (kPhase < P::kPhases) {
    using State = decltype(p.state(KwPhase<kPhase>{}));
    State state[P::kWidth];
#pragma unroll
    for (int w = 0; w < P::kWidth; ++w) state[w] = p.state(KwPhase<kPhase>{});
    const Index y = threadIdx.x / kX;
    if (active) {
      kw_column_pass<kPhase, kY, kItems>(p, rows, v, y, Index(P::kColumns), state);
    }
    kw_finish_columns<kPhase, kX, kY>(p, state, rows);
    kw_looped_columns<kPhase + 1, kX, kY, kItems>(p, rows, v, active);
  }
}

/// Rows too long for registers: read again for every phase and for the outputs.
template <int kX, int kY, int kItems, class Index, class P>
__device__ __forceinline__ void kw_columns_looped(const P& p, Index vectors) {
  const Index v = static_cast<Index>(blockIdx.x) * kX + threadIdx.x % kX;
  const Index y = threadIdx.x / kX;
  const bool active = v < vectors;
  typename P::Row rows[P::kWidth];
  kw_looped_columns<0, kX, kY, kItems>(p, rows, v, active);
  if (!active) return;
  if constexpr (P::kMapped) {
#pragma unroll 4
    for (Index q = y; q < P::kColumns; q += kY) {
      typename P::Late late;
      p.load_late(q, v, late);
      p.store(late, rows, q, v);
    }
  }
  if constexpr (P::kSingle) {
    if (y == 0) kw_store_singles(p, rows, v);
  }
}

/// Few long rows: slices of them by different blocks, states [slice][row]. One phase.
template <int kX, int kY, int kItems, class Index, class P>
__device__ __forceinline__ void kw_columns_split(const P& p, Index vectors, Index slice_columns) {
  const Index v = static_cast<Index>(blockIdx.x) * kX + threadIdx.x % kX;
  const bool active = v < vectors;
  using State = decltype(p.state(KwPhase<0>{}));
  State state[P::kWidth];
#pragma unroll
  for (int w = 0; w < P::kWidth; ++w) state[w] = p.state(KwPhase<0>{});
  const Index begin = blockIdx.y * slice_columns;
  const Index end = begin + slice_columns < P::kColumns ? begin + slice_columns : P::kColumns;
  typename P::Row rows[P::kWidth];
  if (active) {
    kw_column_pass<0, kY, kItems>(p, rows, v, begin + static_cast<Index>(threadIdx.x / kX), end, state);
  }
  kw_over_y<kX, kY>(state);
  if (!active || threadIdx.x >= kX) return;
#pragma unroll
  for (int w = 0; w < P::kWidth; ++w) {
    p.partials(KwPhase<0>{})[(static_cast<long long>(blockIdx.y) * vectors + v) * P::kWidth + w] =
        state[w];
  }
}

/// One thread a row merges its slices in order.
template <int kThreads, class Index, class P>
__device__ __forceinline__ void kw_columns_merge(const P& p, Index rows, int slices) {
  const Index r = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (r >= rows) return;
  auto state = p.state(KwPhase<0>{});
  for (int s = 0; s < slices; ++s) {
    state.merge(p.partials(KwPhase<0>{})[static_cast<long long>(s) * rows + r]);
  }
  typename P::Row row;
  p.finish(KwPhase<0>{}, state, row);
  p.store_single(row, r);
}
