__device__ __forceinline__ void kw_convert(__half from, float& to) { to = __half2float(from); }
