// row_reduce, long rows: several blocks share a row. Phase i is a kernel that leaves one state for
// each slice; whoever needs the result merges the states of a row's slices, in order. Blocks go
// slice by slice with the rows inside, so that what all rows share (weights) is read once.
//   p.partials(KwPhase<i>)   states [row of the group][slice]

template <int kPhase, int kEnd, int kThreads, class P, class Index>
__device__ __forceinline__ void kw_collect(const P& p, typename P::Row& row, Index row_in_group,
                                           int slices) {
  if constexpr (kPhase < kEnd) {
    const auto* states = p.partials(KwPhase<kPhase>{}) + static_cast<long long>(row_in_group) * slices;
    auto state = p.state(KwPhase<kPhase>{});
    for (int s = threadIdx.x; s < slices; s += kThreads) state.merge(states[s]);
    p.finish(KwPhase<kPhase>{}, kw_over_threads<kThreads>(state), row);
    kw_collect<kPhase + 1, kEnd, kThreads>(p, row, row_in_group, slices);
  }
}

/// Rows first_row .. first_row + group - 1 (fewer at the end); slice_vectors: of one block.
template <int kPhase, int kThreads, int kItems, class Index, class P>
__device__ __forceinline__ void kw_split_reduce(const P& p, Index rows, Index first_row, int group,
                                                int slices, Index slice_vectors) {
  const int slice = blockIdx.x / group, row_in_group = blockIdx.x % group;
  const Index r = first_row + row_in_group;
  if (r >= rows) return;
  typename P::Row row;
  kw_collect<0, kPhase, kThreads>(p, row, row_in_group, slices);
  const Index begin = slice * slice_vectors;
  const Index end = begin + slice_vectors < P::kVectors ? begin + slice_vectors : P::kVectors;
  auto state = p.state(KwPhase<kPhase>{});
  kw_pass<kPhase, kThreads, kItems>(p, row, r, begin, end, state);
  state = kw_over_threads<kThreads>(state);
  if (threadIdx.x == 0) {
    p.partials(KwPhase<kPhase>{})[static_cast<long long>(row_in_group) * slices + slice] = state;
  }
}

/// The outputs, last slices first: those are what the caches still hold.
template <int kThreads, int kItems, class Index, class P>
__device__ __forceinline__ void kw_split_apply(const P& p, Index rows, Index first_row, int group,
                                               int slices, Index slice_vectors) {
  const int block = gridDim.x - 1 - blockIdx.x;
  const int slice = block / group, row_in_group = block % group;
  const Index r = first_row + row_in_group;
  if (r >= rows) return;
  typename P::Row row;
  const auto ready = [&](typename P::Row& result) {
    kw_collect<0, P::kPhases, kThreads>(p, result, row_in_group, slices);
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
