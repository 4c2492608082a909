// row_reduce, long rows: several blocks share a row. Phase i is a kernel that leaves one state for
// each slice; whoever needs the result merges the states of a row's slices, in order. Blocks go
// slice by slice with the rows inside, so that what all rows share (weights) is read once.
//   p.partials(KwPhase<i>)   states [row][slice]

template <int kPhase, int kEnd, int kThreads, class P, class Index>
__device__ __forceinline__ void kw_collect(const P& p, typename P::Row& row, Index r, int slices) {
  if constexpr (kPhase < kEnd) {
    const auto* states = p.partials(KwPhase<kPhase>{}) + static_cast<long long>(r) * slices;
    auto state = p.state(KwPhase<kPhase>{});
    for (int s = threadIdx.x; s < slices; s += kThreads) state.merge(states[s]);
    p.finish(KwPhase<kPhase>{}, kw_over_threads<kThreads>(state), row);
    kw_collect<kPhase + 1, kEnd, kThreads>(p, row, r, slices);
  }
}

/// slice_vectors: of one block.
template <int kPhase, int kThreads, int kItems, class Index, class P>
__device__ __forceinline__ void kw_split_reduce(const P& p, Index rows, int slices,
                                                Index slice_vectors) {
  const Index slice = static_cast<Index>(blockIdx.x) / rows, r = static_cast<Index>(blockIdx.x) % rows;
  typename P::Row row;
  kw_collect<0, kPhase, kThreads>(p, row, r, slices);
  const Index begin = slice * slice_vectors;
  const Index end = begin + slice_vectors < P::kVectors ? begin + slice_vectors : P::kVectors;
  auto state = p.state(KwPhase<kPhase>{});
  kw_pass<kPhase, kThreads, kItems>(p, row, r, begin, end, state);
  state = kw_over_threads<kThreads>(state);
  if (threadIdx.x == 0) {
    p.partials(KwPhase<kPhase>{})[static_cast<long long>(r) * slices + slice] = state;
  }
}

/// The outputs, last slices first: those are what the caches still hold.
template <int kThreads, int kItems, class Index, class P>
__device__ __forceinline__ void kw_split_apply(const P& p, Index rows, int slices,
                                               Index slice_vectors) {
  const Index block = static_cast<Index>(gridDim.x - 1 - blockIdx.x);
  const Index slice = block / rows, r = block % rows;
  typename P::Row row;
  const auto ready = [&](typename P::Row& result) {
    kw_collect<0, P::kPhases, kThreads>(p, result, r, slices);
  };
  if constexpr (P::kMapped) {
    const Index begin = slice * slice_vectors;
    const Index end = begin + slice_vectors < P::kVectors ? begin + slice_vectors : P::kVectors;
    kw_apply<kThreads, kItems>(p, row, r, begin, end, ready);
  } else {
    ready(row);
  }
  if constexpr (P::kSingle) {
    if (slice == 0 && threadIdx.x == 0) p.store_single(row, r);
  }
}
