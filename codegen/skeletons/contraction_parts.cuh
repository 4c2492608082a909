// k divided among thread blocks: each part leaves its sums in a workspace, a second kernel adds the
// parts in a fixed order and applies the epilogue.

namespace kw {

// The epilogue of the first kernel.
struct StorePart {
  static constexpr bool kRunsAlongColumns = true;
  float* __restrict__ sums;  // [part][batch][row][columns rounded up to even]
  int batches, rows;
  __device__ __forceinline__ float2* pair(int part, int batch, int row, int column,
                                          int columns) const {
    const long long line = (static_cast<long long>(part) * batches + batch) * rows + row;
    return reinterpret_cast<float2*>(sums + line * ((columns + 1) / 2 * 2) + column);
  }
  __device__ __forceinline__ void operator()(int part, int batch, int row, int column, int columns,
                                             float x, float y) const {
    if (column < columns) *pair(part, batch, row, column, columns) = make_float2(x, y);
  }
};

// One thread per pair of columns, 256 threads per block.
template <class Epilogue>
__device__ __forceinline__ void add_parts(const StorePart& p, int parts, int columns,
                                          const Epilogue& epilogue) {
  const long long i = blockIdx.x * 256ll + threadIdx.x;
  const int pairs = (columns + 1) / 2;
  if (i >= static_cast<long long>(p.batches) * p.rows * pairs) return;
  const int column = static_cast<int>(i % pairs) * 2;
  const int row = static_cast<int>(i / pairs % p.rows),
            batch = static_cast<int>(i / pairs / p.rows);
  float2 sum = make_float2(0.f, 0.f);
  for (int part = 0; part < parts; ++part) {
    const float2 v = *p.pair(part, batch, row, column, columns);
    sum.x += v.x;
    sum.y += v.y;
  }
  epilogue(0, batch, row, column, columns, sum.x, sum.y);
}

}  // namespace kw
