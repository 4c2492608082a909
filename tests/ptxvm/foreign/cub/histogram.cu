// The agent of CUB's device-wide histogram: 64 even bins of floats in [0, 1).
#include <cub/agent/agent_histogram.cuh>
#include <cub/grid/grid_queue.cuh>

constexpr int kBins = 64;

struct EvenBins {
  template <cub::CacheLoadModifier modifier>
  __device__ void BinSelect(float sample, int& bin, bool valid) const {
    if (valid && sample >= 0.0f && sample < 1.0f) bin = int(sample * kBins);
  }
};
struct SameBin {
  template <cub::CacheLoadModifier modifier>
  __device__ void BinSelect(float privatized, int& bin, bool valid) const {
    if (valid) bin = int(privatized);
  }
};

template <bool run_lengths, cub::BlockHistogramMemoryPreference memory>
__device__ void histogram(const float* in, int n, int* bins, int* block_bins) {
  using Policy = cub::AgentHistogramPolicy<128, 4, cub::BLOCK_LOAD_DIRECT, cub::LOAD_LDG,
                                           run_lengths, memory, false>;
  using Agent = cub::detail::histogram::AgentHistogram<Policy, kBins, 1, 1, const float*, int,
                                                       EvenBins, SameBin, int>;
  __shared__ typename Agent::TempStorage storage;
  int count[1] = {kBins};
  int *out[1] = {bins}, *privatized[1] = {block_bins};
  EvenBins decode[1];
  SameBin same[1];
  Agent agent(storage, in, count, count, out, privatized, same, decode);
  agent.InitBinCounters();
  agent.ConsumeTiles(n, 1, n, (n + 511) / 512, cub::GridQueue<int>());
  agent.StoreOutput();
}
extern "C" __global__ void histogram_shared(const float* in, int n, int* bins, int* block_bins) {
  histogram<true, cub::SMEM>(in, n, bins, block_bins);
}
extern "C" __global__ void histogram_global(const float* in, int n, int* bins, int* block_bins) {
  histogram<false, cub::GMEM>(in, n, bins, block_bins);
}
