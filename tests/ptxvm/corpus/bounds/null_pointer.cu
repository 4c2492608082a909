// An optional array that is absent.
// launch: 1 32
// arg: float* bias = null
// arg: float out[32]
// finds: invalid_address
extern "C" __global__ void k(const float* bias, float* out) {
#ifdef FIXED
  out[threadIdx.x] = bias != nullptr ? bias[threadIdx.x] : 0.0f;
#else
  out[threadIdx.x] = bias[threadIdx.x];  // BUG
#endif
}
