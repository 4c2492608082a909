#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "binder.h"

namespace kw::launch {

namespace {

template <typename T>
std::vector<std::byte> bytes_of(T value) {
  std::vector<std::byte> out(sizeof value);
  std::memcpy(out.data(), &value, sizeof value);
  return out;
}

constexpr std::size_t kPointerBytes = 8;
constexpr std::size_t kTensorMapBytes = 128, kTensorMapAlign = 128;

}  // namespace

Result<BoundPointer> Binder::pointer(const std::string& buffer, const Expr& offset,
                                     std::int64_t bytes, const std::string& place) {
  const auto found = meaning_.find(buffer);
  if (found == meaning_.end()) {
    return fail(Errc::InvalidArgument, "{}/buffer: no buffer named '{}'{}", place, buffer, trail_);
  }
  const BoundBuffer& target = bound_.buffers[found->second];
  if (phase_ == Phase::Setup && target.role != Role::Weight && target.role != Role::Scratch) {
    return fail(Errc::InvalidArgument,
                "{}/buffer: setup sees weights and scratch only, the role of '{}' is {}", place,
                buffer, to_string(target.role));
  }
  KW_ASSIGN(const std::int64_t at, eval(offset, place + "/offset"));
  if (at < 0 || at > target.bytes || bytes > target.bytes - at) {
    return fail(
        Errc::InvalidArgument, "{}/offset: {} past the end of '{}' ({} bytes){}", place,
        bytes > 0 ? fmt::format("{} bytes from {} on reach", bytes, at) : fmt::format("{} is", at),
        buffer, target.bytes, trail_);
  }
  use(target.root);
  return BoundPointer{target.root, target.offset + at};
}

Result<BoundParameter> Binder::bind_arg(const PlanArg& arg, const std::string& place) {
  if (const auto* buffer = std::get_if<BufferArg>(&arg)) {
    KW_ASSIGN(const BoundPointer to, pointer(buffer->buffer, buffer->offset, 0, place));
    return BoundParameter{std::vector<std::byte>(kPointerBytes), kPointerBytes, {{0, to}}, {}};
  }
  if (const auto* scalar = std::get_if<ScalarArg>(&arg)) {
    KW_ASSIGN(std::vector<std::byte> bytes, bind_scalar(*scalar, place));
    const std::size_t align = bytes.size();
    return BoundParameter{std::move(bytes), align, {}, {}};
  }
  if (const auto* by_value = std::get_if<StructArg>(&arg)) return bind_struct(*by_value, place);
  return bind_tensor_map(std::get<TensorMapArg>(arg), place);
}

Result<std::vector<std::byte>> Binder::bind_scalar(const ScalarArg& arg, const std::string& place) {
  const bool floating = arg.type == "f32" || arg.type == "f64";
  if (const auto* number = std::get_if<double>(&arg.value)) {
    if (!floating) {
      return fail(Errc::InvalidArgument, "{}/value: a fraction for the type {}", place, arg.type);
    }
    if (arg.type == "f64") return bytes_of(*number);
    if (std::isfinite(*number) && std::fabs(*number) > std::numeric_limits<float>::max()) {
      return fail(Errc::InvalidArgument, "{}/value: {} is no f32", place, *number);
    }
    return bytes_of(static_cast<float>(*number));
  }
  KW_ASSIGN(const std::int64_t value, eval(std::get<Expr>(arg.value), place + "/value"));
  const auto in = [&](std::int64_t low, std::int64_t high) {
    return value >= low && value <= high;
  };
  if (arg.type == "i64") return bytes_of(value);
  if (arg.type == "f64") return bytes_of(static_cast<double>(value));
  if (arg.type == "f32") return bytes_of(static_cast<float>(value));
  if (arg.type == "i32" && in(INT32_MIN, INT32_MAX)) {
    return bytes_of(static_cast<std::int32_t>(value));
  }
  if (arg.type == "u32" && in(0, UINT32_MAX)) return bytes_of(static_cast<std::uint32_t>(value));
  if (arg.type == "u64" && value >= 0) return bytes_of(static_cast<std::uint64_t>(value));
  const bool known = arg.type == "i32" || arg.type == "u32" || arg.type == "u64";
  if (!known) {
    return fail(Errc::InvalidArgument, "{}/type: '{}' is none of i32, u32, i64, u64, f32, f64",
                place, arg.type);
  }
  return fail(Errc::InvalidArgument, "{}/value: {} is no {}{}", place, value, arg.type, trail_);
}

Result<BoundParameter> Binder::bind_struct(const StructArg& arg, const std::string& place) {
  BoundParameter out;
  for (std::size_t i = 0; i < arg.fields.size(); ++i) {
    const std::string field_place = fmt::format("{}/fields/{}", place, i);
    BoundParameter field;
    if (const auto* buffer = std::get_if<BufferArg>(&arg.fields[i])) {
      KW_ASSIGN(field, bind_arg(*buffer, field_place));
    } else {
      KW_ASSIGN(field, bind_arg(std::get<ScalarArg>(arg.fields[i]), field_place));
    }
    const std::size_t at = (out.bytes.size() + field.align - 1) / field.align * field.align;
    out.bytes.resize(at);
    out.bytes.insert(out.bytes.end(), field.bytes.begin(), field.bytes.end());
    for (const PointerPatch& patch : field.pointers) {
      out.pointers.push_back({at + patch.at, patch.pointer});
    }
    out.align = std::max(out.align, field.align);
  }
  if (out.bytes.empty()) return fail(Errc::InvalidArgument, "{}/fields: empty", place);
  out.bytes.resize((out.bytes.size() + out.align - 1) / out.align * out.align);
  return out;
}

/// The rules of cuTensorMapEncodeTiled (CUDA driver API, "Tensor Map Object Management"), checked
/// here so that a refusal names the place.
Result<BoundParameter> Binder::bind_tensor_map(const TensorMapArg& arg, const std::string& place) {
  if (!options_.limits.tensor_maps) {
    return fail(Errc::Unsupported, "{}: this device has no tensor maps (sm_90 and newer have)",
                place);
  }
  const std::size_t rank = arg.dims.size();
  if (rank < 1 || rank > 5 || arg.strides.size() != rank - 1 || arg.box.size() != rank) {
    return fail(Errc::InvalidArgument,
                "{}: rank {} needs {} strides and {} box extents, and lies in 1..5", place, rank,
                rank == 0 ? 0 : rank - 1, rank);
  }
  const auto element = static_cast<std::int64_t>(size_of(arg.dtype));
  BoundTensorMap map;
  map.dtype = arg.dtype;
  map.swizzle = arg.swizzle;
  map.fill_nan = arg.fill == "nan";
  std::int64_t last = 0;  // offset of the last element
  for (std::size_t i = 0; i < rank; ++i) {
    KW_ASSIGN(const std::int64_t extent,
              eval_in(arg.dims[i], fmt::format("{}/dims/{}", place, i), 1, std::int64_t{1} << 32));
    KW_ASSIGN(const std::int64_t box,
              eval_in(arg.box[i], fmt::format("{}/box/{}", place, i), 1, 256));
    std::int64_t stride = element;
    if (i > 0) {
      const std::string at = fmt::format("{}/strides/{}", place, i - 1);
      KW_ASSIGN(stride, eval_in(arg.strides[i - 1], at, 16, (std::int64_t{1} << 40) - 1));
      if (stride % 16 != 0) {
        return fail(Errc::InvalidArgument, "{}: {} is no multiple of 16", at, stride);
      }
      map.strides.push_back(static_cast<std::uint64_t>(stride));
    }
    std::int64_t reach = 0;
    if (__builtin_mul_overflow(extent - 1, stride, &reach) ||
        __builtin_add_overflow(last, reach, &last)) {
      return fail(Errc::InvalidArgument, "{}: the extents overflow", place);
    }
    map.dims.push_back(static_cast<std::uint64_t>(extent));
    map.box.push_back(static_cast<std::uint32_t>(box));
  }
  const std::int64_t row = map.box[0] * element;
  if (row % 16 != 0) {
    return fail(Errc::InvalidArgument, "{}/box/0: {} bytes are no multiple of 16", place, row);
  }
  const bool known_swizzle =
      arg.swizzle == 0 || arg.swizzle == 32 || arg.swizzle == 64 || arg.swizzle == 128;
  if (!known_swizzle || (arg.swizzle != 0 && row > arg.swizzle)) {
    return fail(Errc::InvalidArgument, "{}/swizzle: {} with {} bytes in the box's innermost extent",
                place, arg.swizzle, row);
  }
  if (map.fill_nan && !is_floating(arg.dtype)) {
    return fail(Errc::InvalidArgument, "{}/fill: nan needs a floating type", place);
  }
  KW_ASSIGN(map.base, pointer(arg.base.buffer, arg.base.offset, last + element, place + "/base"));
  if (map.base.offset % 16 != 0) {
    return fail(Errc::InvalidArgument, "{}/base/offset: {} is no multiple of 16", place,
                map.base.offset);
  }
  BoundParameter out;
  out.bytes.resize(kTensorMapBytes);
  out.align = kTensorMapAlign;
  out.tensor_map = std::move(map);
  return out;
}

}  // namespace kw::launch
