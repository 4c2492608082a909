#include "kw/verify/fill.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <thread>

#include "device_source.h"
#include "fill_kernel.h"
#include "fill_spec.h"
#include "kw/core/random.h"

namespace kw::verify {

namespace {

constexpr std::uint64_t kOnce = ~std::uint64_t{0};  // index of what is drawn once per tensor

int store_of(DType type) {
  switch (type) {
    case DType::F64:
      return kKwF64;
    case DType::F32:
      return kKwF32;
    case DType::F16:
      return kKwF16;
    case DType::BF16:
      return kKwBF16;
    case DType::I64:
      return kKwI64;
    case DType::I32:
      return kKwI32;
    case DType::I16:
      return kKwI16;
    case DType::I8:
      return kKwI8;
    case DType::U8:
      return kKwU8;
    case DType::Bool:
      return kKwBool;
  }
  return kKwF32;
}

/// Codes of numbers of one sign: without their sign bit, or in the upper half of an unsigned range,
/// which zero points then leave alone. Elements that do not fill bytes evenly stay as drawn.
void set_coherent_codes(const FillSpec& spec, KwFill& f) {
  const Element& e = spec.format.element;
  const unsigned tops = e.bits == 4 ? 0x88u : e.bits == 8 ? 0x80u : 0u;
  const bool upper = e.kind == ElementKind::UnsignedInt && !spec.zero_points;
  (upper ? f.code_set : f.code_clear) = tops;
}

Status set_codes(const FillSpec& spec, KwFill& f) {
  if (spec.format.name.empty()) return fail(Errc::InvalidArgument, "codes of no format");
  f.source = kKwCodes;
  const Element& e = spec.format.element;
  if (spec.family == Family::Coherent) set_coherent_codes(spec, f);
  if (e.kind != ElementKind::Float || e.bits != 8 || !(e.has_nan || e.has_infinity)) return {};
  const std::uint64_t top = (std::uint64_t{1} << e.exponent_bits) - 1;
  f.range = e.has_infinity ? top << e.mantissa_bits : (std::uint64_t{1} << (e.bits - 1)) - 1;
  return {};
}

Status set_scales(const FillSpec& spec, const DrawStep& step, KwFill& f) {
  struct Kind {
    int source, bias, low, high;
  };
  Kind kind{};
  switch (spec.format.scale) {
    case ScaleKind::E8M0:
      kind = {kKwScaleE8M0, 127, -127, 127};
      break;
    case ScaleKind::E4M3:
      kind = {kKwScaleE4M3, 7, -6, 8};
      break;
    case ScaleKind::F16:
      kind = {kKwScaleF16, 15, -14, 15};
      break;
    case ScaleKind::F32:
      kind = {kKwScaleF32, 127, -126, 127};
      break;
    case ScaleKind::None:
      return fail(Errc::InvalidArgument, "format {} has no scales", spec.format.name);
  }
  const int low = std::clamp(static_cast<int>(step.a), kind.low, kind.high);
  const int high = std::clamp(static_cast<int>(step.b), low, kind.high);
  f.source = kind.source;
  f.base = low + kind.bias;
  f.range = static_cast<std::uint64_t>(high - low + 1);
  return {};
}

Status set_source(const FillSpec& spec, const DrawStep& step, KwFill& f) {
  switch (step.op) {
    case DrawStep::Op::Uniform:
      f.source = kKwUniform;
      f.a = static_cast<float>(step.a);
      f.b = static_cast<float>(step.b - step.a);
      return {};
    case DrawStep::Op::Normal:
      f.source = kKwNormal;
      f.a = static_cast<float>(step.a);
      f.b = static_cast<float>(step.b);
      return {};
    case DrawStep::Op::Integers: {
      if (!(step.b > step.a) || step.b - step.a > 0x1p32) {
        return fail(Errc::InvalidArgument, "integers from {} to {}", step.a, step.b);
      }
      f.source = kKwIntegers;
      f.base = static_cast<std::int64_t>(step.a);
      f.range = static_cast<std::uint64_t>(step.b - step.a);
      return {};
    }
    case DrawStep::Op::Constant:
      f.source = kKwConstant;
      f.a = static_cast<float>(step.a);
      return {};
    case DrawStep::Op::Codes:
      return set_codes(spec, f);
    case DrawStep::Op::Scales:
      return set_scales(spec, step, f);
    case DrawStep::Op::Values:
      return fail(Errc::InvalidArgument, "data is copied, not drawn");
    case DrawStep::Op::Mul:
    case DrawStep::Op::Add:
    case DrawStep::Op::MulUniform:
    case DrawStep::Op::Tril:
    case DrawStep::Op::Triu:
      break;
  }
  return fail(Errc::InvalidArgument, "the first step of a draw must be a source");
}

/// Families replace what is drawn, but not the structure that a kernel may rely on.
Status set_transforms(const FillSpec& spec, bool triangles_only, KwFill& f) {
  for (std::size_t i = 1; i < spec.steps.size(); ++i) {
    const DrawStep& step = spec.steps[i];
    const bool triangle = step.op == DrawStep::Op::Tril || step.op == DrawStep::Op::Triu;
    if (triangles_only && !triangle) continue;
    if (f.transforms == kKwMaxTransforms) {
      return fail(Errc::Unsupported, "more than {} transforms", +kKwMaxTransforms);
    }
    KwTransform& t = f.transform[f.transforms++];
    switch (step.op) {
      case DrawStep::Op::Mul:
        t = {0, static_cast<float>(step.a)};
        break;
      case DrawStep::Op::Add:
        t = {1, static_cast<float>(step.a)};
        break;
      case DrawStep::Op::MulUniform: {
        const Philox4 w = philox(spec.seed, spec.stream, kOnce - i);
        const double unit = static_cast<double>(w[0] >> 8) * 0x1p-24;
        t = {0, static_cast<float>(step.a + unit * (step.b - step.a))};
        break;
      }
      case DrawStep::Op::Tril:
        t = {2, static_cast<float>(step.a)};
        break;
      case DrawStep::Op::Triu:
        t = {3, static_cast<float>(step.a)};
        break;
      case DrawStep::Op::Uniform:
      case DrawStep::Op::Normal:
      case DrawStep::Op::Integers:
      case DrawStep::Op::Constant:
      case DrawStep::Op::Codes:
      case DrawStep::Op::Scales:
      case DrawStep::Op::Values:
        return fail(Errc::InvalidArgument, "step {} of a draw is a source", i);
    }
  }
  return {};
}

void set_family(const FillSpec& spec, KwFill& f) {
  const bool half = spec.dtype == DType::F16;
  const Philox4 once = philox(spec.seed, spec.stream, kOnce);
  switch (spec.family) {
    case Family::AsDrawn:
      break;
    case Family::Uniform:
      f.source = kKwUniform, f.a = -1, f.b = 2;
      break;
    case Family::Normal:
      f.source = kKwNormal, f.a = 0, f.b = 1;
      break;
    case Family::Coherent:
      f.source = spec.coarse ? kKwCoherentCoarse : kKwCoherent;
      break;
    case Family::Shifted:
      f.source = kKwUniform, f.a = 1000, f.b = 1;
      break;
    case Family::Spiky:
      f.source = kKwSpiky, f.exponent = half ? 4 : 12, f.span = half ? 7 : 9;
      break;
    case Family::Denormal:
      f.source = kKwDenormal;
      break;
    case Family::Huge:
      f.source = kKwHuge, f.exponent = half ? 10 : 58, f.span = half ? 3 : 4;
      break;
    case Family::RowScaled:
      f.source = kKwRowScaled, f.exponent = half ? -8 : -20, f.span = half ? 17 : 41;
      break;
    case Family::NonFinite:
      f.source = kKwNonFinite;
      f.pick = f.elements == 0 ? 0 : (once[0] | std::uint64_t{once[1]} << 32) % f.elements;
      break;
    case Family::Constant:  // all 23 fraction bits are random
      f.source = kKwConstant;
      f.a = 1 + static_cast<float>(once[0] >> 9) * 0x1p-23f;
      break;
  }
}

void write_groups(const KwFill& f, std::size_t width, std::uint64_t first, std::uint64_t last,
                  std::byte* out) {
  for (std::uint64_t g = first; g < last; ++g) {
    kw_u64 bits[4];
    kw_group(&f, g, bits);
    const std::uint64_t left = std::min<std::uint64_t>(4, f.elements - 4 * g);
    for (std::uint64_t l = 0; l < left; ++l) {
      std::memcpy(out + (4 * g + l) * width, &bits[l], width);  // little-endian, as devices are
    }
  }
}

}  // namespace

std::string_view to_string(Family family) noexcept {
  switch (family) {
    case Family::AsDrawn:
      return "as_drawn";
    case Family::Uniform:
      return "uniform";
    case Family::Normal:
      return "normal";
    case Family::Coherent:
      return "coherent";
    case Family::Shifted:
      return "shifted";
    case Family::Spiky:
      return "spiky";
    case Family::Denormal:
      return "denormal";
    case Family::Huge:
      return "huge";
    case Family::RowScaled:
      return "row_scaled";
    case Family::NonFinite:
      return "non_finite";
    case Family::Constant:
      return "constant";
  }
  return "unknown";
}

Result<KwFill> flatten(const FillSpec& spec) {
  KwFill f{};
  if (spec.elements < 0 || spec.row < 1 || spec.rows < 1) {
    return fail(Errc::InvalidArgument, "{} elements in {} rows of {}", spec.elements, spec.rows,
                spec.row);
  }
  f.elements = static_cast<std::uint64_t>(spec.elements);
  f.row = static_cast<std::uint64_t>(spec.row);
  f.rows = static_cast<std::uint64_t>(spec.rows);
  f.seed = spec.seed;
  f.stream = spec.stream;
  f.store = store_of(spec.dtype);
  f.span = 1;
  const bool structural = !is_floating(spec.dtype) || is_structural(spec.steps);
  if (spec.family == Family::AsDrawn || structural) {
    if (spec.steps.empty()) return fail(Errc::InvalidArgument, "a draw without steps");
    KW_RETURN_IF_ERROR(set_source(spec, spec.steps.front(), f));
    KW_RETURN_IF_ERROR(set_transforms(spec, false, f));
  } else {
    set_family(spec, f);
    KW_RETURN_IF_ERROR(set_transforms(spec, true, f));
  }
  return f;
}

Status fill(const FillSpec& spec, std::span<std::byte> out) {
  KW_ASSIGN(const KwFill f, flatten(spec));
  const std::size_t width = size_of(spec.dtype);
  if (out.size() != static_cast<std::size_t>(spec.elements) * width) {
    return fail(Errc::InvalidArgument, "{} bytes for {} elements of {}", out.size(), spec.elements,
                to_string(spec.dtype));
  }
  const std::uint64_t groups = (f.elements + 3) / 4;
  const std::uint64_t threads =
      groups < 65536 ? 1 : std::max(1u, std::thread::hardware_concurrency());
  if (threads == 1) {
    write_groups(f, width, 0, groups, out.data());
    return {};
  }
  std::vector<std::jthread> pool;
  for (std::uint64_t t = 0; t < threads; ++t) {
    pool.emplace_back([&f, width, out, groups, t, threads] {
      write_groups(f, width, groups * t / threads, groups * (t + 1) / threads, out.data());
    });
  }
  return {};
}

std::string fill_kernel_source() { return device_source({"fill_element.cuh", "fill_kernel.cu"}); }

Result<FillLaunch> fill_launch(const FillSpec& spec, std::uint64_t out) {
  KW_ASSIGN(const KwFill f, flatten(spec));
  FillLaunch launch;
  const std::uint64_t blocks = (f.elements + 1023) / 1024;
  launch.grid = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(blocks, 1, 132 * 16));
  launch.parameters.resize(sizeof f + sizeof out);
  std::memcpy(launch.parameters.data(), &f, sizeof f);
  std::memcpy(launch.parameters.data() + sizeof f, &out, sizeof out);
  launch.sizes = {sizeof f, sizeof out};
  return launch;
}

}  // namespace kw::verify
