// encode: 4 elements a lane, kBlock / 4 lanes a block, so that a warp reads 16 bytes a lane
// coalesced and a block's magnitude is a few shuffles. E is generated from the region:
//   e.load(row, k, x)   elements k..k+3 of a row, zeros past its end
//   e.factor()          the tensor's factor (1 where the format has none)
// A group of lanes takes kTogether consecutive blocks of a row: as many as share a byte of zero
// points.
template <class F, int kThreads, class Index, class E>
__device__ __forceinline__ void kw_encode(const E& e, Index rows, unsigned char* codes,
                                          typename F::Scale* scales, unsigned char* zeros) {
  constexpr int kLanes = F::kBlock / 4;
  constexpr int kTogether = F::kZeros ? 8 / F::kBits : 1;
  constexpr Index kUnits = (static_cast<Index>(F::kRowScales) + kTogether - 1) / kTogether;
  const Index unit = static_cast<Index>(blockIdx.x) * (kThreads / kLanes) + threadIdx.x / kLanes;
  const int lane = threadIdx.x % kLanes;
  const bool active = unit < rows * kUnits;
  const Index row = active ? unit / kUnits : 0;
  const Index first = active ? (unit % kUnits) * kTogether : 0;

  float x[kTogether][4];
#pragma unroll
  for (int t = 0; t < kTogether; ++t) e.load(row, (first + t) * F::kBlock + lane * 4, x[t]);
  const float g = e.factor();
  unsigned int packed_zeros = 0;
#pragma unroll
  for (int t = 0; t < kTogether; ++t) {
    unsigned int magnitude = 0;
    float low = 0.0f, high = 0.0f;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      magnitude = max(magnitude, __float_as_uint(x[t][i]) & 0x7fffffffu);
      low = fminf(low, x[t][i]);
      high = fmaxf(high, x[t][i]);
    }
#pragma unroll
    for (int step = kLanes / 2; step > 0; step /= 2) {
      magnitude = max(magnitude, __shfl_xor_sync(0xffffffffu, magnitude, step));
      if constexpr (F::kRule >= 3) {
        low = fminf(low, __shfl_xor_sync(0xffffffffu, low, step));
        high = fmaxf(high, __shfl_xor_sync(0xffffffffu, high, step));
      }
    }
    const KwEncodeScale scale = kw_encode_scale<F>(magnitude, low, high, g);
    unsigned int word = 0;
#pragma unroll
    for (int i = 0; i < 4; ++i) word |= kw_encode_element<F>(x[t][i], scale) << (F::kBits * i);
    const Index block = first + t;
    if (active && block < static_cast<Index>(F::kRowScales)) {
      using Word = typename KwWord<F::kBits / 2>::type;
      reinterpret_cast<Word*>(codes + row * static_cast<Index>(F::kRowBytes))[block * kLanes + lane] =
          static_cast<Word>(word);
      if (lane == 0) kw_store_scale<F>(scales, row * static_cast<Index>(F::kRowScales) + block, scale.stored);
      packed_zeros |= static_cast<unsigned int>(scale.zero) << (F::kBits * t);
    }
  }
  if constexpr (F::kZeros) {
    if (active && lane == 0) {
      zeros[row * static_cast<Index>(F::kRowZeros) + first / kTogether] = static_cast<unsigned char>(packed_zeros);
    }
  }
}
