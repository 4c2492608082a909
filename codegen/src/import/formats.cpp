// kw.dequantize is an access (Op::Decode), kw.quantize an Encode stage (with a reduction over the
// whole tensor in front where the format has a tensor scale).

#include <limits>

#include "emit/format_code.h"
#include "import/formula.h"

namespace kw::codegen {
namespace {

Result<Format> format_of(Importer& im) {
  KW_ASSIGN(const std::string name, attr_string_or(im.node(), "format", ""));
  for (const Format& format : im.task().formats) {
    if (format.name != name) continue;
    if (!decodable(format)) return im.refuse("format '{}' has fields that no decoder knows", name);
    return format;
  }
  return im.refuse("the task does not carry format '{}'", name);
}

Status need_shape(Importer& im, TensorId tensor, const Shape& shape) {
  const Tensor& t = im.program().tensor(tensor);
  if (t.shape == shape && t.strides == contiguous_strides(shape)) return {};
  return im.refuse("'{}' is {}, not a contiguous {}", t.name, to_string(t.shape), to_string(shape));
}

/// Checks the tensors of an encoded value against its format.
Status check_encoded(Importer& im, const Encoded& e, std::int64_t rows) {
  KW_ASSIGN(const std::int64_t bytes, code_bytes_per_row(e.format, e.k));
  KW_ASSIGN(const std::int64_t blocks, blocks_per_row(e.format, e.k));
  KW_RETURN_IF_ERROR(need_shape(im, e.codes, {rows, bytes}));
  KW_RETURN_IF_ERROR(need_shape(im, e.scales, {rows, blocks}));
  const DType scale = e.format.scale == ScaleKind::F16 ? DType::F16 : DType::U8;
  if (im.program().tensor(e.codes).dtype != DType::U8 ||
      im.program().tensor(e.scales).dtype != scale) {
    return im.refuse("codes must be u8 and scales {}", to_string(scale));
  }
  if (e.zeros != kNoTensor) {
    KW_RETURN_IF_ERROR(need_shape(im, e.zeros, {rows, (blocks * e.format.element.bits + 7) / 8}));
  }
  if (e.tensor_scale != kNoTensor && count_of(im.program().tensor(e.tensor_scale).shape) != 1) {
    return im.refuse("the tensor scale is not one number");
  }
  return {};
}

Status dequantize(Importer& im, std::string_view) {
  Encoded e;
  KW_ASSIGN(e.format, format_of(im));
  const Shape& shape = im.output_value().shape;
  if (shape.size() != 2) return im.refuse("a result of shape {}", to_string(shape));
  KW_ASSIGN(e.k, attr_int_or(im.node(), "k", shape[1]));
  if (e.k != shape[1]) return im.refuse("k is {}, the result has {} columns", e.k, shape[1]);
  KW_ASSIGN(e.codes, im.stored(0));
  KW_ASSIGN(e.scales, im.stored(1));
  std::size_t next = 2;
  if (e.format.zero_point) {
    KW_ASSIGN(e.zeros, im.stored(next++));
  }
  if (e.format.tensor_scale) {
    KW_ASSIGN(e.tensor_scale, im.stored(next++));
  }
  KW_RETURN_IF_ERROR(check_encoded(im, e, shape[0]));
  Scalar decode;
  decode.op = Op::Decode;
  decode.encoded = e;
  decode.at = {shape[0] == 1 ? Index(0) : Index::variable(0),
               shape[1] == 1 ? Index(0) : Index::variable(1)};
  return im.define(0, {im.scalars().add(std::move(decode)), shape});
}

/// NV: g = fl32(448 * Qmax / amax), 1 for a zero tensor, FLT_MAX on overflow; t = fl32(1 / g).
E tensor_factor(E amax, const Format& format) {
  const E quotient = amax.number(448 * format.element.max_value) / amax;
  const E finite = clamp_high(quotient, std::numeric_limits<float>::max());
  return choose(amax.apply(Op::Eq, amax.number(0)), amax.number(1), finite);
}

Status quantize(Importer& im, std::string_view) {
  Stage stage;
  stage.kind = Stage::Kind::Encode;
  Encoded& e = stage.encoded;
  KW_ASSIGN(e.format, format_of(im));
  if (!encodable(e.format))
    return im.refuse("no encoder has the scale rule of '{}'", e.format.name);
  KW_ASSIGN(const Lazy x, im.input(0));
  if (x.shape.size() != 2 || im.scalars()[x.expr].type != DType::F32) {
    return im.refuse("a matrix of f32 is needed");
  }
  e.k = x.shape[1];
  const std::size_t outputs =
      2u + (e.format.zero_point ? 1u : 0u) + (e.format.tensor_scale ? 1u : 0u);
  if (im.node().outputs.size() != outputs) return im.refuse("{} outputs are needed", outputs);
  if (e.format.tensor_scale) {
    // The magnitude of the finite elements: blocks with NaN or Inf are marked on their own.
    KW_ASSIGN(const auto amax,
              im.reduce(x.shape, {0, 1}, Combiner::Max,
                        [&](const Importer::Point& p) -> Result<ScalarId> {
                          const E magnitude = E{&im, im.at(x, p)}.apply(Op::Abs);
                          return choose(less(magnitude, std::numeric_limits<double>::infinity()),
                                        magnitude, magnitude.number(0))
                              .id;
                        }));
    const auto amax_at = [&](const Importer::Point& p) {
      return E{&im, im.at(amax[0], Importer::Point{{Index(0), Index(0)}, p.extents})};
    };
    const std::size_t t = outputs - 1;
    KW_RETURN_IF_ERROR(im.map_output(t, [&](const Importer::Point& p) -> Result<ScalarId> {
      const E factor = tensor_factor(amax_at(p), e.format);
      return (factor.number(1) / factor).id;
    }));
    stage.tensor_amax = amax_at({}).id;
    KW_ASSIGN(const Lazy stored, im.output_lazy(t));
    e.tensor_scale = im.scalars()[stored.expr].tensor;
  }
  e.codes = im.make_output(0);
  e.scales = im.make_output(1);
  stage.results = {e.codes, e.scales};
  if (e.format.zero_point) {
    e.zeros = im.make_output(2);
    stage.results.push_back(e.zeros);
  }
  KW_RETURN_IF_ERROR(check_encoded(im, e, x.shape[0]));
  // Both variables are kept, extents of 1 too: block arithmetic is easier to read that way.
  stage.extents = x.shape;
  stage.parallel = 2;
  stage.body = im.at(x, {{Index::variable(0), Index::variable(1)}, x.shape});
  im.add_stage(std::move(stage));
  im.bind(0, e.codes);
  im.bind(1, e.scales);
  if (e.format.zero_point) im.bind(2, e.zeros);
  return {};
}

}  // namespace

void add_formats(BuilderTable& t) {
  t["kw.quantize"] = quantize;
  t["kw.dequantize"] = dequantize;
}

}  // namespace kw::codegen
