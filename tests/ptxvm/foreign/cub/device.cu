// The device-wide algorithms of CUB: the agents of its kernels, with small tiles so that many
// blocks take part.
#include <thrust/system/cuda/detail/core/make_load_iterator.h>

#include <cub/agent/agent_merge_sort.cuh>
#include <cub/agent/agent_radix_sort_histogram.cuh>
#include <cub/agent/agent_radix_sort_onesweep.cuh>
#include <cub/agent/agent_reduce.cuh>
#include <cub/agent/agent_scan.cuh>
#include <cub/grid/grid_even_share.cuh>

constexpr int kThreads = 128, kItems = 4;

// A reduction: one value for each block, then one of those.
using ReducePolicy = cub::AgentReducePolicy<kThreads, kItems, float, 4,
                                            cub::BLOCK_REDUCE_WARP_REDUCTIONS, cub::LOAD_LDG>;
extern "C" __global__ void reduce(const float* in, float* out, int n, int per_block) {
  using Agent = cub::detail::reduce::AgentReduce<ReducePolicy, const float*, float*, int,
                                                 cuda::std::plus<>, float>;
  __shared__ typename Agent::TempStorage storage;
  const int first = blockIdx.x * per_block, last = min(n, first + per_block);
  const float sum = Agent(storage, in, cuda::std::plus<>{}).ConsumeRange(first, last);
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

// A scan in one pass: blocks look back for the prefixes of those before them.
using ScanPolicy =
    cub::AgentScanPolicy<kThreads, kItems, int, cub::BLOCK_LOAD_WARP_TRANSPOSE, cub::LOAD_DEFAULT,
                         cub::BLOCK_STORE_WARP_TRANSPOSE, cub::BLOCK_SCAN_WARP_SCANS>;
extern "C" __global__ void scan_init(void* status, int tiles) {
  cub::ScanTileState<int> state;
  state.Init(tiles, status, 0);
  state.InitializeStatus(tiles);
}
extern "C" __global__ void scan(const int* in, int* out, void* status, int n, int tiles) {
  using Agent =
      cub::detail::scan::AgentScan<ScanPolicy, const int*, int*, cuda::std::plus<>, int, int, int>;
  __shared__ typename Agent::TempStorage storage;
  cub::ScanTileState<int> state;
  state.Init(tiles, status, 0);
  Agent(storage, in, out, cuda::std::plus<>{}, 5).ConsumeRange(n, state, 0);
}

// A radix sort in one sweep for each digit.
constexpr int kRadixBits = 6;
using HistogramPolicy =
    cub::AgentRadixSortHistogramPolicy<kThreads, kItems, 1, unsigned, kRadixBits>;
extern "C" __global__ void radix_histogram(unsigned* bins, const unsigned* keys, unsigned n,
                                           int bits) {
  using Agent =
      cub::detail::radix_sort::AgentRadixSortHistogram<HistogramPolicy, false, unsigned, unsigned>;
  __shared__ typename Agent::TempStorage storage;
  Agent(storage, bins, keys, n, 0, bits).Process();
}
using OnesweepPolicy = cub::AgentRadixSortOnesweepPolicy<
    kThreads, kItems, unsigned, 1, cub::RADIX_RANK_MATCH_EARLY_COUNTS_ANY,
    cub::BLOCK_SCAN_WARP_SCANS, cub::RADIX_SORT_STORE_DIRECT, kRadixBits>;
extern "C" __global__ void radix_onesweep(int* lookback, int* counter, unsigned* bins_out,
                                          const unsigned* bins_in, unsigned* keys_out,
                                          const unsigned* keys_in, unsigned* values_out,
                                          const unsigned* values_in, int n, int first_bit,
                                          int bits) {
  using Agent = cub::detail::radix_sort::AgentRadixSortOnesweep<OnesweepPolicy, false, unsigned,
                                                                unsigned, unsigned, int>;
  __shared__ typename Agent::TempStorage storage;
  Agent(storage, lookback, counter, bins_out, bins_in, keys_out, keys_in, values_out, values_in, n,
        first_bit, bits)
      .Process();
}

// A merge sort: sorted tiles, then rounds of merges along partitioned paths.
using MergePolicy = cub::AgentMergeSortPolicy<kThreads, kItems, cub::BLOCK_LOAD_WARP_TRANSPOSE,
                                              cub::LOAD_DEFAULT, cub::BLOCK_STORE_WARP_TRANSPOSE>;
struct Less {
  __device__ bool operator()(int a, int b) const { return a < b; }
};
extern "C" __global__ void merge_tiles(bool ping, int* in, int* out, int n, int* other) {
  using Agent =
      cub::detail::merge_sort::AgentBlockSort<MergePolicy, int*, cub::NullType*, int*,
                                              cub::NullType*, int, Less, int, cub::NullType>;
  __shared__ typename Agent::TempStorage storage;
  Agent(ping, storage,
        THRUST_NS_QUALIFIER::cuda_cub::core::detail::make_load_iterator(MergePolicy(), in),
        THRUST_NS_QUALIFIER::cuda_cub::core::detail::make_load_iterator(MergePolicy(),
                                                                        (cub::NullType*)nullptr),
        n, out, nullptr, other, nullptr, Less())
      .Process();
}
extern "C" __global__ void merge_partition(bool ping, int* a, int* b, int n, int partitions,
                                           int* at, int merged_tiles) {
  const int i = blockDim.x * blockIdx.x + threadIdx.x;
  if (i < partitions)
    cub::detail::merge_sort::AgentPartition<int*, int, Less, int>(
        ping, a, b, n, i, at, Less(), merged_tiles, kThreads * kItems, partitions)
        .Process();
}
extern "C" __global__ void merge(bool ping, int* a, int n, int* b, int* at, int merged_tiles) {
  using Agent = cub::detail::merge_sort::AgentMerge<MergePolicy, int*, cub::NullType*, int, Less,
                                                    int, cub::NullType>;
  __shared__ typename Agent::TempStorage storage;
  using namespace THRUST_NS_QUALIFIER::cuda_cub::core::detail;
  cub::NullType* none = nullptr;
  Agent(ping, storage, make_load_iterator(MergePolicy(), a),
        make_load_iterator(MergePolicy(), none), make_load_iterator(MergePolicy(), b),
        make_load_iterator(MergePolicy(), none), n, b, none, a, none, Less(), at, merged_tiles)
      .Process();
}
