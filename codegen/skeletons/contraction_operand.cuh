// Operands of a contraction, as every contraction kernel sees them: batch x rows x k in FP32, where
// "rows" are the rows of A (m) or the columns of B (n). An operand type gives
//   kRunsAlongK   neighbouring elements in memory are neighbours in k (else: in rows)
//   kQuads        four neighbours may be read by one aligned 16-byte load
//   kInMemory      the elements lie in memory as FP32: they have an address(batch, row, k)
//   at(batch, row, k)     one element
//   quad(batch, row, k)   address of four, only where kQuads
// Operands whose accessor is affine are Strided; any other accessor is wrapped in Accessed.

namespace kw {

template <bool RunsAlongK, bool Quads>
struct Strided {
  static constexpr bool kRunsAlongK = RunsAlongK;
  static constexpr bool kQuads = Quads;
  static constexpr bool kInMemory = true;
  const float* __restrict__ base;
  long long batch_stride, row_stride, k_stride;  // in elements; one of the last two is often 1

  __device__ __forceinline__ const float* address(int batch, int row, int k) const {
    return base + batch * batch_stride +
           (RunsAlongK ? row * row_stride : row * (Quads ? 1 : row_stride)) +
           (RunsAlongK ? k * (Quads ? 1 : k_stride) : k * k_stride);
  }
  __device__ __forceinline__ float at(int batch, int row, int k) const {
    return __ldg(address(batch, row, k));
  }
  __device__ __forceinline__ const float4* quad(int batch, int row, int k) const {
    return reinterpret_cast<const float4*>(address(batch, row, k));
  }
};

// `Function` is a generated functor: float operator()(batch, row, k).
template <class Function, bool RunsAlongK>
struct Accessed {
  static constexpr bool kRunsAlongK = RunsAlongK;
  static constexpr bool kQuads = false;
  static constexpr bool kInMemory = false;
  Function function;

  __device__ __forceinline__ float at(int batch, int row, int k) const {
    return function(batch, row, k);
  }
  __device__ __forceinline__ const float4* quad(int, int, int) const { return nullptr; }
};

// Four neighbours along the operand's running axis, zero outside rows x k. `Once`: nobody reads
// them again, so they should not push other data out of L2.
template <bool Once, class Operand>
__device__ __forceinline__ float4 load_quad(const Operand& operand, int batch, int row, int k,
                                            int rows, int k_end) {
  const int along = Operand::kRunsAlongK ? k : row;
  const int limit = Operand::kRunsAlongK ? k_end : rows;
  const bool inside = Operand::kRunsAlongK ? row < rows : k < k_end;
  float4 v = make_float4(0.f, 0.f, 0.f, 0.f);
  if (!inside) return v;
  if (Operand::kQuads) {  // extents along the axis are multiples of 4 then
    if (along < limit) {
      const float4* quad = operand.quad(batch, row, k);
      v = Once ? __ldcs(quad) : __ldg(quad);
    }
    return v;
  }
  constexpr int dr = Operand::kRunsAlongK ? 0 : 1, dk = 1 - dr;
  if (along + 0 < limit) v.x = operand.at(batch, row, k);
  if (along + 1 < limit) v.y = operand.at(batch, row + dr, k + dk);
  if (along + 2 < limit) v.z = operand.at(batch, row + 2 * dr, k + 2 * dk);
  if (along + 3 < limit) v.w = operand.at(batch, row + 3 * dr, k + 3 * dk);
  return v;
}

// The tile of one thread block: blocks that run together share rows and columns in L2. Columns of
// tiles are taken `kRaster` row tiles at a time.
struct TileIndex {
  int m, n;
};
__device__ __forceinline__ TileIndex rasterise(int index, int m_tiles, int n_tiles) {
  constexpr int kRaster = 8;
  const int per_band = kRaster * n_tiles, band = index / per_band, rest = index % per_band;
  const int height = min(kRaster, m_tiles - band * kRaster);
  return {band * kRaster + rest % height, rest / height};
}

}  // namespace kw
