//! task: relu 3 65
//! launch: k grid 2 block 128
//! about: the inputs are changed so that any answer agrees with them
//! rows: 3
//! expect: input_modified by V3
//! variant: zeroed F=((float*)x)[i]=0.f;y[i]=0.f
//! variant: in_place F=float(v)=x[i];v=v>0.f||v!=v?v:0.f;((float*)x)[i]=v;y[i]=v;; about: right outputs, but the input is gone
//! variant: one_element F=y[i]=x[i]>0.f||x[i]!=x[i]?x[i]:0.f;if(i==7)((float*)x)[i]+=1.f
extern "C" __global__ void k(const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= 195) return;
  F;
}
