// row_reduce, rows along memory: kThreads threads share a row, neighbouring threads read
// neighbouring vectors. P is generated from the region:
//   P::Inputs, P::Late, P::Row          what a vector reads for the phases; for the outputs only;
//                                       the results of a row
//   P::kPhases, P::kVectors, P::kWidth  reductions, vectors of a row, elements of a vector
//   P::kMapped, P::kSingle              has outputs for every element, for every row
//   p.load(r, u, inputs)  p.load_late(r, u, late)
//   p.value(KwPhase<i>, inputs, lane, row, r, u)   what phase i reduces
//   p.state(KwPhase<i>)  p.finish(KwPhase<i>, state, row)
//   p.store(inputs, late, rows, r, u)  p.store_single(row, r)

/// One vector's values join a state.
template <int kPhase, class P, class State, class Index>
__device__ __forceinline__ void kw_add_vector(const P& p, const typename P::Inputs& in,
                                              const typename P::Row& row, Index r, Index u,
                                              State& state) {
  float x[P::kWidth];
#pragma unroll
  for (int w = 0; w < P::kWidth; ++w) x[w] = p.value(KwPhase<kPhase>{}, in, w, row, r, u);
  state.add(x, static_cast<long long>(u) * P::kWidth);
}

/// kItems vectors, kStep apart, join together: one division or exponential serves them all.
template <int kPhase, int kItems, int kStep, class P, class State, class Index>
__device__ __forceinline__ void kw_add_vectors(const P& p, const typename P::Inputs (&in)[kItems],
                                               const typename P::Row& row, Index r, Index u,
                                               State& state) {
  if constexpr (State::kOrdered) {
#pragma unroll
    for (int j = 0; j < kItems; ++j) {
      kw_add_vector<kPhase>(p, in[j], row, r, u + j * kStep, state);
    }
  } else {
    float x[kItems * P::kWidth];
#pragma unroll
    for (int j = 0; j < kItems; ++j) {
#pragma unroll
      for (int w = 0; w < P::kWidth; ++w) {
        x[j * P::kWidth + w] = p.value(KwPhase<kPhase>{}, in[j], w, row, r, u + j * kStep);
      }
    }
    state.add(x, 0);
  }
}

template <int kPhase, int kThreads, int kItems, class P, class Index>
__device__ __forceinline__ void kw_held_phases(const P& p,
                                               const typename P::Inputs (&in)[kItems],
                                               typename P::Row& row, Index r, int t) {
  if constexpr (kPhase < P::kPhases) {
    auto state = p.state(KwPhase<kPhase>{});
#pragma unroll
    for (int j = 0; j < kItems; ++j) {
      const Index u = t + j * kThreads;
      if (P::kVectors == kItems * kThreads || u < P::kVectors) {
        kw_add_vector<kPhase>(p, in[j], row, r, u, state);
      }
    }
    p.finish(KwPhase<kPhase>{}, kw_over_threads<kThreads>(state), row);
    kw_held_phases<kPhase + 1, kThreads, kItems>(p, in, row, r, t);
  }
}

/// The row stays in registers: it is read once, whatever the number of phases.
template <int kThreads, int kRows, int kItems, class Index, class P>
__device__ __forceinline__ void kw_rows_held(const P& p, Index rows) {
  const int t = threadIdx.x % kThreads;
  const Index own = static_cast<Index>(blockIdx.x) * kRows + threadIdx.x / kThreads;
  const bool active = own < rows;
  // Idle threads go along with the shuffles; what they read behind a condition is row 0's.
  const Index r = active ? own : Index(0);
  typename P::Inputs in[kItems];
#pragma unroll
  for (int j = 0; j < kItems; ++j) {
    const Index u = t + j * kThreads;
    if (active && (P::kVectors == kItems * kThreads || u < P::kVectors)) p.load(r, u, in[j]);
  }
  typename P::Row row;
  kw_held_phases<0, kThreads, kItems>(p, in, row, r, t);
  if (!active) return;
  if constexpr (P::kMapped) {
    typename P::Late late[kItems];
#pragma unroll
    for (int j = 0; j < kItems; ++j) {
      const Index u = t + j * kThreads;
      if (P::kVectors == kItems * kThreads || u < P::kVectors) p.load_late(r, u, late[j]);
    }
#pragma unroll
    for (int j = 0; j < kItems; ++j) {
      const Index u = t + j * kThreads;
      if (P::kVectors == kItems * kThreads || u < P::kVectors) p.store(in[j], late[j], {row}, r, u);
    }
  }
  if constexpr (P::kSingle) {
    if (t == 0) p.store_single(row, r);
  }
}

/// One phase over vectors begin + t, + kThreads, ... below end, kItems of them in flight.
template <int kPhase, int kThreads, int kItems, class P, class State, class Index>
__device__ __forceinline__ void kw_pass(const P& p, const typename P::Row& row, Index r,
                                        Index begin, Index end, State& state) {
  Index u = begin + threadIdx.x;
  typename P::Inputs in[kItems];
#pragma unroll 1
  for (; u + (kItems - 1) * kThreads < end; u += kItems * kThreads) {
#pragma unroll
    for (int j = 0; j < kItems; ++j) p.load(r, u + j * kThreads, in[j]);
    kw_add_vectors<kPhase, kItems, kThreads>(p, in, row, r, u, state);
  }
#pragma unroll 1
  for (; u < end; u += kThreads) {
    p.load(r, u, in[0]);
    kw_add_vector<kPhase>(p, in[0], row, r, u, state);
  }
}

/// The mapped outputs of the same vectors. `ready` fills in the row once the first loads are in
/// flight.
template <int kThreads, int kItems, class P, class Index, class Ready>
__device__ __forceinline__ void kw_apply(const P& p, typename P::Row& row, Index r, Index begin,
                                         Index end, const Ready& ready) {
  Index u = begin + threadIdx.x;
  typename P::Late late[kItems];
  const bool whole = begin + kItems * kThreads <= end;  // the same for the whole block
  if (whole) {
#pragma unroll
    for (int j = 0; j < kItems; ++j) p.load_late(r, u + j * kThreads, late[j]);
  }
  ready(row);
  if (whole) {
#pragma unroll 1
    for (;;) {
#pragma unroll
      for (int j = 0; j < kItems; ++j) p.store(late[j], {row}, r, u + j * kThreads);
      u += kItems * kThreads;
      if (u + (kItems - 1) * kThreads >= end) break;
#pragma unroll
      for (int j = 0; j < kItems; ++j) p.load_late(r, u + j * kThreads, late[j]);
    }
  }
#pragma unroll 1
  for (; u < end; u += kThreads) {
    p.load_late(r, u, late[0]);
    p.store(late[0], {row}, r, u);
  }
}

template <int kPhase, int kThreads, int kItems, class P, class Index>
__device__ __forceinline__ void kw_looped_phases(const P& p, typename P::Row& row, Index r) {
  if constexpr (kPhase < P::kPhases) {
    auto state = p.state(KwPhase<kPhase>{});
    kw_pass<kPhase, kThreads, kItems>(p, row, r, Index(0), Index(P::kVectors), state);
    p.finish(KwPhase<kPhase>{}, kw_over_threads<kThreads>(state), row);
    kw_looped_phases<kPhase + 1, kThreads, kItems>(p, row, r);
  }
}

/// One block a row, which is read again for every phase and for the outputs.
template <int kThreads, int kItems, class Index, class P>
__device__ __forceinline__ void kw_rows_looped(const P& p) {
  const Index r = static_cast<Index>(blockIdx.x);
  typename P::Row row;
  kw_looped_phases<0, kThreads, kItems>(p, row, r);
  if constexpr (P::kMapped) {
    kw_apply<kThreads, kItems>(p, row, r, Index(0), Index(P::kVectors), [](typename P::Row&) {});
  }
  if constexpr (P::kSingle) {
    if (threadIdx.x == 0) p.store_single(row, r);
  }
}
