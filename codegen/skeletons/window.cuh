// window: sliding windows of pools and of convolutions with few channels a group. A thread computes
// kTile outputs that lie one above the other; neighbouring threads lie next to each other in memory.
// Each row of the image is read once a thread and joins every output whose window it is in; what
// neighbours share comes from the L1 cache. F is generated from the region:
//   F::Value, F::At          type of sums and extrema; the place of a thread's first output
//   f.at(n)                  place of thread n; At::count of its outputs exist
//   F::kTile, kStride, kStep, kTaps
//                            output j's tap t meets row j * kStride + t * kStep
//   F::kInner, F::kOuter     the other taps: unrolled, and in a loop (channels, planes)
//   f.left(at, i, a, b)      the image at row i, inner tap a, outer tap b
//   f.right(at, t, a, b)     the weight, if F::kWeighted
//   F::empty(), F::join(sum, left, right)
//   f.store(at, j, value)

template <class F>
struct KwRows {
  static constexpr int kReach = F::kStep * (F::kTaps - 1);
  static constexpr int kFirst = kReach < 0 ? kReach : 0;
  static constexpr int kLast = F::kStride * (F::kTile - 1) + (kReach > 0 ? kReach : 0);
  /// Whether any output's window has the row.
  __device__ static constexpr bool met(int i) {
    for (int j = 0; j < F::kTile; ++j) {
      for (int t = 0; t < F::kTaps; ++t) {
        if (j * F::kStride + t * F::kStep == i) return true;
      }
    }
    return false;
  }
  /// The last row that the first `count` outputs meet.
  __device__ static constexpr int last(int count) {
    return F::kStride * (count - 1) + (kReach > 0 ? kReach : 0);
  }
};

template <int kBlock, class Index, class F>
__device__ __forceinline__ void kw_window(const F& f, Index threads) {
  using Value = typename F::Value;
  using Rows = KwRows<F>;
  const Index n = static_cast<Index>(blockIdx.x) * kBlock + threadIdx.x;
  if (n >= threads) return;
  const typename F::At at = f.at(n);
  const int last = F::kEven ? Rows::kLast : Rows::last(at.count);
  Value sum[F::kTile];
#pragma unroll
  for (int j = 0; j < F::kTile; ++j) sum[j] = F::empty();
#pragma unroll 1
  for (int b = 0; b < F::kOuter; ++b) {
    Value weight[F::kWeighted ? F::kTaps : 1][F::kInner];
    if constexpr (F::kWeighted) {
#pragma unroll
      for (int t = 0; t < F::kTaps; ++t) {
#pragma unroll
        for (int a = 0; a < F::kInner; ++a) weight[t][a] = f.right(at, t, a, b);
      }
    }
#pragma unroll
    for (int i = Rows::kFirst; i <= Rows::kLast; ++i) {
      if (!Rows::met(i)) continue;
      Value x[F::kInner];
#pragma unroll
      for (int a = 0; a < F::kInner; ++a) {
        x[a] = F::kEven || i <= last ? f.left(at, i, a, b) : F::empty();
      }
#pragma unroll
      for (int t = 0; t < F::kTaps; ++t) {
#pragma unroll
        for (int j = 0; j < F::kTile; ++j) {
          if (j * F::kStride + t * F::kStep != i) continue;
#pragma unroll
          for (int a = 0; a < F::kInner; ++a) {
            sum[j] = F::join(sum[j], x[a], weight[F::kWeighted ? t : 0][a]);
          }
        }
      }
    }
  }
#pragma unroll
  for (int j = 0; j < F::kTile; ++j) {
    if (F::kEven || j < at.count) f.store(at, j, sum[j]);
  }
}
