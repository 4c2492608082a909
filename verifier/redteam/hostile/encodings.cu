//! task: dequantize 3 96
//! launch: k grid 3 block 96
//! about: number formats read almost right
//! rows: 36
//! expect: wrong_result by V10
//! variant: no_scale VALUE=c/64.f
//! variant: exponent_off_by_one VALUE=ldexpf(c/64.f,s-126)
//! variant: unsigned_codes VALUE=ldexpf((unsigned)(c&255)/64.f,s-127)
//! variant: first_scale_for_all VALUE=ldexpf(c/64.f,scales[0]-127)
//! variant: ninety_five_percent VALUE=ldexpf((i%20==7?c+1:c)/64.f,s-127);; about: all but one in twenty are right
//! variant: clamped_scale VALUE=ldexpf(c/64.f,min(s,127)-127)
extern "C" __global__ void k(const signed char* codes, const unsigned char* scales, float* y) {
  int i = blockIdx.x * 96 + threadIdx.x;
  int c = codes[i], s = scales[i / 32];
  (void)s;
  y[i] = VALUE;
}
