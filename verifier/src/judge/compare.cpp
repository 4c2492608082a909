#include "compare.h"

#include <cmath>

#include "error_units.h"
#include "kw/reference/interpret.h"

namespace kw::verify {

namespace {

constexpr double kLeastNormal = 0x1p-126;

}  // namespace

bool Comparison::biased() const {
  return mean_allowed > 0 && std::fabs(mean_signed) > mean_allowed;
}

double CompareRules::flushed() const { return atomics ? k * kLeastNormal : 0; }
double CompareRules::alike_share() const { return 0x1p-27 * std::fmin(alike, kLongestChainAlike); }
double CompareRules::mean_allowed(double n) const {
  if (!test_mean || !(n > 0)) return 0;
  return 0x1p-20 + 0x1p-23 * std::sqrt(k / n) + alike_share() / 4;
}

Result<Comparison> compare(const Value& value, const reference::Tensor& expected,
                           std::span<const std::byte> bytes, const CompareRules& rules) {
  KW_ASSIGN(const reference::Tensor got, reference::decode_tensor(value, bytes));
  if (got.size() != expected.size()) {
    return fail(Errc::Internal, "output '{}' has {} elements, its reference {}", value.name,
                got.size(), expected.size());
  }
  Comparison c;
  c.elements = static_cast<std::int64_t>(got.size());
  const double largest = reference::largest_finite(value.dtype);
  const double flushed = rules.flushed(), alike = rules.alike_share();
  double signed_sum = 0;
  std::int64_t signed_count = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    double bound = expected.bound_at(i);
    if (!expected.magnitude.empty()) bound += flushed + alike * expected.magnitude[i];
    if (bound == reference::kInf) continue;
    ++c.judged;
    const double y = expected.value[i], x = got.value[i];
    c.finite += std::isfinite(y) ? 1 : 0;
    const double units = reference::error_in_bounds(y, x, bound, largest);
    const bool wrong = units > reference::kEdge;
    if ((wrong && c.wrong == 0) || (c.wrong == 0 && units > c.worst) || c.worst_index < 0) {
      c.worst_index = static_cast<std::int64_t>(i);
      c.expected = y;
      c.got = x;
      c.bound = bound;
    }
    c.worst = std::fmax(c.worst, units);
    c.wrong += wrong ? 1 : 0;
    if (!expected.magnitude.empty() && std::isfinite(x) && std::isfinite(y) &&
        expected.magnitude[i] > reference::kLeastMagnitude) {
      signed_sum += (x - y) / expected.magnitude[i];
      ++signed_count;
    }
  }
  if (rules.test_mean && signed_count > 0) {
    const auto n = static_cast<double>(signed_count);
    c.mean_signed = signed_sum / n;
    c.mean_allowed = rules.mean_allowed(n);
  }
  return c;
}

}  // namespace kw::verify
