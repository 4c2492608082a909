// Appended to fill_element.cuh: one entry that fills a buffer. Each thread takes groups of four
// elements in a grid-stride loop; a whole group is one store.

extern "C" __global__ void __launch_bounds__(256) kw_fill(const struct KwFill fill,
                                                          unsigned char* __restrict__ out) {
  const kw_u64 groups = (fill.elements + 3) / 4;
  const kw_u64 step = (kw_u64)gridDim.x * blockDim.x;
  const int width = kw_width(fill.store);
  for (kw_u64 g = (kw_u64)blockIdx.x * blockDim.x + threadIdx.x; g < groups; g += step) {
    kw_u64 bits[4];
    kw_group(&fill, g, bits);
    unsigned char* at = out + g * 4 * (kw_u64)width;
    const bool whole = 4 * g + 4 <= fill.elements;
    if (whole && width == 4) {
      uint4 v;
      v.x = (kw_u32)bits[0], v.y = (kw_u32)bits[1], v.z = (kw_u32)bits[2], v.w = (kw_u32)bits[3];
      *(uint4*)at = v;
    } else if (whole && width == 2) {
      uint2 v;
      v.x = (kw_u32)(bits[0] & 0xFFFFu) | (kw_u32)(bits[1] & 0xFFFFu) << 16;
      v.y = (kw_u32)(bits[2] & 0xFFFFu) | (kw_u32)(bits[3] & 0xFFFFu) << 16;
      *(uint2*)at = v;
    } else {
      for (int l = 0; l < 4; ++l) {
        if (4 * g + (kw_u64)l >= fill.elements) break;
        for (int b = 0; b < width; ++b) at[l * width + b] = (unsigned char)(bits[l] >> (8 * b));
      }
    }
  }
}
