#include "op_names.h"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace kw::verify::gpu {

std::string_view base_name(std::string_view op) {
  if (op.starts_with("kw.")) return op.substr(3);
  if (!op.starts_with("aten.")) return op;
  op.remove_prefix(5);
  op = op.substr(0, op.find('.'));
  if (op.size() > 1 && op.ends_with('_') && !op.starts_with("_")) op.remove_suffix(1);
  return op;
}

std::optional<Function> pointwise_function(std::string_view name) {
  static const std::unordered_map<std::string_view, Function> kTable{
      {"clone", kCopy},
      {"contiguous", kCopy},
      {"detach", kCopy},
      {"alias", kCopy},
      {"neg", kNegate},
      {"abs", kAbs},
      {"relu", kRelu},
      {"relu6", kRelu6},
      {"exp", kExp},
      {"exp2", kExp2},
      {"expm1", kExpm1},
      {"log", kLog},
      {"log2", kLog2},
      {"log10", kLog10},
      {"log1p", kLog1p},
      {"sqrt", kSqrt},
      {"rsqrt", kRsqrt},
      {"reciprocal", kReciprocal},
      {"square", kSquareOf},
      {"sin", kSin},
      {"cos", kCos},
      {"tanh", kTanh},
      {"erf", kErf},
      {"erfc", kErfc},
      {"sigmoid", kSigmoid},
      {"silu", kSilu},
      {"swish", kSilu},
      {"mish", kMish},
      {"selu", kSelu},
      {"softsign", kSoftsign},
      {"hardsigmoid", kHardsigmoid},
      {"hardswish", kHardswish},
      {"log_sigmoid", kLogSigmoid},
      {"logical_not", kNot},
      {"eq", kEqual},
      {"gelu", kGeluErf},
      {"leaky_relu", kLeakyRelu},
      {"elu", kElu},
      {"clamp", kClamp},
      {"clip", kClamp},
      {"clamp_min", kClamp},
      {"clamp_max", kClamp},
      {"hardtanh", kClamp},
      {"softplus", kSoftplus},
      {"add", kAddScaled},
      {"sub", kSubScaled},
      {"subtract", kSubScaled},
      {"rsub", kReverseSub},
      {"mul", kTimes},
      {"multiply", kTimes},
      {"div", kQuotient},
      {"divide", kQuotient},
      {"true_divide", kQuotient},
      {"pow", kPower},
      {"maximum", kMaximum},
      {"minimum", kMinimum},
      {"mse_loss", kSquaredDifference},
      {"l1_loss", kAbsoluteDifference},
      {"smooth_l1_loss", kSmoothL1},
      {"huber_loss", kHuber},
      {"kl_div", kKl},
  };
  const auto found = kTable.find(name);
  return found == kTable.end() ? std::nullopt : std::optional(found->second);
}

bool is_pointwise(std::string_view name) { return pointwise_function(name).has_value(); }

bool is_reshape(std::string_view name) {
  static constexpr std::array<std::string_view, 7> kNames{
      "view", "reshape", "_unsafe_view", "flatten", "unflatten", "unsqueeze", "squeeze"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

bool is_row_reduction(std::string_view name) {
  static constexpr std::array<std::string_view, 7> kNames{"sum", "mean", "amax",     "amin",
                                                          "var", "std",  "logsumexp"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

bool is_product(std::string_view name) {
  static constexpr std::array<std::string_view, 8> kNames{"matmul", "mm",     "bmm",   "mv",
                                                          "dot",    "linear", "addmm", "baddbmm"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

bool is_convolution(std::string_view name) {
  static constexpr std::array<std::string_view, 8> kNames{
      "conv1d",           "conv2d",           "conv3d",      "conv_transpose1d",
      "conv_transpose2d", "conv_transpose3d", "convolution", "_convolution"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

bool is_pool(std::string_view name) {
  const std::size_t at = name.find("pool");
  return at != std::string_view::npos && at + 5 < name.size() && name[at + 4] >= '1' &&
         name[at + 4] <= '3' && name[at + 5] == 'd';
}

bool is_loss(std::string_view name) {
  static constexpr std::array<std::string_view, 5> kNames{"mse_loss", "l1_loss", "smooth_l1_loss",
                                                          "huber_loss", "kl_div"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

}  // namespace kw::verify::gpu
