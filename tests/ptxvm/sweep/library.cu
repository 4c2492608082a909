// The parts of the C++ library that run on a device: barriers, atomics, containers.
#include <cuda/atomic>
#include <cuda/barrier>
#include <cuda/std/array>
#include <cuda/std/bit>
#include <cuda/std/complex>
#include <cuda/std/optional>
#include <cuda/std/tuple>
extern "C" __global__ void k(const unsigned* in, unsigned* out) {
  __shared__ cuda::barrier<cuda::thread_scope_block> barrier;
  __shared__ unsigned values[64], sum, most;
  const unsigned t = threadIdx.x, a = in[4 * t];
  unsigned* o = out + 8 * t;
  if (t == 0) {
    init(&barrier, blockDim.x);
    sum = most = 0;
  }
  __syncthreads();
  values[t] = a;
  cuda::atomic_ref<unsigned, cuda::thread_scope_block>(sum).fetch_add(a, cuda::memory_order_relaxed);
  cuda::atomic_ref<unsigned, cuda::thread_scope_block>(most).fetch_max(a & 0xffff);
  barrier.wait(barrier.arrive());
  o[0] = values[63 - t];
  o[1] = sum;
  o[2] = most;
  barrier.arrive_and_wait();
  cuda::std::array<unsigned, 4> four{a, a >> 8, a >> 16, a >> 24};
  unsigned all = 0;
  for (unsigned v : four) all += v & 0xff;
  o[3] = all;
  o[4] = cuda::std::popcount(a) + 100 * cuda::std::countl_zero(a);
  const cuda::std::complex<float> z(float(t), 2.0f);
  o[5] = unsigned((z * z).real() + 4.0f);
  const cuda::std::optional<unsigned> maybe = t % 2 ? cuda::std::optional<unsigned>(t) : cuda::std::nullopt;
  o[6] = maybe.value_or(99);
  const auto both = cuda::std::make_tuple(t, a);
  o[7] = cuda::std::get<0>(both) + cuda::std::get<1>(both);
}
