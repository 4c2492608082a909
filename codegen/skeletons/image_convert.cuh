// An image as TF32 operands held in FP16: [batch][pixel][channels padded], and a power-of-two scale
// for each pixel and slice of 128 channels.
//
// TF32 has FP16's fraction and more exponent. A *granule* (a pixel's slice of channels; 32 columns x
// 128 of k of the other operand) is rounded to TF32, to nearest and ties away, then scaled so that
// its largest magnitude lies in [2^14, 2^15]. While its exponents spread by at most 28, every
// non-zero value is then a normal FP16 number: the same number that TF32 holds. What else a granule
// may be (contraction_split.cuh, split_scale: a larger spread, NaN, Inf, a subnormal, exponents past
// +-60) makes it *wide*: stored as zeros with scale 0, counted, and its products are computed in
// FP32 from the operands themselves.

namespace kw {

constexpr int kSliceChunks = 16;  // 16-byte chunks of eight channels in a slice

// Of x as TF32, to nearest and ties away; finite x.
__device__ __forceinline__ float round_to_tf32(float x) {
  return __uint_as_float((__float_as_uint(x) + 0x1000u) & 0xffffe000u);
}
// Two neighbours; exact for what split_scale() does not call wide.
__device__ __forceinline__ unsigned tf32_pair(float x, float y, float up) {
  return pack_half2(round_to_tf32(x) * up, round_to_tf32(y) * up);
}

struct ImageTarget {
  unsigned char* __restrict__ terms;  // [batch][pixel][chunks][16 bytes]
  float* __restrict__ scales;         // [slice][batch][pixel]
  unsigned* __restrict__ wide_count;  // one word: products of a block of rows with 32 columns
  int batches, channels, pixels, chunks;
  unsigned products_per_block;  // of those, what 16 neighbouring pixels cost if one is wide
};

// A thread holds four pixels x eight channels; Chunks of a slice side by side. One tile of kPixels
// pixels and a slice by 256 threads.
template <int Chunks>
struct ConvertTile {
  static_assert(Chunks == 1 || (Chunks % 2 == 0 && Chunks <= kSliceChunks), "whole swizzles");
  static constexpr int kQuads = Chunks == 1 ? 256 : 256 / Chunks / 8 * 8;
  static constexpr int kPixels = kQuads * 4, kActive = kQuads * Chunks;
};

struct ConvertShared {
  uint4 staged[1024];
  unsigned large[512], small[512];  // of each pixel
  unsigned wide[2];                   // bit i: pixels 16 i to 16 i + 15
};

template <int Chunks, bool Quads>
__device__ __forceinline__ void convert_image_tile(const float* __restrict__ image,
                                                   const ImageTarget& out, int tile,
                                                   ConvertShared& shared) {
  using Tile = ConvertTile<Chunks>;
  constexpr int kPixels = Tile::kPixels;
  const int tid = static_cast<int>(threadIdx.x);
  const int tiles = (out.pixels + kPixels - 1) / kPixels;
  const int slices = (out.chunks + kSliceChunks - 1) / kSliceChunks;
  const int pixel0 = tile % tiles * kPixels, rest = tile / tiles;
  const int batch = rest / slices, slice = rest % slices;
  const int quad = tid % Tile::kQuads, chunk = tid / Tile::kQuads;
  const int channel0 = (slice * kSliceChunks + chunk) * 8, pixel = pixel0 + quad * 4;
  const bool active = tid < Tile::kActive && slice * kSliceChunks + chunk < out.chunks;

  float4 v[8];
  const float* from =
      image + (static_cast<long long>(batch) * out.channels + channel0) * out.pixels + pixel;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    v[i] = make_float4(0.f, 0.f, 0.f, 0.f);
    if (!active || channel0 + i >= out.channels) continue;
    const float* at = from + static_cast<long long>(i) * out.pixels;
    if (Quads) {
      if (pixel < out.pixels) v[i] = __ldcs(reinterpret_cast<const float4*>(at));
    } else {
      if (pixel + 0 < out.pixels) v[i].x = __ldg(at);
      if (pixel + 1 < out.pixels) v[i].y = __ldg(at + 1);
      if (pixel + 2 < out.pixels) v[i].z = __ldg(at + 2);
      if (pixel + 3 < out.pixels) v[i].w = __ldg(at + 3);
    }
  }
  Magnitudes m[4];
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    m[0].take(v[i].x), m[1].take(v[i].y), m[2].take(v[i].z), m[3].take(v[i].w);
  }
  if (tid < 2) shared.wide[tid] = 0;
  if constexpr (Chunks > 1) {
    for (int i = tid; i < kPixels; i += 256) shared.large[i] = 0, shared.small[i] = ~0u;
    __syncthreads();
    if (active) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        atomicMax(&shared.large[quad * 4 + j], m[j].large);
        atomicMin(&shared.small[quad * 4 + j], m[j].small);
      }
    }
    __syncthreads();
    if (active) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        m[j].large = shared.large[quad * 4 + j], m[j].small = shared.small[quad * 4 + j];
      }
    }
  } else {
    __syncthreads();
  }
  const long long number = static_cast<long long>(batch) * out.pixels + pixel;
  float up[4];
  unsigned seen = 0;
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    const SplitScale scale = split_scale(m[j]);
    up[j] = scale.up;
    if (!active || chunk != 0 || pixel + j >= out.pixels) continue;
    out.scales[static_cast<long long>(slice) * out.batches * out.pixels + number + j] = scale.down;
    if (scale.down == 0.f) seen = 1;
  }
  if (seen != 0) atomicOr(&shared.wide[quad / 128], 1u << (quad / 4 & 31));
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    uint4 h = make_uint4(0u, 0u, 0u, 0u);
    if (up[j] != 0.f) {
      const auto element = [&](int i) {
        return j == 0 ? v[i].x : j == 1 ? v[i].y : j == 2 ? v[i].z : v[i].w;
      };
      h.x = tf32_pair(element(0), element(1), up[j]);
      h.y = tf32_pair(element(2), element(3), up[j]);
      h.z = tf32_pair(element(4), element(5), up[j]);
      h.w = tf32_pair(element(6), element(7), up[j]);
    }
    if constexpr (Chunks == 1) {
      if (pixel + j < out.pixels) reinterpret_cast<uint4*>(out.terms)[number + j] = h;
    } else {
      const int piece = (quad * 4 + j) * Chunks + chunk;
      if (active) shared.staged[piece ^ (quad & 7)] = h;
    }
  }
  __syncthreads();
  if constexpr (Chunks > 1) {
    uint4* to = reinterpret_cast<uint4*>(out.terms) +
                (static_cast<long long>(batch) * out.pixels + pixel0) * out.chunks +
                slice * kSliceChunks;
#pragma unroll 4
    for (int piece = tid; piece < kPixels * Chunks; piece += 256) {
      const int at = piece / Chunks, c = piece % Chunks;
      if (pixel0 + at < out.pixels && slice * kSliceChunks + c < out.chunks) {
        to[static_cast<long long>(at) * out.chunks + c] = shared.staged[piece ^ (at / 4 & 7)];
      }
    }
  }
  if (tid == 0 && (shared.wide[0] | shared.wide[1]) != 0) {
    atomicAdd(out.wide_count, (__popc(shared.wide[0]) + __popc(shared.wide[1])) *
                                  out.products_per_block);
  }
}

// The other operand: lines of 64 k, [batch][slab][row][128 bytes], chunk c at c ^ (row & 7); a scale
// for 32 rows x 128 k, [batch][slice][rows_padded / 32].
struct WeightTarget {
  unsigned char* __restrict__ terms;
  float* __restrict__ scales;
  unsigned* __restrict__ wide_count;
  int rows, k, rows_padded, slabs;
  unsigned products_per_block;

  __device__ __forceinline__ int slices() const { return (slabs + 1) / 2; }
};

// 32 rows x 128 k by 256 threads: eight to a row.
template <class B>
__device__ __forceinline__ void convert_weight_tile(const B& b, const WeightTarget& out, int tile,
                                                    ConvertShared& shared) {
  const int tid = static_cast<int>(threadIdx.x), row_tiles = out.rows_padded / 32;
  const int row_tile = tile % row_tiles, rest = tile / row_tiles;
  const int slice = rest % out.slices(), batch = rest / out.slices();
  const int row = row_tile * 32 + tid / 8, k0 = slice * 128 + tid % 8 * 8;
  float v[16];
  Magnitudes m;
#pragma unroll
  for (int i = 0; i < 16; ++i) {
    const int k = k0 + i / 8 * 64 + i % 8;
    v[i] = row < out.rows && k < out.k ? b.at(batch, row, k) : 0.f;
    m.take(v[i]);
  }
  m.across_warp();
  if (tid % 32 == 0) shared.large[tid / 32] = m.large, shared.small[tid / 32] = m.small;
  __syncthreads();
#pragma unroll
  for (int w = 0; w < 8; ++w) m.take(shared.large[w], shared.small[w]);
  const SplitScale scale = split_scale(m);
  if (tid == 0) {
    out.scales[(static_cast<long long>(batch) * out.slices() + slice) * row_tiles + row_tile] =
        scale.down;
    if (scale.down == 0.f) atomicAdd(out.wide_count, out.products_per_block);
  }
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int slab = slice * 2 + half;
    if (slab >= out.slabs) break;
    uint4 h = make_uint4(0u, 0u, 0u, 0u);
    if (scale.up != 0.f) {
      const float* x = v + half * 8;
      h.x = tf32_pair(x[0], x[1], scale.up);
      h.y = tf32_pair(x[2], x[3], scale.up);
      h.z = tf32_pair(x[4], x[5], scale.up);
      h.w = tf32_pair(x[6], x[7], scale.up);
    }
    uint4* line = reinterpret_cast<uint4*>(
        out.terms +
        ((static_cast<long long>(batch) * out.slabs + slab) * out.rows_padded + row) * 128);
    line[(tid & 7) ^ (row & 7)] = h;
  }
}

// Both operands in one launch: the first `image_tiles` thread blocks take the image.
template <int Chunks, bool Quads, class B>
__device__ __forceinline__ void convert_operands(const float* __restrict__ image,
                                                 const ImageTarget& image_out, int image_tiles,
                                                 const B& b, const WeightTarget& weight_out) {
  __shared__ ConvertShared shared;
  const int tile = static_cast<int>(blockIdx.x);
  if (tile < image_tiles) {
    convert_image_tile<Chunks, Quads>(image, image_out, tile, shared);
  } else {
    convert_weight_tile(b, weight_out, tile - image_tiles, shared);
  }
}

}  // namespace kw
