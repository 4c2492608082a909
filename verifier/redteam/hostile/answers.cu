//! task: relu 3 65
//! launch: k grid 2 block 128
//! about: an answer that does not come from the input
//! expect: wrong_result by V10
//! rows: 5
//! variant: nothing ANSWER=0;; about: writes nothing: whatever lay in the buffer is the answer;; expect: wrong_result by V2|V10
//! variant: zeros_left_out ANSWER=if(x[i]>0.f||x[i]!=x[i])y[i]=x[i];; rows: 39;; about: takes fresh memory for zeros
//! variant: zeros ANSWER=y[i]=0.f
//! variant: constant ANSWER=y[i]=0.25f;; rows: 5 6
//! variant: copy ANSWER=y[i]=x[i];; about: the input handed back
//! variant: neighbour ANSWER=y[i]=fmaxf(x[i^1],0.f);; about: a plausible answer at the wrong place
//! variant: half_scale ANSWER=y[i]=fmaxf(x[i],0.f)*0.9999f;; about: inside atol = rtol = 1e-4, outside the bound
extern "C" __global__ void k(const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < 194) {
    ANSWER;
  }
  if (i == 194) y[i] = x[i] > 0.f || x[i] != x[i] ? x[i] : 0.f;
}
