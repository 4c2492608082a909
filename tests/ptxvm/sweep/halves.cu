// Conversions and arithmetic of f16 and bf16, scalar and in pairs.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
extern "C" __global__ void k(const unsigned* in, unsigned* out) {
  const unsigned t = threadIdx.x;
  const float a = __uint_as_float(in[4 * t]), b = __uint_as_float(in[4 * t + 1]), c = __uint_as_float(in[4 * t + 2]);
  unsigned* o = out + 8 * t;
  const __half ha = __float2half_rn(a), hb = __float2half_rz(b), hc = __float2half_ru(c);
  const __nv_bfloat16 ba = __float2bfloat16_rn(a), bb = __float2bfloat16_rz(b), bc = __float2bfloat16_rd(c);
  o[0] = __half_as_ushort(ha) | (unsigned)__half_as_ushort(hb) << 16;
  o[1] = __half_as_ushort(__hadd(ha, hb)) | (unsigned)__half_as_ushort(__hmul(ha, hb)) << 16;
  o[2] = __half_as_ushort(__hfma(ha, hb, hc)) | (unsigned)__half_as_ushort(__hsub(ha, hc)) << 16;
  o[3] = __bfloat16_as_ushort(ba) | (unsigned)__bfloat16_as_ushort(bb) << 16;
  o[4] = __bfloat16_as_ushort(__hadd(ba, bb)) | (unsigned)__bfloat16_as_ushort(__hmul(ba, bb)) << 16;
  o[5] = __bfloat16_as_ushort(__hfma(ba, bb, bc)) | (unsigned)__half_as_ushort(hc) << 16;
  const __half2 pair = __hfma2(__halves2half2(ha, hb), __halves2half2(hb, hc), __halves2half2(hc, ha));
  o[6] = __half_as_ushort(__low2half(pair)) | (unsigned)__half_as_ushort(__high2half(pair)) << 16;
  o[7] = __float_as_uint(__half2float(ha) + __bfloat162float(bc));
}
