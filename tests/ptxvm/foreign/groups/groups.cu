// Cooperative groups.
#include <cooperative_groups.h>
#include <cooperative_groups/memcpy_async.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>
namespace cg = cooperative_groups;

extern "C" __global__ void tiles(const int* in, int* sums, int* shuffled, int* prefixes,
                                 unsigned* odd) {
  const auto block = cg::this_thread_block();
  const auto tile = cg::tiled_partition<8>(block);
  const int v = in[block.thread_rank()];
  const int sum = cg::reduce(tile, v, cg::plus<int>());
  if (tile.thread_rank() == 0) sums[block.thread_rank() / 8] = sum;
  shuffled[block.thread_rank()] =
      tile.shfl_xor(v, 3) + tile.shfl_down(v, 1) * (tile.thread_rank() < 7);
  prefixes[block.thread_rank()] = cg::exclusive_scan(tile, v);
  odd[block.thread_rank()] = tile.ballot(v % 2 != 0) | (tile.any(v == 5) ? 256u : 0u);
}

extern "C" __global__ void runtime_tiles(const int* in, int* sums, int size) {
  const auto block = cg::this_thread_block();
  const auto tile = cg::tiled_partition(block, size);
  extern __shared__ int shared[];
  int* s = shared + block.thread_rank() / size * size;
  s[tile.thread_rank()] = in[block.thread_rank()];
  tile.sync();
  for (int d = tile.size() / 2; d > 0; d /= 2) {
    if ((int)tile.thread_rank() < d) s[tile.thread_rank()] += s[tile.thread_rank() + d];
    tile.sync();
  }
  if (tile.thread_rank() == 0) sums[block.thread_rank() / size] = s[0];
}

// Each group of converged threads takes its places with one atomic.
extern "C" __global__ void compact(const int* in, int* out, int* count, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && in[i] % 3 == 0) {
    const auto group = cg::coalesced_threads();
    int first = 0;
    if (group.thread_rank() == 0) first = atomicAdd(count, (int)group.size());
    out[group.shfl(first, 0) + group.thread_rank()] = in[i];
  }
}

extern "C" __global__ void labels(const int* in, int* sums, unsigned* members) {
  const auto tile = cg::tiled_partition<32>(cg::this_thread_block());
  const int v = in[threadIdx.x];
  const auto equal = cg::labeled_partition(tile, v);
  sums[threadIdx.x] = cg::reduce(equal, v + 1, cg::plus<int>());
  const auto half = cg::binary_partition(tile, v > 2);
  members[threadIdx.x] = half.size() * 100 + half.thread_rank();
}

extern "C" __global__ void async_copy(const float* in, float* out) {
  __shared__ __align__(16) float s[256];
  const auto block = cg::this_thread_block();
  cg::memcpy_async(block, s, in + 256 * blockIdx.x, sizeof s);
  cg::wait(block);
  out[256 * blockIdx.x + threadIdx.x] = s[255 - threadIdx.x];
}

// Two phases of the whole grid, with what other blocks wrote read after the barrier.
extern "C" __global__ void grid_phases(const int* in, int* scratch, int* out) {
  const auto grid = cg::this_grid();
  const int i = (int)grid.thread_rank(), n = (int)grid.size();
  int v = in[i];
  for (int phase = 0; phase < 3; ++phase) {
    scratch[phase * n + i] = v;
    grid.sync();
    v += scratch[phase * n + (i + 17) % n];
  }
  out[i] = v;
}
