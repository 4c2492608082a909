// FP32 as two FP16 terms: x * 2^s = h + l / 2048, h = fp16(x * 2^s), l = fp16((x * 2^s - h) *
// 2048).
//
// A *granule* shares one power-of-two scale: Group rows x 128 of k (Group is 1 for A, 32 for B).
// The scale brings the largest magnitude into [2^14, 2^15). While the exponents of a granule spread
// by at most 28, every non-zero h is a normal number and |x * 2^s - (h + l / 2048)| <= 2^-22 |x *
// 2^s|; a product of two such operands without the l * l term is off by at most 3 * 2^-22 < 2^-20
// of its magnitude. A granule is *wide* when that does not hold: a larger spread, NaN or Inf, a
// subnormal, or a largest exponent outside +-60 (so that the product of two scales stays
// representable). A wide granule is stored as zeros with scale 0, its block is flagged and counted,
// and its products are computed in FP32 from the operands themselves.
//
// Layout of the terms: [batch][slab of 32 k][row][128 bytes] = 32 h, then 32 l, as eight 16-byte
// chunks; chunk c lies at c ^ (row & 7), so that a tile is one contiguous run in global memory and
// free of bank conflicts in shared memory as it stands. Rows are padded to the main kernel's tile
// and k to 32, with zeros.

namespace kw {

[[maybe_unused]] constexpr int kSlab = 32;    // k per 128-byte line
[[maybe_unused]] constexpr int kSlice = 128;  // k per scale
constexpr int kSplitRows = 64;                // rows per thread block of the split pass
[[maybe_unused]] constexpr int kSplitThreads = 256;
constexpr int kMaxSpread = 28;
constexpr int kMaxExponent = 60;
constexpr float kLowScale = 1.f / 2048.f;

// Two neighbours -> their h and l terms.
__device__ __forceinline__ void split_pair(float x, float y, float scale, unsigned& h,
                                           unsigned& l) {
  x *= scale;
  y *= scale;
  h = pack_half2(x, y);
  float hx, hy;
  unpack_half2(h, hx, hy);
  l = pack_half2((x - hx) * 2048.f, (y - hy) * 2048.f);
}

// Largest magnitude and smallest non-zero one, as bits. `small` holds bits - 1, so that zero, which
// must not count, is the largest unsigned number.
struct Magnitudes {
  unsigned large = 0, small = ~0u;
  __device__ __forceinline__ void take(float x) {
    const unsigned bits = __float_as_uint(x) & 0x7fffffffu;
    large = max(large, bits);
    small = min(small, bits - 1u);
  }
  __device__ __forceinline__ void take(const float4& v) {
    take(v.x), take(v.y), take(v.z), take(v.w);
  }
  __device__ __forceinline__ void take(unsigned other_large, unsigned other_small) {
    large = max(large, other_large);
    small = min(small, other_small);
  }
  __device__ __forceinline__ void across_warp() {
    large = __reduce_max_sync(~0u, large);
    small = __reduce_min_sync(~0u, small);
  }
};

struct SplitScale {
  float up;    // applied to the operand: 2^(14 - e); 0 when wide
  float down;  // undoes it in the main kernel: 2^(e - 14); 0 when wide
};
__device__ __forceinline__ SplitScale split_scale(const Magnitudes& m) {
  if (m.large == 0) return {1.f, 1.f};
  const int exponent = int(m.large >> 23), least = int((m.small + 1u) >> 23);
  if (exponent > 127 + kMaxExponent || exponent < 127 - kMaxExponent ||
      exponent - least > kMaxSpread) {
    return {0.f, 0.f};
  }
  return {__uint_as_float(unsigned(268 - exponent) << 23),
          __uint_as_float(unsigned(exponent - 14) << 23)};
}

// Where an operand's split goes.
struct SplitTarget {
  unsigned char* __restrict__ terms;  // [batch][slabs][rows_padded][128]
  float* __restrict__ scales;         // [batch][slices][rows_padded / Group]
  unsigned char* __restrict__ wide;   // [batch][slices][rows_padded / block], block = 16 or 32 rows
  unsigned* __restrict__ wide_count;  // one word: 16 x 32 x 128 products left to the wide path
  int rows, k, rows_padded;
  int slices, slabs;            // of 128 and of 32 k
  unsigned products_per_block;  // of those, what one flagged block of this operand costs
  bool image = false;  // contraction_image.cuh: scales lie as the first slab's lines do, no flags

  __device__ __forceinline__ unsigned char* line(int batch, int slab, int row) const {
    return terms + ((static_cast<long long>(batch) * slabs + slab) * rows_padded + row) * 128;
  }
  __device__ __forceinline__ long long slice_row(int batch, int slice) const {
    return (static_cast<long long>(batch) * (image ? slabs : slices) +
            (image ? slice * 4 : slice)) *
           rows_padded;
  }
};

// `Staged`: some operand of the launch runs along its rows and is turned round in shared memory.
template <bool Staged>
struct SplitShared {
  uint4 staged[Staged ? 4 * kSplitRows * 8 : 1];
  unsigned large[8][kSplitRows], small[8][kSplitRows];
  unsigned flags;
};

// One tile of 64 rows x 128 k by 256 threads, eight float4 each. `tile` counts tiles of this
// operand; neighbours in `tile` are neighbours along the operand's running axis.
template <int Group, class Operand, class Shared>
__device__ __forceinline__ void split_tile(const Operand& operand, const SplitTarget& out, int tile,
                                           Shared& shared) {
  static_assert(Group == 1 || Group == 32, "one scale per row, or per 32 rows");
  constexpr int kFlagRows = Group == 1 ? 16 : 32;
  constexpr int kFlags = kSplitRows / kFlagRows;
  const int row_tiles = out.rows_padded / kSplitRows;
  const int batch = tile / (row_tiles * out.slices), rest = tile % (row_tiles * out.slices);
  const int slice = Operand::kRunsAlongK ? rest % out.slices : rest / row_tiles;
  const int row0 = (Operand::kRunsAlongK ? rest / out.slices : rest % row_tiles) * kSplitRows;
  const int k0 = slice * kSlice;
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  if (threadIdx.x == 0) shared.flags = 0;

  float4 v[8];
  if constexpr (Operand::kRunsAlongK) {
    // A warp reads eight rows of 128 k; a lane holds four k of each.
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      v[i] = load_quad<true>(operand, batch, row0 + warp * 8 + i, k0 + lane * 4, out.rows, out.k);
    }
    SplitScale shared_scale{};
    if constexpr (Group == 32) {
      Magnitudes m;
#pragma unroll
      for (int i = 0; i < 8; ++i) m.take(v[i]);
      m.across_warp();
      if (lane == 0) shared.large[warp][0] = m.large, shared.small[warp][0] = m.small;
      __syncthreads();
      Magnitudes of_group;
#pragma unroll
      for (int w = 0; w < 4; ++w)
        of_group.take(shared.large[(warp & 4) + w][0], shared.small[(warp & 4) + w][0]);
      shared_scale = split_scale(of_group);
    } else {
      __syncthreads();  // flags are cleared
    }
    unsigned seen = 0;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const int row = warp * 8 + i;
      SplitScale scale = shared_scale;
      if constexpr (Group == 1) {
        Magnitudes m;
        m.take(v[i]);
        m.across_warp();
        scale = split_scale(m);
      }
      if (Group == 1 && lane == 0) {
        out.scales[out.slice_row(batch, slice) + row0 + row] = scale.down;
      }
      const bool is_wide = scale.down == 0.f;
      if (is_wide) seen |= 1u << (row / kFlagRows);
      uint2 h = make_uint2(0u, 0u), l = h;
      if (!is_wide) {
        split_pair(v[i].x, v[i].y, scale.up, h.x, l.x);
        split_pair(v[i].z, v[i].w, scale.up, h.y, l.y);
      }
      const int slab = slice * 4 + (lane >> 3);
      if (slab >= out.slabs) continue;
      unsigned char* line = out.line(batch, slab, row0 + row) + (lane & 1) * 8;
      const int chunk = ((lane & 7) >> 1) ^ (row & 7);
      *reinterpret_cast<uint2*>(line + chunk * 16) = h;
      *reinterpret_cast<uint2*>(line + (chunk ^ 4) * 16) = l;
    }
    if (Group == 32 && lane == 0 && (warp & 3) == 0) {
      out.scales[out.slice_row(batch, slice) / 32 + row0 / 32 + warp / 4] = shared_scale.down;
    }
    if (lane == 0 && seen != 0) atomicOr(&shared.flags, seen);
  } else {
    // A half-warp reads 64 rows at eight k: a lane holds four rows x eight neighbouring k, which is
    // a 16-byte chunk of each row's terms.
    const int row = (lane & 15) * 4, k_in_tile = warp * 16 + (lane >> 4) * 8;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      v[i] = load_quad<true>(operand, batch, row0 + row, k0 + k_in_tile + i, out.rows, out.k);
    }
    Magnitudes m[4];
#pragma unroll
    for (int i = 0; i < 8; ++i)
      m[0].take(v[i].x), m[1].take(v[i].y), m[2].take(v[i].z), m[3].take(v[i].w);
    if constexpr (Group == 32) {
#pragma unroll
      for (int j = 1; j < 4; ++j) m[0].take(m[j].large, m[j].small);
#pragma unroll
      for (int step = 1; step <= 4; step *= 2) {
        m[0].take(__shfl_xor_sync(~0u, m[0].large, step), __shfl_xor_sync(~0u, m[0].small, step));
      }
    }
    constexpr int kPerLane = Group == 1 ? 4 : 1;
#pragma unroll
    for (int j = 0; j < kPerLane; ++j) {
      m[j].take(__shfl_xor_sync(~0u, m[j].large, 16), __shfl_xor_sync(~0u, m[j].small, 16));
    }
    const int group = Group == 1 ? row : row / 32;
    if (lane < 16 && (Group == 1 || (lane & 7) == 0)) {
#pragma unroll
      for (int j = 0; j < kPerLane; ++j) {
        shared.large[warp][group + j] = m[j].large, shared.small[warp][group + j] = m[j].small;
      }
    }
    __syncthreads();
    SplitScale scale[4];
    unsigned seen = 0;
#pragma unroll
    for (int j = 0; j < kPerLane; ++j) {
      Magnitudes all;
#pragma unroll
      for (int w = 0; w < 8; ++w) all.take(shared.large[w][group + j], shared.small[w][group + j]);
      scale[j] = split_scale(all);
      if (scale[j].down == 0.f) seen |= 1u << ((row + j) / kFlagRows);
      if (warp == 0 && lane < 16 && (Group == 1 || (lane & 7) == 0)) {
        out.scales[out.slice_row(batch, slice) / Group + row0 / Group + group + j] = scale[j].down;
      }
    }
    if (warp == 0 && seen != 0) atomicOr(&shared.flags, seen);
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const SplitScale s = scale[Group == 1 ? j : 0];
      uint4 h = make_uint4(0u, 0u, 0u, 0u), l = h;
      if (s.down != 0.f) {
        const auto element = [&](int i) {
          return j == 0 ? v[i].x : j == 1 ? v[i].y : j == 2 ? v[i].z : v[i].w;
        };
        split_pair(element(0), element(1), s.up, h.x, l.x);
        split_pair(element(2), element(3), s.up, h.y, l.y);
        split_pair(element(4), element(5), s.up, h.z, l.z);
        split_pair(element(6), element(7), s.up, h.w, l.w);
      }
      const int line = (k_in_tile >> 5) * kSplitRows + row + j;
      const int chunk = ((k_in_tile & 31) >> 3) ^ ((row + j) & 7);
      shared.staged[line * 8 + chunk] = h;
      shared.staged[line * 8 + (chunk ^ 4)] = l;
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const int piece = i * kSplitThreads + static_cast<int>(threadIdx.x);  // 512 of each slab
      const int slab = slice * 4 + piece / 512;
      if (slab >= out.slabs) break;
      uint4* line = reinterpret_cast<uint4*>(out.line(batch, slab, row0));
      line[piece & 511] = shared.staged[piece];
    }
  }
  __syncthreads();
  if (!out.image && threadIdx.x < kFlags) {
    out.wide[(static_cast<long long>(batch) * out.slices + slice) * (out.rows_padded / kFlagRows) +
             row0 / kFlagRows + threadIdx.x] = (shared.flags >> threadIdx.x) & 1u;
  }
  if (threadIdx.x == 0 && shared.flags != 0) {
    atomicAdd(out.wide_count, __popc(shared.flags) * out.products_per_block);
  }
}

// Both operands in one launch: the first `a_tiles` thread blocks take A.
template <class A, class B>
__device__ __forceinline__ void split_operands(const A& a, const SplitTarget& a_out, int a_tiles,
                                               const B& b, const SplitTarget& b_out) {
  __shared__ SplitShared<!(A::kRunsAlongK && B::kRunsAlongK)> shared;
  if (static_cast<int>(blockIdx.x) < a_tiles) {
    split_tile<1>(a, a_out, static_cast<int>(blockIdx.x), shared);
  } else {
    split_tile<32>(b, b_out, static_cast<int>(blockIdx.x) - a_tiles, shared);
  }
}

}  // namespace kw
