// A candidate's output against the reference, element by element (kernels.cu stands before this text).

namespace kw::verify::gpu {

KW_HD ComparePartial joined(const ComparePartial& a, const ComparePartial& b) {
  ComparePartial out = a;
  if (b.worst > a.worst || (b.worst == a.worst && b.worst_at < a.worst_at)) {
    out.worst = b.worst;
    out.worst_at = b.worst_at;
  }
  out.first_wrong = a.first_wrong < b.first_wrong ? a.first_wrong : b.first_wrong;
  out.wrong += b.wrong;
  out.judged += b.judged;
  out.finite += b.finite;
  out.signed_sum += b.signed_sum;
  out.signed_count += b.signed_count;
  return out;
}

extern "C" __global__ void __launch_bounds__(128) kw_compare(const CompareArguments a) {
  __shared__ ComparePartial parts[128];
  ComparePartial mine{0, 0, kNone, kNone, 0, 0, 0, 0};
  for (u64 i = thread_index(); i < a.n; i += thread_count()) {
    const double expected = at(a.v, i);
    double bound = a.e != 0 ? at(a.e, i) : 0.0;
    if (a.c != 0) bound += a.flushed + a.alike * at(a.c, i);
    if (bound == kInf) continue;
    const double got = load(a.got, static_cast<long long>(i)).v;
    const double units = error_in_bounds(expected, got, bound, a.largest);
    ++mine.judged;
    if (is_finite(expected)) ++mine.finite;
    if (units > mine.worst || mine.worst_at == kNone) {
      mine.worst = units;
      mine.worst_at = i;
    }
    if (units > kEdge) {
      ++mine.wrong;
      if (i < mine.first_wrong) mine.first_wrong = i;
    }
    if (a.c != 0 && is_finite(got) && is_finite(expected) && at(a.c, i) > kLeastMagnitude) {
      mine.signed_sum += (got - expected) / at(a.c, i);
      ++mine.signed_count;
    }
  }
  parts[threadIdx.x] = mine;
  __syncthreads();
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) parts[threadIdx.x] = joined(parts[threadIdx.x], parts[threadIdx.x + half]);
    __syncthreads();
  }
  if (threadIdx.x == 0) reinterpret_cast<ComparePartial*>(a.out)[blockIdx.x] = parts[0];
}

}  // namespace kw::verify::gpu
