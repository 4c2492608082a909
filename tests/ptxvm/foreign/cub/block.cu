// Block- and warp-wide algorithms of CUB, each in a kernel of its own.
#include <cub/block/block_discontinuity.cuh>
#include <cub/block/block_exchange.cuh>
#include <cub/block/block_histogram.cuh>
#include <cub/block/block_merge_sort.cuh>
#include <cub/block/block_radix_sort.cuh>
#include <cub/block/block_reduce.cuh>
#include <cub/block/block_scan.cuh>
#include <cub/warp/warp_merge_sort.cuh>
#include <cub/warp/warp_reduce.cuh>
#include <cub/warp/warp_scan.cuh>

constexpr int kThreads = 128, kItems = 3;

template <cub::BlockReduceAlgorithm algorithm>
__device__ void reduce(const int* in, int* out) {
  using Reduce = cub::BlockReduce<int, kThreads, algorithm>;
  __shared__ typename Reduce::TempStorage storage;
  const int valid = 100;
  const int sum = Reduce(storage).Sum(in[blockIdx.x * kThreads + threadIdx.x]);
  __syncthreads();
  const int largest = Reduce(storage).Reduce(
      in[blockIdx.x * kThreads + threadIdx.x], [](int a, int b) { return a > b ? a : b; }, valid);
  if (threadIdx.x == 0) {
    out[2 * blockIdx.x] = sum;
    out[2 * blockIdx.x + 1] = largest;
  }
}
extern "C" __global__ void reduce_warps(const int* in, int* out) {
  reduce<cub::BLOCK_REDUCE_WARP_REDUCTIONS>(in, out);
}
extern "C" __global__ void reduce_raking(const int* in, int* out) {
  reduce<cub::BLOCK_REDUCE_RAKING>(in, out);
}
extern "C" __global__ void reduce_commutative(const int* in, int* out) {
  reduce<cub::BLOCK_REDUCE_RAKING_COMMUTATIVE_ONLY>(in, out);
}

template <cub::BlockScanAlgorithm algorithm>
__device__ void scan(const int* in, int* exclusive, int* inclusive_maximum) {
  using Scan = cub::BlockScan<int, kThreads, algorithm>;
  __shared__ typename Scan::TempStorage storage;
  int items[kItems], sums[kItems], maxima[kItems];
  for (int i = 0; i < kItems; ++i) items[i] = in[threadIdx.x * kItems + i];
  Scan(storage).ExclusiveSum(items, sums);
  __syncthreads();
  Scan(storage).InclusiveScan(items, maxima, [](int a, int b) { return a > b ? a : b; });
  for (int i = 0; i < kItems; ++i) {
    exclusive[threadIdx.x * kItems + i] = sums[i];
    inclusive_maximum[threadIdx.x * kItems + i] = maxima[i];
  }
}
extern "C" __global__ void scan_raking(const int* in, int* a, int* b) {
  scan<cub::BLOCK_SCAN_RAKING>(in, a, b);
}
extern "C" __global__ void scan_memoize(const int* in, int* a, int* b) {
  scan<cub::BLOCK_SCAN_RAKING_MEMOIZE>(in, a, b);
}
extern "C" __global__ void scan_warps(const int* in, int* a, int* b) {
  scan<cub::BLOCK_SCAN_WARP_SCANS>(in, a, b);
}

extern "C" __global__ void radix_sort(const float* in, float* keys_out, int* values_out) {
  using Sort = cub::BlockRadixSort<float, kThreads, kItems, int>;
  __shared__ typename Sort::TempStorage storage;
  float keys[kItems];
  int values[kItems];
  for (int i = 0; i < kItems; ++i) {
    values[i] = threadIdx.x * kItems + i;
    keys[i] = in[values[i]];
  }
  Sort(storage).SortDescending(keys, values);
  for (int i = 0; i < kItems; ++i) {
    keys_out[threadIdx.x * kItems + i] = keys[i];
    values_out[threadIdx.x * kItems + i] = values[i];
  }
}

extern "C" __global__ void merge_sort(const int* in, int* out, int valid) {
  using Sort = cub::BlockMergeSort<int, kThreads, kItems>;
  __shared__ typename Sort::TempStorage storage;
  int keys[kItems];
  for (int i = 0; i < kItems; ++i)
    keys[i] = threadIdx.x * kItems + i < valid ? in[threadIdx.x * kItems + i] : 0;
  Sort(storage).Sort(
      keys, [](int a, int b) { return a < b; }, valid, 0x7fffffff);
  for (int i = 0; i < kItems; ++i)
    if (threadIdx.x * kItems + i < valid) out[threadIdx.x * kItems + i] = keys[i];
}

template <cub::BlockHistogramAlgorithm algorithm>
__device__ void histogram(const unsigned char* in, unsigned* out) {
  using Histogram = cub::BlockHistogram<unsigned char, kThreads, kItems, 64, algorithm>;
  __shared__ typename Histogram::TempStorage storage;
  __shared__ unsigned bins[64];
  unsigned char items[kItems];
  for (int i = 0; i < kItems; ++i) items[i] = in[threadIdx.x * kItems + i];
  Histogram(storage).Histogram(items, bins);
  __syncthreads();
  if (threadIdx.x < 64) out[threadIdx.x] = bins[threadIdx.x];
}
extern "C" __global__ void histogram_atomic(const unsigned char* in, unsigned* out) {
  histogram<cub::BLOCK_HISTO_ATOMIC>(in, out);
}
extern "C" __global__ void histogram_sort(const unsigned char* in, unsigned* out) {
  histogram<cub::BLOCK_HISTO_SORT>(in, out);
}

extern "C" __global__ void exchange_and_heads(const int* in, int* striped, int* heads) {
  using Exchange = cub::BlockExchange<int, kThreads, kItems>;
  using Discontinuity = cub::BlockDiscontinuity<int, kThreads>;
  __shared__ typename Exchange::TempStorage exchange;
  __shared__ typename Discontinuity::TempStorage discontinuity;
  int items[kItems], flags[kItems];
  for (int i = 0; i < kItems; ++i) items[i] = in[threadIdx.x * kItems + i];
  Discontinuity(discontinuity).FlagHeads(flags, items, [](int a, int b) { return a != b; });
  for (int i = 0; i < kItems; ++i) heads[threadIdx.x * kItems + i] = flags[i];
  Exchange(exchange).BlockedToStriped(items, items);
  for (int i = 0; i < kItems; ++i) striped[i * kThreads + threadIdx.x] = items[i];
}

extern "C" __global__ void warps(const double* in, double* sums, double* prefixes,
                                 double* segmented, int* sorted) {
  using Reduce = cub::WarpReduce<double, 16>;  // of half a warp
  using Scan = cub::WarpScan<double>;
  using Sort = cub::WarpMergeSort<int, 2, 32>;
  __shared__ typename Reduce::TempStorage reduce[kThreads / 16];
  __shared__ typename Scan::TempStorage scan[kThreads / 32];
  __shared__ typename cub::WarpReduce<double>::TempStorage segments[kThreads / 32];
  __shared__ typename Sort::TempStorage sort[kThreads / 32];
  const int t = threadIdx.x;
  const double v = in[t];
  const double sum = Reduce(reduce[t / 16]).Sum(v);
  if (t % 16 == 0) sums[t / 16] = sum;
  double prefix;
  Scan(scan[t / 32]).InclusiveSum(v, prefix);
  prefixes[t] = prefix;
  const double head = cub::WarpReduce<double>(segments[t / 32]).HeadSegmentedSum(v, t % 5 == 0);
  if (t % 5 == 0 || t % 32 == 0) segmented[t] = head;
  int keys[2] = {int(v * 1000), int(v * 777) - 3};
  Sort(sort[t / 32]).Sort(keys, [](int a, int b) { return a < b; });
  sorted[2 * t] = keys[0];
  sorted[2 * t + 1] = keys[1];
}
