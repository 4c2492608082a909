// Shared by every skeleton: NaN-propagating extrema, small functions, vector access.
// fmaxf and fminf drop a NaN where PyTorch keeps it, so they are not used.

#define KW_INF __int_as_float(0x7f800000)
#define KW_NAN __int_as_float(0x7fffffff)

__device__ __forceinline__ float kw_max(float a, float b) { return (a < b || b != b) ? b : a; }
__device__ __forceinline__ float kw_min(float a, float b) { return (b < a || b != b) ? b : a; }
__device__ __forceinline__ double kw_max(double a, double b) { return (a < b || b != b) ? b : a; }
__device__ __forceinline__ double kw_min(double a, double b) { return (b < a || b != b) ? b : a; }
__device__ __forceinline__ int kw_max(int a, int b) { return a < b ? b : a; }
__device__ __forceinline__ int kw_min(int a, int b) { return b < a ? b : a; }
__device__ __forceinline__ long long kw_max(long long a, long long b) { return a < b ? b : a; }
__device__ __forceinline__ long long kw_min(long long a, long long b) { return b < a ? b : a; }
__device__ __forceinline__ bool kw_max(bool a, bool b) { return a || b; }
__device__ __forceinline__ bool kw_min(bool a, bool b) { return a && b; }

template <class T>
__device__ __forceinline__ T kw_sign(T a) {
  return a > T(0) ? T(1) : (a < T(0) ? T(-1) : T(0));
}
/// Python's remainder: the sign of the divisor.
__device__ __forceinline__ float kw_remainder(float a, float b) {
  const float r = fmodf(a, b);
  return r != 0.0f && ((r < 0.0f) != (b < 0.0f)) ? r + b : r;
}
__device__ __forceinline__ double kw_remainder(double a, double b) {
  const double r = fmod(a, b);
  return r != 0.0 && ((r < 0.0) != (b < 0.0)) ? r + b : r;
}
template <class T>
__device__ __forceinline__ T kw_remainder(T a, T b) {
  const T r = a % b;
  return r != 0 && ((r < 0) != (b < 0)) ? r + b : r;
}

template <int kBytes>
struct KwWord;
template <>
struct KwWord<16> { using type = uint4; };
template <>
struct KwWord<8> { using type = uint2; };
template <>
struct KwWord<4> { using type = unsigned int; };
template <>
struct KwWord<2> { using type = unsigned short; };
template <>
struct KwWord<1> { using type = unsigned char; };

/// Stored to computed. Half types add their own overloads (found at instantiation).
template <class C, class T>
__device__ __forceinline__ void kw_convert(T from, C& to) { to = static_cast<C>(from); }
__device__ __forceinline__ void kw_convert(unsigned char from, bool& to) { to = from != 0; }

/// kCount consecutive elements at an address that is a multiple of kAligned elements (a power of
/// two), in accesses of at most 16 bytes. kStream: read once, do not keep in the caches.
template <int kCount, int kAligned, bool kStream, class T, class C>
__device__ __forceinline__ void kw_load(const T* from, C (&to)[kCount]) {
  constexpr int kMost = 16 / static_cast<int>(sizeof(T));
  constexpr int kStep = kAligned < kMost ? kAligned : kMost;
  using Word = typename KwWord<kStep * static_cast<int>(sizeof(T))>::type;
  alignas(16) T held[kCount];
#pragma unroll
  for (int i = 0; i < kCount / kStep; ++i) {
    const Word* word = reinterpret_cast<const Word*>(from) + i;
    reinterpret_cast<Word*>(held)[i] = kStream ? __ldcs(word) : __ldg(word);
  }
#pragma unroll
  for (int i = 0; i < kCount; ++i) kw_convert(held[i], to[i]);
}

template <int kCount, int kAligned, bool kStream, class T>
__device__ __forceinline__ void kw_store(T* to, const T (&from)[kCount]) {
  constexpr int kMost = 16 / static_cast<int>(sizeof(T));
  constexpr int kStep = kAligned < kMost ? kAligned : kMost;
  using Word = typename KwWord<kStep * static_cast<int>(sizeof(T))>::type;
#pragma unroll
  for (int i = 0; i < kCount / kStep; ++i) {
    alignas(16) T held[kStep];
#pragma unroll
    for (int j = 0; j < kStep; ++j) held[j] = from[i * kStep + j];
    Word* word = reinterpret_cast<Word*>(to) + i;
    if (kStream) {
      __stcs(word, *reinterpret_cast<const Word*>(held));
    } else {
      *word = *reinterpret_cast<const Word*>(held);
    }
  }
}
