// row_reduce, rows in shared memory: a row, or the slice of it that a block of a thread block
// cluster holds, is read once whatever the number of phases. The interface is row_reduce.cuh's.

extern __shared__ uint4 kw_shared_row[];

__device__ __forceinline__ void kw_cluster_arrive() {
  asm volatile("barrier.cluster.arrive.release;" ::: "memory");
}
__device__ __forceinline__ void kw_cluster_wait() {
  asm volatile("barrier.cluster.wait.acquire;" ::: "memory");
}
__device__ __forceinline__ int kw_cluster_rank() {
  int rank;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}

/// A copy of what another block of the cluster keeps at the same place of its shared memory.
template <class State>
__device__ __forceinline__ State kw_from_block(const State& here, int rank) {
  static_assert(sizeof(State) % 4 == 0, "states are made of words");
  const unsigned int local = static_cast<unsigned int>(__cvta_generic_to_shared(&here));
  unsigned int remote;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(remote) : "r"(local), "r"(rank));
  State state;
  unsigned int* words = reinterpret_cast<unsigned int*>(&state);
#pragma unroll
  for (int i = 0; i < static_cast<int>(sizeof(State)) / 4; ++i) {
    asm volatile("ld.shared::cluster.u32 %0, [%1];"
                 : "=r"(words[i])
                 : "r"(remote + 4 * i)
                 : "memory");
  }
  return state;
}

/// The state of all blocks of the cluster, the same in every thread.
template <int kPhase, int kCluster, class State>
__device__ __forceinline__ State kw_over_cluster(State state) {
  if constexpr (kCluster > 1) {
    __shared__ State own;
    if (threadIdx.x == 0) own = state;
    kw_cluster_arrive();
    kw_cluster_wait();
    state = kw_over_lanes<kCluster>(kw_from_block(own, threadIdx.x % kCluster));
  }
  return state;
}

template <int kPhase, int kThreads, int kCluster, int kItems, class P, class Index>
__device__ __forceinline__ void kw_shared_phases(const P& p, typename P::Inputs* held,
                                                 typename P::Row& row, Index r, Index first,
                                                 int count) {
  if constexpr (kPhase < P::kPhases) {
    auto state = p.state(KwPhase<kPhase>{});
    int i = threadIdx.x;
    typename P::Inputs in[kItems];
#pragma unroll 1
    for (; i + (kItems - 1) * kThreads < count; i += kItems * kThreads) {
#pragma unroll
      for (int j = 0; j < kItems; ++j) {
        if (kPhase == 0) {
          p.load(r, first + i + j * kThreads, in[j]);
        } else {
          in[j] = held[i + j * kThreads];
        }
      }
      kw_add_vectors<kPhase, kItems, kThreads>(p, in, row, r, first + i, state);
#pragma unroll
      for (int j = 0; j < kItems && kPhase == 0; ++j) held[i + j * kThreads] = in[j];
    }
#pragma unroll 1
    for (; i < count; i += kThreads) {
      if (kPhase == 0) {
        p.load(r, first + i, in[0]);
        held[i] = in[0];
      } else {
        in[0] = held[i];
      }
      kw_add_vector<kPhase>(p, in[0], row, r, first + i, state);
    }
    state = kw_over_threads<kThreads>(state);
    p.finish(KwPhase<kPhase>{}, kw_over_cluster<kPhase, kCluster>(state), row);
    kw_shared_phases<kPhase + 1, kThreads, kCluster, kItems>(p, held, row, r, first, count);
  }
}

/// kCluster blocks a row; slice_vectors of it in each. A thread reads back only what it wrote.
template <int kThreads, int kCluster, int kItems, class Index, class P>
__device__ __forceinline__ void kw_rows_shared(const P& p, int slice_vectors) {
  typename P::Inputs* held = reinterpret_cast<typename P::Inputs*>(kw_shared_row);
  const Index r = static_cast<Index>(blockIdx.x / kCluster);
  int rank = 0;
  if constexpr (kCluster > 1) rank = kw_cluster_rank();
  const Index first = static_cast<Index>(rank) * slice_vectors;
  const Index left = P::kVectors - first;
  const int count = left < slice_vectors ? static_cast<int>(left < 0 ? 0 : left) : slice_vectors;
  typename P::Row row;
  kw_shared_phases<0, kThreads, kCluster, kItems>(p, held, row, r, first, count);
  if constexpr (kCluster > 1) kw_cluster_arrive();  // nobody leaves while its state may be read
  if constexpr (P::kMapped) {
#pragma unroll 4
    for (int i = threadIdx.x; i < count; i += kThreads) {
      typename P::Late late;
      p.load_late(r, first + i, late);
      p.store(held[i], late, {row}, r, first + i);
    }
  }
  if constexpr (P::kSingle) {
    if (threadIdx.x == 0 && rank == 0) p.store_single(row, r);
  }
  if constexpr (kCluster > 1) kw_cluster_wait();
}
