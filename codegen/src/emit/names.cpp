// C++ names of types and values.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "emit/functor.h"

namespace kw::codegen {

std::string index_type(const Program& program, const std::vector<TensorId>& tensors) {
  for (const TensorId t : tensors) {
    const Tensor& tensor = program.tensor(t);
    std::int64_t last = 0;
    for (std::size_t d = 0; d < tensor.shape.size(); ++d) {
      last += (tensor.shape[d] - 1) * std::abs(tensor.strides[d]);
    }
    if (last > kLastInt32) return "long long";
  }
  return "int";
}

std::string_view compute_name(DType type) noexcept {
  switch (type) {
    case DType::F64:
      return "double";
    case DType::I64:
      return "long long";
    case DType::Bool:
      return "bool";
    case DType::F32:
    case DType::F16:
    case DType::BF16:
      return "float";
    default:
      return "int";
  }
}

std::string_view storage_name(DType type) noexcept {
  switch (type) {
    case DType::F64:
      return "double";
    case DType::F32:
      return "float";
    case DType::F16:
      return "__half";
    case DType::BF16:
      return "__nv_bfloat16";
    case DType::I64:
      return "long long";
    case DType::I32:
      return "int";
    case DType::I16:
      return "short";
    case DType::I8:
      return "signed char";
    case DType::U8:
    case DType::Bool:
      return "unsigned char";
  }
  return "float";
}

std::string literal(double value, DType type) {
  switch (type) {
    case DType::Bool:
      return value != 0 ? "true" : "false";
    case DType::I64:
      return fmt::format("{}ll", static_cast<std::int64_t>(value));
    case DType::F64:
    case DType::F32:
    case DType::F16:
    case DType::BF16:
      break;
    default:
      return fmt::format("{}", static_cast<std::int64_t>(value));
  }
  const bool wide = type == DType::F64;
  if (std::isnan(value)) return wide ? "static_cast<double>(KW_NAN)" : "KW_NAN";
  if (std::isinf(value)) {
    const char* sign = value < 0 ? "-" : "";
    return wide ? fmt::format("{}static_cast<double>(KW_INF)", sign)
                : fmt::format("{}KW_INF", sign);
  }
  std::string text = wide ? fmt::format("{:.17g}", value) : fmt::format("{:.9g}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  if (!wide) text += "f";
  return value < 0 || std::signbit(value) ? "(" + text + ")" : text;
}

std::string stored_value(const std::string& value, DType stored) {
  switch (stored) {
    case DType::F16:
      return fmt::format("__float2half_rn({})", value);
    case DType::BF16:
      return fmt::format("__float2bfloat16_rn({})", value);
    case DType::F32:
    case DType::F64:
      return value;
    case DType::Bool:
      return fmt::format("static_cast<unsigned char>({} ? 1 : 0)", value);
    default:
      return fmt::format("static_cast<{}>({})", storage_name(stored), value);
  }
}

std::vector<TensorId> tensors_of(const Encoded& encoded) {
  std::vector<TensorId> tensors;
  for (const TensorId t : {encoded.codes, encoded.scales, encoded.zeros, encoded.tensor_scale}) {
    if (t != kNoTensor) tensors.push_back(t);
  }
  return tensors;
}

std::vector<TensorId> tensors_under(const Program& program, const std::vector<ScalarId>& roots) {
  std::vector<TensorId> tensors;
  const auto add = [&](TensorId t) {
    if (std::find(tensors.begin(), tensors.end(), t) == tensors.end()) tensors.push_back(t);
  };
  for (const ScalarId root : roots) {
    for (const ScalarId leaf : leaves_of(program.scalars, root)) {
      const Scalar& s = program.scalars[leaf];
      if (s.op == Op::Load || s.op == Op::Gather) add(s.tensor);
      if (s.op == Op::Decode) {
        for (const TensorId t : tensors_of(s.encoded)) add(t);
      }
    }
  }
  return tensors;
}

}  // namespace kw::codegen
