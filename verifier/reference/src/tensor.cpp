#include "kw/reference/tensor.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "kw/reference/number_format.h"
#include "operator.h"

namespace kw::reference {
namespace {

template <typename T>
T load(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}
template <typename T>
void save(std::byte* bytes, T value) {
  std::memcpy(bytes, &value, sizeof value);
}

std::uint16_t bfloat_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>((bits >> 16) | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

}  // namespace

double decode_element(DType type, const std::byte* bytes) noexcept {
  switch (type) {
    case DType::F64:
      return load<double>(bytes);
    case DType::F32:
      return static_cast<double>(load<float>(bytes));
    case DType::F16:
      return half_value(load<std::uint16_t>(bytes));
    case DType::BF16:
      return static_cast<double>(
          std::bit_cast<float>(static_cast<std::uint32_t>(load<std::uint16_t>(bytes)) << 16));
    case DType::I64:
      return static_cast<double>(load<std::int64_t>(bytes));
    case DType::I32:
      return load<std::int32_t>(bytes);
    case DType::I16:
      return load<std::int16_t>(bytes);
    case DType::I8:
      return load<std::int8_t>(bytes);
    case DType::U8:
      return load<std::uint8_t>(bytes);
    case DType::Bool:
      return load<std::uint8_t>(bytes) != 0 ? 1 : 0;
  }
  return 0;
}

Result<Tensor> decode_tensor(const Value& value, std::span<const std::byte> bytes) {
  KW_ASSIGN(const std::int64_t count, element_count(value.shape));
  const Shape strides = value.strides.empty() ? contiguous_strides(value.shape) : value.strides;
  if (strides.size() != value.shape.size()) {
    return fail(Errc::InvalidArgument, "{}: {} strides for shape {}", value.name, strides.size(),
                to_string(value.shape));
  }
  Tensor out = make_tensor(value.shape);
  if (count == 0) return out;
  std::int64_t reach = 0;
  for (std::size_t d = 0; d < strides.size(); ++d) {
    if (strides[d] < 0) return fail(Errc::Unsupported, "{}: negative stride", value.name);
    reach += strides[d] * (value.shape[d] - 1);
  }
  const std::size_t width = size_of(value.dtype);
  if ((static_cast<std::size_t>(reach) + 1) * width > bytes.size()) {
    return fail(Errc::InvalidArgument, "{}: {} bytes for shape {}", value.name, bytes.size(),
                to_string(value.shape));
  }
  Tensor flat = make_tensor({reach + 1});
  for (std::size_t i = 0; i < flat.size(); ++i) {
    flat.value[i] = decode_element(value.dtype, bytes.data() + i * width);
  }
  return gather(flat, value.shape, strides, 0);
}

std::vector<std::byte> encode_tensor(const Tensor& tensor, DType type) {
  const std::size_t width = size_of(type);
  std::vector<std::byte> bytes(tensor.size() * width);
  for (std::size_t i = 0; i < tensor.size(); ++i) {
    std::byte* to = bytes.data() + i * width;
    const double v = tensor.value[i];
    switch (type) {
      case DType::F64:
        save(to, v);
        break;
      case DType::F32:
        save(to, static_cast<float>(v));
        break;
      case DType::F16:
        save(to, half_bits(static_cast<float>(v)));
        break;
      case DType::BF16:
        save(to, bfloat_bits(static_cast<float>(v)));
        break;
      case DType::I64:
        save(to, static_cast<std::int64_t>(v));
        break;
      case DType::I32:
        save(to, static_cast<std::int32_t>(v));
        break;
      case DType::I16:
        save(to, static_cast<std::int16_t>(v));
        break;
      case DType::I8:
        save(to, static_cast<std::int8_t>(v));
        break;
      case DType::U8:
        save(to, static_cast<std::uint8_t>(v));
        break;
      case DType::Bool:
        save(to, static_cast<std::uint8_t>(v != 0 ? 1 : 0));
        break;
    }
  }
  return bytes;
}

}  // namespace kw::reference
