// stream: one pass over a flat iteration space. F is generated from the region:
//   F::Inputs                         what one vector of elements reads
//   f.load(u, inputs)                 reads for vector u (elements u*V .. u*V+V-1)
//   f.store(u, inputs)                computes and writes them
//   f.point(i)                        one element, for the tail
// Each thread has kItems vectors of loads in flight before it computes. Neighbouring threads touch
// neighbouring vectors.
template <int kBlock, int kItems, class Index, class F>
__device__ __forceinline__ void kw_stream(const F& f, Index vectors, Index tail_begin,
                                          Index count) {
  const Index begin = static_cast<Index>(blockIdx.x) * (kBlock * kItems) + threadIdx.x;
  typename F::Inputs inputs[kItems];
  if (begin + (kItems - 1) * kBlock < vectors) {
#pragma unroll
    for (int j = 0; j < kItems; ++j) f.load(begin + j * kBlock, inputs[j]);
#pragma unroll
    for (int j = 0; j < kItems; ++j) f.store(begin + j * kBlock, inputs[j]);
  } else {
#pragma unroll 1
    for (int j = 0; j < kItems; ++j) {
      const Index u = begin + j * kBlock;
      if (u >= vectors) break;
      f.load(u, inputs[0]);
      f.store(u, inputs[0]);
    }
  }
  if (blockIdx.x == gridDim.x - 1) {
    for (Index i = tail_begin + threadIdx.x; i < count; i += kBlock) f.point(i);
  }
}
