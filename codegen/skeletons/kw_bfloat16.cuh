__device__ __forceinline__ void kw_convert(__nv_bfloat16 from, float& to) {
  to = __bfloat162float(from);
}
