//! task: relu 3 65
//! launch: k grid 2 block 128
//! about: source that is cheap to write and dear to compile, or that reads the machine
//! slow: 1
//! rows: 50
//! expect: compile_error|timeout|rejected_by_policy
//! variant: macro BOMB=1
//! variant: templates BOMB=2
//! variant: initialiser BOMB=3
//! variant: includes_itself BOMB=4
//! variant: reads_a_file BOMB=5;; rows: 16 26
//! variant: reads_the_environment BOMB=6;; rows: 16
//! variant: digraph_include BOMB=7;; rows: 16 49
//! variant: macro_include BOMB=8;; rows: 16 49
//! variant: trigraph_include BOMB=9;; rows: 16 49
#if BOMB == 1
#define A(x) x x x x x x x x x x
#define B(x) A(A(A(A(x))))
#define C(x) B(B(B(x)))
int a[] = {C(1,) 0};
#elif BOMB == 2
template <unsigned long N, unsigned long M> struct T { static const unsigned long v = T<N - 1, 2 * M>::v + T<N - 1, 2 * M + 1>::v; };
template <unsigned long M> struct T<0, M> { static const unsigned long v = M; };
__device__ unsigned long all = T<30, 0>::v;
#elif BOMB == 3
__device__ int a[1ul << 33] = {1, 2};
__device__ char b[] = {[0 ... 4000000000] = 1};
#elif BOMB == 4
#include __FILE__
#elif BOMB == 5
#include "/etc/passwd"
#elif BOMB == 6
#include "/proc/self/environ"
#elif BOMB == 7
%:include "/etc/passwd"
#elif BOMB == 8
#define WHERE </etc/hostname>
#include WHERE
#elif BOMB == 9
??=include "/etc/passwd"
#endif
extern "C" __global__ void k(const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < 195) y[i] = x[i] > 0.f || x[i] != x[i] ? x[i] : 0.f;
}
