// __int128, divisions, bit operations, byte permutations, dot products, carries.
extern "C" __global__ void k(const unsigned* in, unsigned* out) {
  const unsigned t = threadIdx.x, a = in[4 * t], b = in[4 * t + 1], c = in[4 * t + 2] | 1;
  unsigned* o = out + 8 * t;
  const unsigned long long x = (unsigned long long)a << 32 | b, y = (unsigned long long)b << 32 | c;
  const unsigned __int128 p = (unsigned __int128)x * y + a;
  o[0] = (unsigned)(p >> 64) ^ (unsigned)(p >> 96);
  o[1] = (unsigned)(p / c) ^ (unsigned)(p % y);
  o[2] = (unsigned)((long long)x / (int)c) + (unsigned)((long long)x % (int)c);
  o[3] = __popc(a) + 100 * __clz(b) + 10000 * __ffs(c) + (__brev(a) & 0xff);
  o[4] = __byte_perm(a, b, c) + __funnelshift_l(a, b, c);
  o[5] = __dp4a(a, b, c) + (unsigned)__dp2a_lo((int)a, (int)b, (int)c);
  o[6] = __umulhi(a, b) + (unsigned)__mulhi((int)a, (int)b) + __umul24(a, b) + __sad((int)a, (int)b, c);
  o[7] = (unsigned)(__umul64hi(x, y) >> 7) + (unsigned)__hadd((int)a, (int)b) + __vadd2(a, b) + __vmaxs4(a, b);
}
