// Convolutions in one to three dimensions, plain and transposed, grouped and dilated.

#include <algorithm>
#include <array>

#include "contraction.h"
#include "operator.h"

namespace kw::reference {
namespace {

struct Geometry {
  std::size_t dims = 2;
  std::array<std::int64_t, 3> in{1, 1, 1}, out{1, 1, 1}, kernel{1, 1, 1};
  std::array<std::int64_t, 3> stride{1, 1, 1}, padding{0, 0, 0}, dilation{1, 1, 1},
      output_padding{0, 0, 0};
  std::int64_t batch = 1, in_channels = 1, out_channels = 1, groups = 1;
  bool transposed = false;
};

/// Attribute lists of one element hold for every dimension. Arrays are filled from the back, so
/// that unused leading dimensions have extent 1.
Status read_list(const Call& call, std::string_view name, std::size_t dims,
                 std::array<std::int64_t, 3>& into) {
  if (!has_attr(call.node, name)) return {};
  KW_ASSIGN(const std::vector<std::int64_t> list, attr_ints(call.node, name));
  if (list.size() != dims && list.size() != 1) {
    return fail(Errc::InvalidArgument, "{} has {} entries", name, list.size());
  }
  for (std::size_t d = 0; d < dims; ++d) into[3 - dims + d] = list.size() == 1 ? list[0] : list[d];
  return {};
}

Result<Geometry> geometry(const Call& call, bool transposed) {
  const Shape& x = call.in(0).shape;
  const Shape& w = call.in(1).shape;
  if (x.size() < 3 || x.size() > 5 || w.size() != x.size()) {
    return fail(Errc::Unsupported, "input {} and weight {} (batched, 1 to 3 dimensions)",
                to_string(x), to_string(w));
  }
  Geometry g;
  g.dims = x.size() - 2;
  g.transposed = transposed;
  KW_RETURN_IF_ERROR(read_list(call, "stride", g.dims, g.stride));
  KW_RETURN_IF_ERROR(read_list(call, "padding", g.dims, g.padding));
  KW_RETURN_IF_ERROR(read_list(call, "dilation", g.dims, g.dilation));
  KW_RETURN_IF_ERROR(read_list(call, "output_padding", g.dims, g.output_padding));
  KW_ASSIGN(g.groups, attr_int_or(call.node, "groups", 1));
  g.batch = x[0];
  g.in_channels = x[1];
  g.out_channels = transposed ? w[1] * g.groups : w[0];
  const std::int64_t expected = transposed ? w[0] : w[1] * g.groups;
  if (g.groups < 1 || expected != g.in_channels || g.out_channels % g.groups != 0) {
    return fail(Errc::InvalidArgument, "channels of {} and {} disagree", to_string(x),
                to_string(w));
  }
  for (std::size_t i = 0; i < g.dims; ++i) {
    const std::size_t d = 3 - g.dims + i;
    g.in[d] = x[2 + i];
    g.kernel[d] = w[2 + i];
    const std::int64_t reach = g.dilation[d] * (g.kernel[d] - 1);
    if (g.stride[d] < 1) return fail(Errc::InvalidArgument, "stride {}", g.stride[d]);
    g.out[d] = transposed ? (g.in[d] - 1) * g.stride[d] - 2 * g.padding[d] + reach +
                                g.output_padding[d] + 1
                          : (g.in[d] + 2 * g.padding[d] - reach - 1) / g.stride[d] + 1;
    if (g.out[d] < 0) return fail(Errc::InvalidArgument, "empty output");
  }
  return g;
}

/// Input coordinate that meets output coordinate `o` through tap `t`, or -1.
std::int64_t source(const Geometry& g, std::size_t d, std::int64_t o, std::int64_t t) {
  if (!g.transposed) {
    const std::int64_t i = o * g.stride[d] - g.padding[d] + t * g.dilation[d];
    return i >= 0 && i < g.in[d] ? i : -1;
  }
  const std::int64_t shifted = o + g.padding[d] - t * g.dilation[d];
  if (shifted < 0 || shifted % g.stride[d] != 0) return -1;
  const std::int64_t i = shifted / g.stride[d];
  return i < g.in[d] ? i : -1;
}

struct Element {
  double v = 0, c = 0, p = 0;
  bool open = false;  // a weight that is not finite meets padding: zero times it may be formed or not
};
void accumulate(Element& e, const Tensor& x, std::size_t at_x, const Tensor& w, std::size_t at_w) {
  const double a = x.value[at_x], b = w.value[at_w];
  const double ea = x.bound_at(at_x), eb = w.bound_at(at_w);
  e.v += a * b;
  e.c += std::fabs(a * b);
  if (ea > 0 || eb > 0) e.p += std::fabs(a) * eb + ea * (std::fabs(b) + eb);
}

Element element_at(const Geometry& g, const Tensor& x, const Tensor& w, bool w_is_finite,
                   std::int64_t n, std::int64_t oc, const std::array<std::int64_t, 3>& o) {
  const std::int64_t per_group_out = g.out_channels / g.groups;
  const std::int64_t per_group_in = g.in_channels / g.groups;
  const std::int64_t gi = oc / per_group_out;
  const std::int64_t taps = g.kernel[0] * g.kernel[1] * g.kernel[2];
  const std::int64_t plane = g.in[0] * g.in[1] * g.in[2];
  Element e;
  for (std::int64_t t = 0; t < taps; ++t) {
    const std::array<std::int64_t, 3> tap{t / (g.kernel[1] * g.kernel[2]),
                                          t / g.kernel[2] % g.kernel[1], t % g.kernel[2]};
    std::array<std::int64_t, 3> i{};
    bool inside = true;
    for (std::size_t d = 0; d < 3; ++d) {
      i[d] = source(g, d, o[d], tap[d]);
      inside = inside && i[d] >= 0;
    }
    if (!inside && w_is_finite) continue;
    const std::int64_t pixel = (i[0] * g.in[1] + i[1]) * g.in[2] + i[2];
    for (std::int64_t c = 0; c < per_group_in; ++c) {
      const std::int64_t ic = gi * per_group_in + c;
      const std::int64_t at_x = (n * g.in_channels + ic) * plane + pixel;
      const std::int64_t at_w = g.transposed ? (ic * per_group_out + oc % per_group_out) * taps + t
                                             : (oc * per_group_in + c) * taps + t;
      if (inside) {
        accumulate(e, x, static_cast<std::size_t>(at_x), w, static_cast<std::size_t>(at_w));
      } else if (!std::isfinite(w.value[static_cast<std::size_t>(at_w)])) {
        e.open = true;
      }
    }
  }
  return e;
}

Result<Outputs> convolve(const Call& call, bool transposed) {
  KW_RETURN_IF_ERROR(need_inputs(call, 2));
  KW_ASSIGN(const Geometry g, geometry(call, transposed));
  const Tensor& x = call.in(0);
  const Tensor& w = call.in(1);
  const Tensor* bias = call.has(2) ? &call.in(2) : nullptr;
  Shape shape{g.batch, g.out_channels};
  for (std::size_t d = 3 - g.dims; d < 3; ++d) shape.push_back(g.out[d]);
  Tensor out = make_tensor(shape);
  out.bound.resize(out.size());
  const bool w_is_finite =
      std::ranges::all_of(w.value, [](double value) { return std::isfinite(value); });
  const bool direct = x.bound.empty() && w.bound.empty() && bias == nullptr;
  if (direct) out.magnitude.resize(out.size());
  const std::int64_t pixels = g.out[0] * g.out[1] * g.out[2];
  const auto k =
      static_cast<std::size_t>(g.in_channels / g.groups * g.kernel[0] * g.kernel[1] * g.kernel[2]);
  const auto is_narrow = [&](std::size_t i) {
    return call.input_dtype(i) == DType::F16 || call.input_dtype(i) == DType::BF16;
  };
  const ContractionRule rule{call.options.policy.convolution, is_narrow(0) && is_narrow(1),
                             call.options.few_valued};
  const double g32 =
      contraction_factor(PolicyClass::Ieee, static_cast<double>(k), false, call.options.few_valued);
  parallel_for(call.options, out.size(), static_cast<double>(k) * 4,
               [&](std::size_t begin, std::size_t end) {
                 for (std::size_t i = begin; i < end; ++i) {
                   const auto pixel = static_cast<std::int64_t>(i) % pixels;
                   const std::int64_t plane = static_cast<std::int64_t>(i) / pixels;
                   const std::int64_t oc = plane % g.out_channels;
                   const Element e = element_at(g, x, w, w_is_finite, plane / g.out_channels, oc,
                                                {pixel / (g.out[1] * g.out[2]),
                                                 pixel / g.out[2] % g.out[1], pixel % g.out[2]});
                   Num n{e.v, rule.bound(e.v, e.c, e.p, k)};
                   if (direct) out.magnitude[i] = e.c;
                   if (bias != nullptr) {
                     const Num b = num_at(*bias, static_cast<std::size_t>(oc));
                     n = n + b;
                     if (std::isfinite(n.v)) n.e += g32 * std::fabs(b.v);
                   }
                   out.value[i] = n.v;
                   out.bound[i] = e.open ? kInf : n.e;
                 }
               });
  return one(std::move(out));
}

Result<Outputs> conv(const Call& call) { return convolve(call, false); }
Result<Outputs> conv_transpose(const Call& call) { return convolve(call, true); }
/// aten.convolution says by attribute whether it is transposed.
Result<Outputs> convolution(const Call& call) {
  KW_ASSIGN(const bool transposed, attr_bool_or(call.node, "transposed", false));
  return convolve(call, transposed);
}

}  // namespace

std::vector<OperatorEntry> convolution_operators() {
  return {{"conv1d", conv},
          {"conv2d", conv},
          {"conv3d", conv},
          {"conv_transpose1d", conv_transpose},
          {"conv_transpose2d", conv_transpose},
          {"conv_transpose3d", conv_transpose},
          {"convolution", convolution},
          {"_convolution", convolution}};
}

}  // namespace kw::reference
