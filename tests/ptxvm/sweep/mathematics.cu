// Functions of f32 and f64, with arguments that take their slow paths.
extern "C" __global__ void k(const unsigned* in, unsigned* out) {
  const unsigned t = threadIdx.x;
  const float x = (float)(int)in[4 * t] * 1e-7f, big = x * 1e6f;
  float* o = reinterpret_cast<float*>(out + 8 * t);
  o[0] = sinf(big);
  o[1] = expf(x * 0.1f);
  o[2] = (float)log1p(fabs((double)x));
  o[3] = powf(fabsf(x) + 0.5f, 1.7f);
  o[4] = (float)erf((double)x);
  o[5] = tanhf(x) + rsqrtf(fabsf(x) + 1.0f) + cbrtf(x);
  o[6] = (float)(sqrt(fabs((double)x)) / (1.0 + exp((double)x * 0.05)));
  o[7] = fmodf(big, 3.0f) + rintf(x) + lgammaf(fabsf(x) + 1.0f);
}
