// Functions through pointers and tables of virtual ones; printf, assert, __nanosleep.
struct Shape {
  __device__ virtual unsigned area(unsigned x) const = 0;
  __device__ virtual unsigned twice(unsigned x) const { return 2 * area(x); }
};
struct Square : Shape {
  unsigned s;
  __device__ explicit Square(unsigned v) : s(v) {}
  __device__ unsigned area(unsigned x) const override { return s * s + x; }
};
struct Bar : Shape {
  unsigned s;
  __device__ explicit Bar(unsigned v) : s(v) {}
  __device__ unsigned area(unsigned x) const override { return 3 * s + x; }
  __device__ unsigned twice(unsigned x) const override { return area(x) ^ 1; }
};
typedef unsigned (*Operation)(unsigned, unsigned);
__device__ __noinline__ unsigned plus(unsigned a, unsigned b) { return a + b; }
__device__ __noinline__ unsigned minus(unsigned a, unsigned b) { return a - b; }
__device__ __noinline__ unsigned times(unsigned a, unsigned b) { return a * b; }
__device__ Operation table[3] = {plus, minus, times};
__constant__ Operation constant_table[2] = {times, minus};
extern "C" __global__ void k(const unsigned* in, unsigned* out) {
  const unsigned t = threadIdx.x, a = in[4 * t], b = in[4 * t + 1];
  unsigned* o = out + 8 * t;
  Square square(a);
  Bar bar(b);
  const Shape* shape = t & 1 ? static_cast<const Shape*>(&square) : static_cast<const Shape*>(&bar);
  o[0] = shape->twice(t);
  o[1] = table[t % 3](a, b);
  o[2] = constant_table[t % 2](a, b);
  __nanosleep(20);
  if (t == 5) printf("%u of %s\n", a, "it");
  assert(t < 64);
  o[3] = shape->area(b);
  o[4] = o[5] = o[6] = o[7] = 0;
}
